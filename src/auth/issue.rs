//! Makes tokens, for whoever has the key: `switchboard token`, and tests.

use std::{fs, path::Path, time::Duration};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value};

use super::{
    files::{KeyFileError, secret, unfit},
    keys::named,
};
use crate::config::KeyAlgorithm;

/// What tokens are made with.
pub struct SigningKey {
    algorithm: KeyAlgorithm,
    kid: Option<String>,
    key: EncodingKey,
}

impl SigningKey {
    /// Reads it: for HS256 the secret that servers have, for the others a private key in PEM (PKCS #8).
    ///
    /// # Errors
    /// The file cannot be read, or has no such key.
    pub fn read(path: &Path, algorithm: KeyAlgorithm, kid: Option<String>) -> Result<Self, KeyFileError> {
        let text = fs::read_to_string(path).map_err(|source| KeyFileError::Read { path: path.to_owned(), source })?;
        let key = match algorithm {
            KeyAlgorithm::HS256 => EncodingKey::from_secret(secret(path, &text)?.reveal().as_bytes()),
            KeyAlgorithm::RS256 => EncodingKey::from_rsa_pem(text.as_bytes()),
            KeyAlgorithm::ES256 => EncodingKey::from_ec_pem(text.as_bytes()),
            KeyAlgorithm::EdDSA => EncodingKey::from_ed_pem(text.as_bytes()),
        };
        match key {
            Ok(key) => Ok(Self { algorithm, kid, key }),
            Err(_) => unfit(path, "a private key in PEM (BEGIN PRIVATE KEY) of that algorithm is asked for"),
        }
    }

    /// A token with these claims, and with `iat` and `exp`, for `ttl` from `now` on (since the Unix epoch).
    ///
    /// # Errors
    /// The key cannot sign: it is none of its algorithm.
    pub fn sign(&self, claims: Map<String, Value>, now: Duration, ttl: Duration) -> Result<String, SigningError> {
        let mut claims = claims;
        claims.insert("iat".to_owned(), now.as_secs().into());
        claims.insert("exp".to_owned(), (now + ttl).as_secs().into());
        let header = Header { kid: self.kid.clone(), ..Header::new(named(self.algorithm)) };
        encode(&header, &claims, &self.key).map_err(|_| SigningError)
    }
}

/// A key that cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign with that key: it is none of its algorithm")]
pub struct SigningError;
