//! Names that travel on the wire: peers, sessions, rooms.

use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::Arc,
};

use uuid::Uuid;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name(Uuid);

        /// Both halves at once: in either there are bits that are the same in all ids, and in different places.
        impl Hash for $name {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                let (first, second) = self.0.as_u64_pair();
                state.write_u64(first ^ second);
            }
        }

        /// That of the text, asked of all bytes at once: rosters are sorted by it, and searched.
        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.as_u128().cmp(&other.0.as_u128())
            }
        }

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// Length of the canonical form.
            pub const TEXT_BYTES: usize = 32;

            /// A fresh id: 122 bits from the operating system's CSPRNG.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Reads the one canonical form (32 lower-case hex digits); anything else is no id of ours.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                // All of it at once: nearly every id is one of ours, and to stop at the first letter that is not takes longer.
                let upper = || text.bytes().fold(0, |upper, byte| upper | u8::from(byte.is_ascii_uppercase())) != 0;
                if text.len() == Self::TEXT_BYTES && !upper() { Uuid::try_parse(text).ok().map(Self) } else { None }
            }

            /// Writes the canonical form into `buffer`: what `to_string` gives, without the formatting machinery.
            #[must_use]
            pub fn encode(self, buffer: &mut [u8; Self::TEXT_BYTES]) -> &str {
                self.0.simple().encode_lower(buffer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.simple())
            }
        }
    };
}

random_id! {
    /// A peer's public name: everybody in its room sees it. It proves nothing about who holds it.
    PeerId
}
random_id! {
    /// One client's session on this server: told to that client in `welcome`, written in the logs, seen by no other peer.
    SessionId
}

/// For tables by ids that were made here: they are random, and nobody can choose one that a table is filled with. So an id is its
/// own hash.
pub type RandomIds = BuildHasherDefault<RandomIdHasher>;

/// See [`RandomIds`].
#[derive(Debug, Default)]
pub struct RandomIdHasher(u64);

impl Hasher for RandomIdHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }

    /// No id is written so.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }
}

impl PeerId {
    /// Both halves of it as numbers, for where 16 bytes are too many.
    #[must_use]
    pub fn halves(self) -> (u64, u64) {
        self.0.as_u64_pair()
    }

    /// What [`Self::halves`] took apart.
    #[must_use]
    pub fn from_halves(first: u64, second: u64) -> Self {
        Self(Uuid::from_u64_pair(first, second))
    }
}

/// A room's name as the client gave it: 1 to `limits.room_name_bytes` bytes of UTF-8, no control characters.
///
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

/// Why a text cannot be a room's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoomNameError {
    /// The empty string names no room.
    #[error("room must not be empty")]
    Empty,
    /// Longer than `limits.room_name_bytes`.
    #[error("room is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Control characters would make logs and pages unreadable.
    #[error("room contains a control character")]
    ControlCharacter,
}

impl RoomName {
    /// Checks and keeps a name. `limit` is in bytes.
    ///
    /// # Errors
    /// [`RoomNameError`] says which of the three rules the text breaks.
    pub fn parse(text: &str, limit: usize) -> Result<Self, RoomNameError> {
        match text {
            "" => Err(RoomNameError::Empty),
            t if t.len() > limit => Err(RoomNameError::TooLong { limit }),
            t if t.chars().any(char::is_control) => Err(RoomNameError::ControlCharacter),
            t => Ok(Self(t.into())),
        }
    }

    /// The name as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names are in the order of their bytes, as texts are: so that what is sorted by name can be searched by text.
impl Borrow<str> for RoomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomName({:?})", &*self.0)
    }
}
