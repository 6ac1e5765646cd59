//! `[tls]`: TLS on the public listener.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{kind::Kind, section::section};

/// What a key for a file takes.
pub(super) const FILE: Kind = Kind::Text { check: file, allowed: "the path of a file, or an empty text" };

section! {
    /// TLS on the public listener: `https` and `wss` without a proxy. Off while no certificate is named.
    Tls = "tls" {
        /// File with the certificate of the server and those between it and one that browsers know, in PEM, its own first
        /// (`fullchain.pem`). Empty: the public listener speaks plain HTTP, since TLS mostly ends in a proxy.
        /// Both files are looked at every 2 s, and taken over when they have changed and belong together: no connection ends.
        cert_file: PathBuf = PathBuf::new(), FILE, live;

        /// File with the key of that certificate, in PEM, without a password. Empty with the other.
        /// A key for ECDSA on P-256 signs in a tenth of the time that one for RSA takes, and each handshake is signed.
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
    pub(super) fn of(cert: &Path, key: &Path) -> Option<Self> {
        let is_named = !cert.as_os_str().is_empty() && !key.as_os_str().is_empty();
        is_named.then(|| Self { cert: cert.to_owned(), key: key.to_owned() })
    }
}

impl Tls {
    /// Where the public listener's certificate is, if it speaks TLS.
    #[must_use]
    pub fn files(&self) -> Option<TlsFiles> {
        TlsFiles::of(&self.cert_file, &self.key_file)
    }
}

fn file(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}
