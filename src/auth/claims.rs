//! What a token says, and the bounds of each claim.

use std::time::Duration;

use super::{error::TokenError, grant::RoomRule};
use crate::{
    config::USER_BYTES,
    protocol::{
        Meta, Permissions,
        client::{ParseLimits, metadata},
        members::Members,
    },
};

/// Rooms in a list, at most.
const ROOMS: usize = 64;

/// The claims that mean something here; others may stand beside them.
pub(super) struct Claims {
    pub(super) rooms: RoomRule,
    pub(super) permissions: Permissions,
    pub(super) cap: Option<usize>,
    pub(super) meta: Option<Meta>,
    pub(super) user: Option<String>,
    /// Times since the Unix epoch.
    pub(super) expires: Duration,
    pub(super) not_before: Option<Duration>,
    pub(super) issuer: Option<String>,
    pub(super) audience: Vec<String>,
}

/// A claim, or that it is not what it should be.
type Claim<T> = Result<T, TokenError>;

impl Claims {
    /// Reads the text of a token's claims. `bounds` are those of the metadata.
    pub(super) fn read(text: &str, bounds: &ParseLimits) -> Claim<Self> {
        let claims = Members::parse(text).ok_or(TokenError::Malformed)?;
        if !claims.are_distinct() {
            return Err(TokenError::Claims);
        }
        let permissions = optional(&claims, "perms", texts)?.map(|words| permitted(&words));
        Ok(Self {
            rooms: rooms(&claims).ok_or(TokenError::Claims)?,
            permissions: permissions.unwrap_or(Permissions::USUAL),
            cap: optional(&claims, "cap", |raw| raw.parse().ok().filter(|cap| *cap > 0))?,
            meta: optional(&claims, "meta", |raw| meta(raw, bounds))?,
            user: optional(&claims, "sub", |raw| text_of(raw).filter(|user| fits(user, USER_BYTES)))?,
            expires: optional(&claims, "exp", time)?.ok_or(TokenError::Claims)?,
            not_before: optional(&claims, "nbf", time)?,
            issuer: optional(&claims, "iss", text_of)?,
            audience: optional(&claims, "aud", one_or_more)?.unwrap_or_default(),
        })
    }
}

/// A claim that may be absent, but not be wrong.
fn optional<T>(claims: &Members<'_>, name: &str, read: impl Fn(&str) -> Option<T>) -> Claim<Option<T>> {
    claims.get(name).map(|raw| read(raw).ok_or(TokenError::Claims)).transpose()
}

fn text_of(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn texts(raw: &str) -> Option<Vec<String>> {
    serde_json::from_str(raw).ok()
}

fn one_or_more(raw: &str) -> Option<Vec<String>> {
    text_of(raw).map(|one| vec![one]).or_else(|| texts(raw))
}

fn fits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
}

/// A `NumericDate` (RFC 7519 section 2): seconds, maybe with a fraction.
fn time(raw: &str) -> Option<Duration> {
    let is_number = raw.starts_with(|first: char| first.is_ascii_digit());
    let seconds: f64 = is_number.then(|| serde_json::from_str(raw).ok()).flatten()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Exactly one of the three ways to name rooms.
fn rooms(claims: &Members<'_>) -> Option<RoomRule> {
    match (claims.get("room"), claims.get("rooms"), claims.get("room_prefix")) {
        (Some(raw), None, None) => Some(RoomRule::OneOf(vec![text_of(raw)?.into()])),
        (None, Some(raw), None) => {
            let names = texts(raw).filter(|names| (1..=ROOMS).contains(&names.len()))?;
            Some(RoomRule::OneOf(names.into_iter().map(Into::into).collect()))
        }
        (None, None, Some(raw)) => Some(RoomRule::Prefix(text_of(raw).filter(|prefix| !prefix.is_empty())?.into())),
        _ => None,
    }
}

fn permitted(words: &[String]) -> Permissions {
    words.iter().fold(Permissions::NONE, |set, word| set.and(Permissions::named(word)))
}

/// As a client's, and no member twice: it is laid over the client's by name.
fn meta(raw: &str, bounds: &ParseLimits) -> Option<Meta> {
    Members::parse(raw).filter(Members::are_distinct)?;
    metadata(raw, bounds)
}
