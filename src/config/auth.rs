//! `[auth]`: who may come in.

use std::path::PathBuf;

use config::ValueKind;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{
    kind::{DAY_MS, Kind, ValueError, name_of_type},
    milliseconds::Milliseconds,
    section::section,
};

/// What `auth.keys` takes.
const ALLOWED: &str = "a list of at most 16 { algorithm, file, kid? } (in a variable: as JSON)";
/// Keys in the list. A token without `kid` is tried with each of its algorithm.
const MOST: usize = 16;
/// Bytes of a token, at most.
pub const TOKEN_BYTES: usize = 4096;
/// Bytes of the user that a token names (`sub`), at most.
pub const USER_BYTES: usize = 128;
/// Bytes of a `kid`.
const KID_BYTES: usize = 128;

section! {
    /// Who may come in: join tokens (JWT) and the keys that they are checked with. How to make them: `docs/tokens.md`.
    Auth = "auth" {
        /// `open`: whoever knows a room's name may join it; a token adds to that, and a bad one is refused.
        /// `token`: nobody joins without a token. `open` by default, so that a first try needs nothing else.
        mode: AuthMode = AuthMode::Open, Kind::Text {
            check: |text| AuthMode::parse(text).map(|mode| mode.as_str().to_owned()),
            allowed: "open or token",
        };

        /// Keys that tokens are checked with: `algorithm` (`HS256`, `RS256`, `ES256` or `EdDSA`), `file`, and the `kid` that
        /// tokens name it by. For HS256 the file has a secret, one line of 32 bytes at least; for others a public key in PEM.
        /// Several, so that a new key is known before tokens are made with it and an old one until its last has expired.
        /// Files are looked at every 2 s, and taken over when they have changed; the list itself at each reload.
        keys: Vec<TokenKey> = Vec::new(), Kind::Parts { check, allowed: ALLOWED }, live;

        /// File with more keys, as JWKS (RFC 7517): those for signatures of the four algorithms; at most 32.
        /// Looked at as those above. Empty: none.
        jwks_file: PathBuf = PathBuf::new(), Kind::Text { check: file, allowed: "the path of a file, or an empty text" }, live;

        /// Those who may make tokens: `iss` must be one of them. Empty: it is not looked at.
        /// None by default, since a key of your own signs for nobody else; that of a provider may.
        issuers: Vec<String> = Vec::new(), Kind::List { check: is_name, allowed: "a list of texts" }, live;

        /// The names of this server in tokens: `aud` must have one of them. Empty: it is not looked at.
        /// None by default, for the same reason: a provider makes tokens for other services, too.
        audiences: Vec<String> = Vec::new(), Kind::List { check: is_name, allowed: "a list of texts" }, live;

        /// Longest time until a token's `exp`. A token cannot be taken back, so it should not be good for ever.
        /// A day lasts through the longest meeting; most tokens should live minutes, since a session can renew its own.
        max_ttl_ms: Milliseconds = Milliseconds(86_400_000), Kind::milliseconds(1000).usual(60_000, DAY_MS);

        /// How long after its `exp`, and before its `nbf`, a token is still, or already, let in.
        /// 30 s: clocks of servers differ by seconds.
        leeway_ms: Milliseconds = Milliseconds(30_000), Kind::milliseconds(0).usual(0, 300_000);

        /// Whether the others in a room are shown the user that a token names (`sub`), as `user`.
        /// Off by default: it may be an address of mail, or a number that tells a person apart everywhere.
        show_user: bool = false, Kind::Switch;

        /// Bad tokens a minute that one address may show, joins without the token that is asked for included; then none of it is
        /// looked at until the next may come.
        /// 60: each costs 0.1 ms at most, and a school whose tokens have expired together can still get in.
        failures_per_minute: u32 = 60, Kind::count(1, 1_000_000, "tokens a minute"), exported_with_section;

        /// Tickets that can be redeemed at a time: each lets one connection in within 60 s. Another one is not issued (503).
        /// 10 000 are those of a whole server that comes back within a minute, and take some 5 MB with short metadata.
        tickets: usize = 10_000, Kind::count(1, 1_000_000, "tickets"), exported_with_section;
    }
}

impl Auth {
    /// Whether there is a key to check tokens with.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !(self.keys.is_empty() && self.jwks_file.as_os_str().is_empty())
    }
}

/// Whether a join needs a token.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum AuthMode {
    /// No.
    Open,
    /// Yes.
    Token,
}

