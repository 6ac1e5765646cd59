//! Join tokens for tests, and servers that ask for them.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use switchboard::{auth::issue::SigningKey, config::KeyAlgorithm};
use tempfile::TempDir;

use super::{Builder, TestServer, temp_dir};

/// A folder with secrets in it, each the name of a key.
pub(crate) struct Secrets(Arc<TempDir>);

impl Secrets {
    /// With one secret, under the name `first`.
    pub(crate) fn new() -> Self {
        let secrets = Self(temp_dir());
        secrets.put("first", "the-first-secret");
        secrets
    }

    /// Where the secret of that name is.
    pub(crate) fn path(&self, kid: &str) -> PathBuf {
        self.0.path().join(kid)
    }

    /// Puts another secret in its place, in one step.
    pub(crate) fn put(&self, kid: &str, begins: &str) {
        let aside = self.path("aside");
        std::fs::write(&aside, format!("{begins}{}", "-".repeat(32))).expect("a secret is written");
        std::fs::rename(aside, self.path(kid)).expect("it takes its place");
    }

    /// What `auth.keys` is with these.
    pub(crate) fn keys(&self, kids: &[&str]) -> String {
        let key = |kid: &&str| json!({"algorithm": "HS256", "file": self.path(kid), "kid": kid});
        kids.iter().map(key).collect::<Value>().to_string()
    }

    /// A server that takes tokens by the first of them.
    pub(crate) fn server(&self, mode: &str) -> Builder {
        TestServer::set("auth.keys", self.keys(&["first"])).set("auth.mode", mode)
    }

    /// A token by that key, good for so many seconds.
    pub(crate) fn token_by(&self, kid: &str, claims: &Value, seconds: u64) -> String {
        let key = SigningKey::read(&self.path(kid), KeyAlgorithm::HS256, Some(kid.to_owned())).expect("a secret");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let claims = claims.as_object().expect("claims").clone();
        key.sign(claims, now, Duration::from_secs(seconds)).expect("a token")
    }

    /// A token by the first key, good for an hour.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_by("first", claims, 3600)
    }
}
