//! Makes tokens, for whoever has the key: `switchboard token`, and tests.

use std::{fs, path::Path, time::Duration};

use jsonwebtoken::{DecodingKey, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Map, Value};

use super::{
    files::{KeyFileError, secret, unfit},
    keys::{Key, Keys, named},
};
use crate::config::{Auth, KeyAlgorithm};

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

    /// What checks tokens that it makes, by the rules of these settings.
    ///
    /// # Errors
    /// It is none of its algorithm.
    pub fn keys(&self, auth: &Auth) -> Result<Keys, SigningError> {
        let jwk = Jwk::from_encoding_key(&self.key, named(self.algorithm));
        let half = jwk.and_then(|jwk| DecodingKey::from_jwk(&jwk)).map_err(|_| SigningError::Key)?;
        let key = Key { kid: self.kid.clone(), algorithm: self.algorithm, half };
        Ok(Keys { all: vec![key], stamp: 0, issuers: auth.issuers.clone(), audiences: auth.audiences.clone() })
    }

    /// A token with these claims, and with `iat` and `exp`, for `ttl` from `now` on (since the Unix epoch).
    ///
    /// # Errors
    /// The key cannot sign, or the end is beyond all time.
    pub fn sign(&self, claims: Map<String, Value>, now: Duration, ttl: Duration) -> Result<String, SigningError> {
        let exp = now.checked_add(ttl).ok_or(SigningError::TooLong)?;
        let mut claims = claims;
        claims.insert("iat".to_owned(), now.as_secs().into());
        claims.insert("exp".to_owned(), exp.as_secs().into());
        let header = Header { kid: self.kid.clone(), ..Header::new(named(self.algorithm)) };
        encode(&header, &claims, &self.key).map_err(|_| SigningError::Key)
    }
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The key cannot sign.
    #[error("cannot sign with that key: it is none of its algorithm")]
    Key,
    /// No clock goes that far.
    #[error("the token would last longer than time can be told")]
    TooLong,
}