impl AuthMode {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

/// What a token is signed with. A key has one of them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Display, EnumString, IntoStaticStr, VariantArray,
)]
pub enum KeyAlgorithm {
    /// HMAC with SHA-256, a secret that both sides know.
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl KeyAlgorithm {
    /// The word for it, as `alg` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The algorithm of that name, in exactly that case.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// One entry of `auth.keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// What it is for.
    pub algorithm: KeyAlgorithm,
    /// Where it is.
    pub file: PathBuf,
    /// What tokens name it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

/// Checks the whole list. A refusal shows no value but an algorithm: somebody may have written a secret in place of its file.
fn check(value: &ValueKind) -> Result<(), ValueError> {
    let ValueKind::Array(keys) = value else { return refuse(String::new(), name_of_type(value), ALLOWED) };
    if keys.len() > MOST {
        return refuse(String::new(), &format!("{} keys", keys.len()), ALLOWED);
    }
    let mut kids = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        check_key(&format!("[{index}]"), &key.kind, &mut kids)?;
    }
    Ok(())
}

fn check_key<'a>(at: &str, key: &'a ValueKind, kids: &mut Vec<&'a str>) -> Result<(), ValueError> {
    let ValueKind::Table(fields) = key else { return refuse(at.to_owned(), name_of_type(key), ALLOWED) };
    let known = |name: &&String| ["algorithm", "file", "kid"].contains(&name.as_str());
    if let Some(name) = fields.keys().filter(|name| !known(name)).min() {
        return refuse(format!("{at}.{name}"), "no such field", "algorithm, file and kid");
    }
    let text = |name: &str| match fields.get(name).map(|value| &value.kind) {
        Some(ValueKind::String(text)) => Ok(Some(text.as_str())),
        None => Ok(None),
        Some(other) => refuse(format!("{at}.{name}"), name_of_type(other), "a text"),
    };
    match text("algorithm")? {
        Some(word) if KeyAlgorithm::named(word).is_some() => {}
        found => {
            let found = if found.is_some() { "another text" } else { "nothing" };
            return refuse(format!("{at}.algorithm"), found, "HS256, RS256, ES256 or EdDSA");
        }
    }
    match text("file")? {
        Some(path) if !path.is_empty() && file(path).is_some() => {}
        found => {
            let found = if found.is_some() { "another text" } else { "nothing" };
            return refuse(format!("{at}.file"), found, "the path of a file");
        }
    }
    match text("kid")? {
        None => Ok(()),
        Some(kid) if !(1..=KID_BYTES).contains(&kid.len()) => {
            refuse(format!("{at}.kid"), "a text of another length", "1 to 128 bytes")
        }
        Some(kid) if kids.contains(&kid) => {
            refuse(format!("{at}.kid"), "one of a key before it", "another for each key")
        }
        Some(kid) => {
            kids.push(kid);
            Ok(())
        }
    }
}

fn file(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn refuse<T>(at: String, found: &str, allowed: &str) -> Result<T, ValueError> {
    Err(ValueError { at, found: found.to_owned(), allowed: allowed.to_owned() })
}

#[cfg(test)]
mod tests {
    use config::Value;

    use super::*;

    fn check_json(json: &str) -> Result<(), ValueError> {
        check(&serde_json::from_str::<Value>(json).unwrap().kind)
    }

    #[test]
    fn a_key_is_an_algorithm_and_a_file() {
        let json =
            r#"[{"algorithm":"HS256","file":"/run/secrets/a","kid":"2026-11"},{"algorithm":"EdDSA","file":"b.pem"}]"#;
        check_json(json).unwrap();
        let keys: Vec<TokenKey> = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&keys).unwrap(), json);
        assert_eq!(keys[1].algorithm, KeyAlgorithm::EdDSA);
        check_json("[]").unwrap();
    }

    #[test]
    fn a_refusal_says_where_and_why_and_shows_no_value() {
        for (json, at, found) in [
            (r#"{"file":"s3cret"}"#, "", "a table"),
            (r#"["s3cret"]"#, "[0]", "a text"),
            (r"[{}]", "[0].algorithm", "nothing"),
            (r#"[{"algorithm":"none","file":"a"}]"#, "[0].algorithm", "another text"),
            (r#"[{"algorithm":"hs256","file":"a"}]"#, "[0].algorithm", "another text"),
            (r#"[{"algorithm":"HS256"}]"#, "[0].file", "nothing"),
            (r#"[{"algorithm":"HS256","file":""}]"#, "[0].file", "another text"),
            (r#"[{"algorithm":"HS256","file":"a","kid":""}]"#, "[0].kid", "a text of another length"),
            (r#"[{"algorithm":"HS256","file":"a","kid":7}]"#, "[0].kid", "an integer"),
            (r#"[{"algorithm":"HS256","file":"a","secret":"s3cret"}]"#, "[0].secret", "no such field"),
            (
                r#"[{"algorithm":"HS256","file":"a","kid":"k"},{"algorithm":"ES256","file":"b","kid":"k"}]"#,
                "[1].kid",
                "one of a key before it",
            ),
        ] {
            let refusal = check_json(json).unwrap_err();
            assert_eq!((refusal.at.as_str(), refusal.found.as_str()), (at, found), "{json}");
            assert!(!format!("{refusal:?}").contains("s3cret"), "{json}");
        }
        let many = vec![r#"{"algorithm":"HS256","file":"a"}"#; MOST + 1].join(",");
        assert_eq!(check_json(&format!("[{many}]")).unwrap_err().found, "17 keys");
    }
}
