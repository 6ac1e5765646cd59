//! Keys in files: a secret, a public key in PEM, a set of them as JWKS (RFC 7517).

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use jsonwebtoken::{
    AlgorithmFamily, DecodingKey, DecodingKeyKind,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};

use super::keys::{Key, Keys};
use crate::config::{Auth, KeyAlgorithm, Secret, TokenKey};

/// Shortest secret, in bytes: what RFC 7518 section 3.2 asks for.
const SECRET_BYTES: usize = 32;
/// Keys that a JWKS file may have for us: a token that names none is tried with each of its algorithm.
const MOST: usize = 32;
/// Bytes of a point on P-256, not compressed.
const P256_BYTES: usize = 65;
/// Bytes of a key for Ed25519.
const ED25519_BYTES: usize = 32;
/// Bytes of the modulus of the shortest RSA key.
const RSA_BYTES: usize = 256;

/// Why there are no keys. It shows nothing of what was found.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A file cannot be read.
    #[error("cannot read the key in {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file has no such key in it.
    #[error("cannot use the key in {}: {what}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// What there should be.
        what: &'static str,
    },
}

impl Keys {
    /// Reads all keys that the settings name.
    ///
    /// # Errors
    /// The first file that cannot be read, or has no such key.
    pub fn read(auth: &Auth) -> Result<Self, KeyFileError> {
        let files = Files::read(auth)?;
        files.keys(auth)
    }

    /// The same, if any file has changed since these were read.
    ///
    /// # Errors
    /// As [`Keys::read`].
    pub fn read_again(&self, auth: &Auth) -> Result<Option<Self>, KeyFileError> {
        let files = Files::read(auth)?;
        if files.stamp() == self.stamp { Ok(None) } else { files.keys(auth).map(Some) }
    }
}

/// What is in the files.
struct Files {
    /// In the order of `auth.keys`.
    keys: Vec<Secret>,
    jwks: Option<Secret>,
}

impl Files {
    fn read(auth: &Auth) -> Result<Self, KeyFileError> {
        let keys = auth.keys.iter().map(|key| text(&key.file)).collect::<Result<_, _>>()?;
        let jwks = (!auth.jwks_file.as_os_str().is_empty()).then(|| text(&auth.jwks_file)).transpose()?;
        Ok(Self { keys, jwks })
    }

    /// Another for other contents.
    fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.keys.iter().chain(&self.jwks).for_each(|text| text.reveal().hash(&mut hasher));
        hasher.finish()
    }

    fn keys(&self, auth: &Auth) -> Result<Keys, KeyFileError> {
        let listed = auth.keys.iter().zip(&self.keys).map(|(key, text)| listed(key, text.reveal()));
        let mut keys: Vec<Key> = listed.collect::<Result<_, _>>()?;
        if let Some(jwks) = &self.jwks {
            keys.extend(set(&auth.jwks_file, jwks.reveal())?);
        }
        Ok(Keys { all: keys, stamp: self.stamp(), issuers: auth.issuers.clone(), audiences: auth.audiences.clone() })
    }
}

fn text(path: &Path) -> Result<Secret, KeyFileError> {
    let text = fs::read_to_string(path);
    text.map(Secret::new).map_err(|source| KeyFileError::Read { path: path.to_owned(), source })
}

/// The secret in the text of a file, without what an editor puts around it.
pub(super) fn secret(path: &Path, text: &str) -> Result<Secret, KeyFileError> {
    let secret = text.trim_ascii();
    // A public key is no secret: whoever knew it could sign. And of a set the braces would be signed with, too.
    if secret.contains("-----BEGIN") || secret.starts_with('{') {
        return unfit(path, "a secret for HS256 is asked for, and there is a key in PEM, or a JWKS (auth.jwks_file)");
    }
    if secret.len() < SECRET_BYTES {
        return unfit(path, "a secret for HS256 has 32 bytes at least (openssl rand -base64 48 makes one)");
    }
    Ok(Secret::new(secret.to_owned()))
}

