//! `join.resume`: a client that wants its session back.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    FieldError, check,
    fields::{Field, text},
};
use crate::protocol::resume::ResumeToken;

/// A client that wants its session back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeParams {
    /// Which session, and what proves it; `None` for a text that can be no token of ours, so that no session answers
    /// to it.
    pub token: Option<ResumeToken>,
    /// How many of the session's counted frames the client has handled.
    pub ack: u64,
}

/// Strict as a frame is: derived, so that fields that are missing, repeated or unknown are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    #[serde(borrow)]
    token: &'a RawValue,
    #[serde(borrow)]
    ack: &'a RawValue,
}

/// Reads `resume`.
pub(super) fn request(raw: &str) -> Result<ResumeParams, FieldError> {
    // A derived struct could be read from a list as well.
    let object = raw.starts_with('{').then(|| serde_json::from_str(raw).ok()).flatten();
    let parts: Parts<'_> =
        object.ok_or_else(|| FieldError::field(Field::Resume, "must be an object of token and ack"))?;
    let token =
        text(parts.token.get()).ok_or_else(|| FieldError::field(Field::Resume, "has a token that is no string"))?;
    Ok(ResumeParams { token: ResumeToken::parse(&token), ack: check::count(Field::Ack, parts.ack.get())? })
}
