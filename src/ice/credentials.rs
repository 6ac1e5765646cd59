//! Credentials for a TURN server that end by themselves, as in "A REST API For Access To TURN Services"
//! (draft-uberti-behave-turn-rest-00); coturn calls it `use-auth-secret`. The TURN server keeps no list of them: it knows the
//! secret, and the name says until when it is good.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::{config::Secret, protocol::PeerId};

/// What a TURN server lets somebody in by.
pub(super) struct Credentials {
    /// `EXPIRY:PEER`: the seconds since the Unix epoch at which it ends, and the public name of the peer, by which coturn counts
    /// its quota per user.
    pub(super) username: String,
    /// HMAC-SHA-1 over that, in base64 (RFC 4648 section 4).
    pub(super) password: String,
}

/// Makes them. SHA-1 is what the scheme and every TURN server ask for; as HMAC it is not broken.
pub(super) fn mint(secret: &Secret, peer: PeerId, expiry: u64) -> Credentials {
    let username = format!("{expiry}:{peer}");
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.reveal().as_bytes()).expect("a key of HMAC has any length");
    mac.update(username.as_bytes());
    let password = STANDARD.encode(mac.finalize().into_bytes());
    Credentials { username, password }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf %s "$username" | openssl dgst -sha1 -hmac "$secret" -binary | base64`.
    #[test]
    fn they_are_what_another_program_makes() {
        let peer = PeerId::parse("3f1c9a52d07e4b6f8a1b2c3d4e5f6071").expect("a canonical id");
        let made = mint(&Secret::new("north-by-north-west".to_owned()), peer, 1_796_000_000);
        assert_eq!(made.username, "1796000000:3f1c9a52d07e4b6f8a1b2c3d4e5f6071");
        assert_eq!(made.password, "gsSb0D2Gq/POFaSP3HHEQGHxBVw=");
        let later = mint(&Secret::new("north-by-north-west".to_owned()), peer, 1_796_000_001);
        assert_ne!(later.password, made.password);
    }
}
