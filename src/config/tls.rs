//! `[tls]`: TLS on the public listener.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{error::ConfigError, kind::Kind, rules::Origins, section::section, settings::Settings};

/// What a key for a file takes.
pub(super) const FILE: Kind = Kind::Text { check: file, allowed: "the path of a file, or an empty text" };

section! {
    /// TLS on the public listener: `https` and `wss` without a proxy. Off while no certificate is named.
    Tls = "tls" {
        /// File with the certificate of the server and those between it and one that browsers know, in PEM, its own first
        /// (`fullchain.pem`). Empty: the public listener speaks plain HTTP, since TLS mostly ends in a proxy.
        /// Both files are looked at every 2 s, and taken over when they have changed and belong together: no connection ends.
        cert_file: PathBuf = PathBuf::new(), FILE, live;

        /// File with the key of that certificate, in PEM, without a password. ECDSA on P-256 costs a handshake 0.1 ms of the
        /// server's time, RSA with 2048 bits five times as much.
        key_file: PathBuf = PathBuf::new(), FILE, live;

        /// The oldest TLS that is spoken, by the operator's listener, too. 1.2 by default: what is older is broken, and some
        /// programs have nothing newer.
        min_version: TlsVersion = TlsVersion::Tls12, Kind::Text {
            check: |text| TlsVersion::parse(text).map(|version| version.as_str().to_owned()),
            allowed: "1.2 or 1.3",
        };
    }
}

/// A version of TLS.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr, VariantArray,
)]
pub enum TlsVersion {
    /// RFC 5246, with the ciphers of it that are sound.
    #[serde(rename = "1.2")]
    #[strum(serialize = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    #[strum(serialize = "1.3")]
    Tls13,
}

impl TlsVersion {
    /// Its number.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

/// Where a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// `None` where none is named. That both are is a rule of the settings.
    #[must_use]
    pub(super) fn of(cert: &PathBuf, key: &PathBuf) -> Option<Self> {
        let is_named = !cert.as_os_str().is_empty() && !key.as_os_str().is_empty();
        is_named.then(|| Self { cert: cert.clone(), key: key.clone() })
    }
}

impl Tls {
    /// Where the public listener's certificate is, if it speaks TLS.
    #[must_use]
    pub fn files(&self) -> Option<TlsFiles> {
        TlsFiles::of(&self.cert_file, &self.key_file)
    }
}

/// A certificate without its key, or the other way round, is a slip, and no reason to speak plain HTTP.
pub(super) fn check(settings: &Settings, origins: &Origins) -> Result<(), ConfigError> {
    let (tls, ops) = (&settings.tls, &settings.ops);
    let pairs = [
        [("tls.cert_file", &tls.cert_file), ("tls.key_file", &tls.key_file)],
        [("ops.tls_cert_file", &ops.tls_cert_file), ("ops.tls_key_file", &ops.tls_key_file)],
    ];
    let is_named = |path: &PathBuf| !path.as_os_str().is_empty();
    let Some(pair) = pairs.into_iter().find(|[cert, key]| is_named(cert.1) != is_named(key.1)) else { return Ok(()) };
    let found = pair.map(|(key, path)| {
        let origin = origins.get(key).map_or("default", String::as_str);
        format!("{key} = {:?} ({origin})", path.display().to_string())
    });
    let (keys, found) = (pair.iter().map(|(key, _)| *key).collect(), found.join(", "));
    Err(ConfigError::Conflict { keys, found, allowed: "the files of both, or of neither".to_owned() })
}

fn file(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_a_key_and_a_key_has_a_certificate() {
        let checked = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            let origins = [("tls.cert_file".to_owned(), "file a.toml".to_owned())].into();
            (check(&settings, &origins).map_err(|error| error.to_string()), settings.tls.files().is_some())
        };
        assert_eq!(checked(|_| ()), (Ok(()), false));
        let (told, _) = checked(|s| s.tls.cert_file = "a.pem".into());
        let expected = "cannot use tls.cert_file and tls.key_file together: found tls.cert_file = \"a.pem\" (file a.toml), \
                        tls.key_file = \"\" (default); allowed: the files of both, or of neither";
        assert_eq!(told.unwrap_err(), expected);
        assert!(
            checked(|s| s.ops.tls_key_file = "a.key".into()).0.is_err_and(|told| told.contains("ops.tls_key_file"))
        );
        assert_eq!(checked(|s| (s.tls.cert_file, s.tls.key_file) = ("a".into(), "b".into())), (Ok(()), true));
    }
}
