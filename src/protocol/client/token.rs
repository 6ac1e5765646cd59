//! `token` of a `join` and of an `update`: what says who may do what.

use std::{borrow::Cow, fmt};

use super::{
    fields::{Field, Fields, text},
    refusal::FieldError,
};

/// Longest token, in bytes.
pub const TOKEN_BYTES: usize = 4096;

/// A token as the client gave it, not looked at yet. `Debug` hides it: whoever has it may use it.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken<'a>(Cow<'a, str>);

impl<'a> BearerToken<'a> {
    /// Keeps a text that is to be a token.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever verifies it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(hidden)")
    }
}

/// Reads `token`. Whether it is a good one is not for the frame to say.
pub(super) fn token<'a>(fields: &Fields<'a>) -> Result<Option<BearerToken<'a>>, FieldError> {
    let Some(raw) = fields.raw(Field::Token) else { return Ok(None) };
    text(raw).map(|text| Some(BearerToken(text))).ok_or_else(|| FieldError::field(Field::Token, "must be a string"))
}
