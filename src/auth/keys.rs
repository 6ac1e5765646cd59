//! The keys that tokens are checked with.

use jsonwebtoken::{Algorithm, DecodingKey, crypto};

use super::error::TokenError;
use crate::config::KeyAlgorithm;

/// A key, for one algorithm: one that took others would take a token that was signed with its public half as a secret.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    pub(super) algorithm: KeyAlgorithm,
    /// The half that checks.
    pub(super) half: DecodingKey,
}

impl Key {
    /// Whether it, or for a public key its private half, has made that signature (in base64url) of the text.
    pub(super) fn has_signed(&self, text: &str, signature: &str) -> bool {
        crypto::verify(signature, text.as_bytes(), &self.half, named(self.algorithm)).unwrap_or(false)
    }
}

/// Our names for the library's.
pub(super) fn named(algorithm: KeyAlgorithm) -> Algorithm {
    match algorithm {
        KeyAlgorithm::HS256 => Algorithm::HS256,
        KeyAlgorithm::RS256 => Algorithm::RS256,
        KeyAlgorithm::ES256 => Algorithm::ES256,
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

/// All keys of the server, and what tokens by them must say of who made them and who they are for: replaced together.
#[derive(Clone, Default)]
pub struct Keys {
    pub(super) all: Vec<Key>,
    /// Of the files that they were read from.
    pub(super) stamp: u64,
    /// `auth.issuers`.
    pub(super) issuers: Vec<String>,
    /// `auth.audiences`.
    pub(super) audiences: Vec<String>,
}

impl Keys {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Those that may have signed a token with that `kid` and algorithm: the one of that name, or where the token names none, all
    /// of that algorithm.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: KeyAlgorithm,
    ) -> Result<impl Iterator<Item = &Key>, TokenError> {
        let is_meant = move |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        if !self.all.iter().any(|key| is_meant(&key)) {
            return Err(if kid.is_some() { TokenError::UnknownKey } else { TokenError::Algorithm });
        }
        let fits = move |key: &&Key| is_meant(key) && key.algorithm == algorithm;
        if !self.all.iter().any(|key| fits(&key)) {
            return Err(TokenError::Algorithm);
        }
        Ok(self.all.iter().filter(fits))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the keys: some are secrets.
        write!(f, "Keys({})", self.all.len())
    }
}