fn listed(TokenKey { algorithm, file, kid }: &TokenKey, text: &str) -> Result<Key, KeyFileError> {
    let found = match algorithm {
        KeyAlgorithm::HS256 => DecodingKey::from_secret(secret(file, text)?.reveal().as_bytes()),
        // Of a private key the library would take the wrong part.
        _ if text.contains("PRIVATE KEY") || text.contains("CERTIFICATE") => {
            return unfit(file, "a public key in PEM (BEGIN PUBLIC KEY) is asked for");
        }
        KeyAlgorithm::RS256 => DecodingKey::from_rsa_pem(text.as_bytes()),
        KeyAlgorithm::ES256 => DecodingKey::from_ec_pem(text.as_bytes()),
        KeyAlgorithm::EdDSA => DecodingKey::from_ed_pem(text.as_bytes()),
    };
    match found {
        Ok(key) if has_right_size(*algorithm, &key) => Ok(Key { kid: kid.clone(), algorithm: *algorithm, half: key }),
        _ => unfit(
            file,
            match algorithm {
                KeyAlgorithm::HS256 => "a secret is asked for",
                KeyAlgorithm::RS256 => "an RSA public key of 2048 bits at least is asked for, in PEM",
                KeyAlgorithm::ES256 => "a public key on P-256 is asked for, in PEM",
                KeyAlgorithm::EdDSA => "a public key for Ed25519 is asked for, in PEM",
            },
        ),
    }
}

/// Whether the library's key is one that our algorithm takes, and no shorter than is safe.
fn has_right_size(algorithm: KeyAlgorithm, key: &DecodingKey) -> bool {
    match (algorithm, key.kind()) {
        (KeyAlgorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) => secret.len() >= SECRET_BYTES,
        // In DER there is more than the modulus.
        (KeyAlgorithm::RS256, DecodingKeyKind::SecretOrDer(der)) => der.len() > RSA_BYTES + 8,
        (KeyAlgorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => n.len() >= RSA_BYTES,
        (KeyAlgorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => point.len() == P256_BYTES,
        (KeyAlgorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => point.len() == ED25519_BYTES,
        _ => false,
    }
}

/// The keys of a set that are for us: it may have others, for other uses.
fn set(path: &Path, text: &str) -> Result<Vec<Key>, KeyFileError> {
    let Ok(set) = serde_json::from_str::<JwkSet>(text) else {
        return unfit(path, "a JWKS is asked for: an object with keys (RFC 7517)");
    };
    let keys: Vec<_> = set.keys.iter().filter_map(of_set).collect();
    match keys.len() {
        0 => unfit(path, "none of its keys is for signatures by HS256, RS256, ES256 or EdDSA"),
        1..=MOST => Ok(keys),
        _ => unfit(path, "it has more than 32 keys"),
    }
}

fn of_set(jwk: &Jwk) -> Option<Key> {
    let common = &jwk.common;
    if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let algorithm = match key.family() {
        AlgorithmFamily::Hmac => KeyAlgorithm::HS256,
        AlgorithmFamily::Rsa => KeyAlgorithm::RS256,
        AlgorithmFamily::Ec => KeyAlgorithm::ES256,
        AlgorithmFamily::Ed => KeyAlgorithm::EdDSA,
    };
    let is_ours = |named: &jsonwebtoken::jwk::KeyAlgorithm| named.to_string() == algorithm.as_str();
    let fits = common.key_algorithm.as_ref().is_none_or(is_ours) && has_right_size(algorithm, &key);
    fits.then(|| Key { kid: common.key_id.clone(), algorithm, half: key })
}

pub(super) fn unfit<T>(path: &Path, what: &'static str) -> Result<T, KeyFileError> {
    Err(KeyFileError::Unfit { path: path.to_owned(), what })
}
