//! A peer's metadata: opaque JSON that its room shows to everybody in it.

use std::sync::Arc;

/// The raw text of a JSON object, checked for depth and for `limits.meta_bytes`, never built into a value.
///
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Meta(Arc<str>);

impl Meta {
    /// Keeps a text that the caller has checked (see [`super::client::parse`]).
    #[must_use]
    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Meta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content: users put names and tokens there.
        write!(f, "Meta({} bytes)", self.0.len())
    }
}
