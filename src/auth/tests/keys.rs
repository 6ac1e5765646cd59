//! Keys in files, and tokens made with them.

use std::{path::PathBuf, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::{Door, Home, NOW, bounds, claims, key_file, now, private_key, signed, with};
use crate::{
    auth::{KeyRing, Keys, Policy, TokenError, issue::SigningKey, verify},
    config::{Auth, KeyAlgorithm, Settings, TokenKey},
    protocol::Permissions,
};

#[test]
fn a_key_file_that_is_none_is_named_and_not_shown() {
    let home = Home::new();
    home.put("short", "s3cret-of-31-bytes-............");
    home.put("commented", "# s3cret-of-mine\n-----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY-----\n");
    home.put("set", r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}]}"#);
    let listed =
        |algorithm, file: PathBuf| Auth { keys: vec![TokenKey { algorithm, file, kid: None }], ..Auth::default() };
    let set = |file| Auth { jwks_file: file, ..Auth::default() };
    for (auth, word) in [
        (listed(KeyAlgorithm::HS256, home.path("short")), "32 bytes"),
        (listed(KeyAlgorithm::HS256, home.path("missing")), "cannot read"),
        (listed(KeyAlgorithm::HS256, key_file("rs256.public.pem")), "a key in PEM"),
        (listed(KeyAlgorithm::HS256, key_file("es256.private.pem")), "a key in PEM"),
        (listed(KeyAlgorithm::HS256, home.path("commented")), "a key in PEM"),
        (listed(KeyAlgorithm::HS256, home.path("set")), "or a JWKS"),
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
fn issuers_and_audiences_change_together_with_the_keys() {
    let home = Home::new();
    let settings = Settings { auth: home.auth(), ..Settings::default() };
    let (ring, policy) = (KeyRing::open(&settings.auth).expect("sound keys"), Policy::new(&settings, bounds()));
    let judge = |claims: Value| verify(&with(claims), &ring.keys(), &policy, now()).err();
    for (issuers, audiences, claims, refused) in [
        (&[][..], &[][..], json!({"iss": "a"}), None),
        (&["a"], &[], json!({"iss": "a"}), None),
        (&["b"], &[], json!({"iss": "a"}), Some(TokenError::Issuer)),
        (&["b"], &[], json!({}), Some(TokenError::Issuer)),
        (&[], &["meet"], json!({"aud": ["x", "meet"]}), None),
        (&[], &["meet"], json!({"aud": "x"}), Some(TokenError::Audience)),
        (&["a"], &["meet"], json!({"iss": "a"}), Some(TokenError::Audience)),
        (&[], &[], json!({}), None),
    ] {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let auth = Auth { issuers: names(issuers), audiences: names(audiences), ..settings.auth.clone() };
        ring.become_like(&KeyRing::open(&auth).expect("sound keys"));
        assert_eq!(judge(claims.clone()), refused, "{issuers:?} {audiences:?} {claims}");
        home.put("other", &format!("{:-<40}", issuers.len() + audiences.len()));
        ring.look_again().expect("sound keys");
        assert_eq!(judge(claims), refused, "and another file takes nothing of it away");
    }
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
