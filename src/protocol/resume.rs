//! What proves that a client is the one whose session was parked: the resume token.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::ids::SessionId;

/// 128 random bits that only the server and one client know. `==` is [`ResumeSecret::matches`].
#[derive(Clone, Copy)]
pub struct ResumeSecret([u8; 16]);

impl ResumeSecret {
    /// Length of the text: lower-case hex.
    const TEXT_BYTES: usize = 32;

    /// A fresh one: all 128 bits from the operating system's CSPRNG. (A version 4 UUID fixes six of them, which a name
    /// can spare and a secret should not.)
    ///
    /// # Panics
    /// If the operating system has no random numbers to give; no secret at all is better than one that can be guessed.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
        Self(bytes)
    }

    /// Whether both are the same, found out in a time that does not depend on where they differ: answers must not tell a
    /// guesser how many bytes were right.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// What it is recognised by where the secret itself is not kept.
    #[must_use]
    pub fn digest(&self) -> SecretDigest {
        let digest = Sha256::digest(self.0);
        SecretDigest(std::array::from_fn(|at| digest[at]))
    }

    fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == Self::TEXT_BYTES && !text.bytes().any(|b| b.is_ascii_uppercase());
        // Thirty-two hex digits are read as a UUID of any version: the bits stay as they are.
        if canonical { Uuid::try_parse(text).ok().map(|uuid| Self(uuid.into_bytes())) } else { None }
    }

    fn encode(self, buffer: &mut [u8; Self::TEXT_BYTES]) -> &str {
        Uuid::from_bytes(self.0).simple().encode_lower(buffer)
    }
}

/// What a [`ResumeSecret`] is recognised by, without being known: the first half of its SHA-256. 128 random bits are not found
/// again by trying, so it needs no salt. `==` takes the same time whatever the answer.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 16]);

impl SecretDigest {
    /// Length as text: lower-case hex.
    pub const TEXT_BYTES: usize = ResumeSecret::TEXT_BYTES;

    /// Reads what [`SecretDigest::encode`] writes; anything else is no digest of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ResumeSecret::parse(text).map(|read| Self(read.0))
    }

    /// Writes the digits into `buffer`.
    #[must_use]
    pub fn encode(self, buffer: &mut [u8; Self::TEXT_BYTES]) -> &str {
        ResumeSecret(self.0).encode(buffer)
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretDigest {}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

impl PartialEq for ResumeSecret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for ResumeSecret {}

impl fmt::Debug for ResumeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeSecret(…)")
    }
}

/// What a client needs to take its session over on a new socket: which session, and the secret told with its `joined`.
///
/// As text: the session's 32 hex digits, a full stop, the secret's 32. The text is for the client alone: `Debug` hides
/// the secret, [`ResumeToken::to_string`] does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeToken {
    /// Which session; no secret.
    pub session: SessionId,
    /// What proves that it is the client's.
    pub secret: ResumeSecret,
}

impl ResumeToken {
    /// Length of the text.
    pub const TEXT_BYTES: usize = SessionId::TEXT_BYTES + 1 + ResumeSecret::TEXT_BYTES;

    /// A new token for that session.
    #[must_use]
    pub fn random(session: SessionId) -> Self {
        Self { session, secret: ResumeSecret::random() }
    }

    /// Reads the one canonical form; anything else is no token of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (session, secret) = text.split_once('.')?;
        Some(Self { session: SessionId::parse(session)?, secret: ResumeSecret::parse(secret)? })
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session, self.secret.encode(&mut [0; ResumeSecret::TEXT_BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn token(session: u128, secret: [u8; 16]) -> ResumeToken {
        let session = SessionId::parse(&format!("{session:032x}")).expect("a canonical id");
        ResumeToken { session, secret: ResumeSecret(secret) }
    }

    proptest! {
        #[test]
        fn tokens_are_read_as_they_are_written(session: u128, secret: [u8; 16]) {
            let token = token(session, secret);
            let text = token.to_string();
            prop_assert_eq!(text.len(), ResumeToken::TEXT_BYTES);
            prop_assert_eq!(&text, &format!("{session:032x}.{:032x}", u128::from_be_bytes(secret)));
            prop_assert_eq!(ResumeToken::parse(&text), Some(token));
        }

        #[test]
        fn what_is_read_is_canonical_and_nothing_panics(
            text in prop_oneof![any::<String>(), "[0-9a-fA-F.é-]{60,70}", "[0-9a-f]{32}[.]?[0-9a-fF-]{31,33}"]
        ) {
            if let Some(token) = ResumeToken::parse(&text) {
                prop_assert_eq!(token.to_string(), text);
            }
        }

        #[test]
        fn a_secret_with_any_bit_changed_does_not_match(secret: [u8; 16], bit in 0_usize..128) {
            let mut other = secret;
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(ResumeSecret(secret).matches(&ResumeSecret(secret)));
            prop_assert!(!ResumeSecret(secret).matches(&ResumeSecret(other)));
            prop_assert!(ResumeSecret(secret) != ResumeSecret(other));
        }

        #[test]
        fn a_token_in_a_log_shows_its_session_and_no_secret(session: u128, secret: [u8; 16]) {
            let shown = format!("{:?}", token(session, secret));
            prop_assert_eq!(
                shown,
                format!("ResumeToken {{ session: SessionId({session:032x}), secret: ResumeSecret(…) }}")
            );
        }
    }

    #[test]
    fn only_the_canonical_form_is_a_token() {
        let (session, secret) = ("c7e0b1d2f3a44586978695a4b3c2d1e0", "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
        assert!(ResumeToken::parse(&format!("{session}.{secret}")).is_some());
        for text in [
            String::new(),
            ".".to_owned(),
            session.to_owned(),
            format!("{session}{secret}"),
            format!("{session}.{secret} "),
            format!("{session}.{secret}.{secret}"),
            format!("{session}.{}", secret.to_uppercase()),
            format!("{}.{secret}", session.to_uppercase()),
            format!("{session}.{}", &secret[1..]),
            format!("{}.{secret}", SessionId::parse(session).map(|id| format!("{{{id}}}")).expect("an id")),
        ] {
            assert_eq!(ResumeToken::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn no_two_secrets_are_alike_and_no_bit_is_fixed() {
        let drawn: Vec<[u8; 16]> = (0..128).map(|_| ResumeSecret::random().0).collect();
        let any = drawn.iter().fold(0, |bits, bytes| bits | u128::from_be_bytes(*bytes));
        let all = drawn.iter().fold(u128::MAX, |bits, bytes| bits & u128::from_be_bytes(*bytes));
        // A bit that is fair is the same 128 times with a chance of 2^-127.
        assert_eq!((any, all), (u128::MAX, 0));
        let distinct: std::collections::HashSet<_> = drawn.iter().collect();
        assert_eq!(distinct.len(), drawn.len());
    }
}
