//! A text that nobody is to see: from a file or a variable, for whoever it was made for.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// How a secret is shown wherever it is not handed to whoever is to have it.
pub(super) const HIDDEN: &str = "(hidden)";

/// A text that `Debug` and serialization hide, and that is wiped when it is dropped: only [`Secret::reveal`] gives it away.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl Secret {
    /// Keeps a text as a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether that is it, found out in a time that depends on its length only.
    #[must_use]
    pub fn is(&self, shown: &str) -> bool {
        self.reveal().as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.reveal())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_knows_itself_and_shows_itself_to_nobody() {
        let secret: Secret = serde_json::from_str("\"s3cret\"").expect("a text");
        assert!(secret.is("s3cret") && secret == Secret::new("s3cret".to_owned()));
        assert!(["", "s3cre", "s3cret!", "s3creT"].iter().all(|other| !secret.is(other)));
        assert_eq!((format!("{secret:?}").as_str(), secret.reveal()), (HIDDEN, "s3cret"));
        assert_eq!(serde_json::to_string(&secret).expect("JSON"), format!("\"{HIDDEN}\""));
    }
}
