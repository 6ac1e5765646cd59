//! What people write for people: shown as it is, never as markup.

use std::{fmt, sync::Arc};

/// Longest reason of a kick, in bytes of UTF-8: a sentence or two.
pub const REASON_BYTES: usize = 256;
/// Longest notice, in bytes of UTF-8: a paragraph, and a thousandth of what may wait for a client.
pub const NOTICE_BYTES: usize = 1024;

/// Text without control characters, line feeds excepted. Cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainText(Arc<str>);

/// Why a text cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlainTextError {
    /// There is nothing to show.
    #[error("must not be empty")]
    Empty,
    /// Longer than it may be.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// It would make pages and terminals do something.
    #[error("contains a control character other than a line feed")]
    ControlCharacter,
}

impl PlainText {
    /// Takes a text of at most `most` bytes.
    ///
    /// # Errors
    /// It is empty, too long, or has a control character.
    pub fn parse(text: &str, most: usize) -> Result<Self, PlainTextError> {
        match text {
            "" => Err(PlainTextError::Empty),
            _ if text.len() > most => Err(PlainTextError::TooLong { limit: most }),
            _ if text.chars().any(|c| c.is_control() && c != '\n') => Err(PlainTextError::ControlCharacter),
            _ => Ok(Self(text.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the content: people name people there.
        write!(f, "PlainText({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_shown_as_it_is_is_taken() {
        let parse = |text: &str| PlainText::parse(text, 8).map(|text| text.as_str().to_owned());
        assert_eq!(parse("a\n<b> é"), Ok("a\n<b> é".to_owned()), "eight bytes");
        assert_eq!(parse(""), Err(PlainTextError::Empty));
        assert_eq!(parse("12345678é"), Err(PlainTextError::TooLong { limit: 8 }));
        for control in ["\u{0}", "\t", "\r", "\u{1b}[1m", "\u{7f}", "\u{9b}"] {
            assert_eq!(parse(control), Err(PlainTextError::ControlCharacter), "{control:?}");
        }
        let debug = format!("{:?}", PlainText::parse("secret", 8).expect("short"));
        assert_eq!(debug, "PlainText(6 bytes)");
    }
}
