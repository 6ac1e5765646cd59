//! Tokens, good and bad, each with what becomes of it.

mod keys;
mod table;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::{Grant, Keys, Now, Policy, TokenError, verify};
use crate::{
    config::{Auth, KeyAlgorithm, Settings, TokenKey},
    protocol::{ErrorCode, Meta, Permissions, RoomName, client::ParseLimits},
};

const SECRET: &str = "correct-horse-battery-staple-417!";
const OTHER_SECRET: &str = "incorrect-horse-battery-staple-1";
/// The moment at which all tokens are looked at, in seconds since the Unix epoch.
const NOW: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

fn key_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys").join(name)
}

/// A folder with secrets in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        home.put("secret", &format!("{SECRET}\n"));
        home.put("other", OTHER_SECRET);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("it is written");
    }

    /// A secret, one key of each kind without a name, and a second secret that has one.
    fn auth(&self) -> Auth {
        let key = |algorithm, file, kid: Option<&str>| TokenKey { algorithm, file, kid: kid.map(str::to_owned) };
        let keys = vec![
            key(KeyAlgorithm::HS256, self.path("secret"), None),
            key(KeyAlgorithm::HS256, self.path("other"), Some("2027")),
            key(KeyAlgorithm::RS256, key_file("rs256.public.pem"), Some("rsa")),
            key(KeyAlgorithm::ES256, key_file("es256.public.pem"), None),
            key(KeyAlgorithm::EdDSA, key_file("eddsa.public.pem"), None),
        ];
        Auth { keys, ..Auth::default() }
    }
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn private_key(algorithm: Algorithm) -> EncodingKey {
    let pem = |name| std::fs::read(key_file(name)).expect("a key");
    match algorithm {
        Algorithm::RS256 | Algorithm::RS512 => EncodingKey::from_rsa_pem(&pem("rs256.private.pem")),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&pem("es256.private.pem")),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(&pem("eddsa.private.pem")),
        _ => EncodingKey::from_secret(SECRET.as_bytes()),
    }
    .expect("a sound key")
}

/// A token of exactly these texts, signed in that way.
fn signed(header: &str, claims: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

fn hs256(claims: &str) -> String {
    signed(r#"{"alg":"HS256","typ":"JWT"}"#, claims, Algorithm::HS256, &private_key(Algorithm::HS256))
}

/// Good claims, with these in their place, or beside them; `null` takes one away.
fn claims(change: Value) -> String {
    let mut claims = json!({"room": "blue", "exp": NOW + HOUR});
    let (Value::Object(claims_too), Value::Object(change)) = (&mut claims, change) else { panic!("objects") };
    for (name, value) in change {
        if value.is_null() {
            claims_too.remove(&name)
        } else {
            claims_too.insert(name, value)
        };
    }
    claims.to_string()
}

fn with(change: Value) -> String {
    hs256(&claims(change))
}

fn bounds() -> ParseLimits {
    ParseLimits { room_name_bytes: 128, meta_bytes: 4096, json_depth: 32, recipients: 64, report_events: 32 }
}

fn now() -> Now {
    Now { since_epoch: Duration::from_secs(NOW), instant: Instant::now() }
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name, 128).expect("a name")
}

/// Looks at tokens as a server does for a join to the room `blue`.
struct Door {
    keys: Keys,
    policy: Policy,
}

impl Door {
    fn with(home: &Home, change: impl FnOnce(&mut Auth)) -> Self {
        let mut settings = Settings { auth: home.auth(), ..Settings::default() };
        change(&mut settings.auth);
        Self { keys: Keys::read(&settings.auth).expect("sound keys"), policy: Policy::new(&settings, bounds()) }
    }

    fn grant(&self, token: &str) -> Result<Grant, TokenError> {
        let grant = verify(token, &self.keys, &self.policy, now())?;
        grant.admits(&room("blue"))?;
        Ok(grant)
    }
}

#[test]
fn issuer_and_audience_are_asked_for_where_they_are_configured() {
    let home = Home::new();
    let door = Door::with(&home, |auth| {
        auth.issuers = vec!["https://id.example".to_owned()];
        auth.audiences = vec!["meet".to_owned(), "talk".to_owned()];
    });
    for (change, refused) in [
        (json!({"iss": "https://id.example", "aud": "talk"}), None),
        (json!({"iss": "https://id.example", "aud": ["x", "meet"]}), None),
        (json!({"aud": "talk"}), Some(TokenError::Issuer)),
        (json!({"iss": "https://id.example.org", "aud": "talk"}), Some(TokenError::Issuer)),
        (json!({"iss": ["https://id.example"], "aud": "talk"}), Some(TokenError::Claims)),
        (json!({"iss": "https://id.example"}), Some(TokenError::Audience)),
        (json!({"iss": "https://id.example", "aud": "x"}), Some(TokenError::Audience)),
        (json!({"iss": "https://id.example", "aud": []}), Some(TokenError::Audience)),
        (json!({"iss": "https://id.example", "aud": 7}), Some(TokenError::Claims)),
    ] {
        assert_eq!(door.grant(&with(change.clone())).err(), refused, "{change}");
    }
}

#[test]
fn a_grant_is_what_the_token_says_and_no_more() {
    let home = Home::new();
    let token = with(json!({"perms": ["join", "admin"], "cap": 4, "sub": "ada", "meta": {"role": "host"}}));
    for shows_user in [false, true] {
        let door = Door::with(&home, |auth| auth.show_user = shows_user);
        let grant = door.grant(&token).expect("a good token");
        assert_eq!((grant.permissions, grant.cap), (Permissions::JOIN.and(Permissions::ADMIN), Some(4)));
        assert_eq!(grant.user.as_deref(), Some("ada"));
        assert_eq!(grant.shown_user().is_some(), shows_user);
        let told = Meta::from_checked(r#"{"role":"guest","name":"Ada"}"#);
        let both = grant.overlay(Some(told)).expect("there is some");
        assert_eq!(both.as_str(), r#"{"name":"Ada","role":"host"}"#);
        assert_eq!(grant.overlay(None).expect("the token's own").as_str(), r#"{"role":"host"}"#);
        let left = grant.left(now().instant);
        assert!(left <= Duration::from_secs(HOUR) && left > Duration::from_secs(HOUR - 60), "{left:?}");
    }
    let late = Door::with(&home, |_| {}).grant(&with(json!({"exp": NOW - 10}))).expect("within the leeway");
    assert!(late.left(now().instant) <= Duration::from_secs(20), "until the leeway is over");
}

#[test]
fn refusals_have_one_of_three_codes_and_quote_nothing() {
    for error in TokenError::ALL {
        let code = error.code();
        assert!([ErrorCode::Unauthorized, ErrorCode::TokenExpired, ErrorCode::PermissionDenied].contains(&code));
        assert!(!code.retryable());
    }
}
