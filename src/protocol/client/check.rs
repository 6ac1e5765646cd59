//! The rules for each field of a client frame.

use std::{borrow::Cow, ops::RangeInclusive};

use super::{
    FieldError, Identified, ParseLimits, ResumeParams, Shape,
    address::{To, address},
    fields::{Field, Fields, text},
    resume,
};
use crate::protocol::{ids::RoomName, kinds::SignalKind, meta::Meta, scan, who::Who};

/// Longest `id` of a request, in bytes.
const ID_BYTES: usize = 64;

/// Length of an identity in bytes: no shorter than 128 random bits in base64, since who guesses it takes its owner's place.
const IDENTITY_BYTES: RangeInclusive<usize> = 22..=128;

/// The request's own name, which a refusal carries back even when the rest of the frame is wrong.
pub(super) fn id<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, FieldError> {
    let Some(raw) = fields.raw(Field::Id) else { return Ok(None) };
    let id = text(raw).filter(|id| (1..=ID_BYTES).contains(&id.len()) && !fields.is_repeated(Field::Id));
    id.map(Some).ok_or_else(|| FieldError::field(Field::Id, "must be a string of 1 to 64 bytes"))
}

pub(super) fn no_other_fields(fields: &Fields<'_>, shape: Shape) -> Result<(), FieldError> {
    if let Some(name) = fields.unknown() {
        return Err(FieldError::invalid(format!("unknown field {name:?}")));
    }
    match fields.foreign(shape.own()) {
        Some(field) => Err(FieldError::field(field, "does not belong to a frame of this type")),
        None => Ok(()),
    }
}

pub(super) fn required<'a>(fields: &Fields<'a>, field: Field) -> Result<&'a str, FieldError> {
    fields.raw(field).ok_or_else(|| FieldError::field(field, "is missing"))
}

pub(super) fn required_text<'a>(fields: &Fields<'a>, field: Field) -> Result<Cow<'a, str>, FieldError> {
    text(required(fields, field)?).ok_or_else(|| FieldError::field(field, "must be a string"))
}

pub(super) fn room(fields: &Fields<'_>, bounds: &ParseLimits) -> Result<RoomName, FieldError> {
    let name = required_text(fields, Field::Room)?;
    RoomName::parse(&name, bounds.room_name_bytes).map_err(|error| FieldError::invalid(error.to_string()))
}

pub(super) fn attempt(fields: &Fields<'_>) -> Result<u32, FieldError> {
    let Some(raw) = fields.raw(Field::Attempt) else { return Ok(0) };
    raw.parse().map_err(|_| FieldError::field(Field::Attempt, "must be an integer from 0 to 4294967295"))
}

/// What `resume` asks for, and whether the session is to be resumable, which it is when it was resumed.
pub(super) fn resume(fields: &Fields<'_>) -> Result<(bool, Option<ResumeParams>), FieldError> {
    let resume = fields.raw(Field::Resume).map(resume::request).transpose()?;
    match fields.raw(Field::Resumable) {
        None => Ok((resume.is_some(), resume)),
        Some("true") => Ok((true, resume)),
        Some("false") if resume.is_some() => Err(FieldError::field(Field::Resumable, "cannot be false with resume")),
        Some("false") => Ok((false, None)),
        Some(_) => Err(FieldError::field(Field::Resumable, "must be true or false")),
    }
}

/// Who the client is, if it says so. The secret goes no further than this.
pub(super) fn identified(fields: &Fields<'_>, room: &RoomName) -> Result<Option<Identified>, FieldError> {
    let replace = match fields.raw(Field::Replace) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(FieldError::field(Field::Replace, "must be true or false")),
    };
    let raw = match fields.raw(Field::Identity) {
        Some(raw) => raw,
        None if replace => return Err(FieldError::field(Field::Replace, "needs an identity")),
        None => return Ok(None),
    };
    let is_good = |text: &str| IDENTITY_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let identity = text(raw).filter(|text| is_good(text));
    let identity = identity
        .ok_or_else(|| FieldError::field(Field::Identity, "must be a string of 22 to 128 visible ASCII characters"))?;
    Ok(Some(Identified { who: Who::of(&identity, room), replace }))
}

pub(super) fn ack(fields: &Fields<'_>) -> Result<Option<u64>, FieldError> {
    fields.raw(Field::Ack).map(|raw| count(Field::Ack, raw)).transpose()
}

/// A number of frames. As with `attempt`, digits only: no client counts in `1e3` or `3.0`.
pub(super) fn count(field: Field, raw: &str) -> Result<u64, FieldError> {
    raw.parse().map_err(|_| FieldError::field(field, "must be an integer, 0 or more"))
}

pub(super) fn meta(fields: &Fields<'_>, bounds: &ParseLimits) -> Result<Meta, FieldError> {
    meta_of(required(fields, Field::Meta)?, bounds)
}

/// Metadata that is this text.
pub(super) fn meta_of(raw: &str, bounds: &ParseLimits) -> Result<Meta, FieldError> {
    match raw {
        _ if !raw.starts_with('{') => Err(FieldError::field(Field::Meta, "must be an object")),
        _ if raw.len() > bounds.meta_bytes => {
            Err(FieldError::field(Field::Meta, format!("is longer than {} bytes", bounds.meta_bytes)))
        }
        _ => passable(Field::Meta, raw, bounds).map(Meta::from_checked),
    }
}

pub(super) fn optional_meta(fields: &Fields<'_>, bounds: &ParseLimits) -> Result<Option<Meta>, FieldError> {
    fields.raw(Field::Meta).map(|_| meta(fields, bounds)).transpose()
}

pub(super) fn to(fields: &Fields<'_>, bounds: &ParseLimits) -> Result<To, FieldError> {
    address(required(fields, Field::To)?, bounds.recipients)
}

pub(super) fn kind(fields: &Fields<'_>) -> Result<SignalKind, FieldError> {
    let word = required_text(fields, Field::Kind)?;
    SignalKind::parse(&word).ok_or_else(|| FieldError::field(Field::Kind, "must be offer, answer, candidate or app"))
}

pub(super) fn data<'a>(fields: &Fields<'a>, bounds: &ParseLimits) -> Result<&'a str, FieldError> {
    passable(Field::Data, required(fields, Field::Data)?, bounds)
}

pub(super) fn t<'a>(fields: &Fields<'a>) -> Result<Option<&'a str>, FieldError> {
    let number = |raw: &str| raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match fields.raw(Field::T) {
        Some(raw) if !number(raw) => Err(FieldError::field(Field::T, "must be a number")),
        raw => Ok(raw),
    }
}

/// What is JSON in JSON: what other peers will have to parse, or what is looked into here.
pub(super) fn passable<'a>(field: Field, raw: &'a str, bounds: &ParseLimits) -> Result<&'a str, FieldError> {
    if !scan::depth_within(raw, bounds.json_depth) {
        return Err(FieldError::field(field, format!("is nested more than {} levels deep", bounds.json_depth)));
    }
    if scan::has_lone_surrogate(raw) {
        return Err(FieldError::field(field, "contains half of a surrogate pair"));
    }
    Ok(raw)
}
