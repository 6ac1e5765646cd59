//! Why a token is refused.

use strum::VariantArray;

use crate::protocol::{ErrorCode, error_texts};

/// Why a token is refused, as far as it was looked at. No text quotes the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
pub enum TokenError {
    /// Longer than a token may be.
    TooLong,
    /// No JWT, or one whose header or claims are not what this server reads.
    Malformed,
    /// Its algorithm is none that a key of this server has.
    Algorithm,
    /// Its `kid` is none of this server's.
    UnknownKey,
    /// No key has made that signature.
    Signature,
    /// A claim is missing, repeated, of the wrong kind or beyond its bounds.
    Claims,
    /// Its `exp` is too far away.
    TooLongLived,
    /// Its `iss` is not on `auth.issuers`.
    Issuer,
    /// Its `aud` is not on `auth.audiences`.
    Audience,
    /// Its `nbf` is still to come.
    NotYet,
    /// Its `exp` is over.
    Expired,
    /// It is for another room.
    Room,
    /// It does not permit to join.
    Join,
    /// It names somebody else than the session's own.
    OtherUser,
    /// It is a ticket that was used, has ended, or never was.
    Ticket,
}

impl TokenError {
    /// Every reason.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// What clients are told.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Expired => ErrorCode::TokenExpired,
            Self::Room | Self::Join | Self::OtherUser => ErrorCode::PermissionDenied,
            _ => ErrorCode::Unauthorized,
        }
    }

    /// The same for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::TooLong => "the token is longer than 4096 bytes",
            Self::Malformed => "the token is no JWT that this server reads",
            Self::Algorithm => "no key of this server is for the token's algorithm",
            Self::UnknownKey => "this server does not know the key that the token's kid names",
            Self::Signature => "the token's signature fits no key of this server",
            Self::Claims => "the token's claims are not what this server asks for",
            Self::TooLongLived => "the token's exp is further away than this server allows",
            Self::Issuer => "the token's iss is none that this server trusts",
            Self::Audience => "the token's aud does not name this server",
            Self::NotYet => "the token's nbf is still to come",
            Self::Expired => error_texts::TOKEN_EXPIRED,
            Self::Room => "the token is for another room",
            Self::Join => "the token does not permit to join",
            Self::Ticket => "the ticket was used, has ended, or never was",
            Self::OtherUser => "the token names somebody else than this session's",
        }
    }
}
