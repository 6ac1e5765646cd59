//! The table: what is wrong with a token, and what is said to it.

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use super::{Door, HOUR, Home, NOW, OTHER_SECRET, claims, encoded, hs256, key_file, private_key, signed, with};
use crate::auth::TokenError::{
    self, Algorithm as Alg, Claims, Expired, Join, Malformed, NotYet, Room, Signature, TooLong, TooLongLived,
    UnknownKey,
};

/// What it is, the token, and why it is refused.
type Row = (&'static str, String, Option<TokenError>);

fn good() -> String {
    claims(json!({}))
}

/// Good claims under that header, signed with our key for that algorithm.
fn by(header: &str, algorithm: Algorithm) -> String {
    signed(header, &good(), algorithm, &private_key(algorithm))
}

fn by_secret(header: &str, secret: &[u8]) -> String {
    signed(header, &good(), Algorithm::HS256, &EncodingKey::from_secret(secret).expect("a secret"))
}

fn public_pem() -> Vec<u8> {
    std::fs::read(key_file("rs256.public.pem")).expect("a key")
}

/// The parts of a good token.
fn parts() -> [String; 3] {
    let token = hs256(&good());
    token.split('.').map(str::to_owned).collect::<Vec<_>>().try_into().expect("three parts")
}

/// Good claims, with more before them that may be there already.
fn repeated(more: &str) -> String {
    hs256(&good().replace("{\"", &format!("{{{more},\"")))
}

fn good_ones() -> Vec<Row> {
    vec![
        ("a good one", hs256(&good()), None),
        ("RS256, by name", by(r#"{"alg":"RS256","kid":"rsa"}"#, Algorithm::RS256), None),
        ("RS256, without a name", by(r#"{"alg":"RS256"}"#, Algorithm::RS256), None),
        ("ES256", by(r#"{"alg":"ES256"}"#, Algorithm::ES256), None),
        ("EdDSA", by(r#"{"alg":"EdDSA"}"#, Algorithm::EdDSA), None),
        ("the second secret, not named", by_secret(r#"{"alg":"HS256"}"#, OTHER_SECRET.as_bytes()), None),
        ("the second secret, by name", by_secret(r#"{"alg":"HS256","kid":"2027"}"#, OTHER_SECRET.as_bytes()), None),
    ]
}

fn algorithms_and_keys() -> Vec<Row> {
    let [header, payload, signature] = parts();
    vec![
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
        ("the public key as a secret", by_secret(r#"{"alg":"HS256"}"#, &public_pem()), Some(Signature)),
        ("the public key as a secret, by name", by_secret(r#"{"alg":"HS256","kid":"rsa"}"#, &public_pem()), Some(Alg)),
        ("RS256 said, HS256 done", by_secret(r#"{"alg":"RS256","kid":"rsa"}"#, &public_pem()), Some(Signature)),
        (
            "ES256 said, EdDSA done",
            signed(r#"{"alg":"ES256"}"#, &good(), Algorithm::EdDSA, &private_key(Algorithm::EdDSA)),
            Some(Signature),
        ),
        ("an unknown kid", by(r#"{"alg":"HS256","kid":"1999"}"#, Algorithm::HS256), Some(UnknownKey)),
        ("an empty kid", by(r#"{"alg":"HS256","kid":""}"#, Algorithm::HS256), Some(UnknownKey)),
        ("a kid of another case", by(r#"{"alg":"RS256","kid":"RSA"}"#, Algorithm::RS256), Some(UnknownKey)),
        ("a kid that is no text", by(r#"{"alg":"HS256","kid":2027}"#, Algorithm::HS256), Some(Malformed)),
        ("the name of another key", by(r#"{"alg":"HS256","kid":"2027"}"#, Algorithm::HS256), Some(Signature)),
        ("a wrong secret", by_secret(r#"{"alg":"HS256"}"#, &[7; 32]), Some(Signature)),
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
    ]
}

fn shapes() -> Vec<Row> {
    let [header, payload, signature] = parts();
    vec![
        ("nothing", String::new(), Some(Malformed)),
        ("a word", "token".into(), Some(Malformed)),
        ("two parts", format!("{header}.{payload}"), Some(Malformed)),
        ("four parts", format!("{header}.{payload}.{signature}.{signature}"), Some(Malformed)),
        ("a JWE", format!("{header}.a.{payload}.b.{signature}"), Some(Malformed)),
        ("not base64", format!("!!!.{payload}.{signature}"), Some(Malformed)),
        ("base64, and not of URLs", format!("{}.{payload}.{signature}", "+/+/"), Some(Malformed)),
        ("a header that is a list", by("[]", Algorithm::HS256), Some(Malformed)),
        ("white space around it", format!(" {header}.{payload}.{signature}"), Some(Malformed)),
        ("claims that are no JSON", hs256("exp"), Some(Malformed)),
        ("claims that are a list", hs256("[1]"), Some(Malformed)),
        ("4 KiB and more", with(json!({"x": "y".repeat(3000)})) + &"x".repeat(1000), Some(TooLong)),
    ]
}

fn times() -> Vec<Row> {
    vec![
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
    ]
}

fn rooms() -> Vec<Row> {
    vec![
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
    ]
}

fn the_rest() -> Vec<Row> {
    vec![
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
    ]
}

#[test]
fn each_token_is_let_in_or_refused_for_its_own_reason() {
    let home = Home::new();
    let door = Door::with(&home, |_| {});
    let rows = [good_ones(), algorithms_and_keys(), shapes(), times(), rooms(), the_rest()].concat();
    for (what, token, refused) in &rows {
        assert_eq!(door.grant(token).err(), *refused, "{what}");
    }
    assert!(rows.len() >= 40 && TokenError::ALL.iter().all(|error| error.message().len() > 20));
}
