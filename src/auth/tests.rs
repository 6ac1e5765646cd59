//! Tokens, good and bad, each with what becomes of it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::{Grant, KeyRing, Keys, Now, Policy, TokenError, issue::SigningKey, verify};
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
    ParseLimits { room_name_bytes: 128, meta_bytes: 4096, json_depth: 32, recipients: 64 }
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
fn each_token_is_let_in_or_refused_for_its_own_reason() {
    use TokenError::{
        Algorithm as Alg, Claims, Expired, Join, Malformed, NotYet, Room, Signature, TooLong, TooLongLived, UnknownKey,
    };
    let home = Home::new();
    let door = Door::with(&home, |_| {});
    let good = claims(json!({}));
    let by = |header: &str, algorithm| signed(header, &good, algorithm, &private_key(algorithm));
    let secret = |secret: &[u8]| EncodingKey::from_secret(secret).expect("a secret");
    let parts = hs256(&good);
    let [header, payload, signature] = parts.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let public_pem = std::fs::read(key_file("rs256.public.pem")).expect("a key");
    let long = with(json!({"x": "y".repeat(3000)}));
    let repeated = |more: &str| hs256(&good.replace("{\"", &format!("{{{more},\"")));
    let rows: Vec<(&str, String, Option<TokenError>)> = vec![
        ("a good one", hs256(&good), None),
        ("RS256, by name", by(r#"{"alg":"RS256","kid":"rsa"}"#, Algorithm::RS256), None),
        ("RS256, without a name", by(r#"{"alg":"RS256"}"#, Algorithm::RS256), None),
        ("ES256", by(r#"{"alg":"ES256"}"#, Algorithm::ES256), None),
        ("EdDSA", by(r#"{"alg":"EdDSA"}"#, Algorithm::EdDSA), None),
        (
            "the second secret, not named",
            signed(r#"{"alg":"HS256"}"#, &good, Algorithm::HS256, &secret(OTHER_SECRET.as_bytes())),
            None,
        ),
        (
            "the second secret, by name",
            signed(r#"{"alg":"HS256","kid":"2027"}"#, &good, Algorithm::HS256, &secret(OTHER_SECRET.as_bytes())),
            None,
        ),
        // Algorithms and keys.
        ("alg none, no signature", format!("{}.{payload}.", encoded(r#"{"alg":"none"}"#)), Some(Alg)),
        ("alg None", format!("{}.{payload}.{signature}", encoded(r#"{"alg":"None"}"#)), Some(Alg)),
        ("alg in another case", by(r#"{"alg":"hs256"}"#, Algorithm::HS256), Some(Alg)),
        ("HS512", by(r#"{"alg":"HS512"}"#, Algorithm::HS512), Some(Alg)),
        ("RS512 with our key", by(r#"{"alg":"RS512"}"#, Algorithm::RS512), Some(Alg)),
        ("no alg", by(r#"{"typ":"JWT"}"#, Algorithm::HS256), Some(Malformed)),
        ("alg twice", by(r#"{"alg":"HS256","alg":"HS256"}"#, Algorithm::HS256), Some(Malformed)),
        ("alg twice, once escaped", by(r#"{"alg":"HS256","\u0061lg":"none"}"#, Algorithm::HS256), Some(Malformed)),
        ("alg no text", by(r#"{"alg":["HS256"]}"#, Algorithm::HS256), Some(Malformed)),
        ("crit", by(r#"{"alg":"HS256","crit":["exp"]}"#, Algorithm::HS256), Some(Malformed)),
        (
            "the public key as a secret",
            signed(r#"{"alg":"HS256"}"#, &good, Algorithm::HS256, &secret(&public_pem)),
            Some(Signature),
        ),
        (
            "the public key as a secret, by name",
            signed(r#"{"alg":"HS256","kid":"rsa"}"#, &good, Algorithm::HS256, &secret(&public_pem)),
            Some(Alg),
        ),
        (
            "RS256 said, HS256 done",
            signed(r#"{"alg":"RS256","kid":"rsa"}"#, &good, Algorithm::HS256, &secret(&public_pem)),
            Some(Signature),
        ),
        (
            "ES256 said, EdDSA done",
            signed(r#"{"alg":"ES256"}"#, &good, Algorithm::EdDSA, &private_key(Algorithm::EdDSA)),
            Some(Signature),
        ),
        ("an unknown kid", by(r#"{"alg":"HS256","kid":"1999"}"#, Algorithm::HS256), Some(UnknownKey)),
        ("an empty kid", by(r#"{"alg":"HS256","kid":""}"#, Algorithm::HS256), Some(UnknownKey)),
        (
            "a kid of another case",
            signed(r#"{"alg":"RS256","kid":"RSA"}"#, &good, Algorithm::RS256, &private_key(Algorithm::RS256)),
            Some(UnknownKey),
        ),
        ("a kid that is no text", by(r#"{"alg":"HS256","kid":2027}"#, Algorithm::HS256), Some(Malformed)),
        ("the name of another key", by(r#"{"alg":"HS256","kid":"2027"}"#, Algorithm::HS256), Some(Signature)),
        ("a wrong secret", signed(r#"{"alg":"HS256"}"#, &good, Algorithm::HS256, &secret(&[7; 32])), Some(Signature)),
        ("an empty signature", format!("{header}.{payload}."), Some(Signature)),
        ("half a signature", format!("{header}.{payload}.{}", &signature[..20]), Some(Signature)),
        ("a signature with padding", format!("{header}.{payload}.{signature}="), Some(Signature)),
        (
            "other claims under the signature",
            format!("{header}.{}.{signature}", encoded(&claims(json!({"room": "red"})))),
            Some(Signature),
        ),
        (
            "another header over the signature",
            format!("{}.{payload}.{signature}", encoded(r#"{"alg":"HS256"}"#)),
            Some(Signature),
        ),
        // Shapes.
        ("nothing", String::new(), Some(Malformed)),
        ("a word", "token".into(), Some(Malformed)),
        ("two parts", format!("{header}.{payload}"), Some(Malformed)),
        ("four parts", format!("{header}.{payload}.{signature}.{signature}"), Some(Malformed)),
        ("a JWE", format!("{header}.a.{payload}.b.{signature}"), Some(Malformed)),
        ("not base64", format!("!!!.{payload}.{signature}"), Some(Malformed)),
        ("base64, and not of URLs", format!("{}.{payload}.{signature}", "+/+/"), Some(Malformed)),
        ("a header that is a list", by("[]", Algorithm::HS256), Some(Malformed)),
        ("white space around it", format!(" {parts}"), Some(Malformed)),
        ("claims that are no JSON", hs256("exp"), Some(Malformed)),
        ("claims that are a list", hs256("[1]"), Some(Malformed)),
        ("4 KiB and more", long + &"x".repeat(1000), Some(TooLong)),
        // Times.
        ("no exp", with(json!({"exp": null})), Some(Claims)),
        ("exp a text", with(json!({"exp": (NOW + HOUR).to_string()})), Some(Claims)),
        ("exp below zero", with(json!({"exp": -1})), Some(Claims)),
        ("exp beyond all clocks", hs256(r#"{"room":"blue","exp":1e300}"#), Some(Claims)),
        ("exp with a fraction", with(json!({"exp": 1_800_000_000.5})), None),
        ("over, and within the leeway", with(json!({"exp": NOW - 29})), None),
        ("over", with(json!({"exp": NOW - 30})), Some(Expired)),
        ("over for a year", with(json!({"exp": NOW - 31_536_000})), Some(Expired)),
        ("a day, the longest", with(json!({"exp": NOW + 24 * HOUR})), None),
        ("more than a day", with(json!({"exp": NOW + 24 * HOUR + 31})), Some(TooLongLived)),
        ("to come, within the leeway", with(json!({"nbf": NOW + 30})), None),
        ("to come", with(json!({"nbf": NOW + 31})), Some(NotYet)),
        ("nbf a text", with(json!({"nbf": "now"})), Some(Claims)),
        // Rooms.
        ("another room", with(json!({"room": "red"})), Some(Room)),
        ("another case", with(json!({"room": "Blue"})), Some(Room)),
        ("a longer name", with(json!({"room": "blue2"})), Some(Room)),
        ("no room at all", with(json!({"room": null})), Some(Claims)),
        ("a room and rooms", with(json!({"rooms": ["blue"]})), Some(Claims)),
        ("a room and a prefix", with(json!({"room_prefix": "b"})), Some(Claims)),
        ("a room that is a list", with(json!({"room": ["blue"]})), Some(Claims)),
        ("one of several", with(json!({"room": null, "rooms": ["red", "blue"]})), None),
        ("none of several", with(json!({"room": null, "rooms": ["red", "green"]})), Some(Room)),
        ("an empty list", with(json!({"room": null, "rooms": []})), Some(Claims)),
        ("64 rooms", with(json!({"room": null, "rooms": vec!["blue"; 64]})), None),
        ("65 rooms", with(json!({"room": null, "rooms": vec!["blue"; 65]})), Some(Claims)),
        ("a prefix", with(json!({"room": null, "room_prefix": "bl"})), None),
        ("the whole name as a prefix", with(json!({"room": null, "room_prefix": "blue"})), None),
        ("a longer prefix", with(json!({"room": null, "room_prefix": "blue-"})), Some(Room)),
        ("a prefix with a star", with(json!({"room": null, "room_prefix": "b*"})), Some(Room)),
        ("a prefix of another case", with(json!({"room": null, "room_prefix": "B"})), Some(Room)),
        ("an empty prefix", with(json!({"room": null, "room_prefix": ""})), Some(Claims)),
        ("a star for a room", with(json!({"room": "*"})), Some(Room)),
        // The rest.
        ("no right to join", with(json!({"perms": ["signal", "broadcast"]})), Some(Join)),
        ("no rights", with(json!({"perms": []})), Some(Join)),
        ("unknown rights beside good ones", with(json!({"perms": ["join", "fly"]})), None),
        ("perms a text", with(json!({"perms": "join"})), Some(Claims)),
        ("a cap of nobody", with(json!({"cap": 0})), Some(Claims)),
        ("a cap that is a text", with(json!({"cap": "5"})), Some(Claims)),
        ("a cap with a fraction", with(json!({"cap": 2.5})), Some(Claims)),
        ("meta a list", with(json!({"meta": []})), Some(Claims)),
        ("meta with a member twice", repeated(r#""meta":{"a":1,"\u0061":2}"#), Some(Claims)),
        ("a user of 128 bytes", with(json!({"sub": "é".repeat(64)})), None),
        ("a user of more", with(json!({"sub": "x".repeat(129)})), Some(Claims)),
        ("a user without a name", with(json!({"sub": ""})), Some(Claims)),
        ("a user that is a number", with(json!({"sub": 7})), Some(Claims)),
        ("a claim twice", repeated(r#""exp":4000000000"#), Some(Claims)),
        ("a claim twice, once escaped", repeated(r#""r\u006fom":"red""#), Some(Claims)),
        ("a claim of others twice", repeated(r#""x":1,"x":2"#), Some(Claims)),
        ("claims of others", with(json!({"iss": "a", "aud": "b", "jti": "c", "x": {"y": 1}})), None),
    ];
    for (what, token, refused) in &rows {
        assert_eq!(door.grant(token).err(), *refused, "{what}");
    }
    assert!(rows.len() >= 40 && TokenError::ALL.iter().all(|error| error.message().len() > 20));
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
        let both = grant.overlay(Some(told.clone()), 100).expect("it fits").expect("there is some");
        assert_eq!(both.as_str(), r#"{"name":"Ada","role":"host"}"#);
        assert!(grant.overlay(Some(told), both.as_str().len() - 1).is_none(), "too long together");
        assert_eq!(grant.overlay(None, 100).flatten().expect("the token's own").as_str(), r#"{"role":"host"}"#);
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

#[test]
fn a_key_file_that_is_none_is_named_and_not_shown() {
    let home = Home::new();
    home.put("short", "s3cret-of-31-bytes-............");
    home.put("set", r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}]}"#);
    let listed =
        |algorithm, file: PathBuf| Auth { keys: vec![TokenKey { algorithm, file, kid: None }], ..Auth::default() };
    let set = |file| Auth { jwks_file: file, ..Auth::default() };
    for (auth, word) in [
        (listed(KeyAlgorithm::HS256, home.path("short")), "32 bytes"),
        (listed(KeyAlgorithm::HS256, home.path("missing")), "cannot read"),
        (listed(KeyAlgorithm::RS256, home.path("secret")), "RSA public key"),
        (listed(KeyAlgorithm::RS256, key_file("rs256.private.pem")), "public key in PEM"),
        (listed(KeyAlgorithm::RS256, key_file("rsa1024.public.pem")), "2048 bits"),
        (listed(KeyAlgorithm::RS256, key_file("es256.public.pem")), "RSA public key"),
        (listed(KeyAlgorithm::ES256, key_file("p384.public.pem")), "P-256"),
        (listed(KeyAlgorithm::ES256, key_file("rs256.public.pem")), "P-256"),
        (listed(KeyAlgorithm::EdDSA, key_file("es256.public.pem")), "Ed25519"),
        (set(home.path("secret")), "JWKS"),
        (set(home.path("set")), "none of its keys"),
    ] {
        let error = Keys::read(&auth).expect_err(word).to_string();
        assert!(error.contains(word) && !error.contains("s3cret-of"), "{error}");
    }
}

/// The public halves as a JWKS, of whose keys some are not for us.
fn jwks() -> Value {
    use jsonwebtoken::jwk::Jwk;
    let jwk = |algorithm, kid: &str| {
        let jwk = Jwk::from_encoding_key(&private_key(algorithm), algorithm).expect("a JWK");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = json!(kid);
        jwk
    };
    let mut encryption = jwk(Algorithm::ES256, "enc");
    encryption["use"] = json!("enc");
    let mut other = jwk(Algorithm::RS256, "r5");
    other["alg"] = json!("RS512");
    let unknown = json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "k1"});
    json!({"keys": [
        jwk(Algorithm::RS256, "r"), jwk(Algorithm::ES256, "e"), jwk(Algorithm::EdDSA, "d"), encryption, other, unknown,
    ]})
}

#[test]
fn keys_of_a_set_are_found_by_their_names_and_those_that_are_not_for_us_are_not_there() {
    let home = Home::new();
    home.put("set", &jwks().to_string());
    let auth = Auth { jwks_file: home.path("set"), ..Auth::default() };
    let settings = Settings { auth: auth.clone(), ..Settings::default() };
    let door = Door { keys: Keys::read(&auth).expect("a set"), policy: Policy::new(&settings, bounds()) };
    assert_eq!(door.keys.count(), 3);
    for (header, algorithm, refused) in [
        (r#"{"alg":"RS256","kid":"r"}"#, Algorithm::RS256, None),
        (r#"{"alg":"ES256","kid":"e"}"#, Algorithm::ES256, None),
        (r#"{"alg":"EdDSA","kid":"d"}"#, Algorithm::EdDSA, None),
        (r#"{"alg":"ES256"}"#, Algorithm::ES256, None),
        (r#"{"alg":"ES256","kid":"enc"}"#, Algorithm::ES256, Some(TokenError::UnknownKey)),
        (r#"{"alg":"ES256","kid":"r"}"#, Algorithm::ES256, Some(TokenError::Algorithm)),
        (r#"{"alg":"HS256"}"#, Algorithm::HS256, Some(TokenError::Algorithm)),
    ] {
        let token = signed(header, &claims(json!({})), algorithm, &private_key(algorithm));
        assert_eq!(door.grant(&token).err(), refused, "{header}");
    }
}

#[test]
fn keys_change_with_their_files_and_a_broken_file_changes_nothing() {
    let home = Home::new();
    let settings = Settings { auth: home.auth(), ..Settings::default() };
    let (ring, policy) = (KeyRing::open(&settings.auth).expect("sound keys"), Policy::new(&settings, bounds()));
    let is_good = |token: &str| verify(token, &ring.keys(), &policy, now()).is_ok();
    let (old, new) = (
        with(json!({})),
        signed(
            r#"{"alg":"HS256"}"#,
            &claims(json!({})),
            Algorithm::HS256,
            &EncodingKey::from_secret(&[b'n'; 40]).expect("a secret"),
        ),
    );
    assert!(!ring.look_again().expect("nothing is wrong"), "nothing has changed");
    assert!(is_good(&old) && !is_good(&new));
    home.put("secret", "too short");
    assert!(ring.look_again().is_err() && is_good(&old), "the former key stays in force");
    home.put("secret", &"n".repeat(40));
    assert!(ring.look_again().expect("a sound key"));
    assert!(!is_good(&old) && is_good(&new));
    let mut fewer = settings.auth.clone();
    fewer.keys.truncate(1);
    ring.become_like(&KeyRing::open(&fewer).expect("a sound key"));
    assert_eq!(ring.keys().count(), 1);
    assert!(!ring.look_again().expect("nothing is wrong"));
}

#[test]
fn what_is_issued_is_let_in() {
    let home = Home::new();
    let door = Door::with(&home, |_| {});
    for (algorithm, path, kid) in [
        (KeyAlgorithm::HS256, home.path("secret"), None),
        (KeyAlgorithm::HS256, home.path("other"), Some("2027")),
        (KeyAlgorithm::RS256, key_file("rs256.private.pem"), Some("rsa")),
        (KeyAlgorithm::ES256, key_file("es256.private.pem"), None),
        (KeyAlgorithm::EdDSA, key_file("eddsa.private.pem"), None),
    ] {
        let key = SigningKey::read(&path, algorithm, kid.map(str::to_owned)).expect("a sound key");
        let claims = json!({"room": "blue"}).as_object().expect("an object").clone();
        let token = key.sign(claims, Duration::from_secs(NOW), Duration::from_secs(60)).expect("a token");
        let grant = door.grant(&token).expect("a good token");
        assert_eq!(grant.permissions, Permissions::USUAL);
    }
    let wrong = SigningKey::read(&key_file("es256.public.pem"), KeyAlgorithm::ES256, None);
    assert!(wrong.is_err_and(|error| error.to_string().contains("private key")));
}
