//! `kick` and `lock`: what a member asks for that moderates its room.

use std::time::Duration;

use super::{
    fields::{Field, Fields, text},
    refusal::FieldError,
};
use crate::protocol::{
    ids::PeerId,
    kick::{BAN_TIME, Kick, Target},
    plain_text::{PlainText, REASON_BYTES},
    who::Who,
};

/// Longest user that a token can name, in bytes.
const USER_BYTES: usize = 128;

/// Reads a kick: of exactly one of `peer`, `who` and `user`.
pub(super) fn kick(fields: &Fields<'_>) -> Result<Kick, FieldError> {
    let named = [Field::Peer, Field::Who, Field::User].map(|field| Some((field, fields.raw(field)?)));
    let mut named = named.into_iter().flatten();
    let (Some((field, raw)), None) = (named.next(), named.next()) else {
        return Err(FieldError::invalid("a kick names exactly one of peer, who and user"));
    };
    let name = text(raw).ok_or_else(|| FieldError::field(field, "must be a string"))?;
    let target = match field {
        Field::Peer => PeerId::parse(&name).map(Target::Peer),
        Field::Who => Who::parse(&name).map(Target::Who),
        _ => (1..=USER_BYTES).contains(&name.len()).then(|| Target::User(name.as_ref().into())),
    };
    let target = target.ok_or_else(|| {
        let length = if field == Field::User { "of 1 to 128 bytes" } else { "of 32 lower-case hex digits" };
        FieldError::field(field, format!("must be a string {length}"))
    })?;
    Ok(Kick { target, reason: reason(fields)?, ban: ban(fields)? })
}

/// Reads whether the room is to be locked.
pub(super) fn locked(fields: &Fields<'_>) -> Result<bool, FieldError> {
    match fields.raw(Field::Locked) {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(FieldError::field(Field::Locked, "must be true or false")),
        None => Err(FieldError::field(Field::Locked, "is missing")),
    }
}

fn reason(fields: &Fields<'_>) -> Result<Option<PlainText>, FieldError> {
    let Some(raw) = fields.raw(Field::Reason) else { return Ok(None) };
    let reason = text(raw).ok_or_else(|| FieldError::field(Field::Reason, "must be a string"))?;
    let reason = PlainText::parse(&reason, REASON_BYTES);
    reason.map(Some).map_err(|error| FieldError::field(Field::Reason, error.to_string()))
}

/// As with other counts, digits only.
fn ban(fields: &Fields<'_>) -> Result<Option<Duration>, FieldError> {
    let Some(raw) = fields.raw(Field::BanMs) else { return Ok(None) };
    let time = raw.parse().ok().map(Duration::from_millis).filter(|time| BAN_TIME.contains(time));
    time.map(Some).ok_or_else(|| FieldError::field(Field::BanMs, "must be an integer from 1000 to 2592000000"))
}
