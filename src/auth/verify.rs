//! The order of the checks: what costs least first, the signature before anything that the token says.

use std::time::{Duration, Instant};

use super::{claims::Claims, error::TokenError, grant::Grant, jws::Jws, keys::Keys};
use crate::{config::Settings, protocol::client::ParseLimits};

/// What is asked of a token beside its signature and what its keys ask for: it stays the same as long as the server runs.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `auth.max_ttl_ms`.
    max_ttl: Duration,
    /// `auth.leeway_ms`.
    leeway: Duration,
    /// `auth.show_user`.
    shows_user: bool,
    /// Those of metadata.
    bounds: ParseLimits,
}

impl Policy {
    /// From the settings; `bounds` are those of a client's frames.
    #[must_use]
    pub fn new(settings: &Settings, bounds: ParseLimits) -> Self {
        let auth = &settings.auth;
        Self { max_ttl: auth.max_ttl_ms.get(), leeway: auth.leeway_ms.get(), shows_user: auth.show_user, bounds }
    }
}

impl Policy {
    /// Longest time that a token may last.
    pub(super) fn max_ttl(&self) -> Duration {
        self.max_ttl
    }

    /// Those of metadata.
    pub(super) fn bounds(&self) -> &ParseLimits {
        &self.bounds
    }

    /// Most bytes that metadata may have.
    #[must_use]
    pub fn meta_bytes(&self) -> usize {
        self.bounds.meta_bytes
    }
}

/// One moment by both clocks: tokens tell time by the calendar, sessions end by one that nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the Unix epoch.
    pub since_epoch: Duration,
    /// The same moment.
    pub instant: Instant,
}

/// What that token grants. Whether it grants it in a certain room is [`Grant::admits`]' to say.
///
/// # Errors
/// The first check that it does not pass.
pub fn verify(token: &str, keys: &Keys, policy: &Policy, now: Now) -> Result<Grant, TokenError> {
    let claims = Jws::read(token)?.claims(keys)?;
    let claims = Claims::read(&claims, &policy.bounds)?;
    let is_trusted = |issuer: &String| keys.issuers.contains(issuer);
    if !keys.issuers.is_empty() && !claims.issuer.as_ref().is_some_and(is_trusted) {
        return Err(TokenError::Issuer);
    }
    if !keys.audiences.is_empty() && !claims.audience.iter().any(|name| keys.audiences.contains(name)) {
        return Err(TokenError::Audience);
    }
    granted(claims, policy, now)
}

/// What those claims grant, whoever has made them.
pub(super) fn granted(claims: Claims, policy: &Policy, now: Now) -> Result<Grant, TokenError> {
    let left = time_left(&claims, policy, now.since_epoch)?;
    Ok(Grant {
        rooms: claims.rooms,
        permissions: claims.permissions,
        cap: claims.cap,
        meta: claims.meta,
        user: claims.user.map(Into::into),
        shows_user: policy.shows_user,
        ends: now.instant + left,
    })
}

/// For how long the token is good: until its `exp`, or where that is over and the leeway is not, until the leeway is.
fn time_left(claims: &Claims, policy: &Policy, now: Duration) -> Result<Duration, TokenError> {
    if claims.expires > now + policy.max_ttl + policy.leeway {
        return Err(TokenError::TooLongLived);
    }
    if claims.not_before.is_some_and(|begins| begins > now + policy.leeway) {
        return Err(TokenError::NotYet);
    }
    match claims.expires.saturating_sub(now) {
        Duration::ZERO => match (claims.expires + policy.leeway).saturating_sub(now) {
            Duration::ZERO => Err(TokenError::Expired),
            left => Ok(left),
        },
        left => Ok(left),
    }
}
