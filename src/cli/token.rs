//! `switchboard token`: a join token, for whoever tries something out or makes few.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::{Map, Value};

use crate::{
    auth::{
        KeyFileError, Keys, Now, Policy, TokenError,
        issue::{SigningError, SigningKey},
        verify,
    },
    config::{Auth, KeyAlgorithm, Settings, TokenKey},
    protocol::{Permissions, client::ParseLimits},
};

/// Makes a join token and prints it. It is signed with a secret of auth.keys, or with the private key in --key.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TokenArguments {
    /// A room that it is for; may be given several times.
    #[arg(long = "room", value_name = "NAME", required_unless_present = "prefix", conflicts_with = "prefix")]
    pub rooms: Vec<String>,

    /// All rooms whose names begin so, in place of --room.
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,

    /// How long it is good: a number with s, m, h or d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub ttl: Duration,

    /// The user that it names (sub).
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// What it permits, in place of the usual: join, signal, broadcast, update, admin; may be given several times.
    #[arg(long = "perm", value_name = "WORD", value_parser = permission)]
    pub permissions: Vec<String>,

    /// Most peers that the room may have.
    #[arg(long, value_name = "NUMBER")]
    pub cap: Option<u32>,

    /// A private key in PEM, or a secret, in place of one of auth.keys.
    #[arg(long, value_name = "FILE", requires = "algorithm")]
    pub key: Option<PathBuf>,

    /// What the key in --key is for.
    #[arg(long, value_name = "HS256|RS256|ES256|EdDSA", value_parser = algorithm)]
    pub algorithm: Option<KeyAlgorithm>,

    /// The name of the key, for the token's header; without --key also which of auth.keys.
    #[arg(long, value_name = "NAME")]
    pub kid: Option<String>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No secret is configured.
    #[error("auth.keys has no HS256 secret of that name to sign with: name a private key by --key and --algorithm")]
    NoSecret,
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The key cannot sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A server with these settings would not take it.
    #[error("a server with these settings would refuse that token: {}", reason(*.0))]
    Refused(TokenError),
}

fn reason(error: TokenError) -> &'static str {
    match error {
        TokenError::Claims => {
            "it has 1 to 64 rooms, or a prefix that is not empty, a user of 1 to 128 bytes, a cap of 1 at least"
        }
        TokenError::TooLongLived => "its --ttl is longer than auth.max_ttl_ms",
        TokenError::UnknownKey => "auth.keys has no key of that name (--kid)",
        TokenError::Algorithm | TokenError::Signature => {
            "neither auth.keys nor auth.jwks_file has the key that belongs to --key"
        }
        other => other.message(),
    }
}

impl TokenArguments {
    /// The token, as of `now` (since the Unix epoch), for a server with these settings.
    ///
    /// # Errors
    /// There is no key to sign with, or such a server would refuse the token.
    pub fn issue(&self, settings: &Settings, now: Duration) -> Result<String, IssueError> {
        let auth = &settings.auth;
        let key = if let (Some(file), Some(algorithm)) = (&self.key, self.algorithm) {
            SigningKey::read(file, algorithm, self.kid.clone())?
        } else {
            let is_meant = |kid: &Option<String>| self.kid.is_none() || *kid == self.kid;
            let secret = |key: &&TokenKey| key.algorithm == KeyAlgorithm::HS256 && is_meant(&key.kid);
            let key = auth.keys.iter().find(secret).ok_or(IssueError::NoSecret)?;
            SigningKey::read(&key.file, key.algorithm, key.kid.clone())?
        };
        let token = key.sign(self.claims(auth), now, self.ttl)?;
        // Settings without keys are those of another machine than the server's.
        let keys = if auth.has_keys() { Keys::read(auth)? } else { key.keys(auth)? };
        let (policy, instant) = (Policy::new(settings, ParseLimits::from(settings)), Instant::now());
        let grant = verify(&token, &keys, &policy, Now { since_epoch: now, instant }).map_err(IssueError::Refused)?;
        if grant.permissions.allow(Permissions::JOIN) { Ok(token) } else { Err(IssueError::Refused(TokenError::Join)) }
    }

    fn claims(&self, auth: &Auth) -> Map<String, Value> {
        let rooms = match (self.rooms.as_slice(), &self.prefix) {
            (_, Some(prefix)) => ("room_prefix", prefix.as_str().into()),
            ([room], None) => ("room", room.as_str().into()),
            (rooms, None) => ("rooms", rooms.into()),
        };
        let text = |text: &String| Value::from(text.as_str());
        let permissions = (!self.permissions.is_empty()).then(|| self.permissions.as_slice().into());
        let claims = [
            Some(rooms),
            self.user.as_ref().map(|user| ("sub", text(user))),
            permissions.map(|words| ("perms", words)),
            self.cap.map(|cap| ("cap", cap.into())),
            // What the server asks for, where it asks for something.
            auth.issuers.first().map(|issuer| ("iss", text(issuer))),
            auth.audiences.first().map(|audience| ("aud", text(audience))),
        ];
        claims.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let allowed = || "a number with s, m, h or d, such as 90s or 1h".to_owned();
    let unit = text.chars().last().ok_or_else(allowed)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(allowed()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| allowed())?;
    let total = number.checked_mul(seconds).filter(|total| *total > 0);
    total.map(Duration::from_secs).ok_or_else(allowed)
}

fn permission(text: &str) -> Result<String, String> {
    let is_known = Permissions::named(text) != Permissions::NONE;
    if is_known { Ok(text.to_owned()) } else { Err("join, signal, broadcast, update or admin".to_owned()) }
}

fn algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    KeyAlgorithm::named(text).ok_or_else(|| "HS256, RS256, ES256 or EdDSA".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "60", "1w", "-1h", "1.5h", "0s", "1 h", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
