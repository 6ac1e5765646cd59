//! A token taken apart: a JWS in its compact form (RFC 7515 section 7.1), and its signature. Strict: whatever two readers
//! could understand differently is refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{error::TokenError, keys::Keys};
use crate::{
    config::{self, KeyAlgorithm},
    protocol::{client::TOKEN_BYTES, members::Members},
};

// The settings leave room in a frame for the longest.
const _: () = assert!(config::TOKEN_BYTES == TOKEN_BYTES);

/// A token whose signature is not looked at yet.
pub(super) struct Jws<'a> {
    /// What is signed: header and claims, encoded.
    signed: &'a str,
    signature: &'a str,
    claims: &'a str,
    algorithm: KeyAlgorithm,
    kid: Option<String>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if claims.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header = decoded(header)?;
        let header = Members::parse(&header).filter(Members::are_distinct).ok_or(TokenError::Malformed)?;
        // What must be understood (section 4.1.11) is not.
        if header.get("crit").is_some() {
            return Err(TokenError::Malformed);
        }
        let algorithm = header.get("alg").and_then(text).ok_or(TokenError::Malformed)?;
        let algorithm = KeyAlgorithm::named(&algorithm).ok_or(TokenError::Algorithm)?;
        let kid = header.get("kid").map(|raw| text(raw).ok_or(TokenError::Malformed)).transpose()?;
        Ok(Self { signed, signature, claims, algorithm, kid })
    }

    /// The text of the claims, if one of the keys has signed them.
    pub(super) fn claims(&self, keys: &Keys) -> Result<String, TokenError> {
        let mut candidates = keys.candidates(self.kid.as_deref(), self.algorithm)?;
        if candidates.any(|key| key.has_signed(self.signed, self.signature)) {
            decoded(self.claims)
        } else {
            Err(TokenError::Signature)
        }
    }
}

fn decoded(part: &str) -> Result<String, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    String::from_utf8(bytes).map_err(|_| TokenError::Malformed)
}

/// The content of a JSON string.
fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}
