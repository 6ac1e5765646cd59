//! What changes while the server runs: which keys differ in two settings, and which of them it takes over.

use super::{
    report,
    section::Key,
    settings::{Settings, keys},
};

impl Settings {
    /// The keys in which `other` differs: those that a running server can take over, and those that need a restart.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Differences {
        let (ours, theirs) = (report::values(self), report::values(other));
        // Credentials are not among the values.
        let differs = |key: &&Key| {
            report::value(&ours, key) != report::value(&theirs, key)
                || (key.path() == "ice.servers" && self.ice.servers != other.ice.servers)
        };
        let (live, fixed): (Vec<_>, Vec<_>) = keys().filter(differs).partition(|key| key.live);
        let paths = |keys: Vec<&Key>| keys.into_iter().map(Key::path).collect();
        Differences { live: paths(live), fixed: paths(fixed) }
    }

    /// Takes over the keys of `other` that can change while the server runs.
    pub fn take_live(&mut self, other: &Self) {
        self.log.level = other.log.level;
        self.http.allowed_origins.clone_from(&other.http.allowed_origins);
        self.ops.token_file.clone_from(&other.ops.token_file);
        self.ops.tls_cert_file.clone_from(&other.ops.tls_cert_file);
        self.ops.tls_key_file.clone_from(&other.ops.tls_key_file);
        self.tls.cert_file.clone_from(&other.tls.cert_file);
        self.tls.key_file.clone_from(&other.tls.key_file);
        self.auth.keys.clone_from(&other.auth.keys);
        self.auth.jwks_file.clone_from(&other.auth.jwks_file);
        self.auth.issuers.clone_from(&other.auth.issuers);
        self.auth.audiences.clone_from(&other.auth.audiences);
    }
}

/// The keys in which two settings differ, each as `section.key`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Those that can change while the server runs.
    pub live: Vec<String>,
    /// Those that need a restart.
    pub fixed: Vec<String>,
}
