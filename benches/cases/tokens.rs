//! What a join with a token costs more than one without: a token taken apart, its signature, its claims.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::json;
use switchboard::{
    auth::{Keys, Now, Policy, issue::SigningKey, verify},
    config::{Auth, KeyAlgorithm, Settings, TokenKey},
};

use super::cases::{Step, parse::bounds};

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn step(algorithm: KeyAlgorithm, public: PathBuf, private: &Path) -> Step {
    let keys = vec![TokenKey { algorithm, file: public, kid: Some("2026".to_owned()) }];
    let settings = Settings { auth: Auth { keys, ..Auth::default() }, ..Settings::default() };
    let (keys, policy) = (Keys::read(&settings.auth).expect("a sound key"), Policy::new(&settings, bounds()));
    let claims = json!({"room": "team-standup", "sub": "ada@example.org", "meta": {"role": "host"}});
    let key = SigningKey::read(private, algorithm, Some("2026".to_owned())).expect("a sound key");
    let claims = claims.as_object().expect("claims").clone();
    let token = key.sign(claims, NOW, Duration::from_secs(3600)).expect("a token");
    let now = Now { since_epoch: NOW, instant: Instant::now() };
    Step::of(move || {
        black_box(verify(black_box(&token), &keys, &policy, now).expect("a good token"));
    })
}

fn with_files(algorithm: KeyAlgorithm, name: &str) -> Step {
    let file = |half| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/keys/{name}.{half}.pem"));
    step(algorithm, file("public"), &file("private"))
}

pub(crate) fn hs256() -> Step {
    let home = tempfile::tempdir().expect("a folder");
    let secret = home.path().join("secret");
    fs::write(&secret, "a".repeat(48)).expect("a secret is written");
    step(KeyAlgorithm::HS256, secret.clone(), &secret)
}

pub(crate) fn rs256() -> Step {
    with_files(KeyAlgorithm::RS256, "rs256")
}

pub(crate) fn es256() -> Step {
    with_files(KeyAlgorithm::ES256, "es256")
}

pub(crate) fn eddsa() -> Step {
    with_files(KeyAlgorithm::EdDSA, "eddsa")
}
