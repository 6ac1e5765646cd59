//! Who somebody is in a room, for all to see: the same whenever the same secret comes to the same room.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::ids::RoomName;

/// What the digest covers before the room's name, so that it is of no use for anything else.
const PURPOSE: &[u8] = b"switchboard who v1:";

/// What a room sees of a client's identity: it recognises who comes again, tells nothing of the secret, and is another in
/// each room. Knowing it does not help to get it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Who([u8; Self::BYTES]);

impl Who {
    const BYTES: usize = 16;
    /// Length on the wire, in hex digits.
    pub const TEXT_BYTES: usize = 2 * Self::BYTES;

    /// Who somebody with that secret is in that room. The secret is kept nowhere.
    #[must_use]
    pub fn of(identity: &str, room: &RoomName) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(identity.as_bytes()).expect("a key of HMAC has any length");
        mac.update(PURPOSE);
        mac.update(room.as_str().as_bytes());
        let digest = mac.finalize().into_bytes();
        Self(std::array::from_fn(|at| digest[at]))
    }

    /// Reads the digits, in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == Self::TEXT_BYTES && !text.bytes().any(|b| b.is_ascii_uppercase());
        if canonical { Uuid::try_parse(text).ok().map(|uuid| Self(uuid.into_bytes())) } else { None }
    }

    /// Writes the digits into `buffer`.
    #[must_use]
    pub fn encode(self, buffer: &mut [u8; Self::TEXT_BYTES]) -> &str {
        Uuid::from_bytes(self.0).simple().encode_lower(buffer)
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Who({})", self.encode(&mut [0; Self::TEXT_BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: &str = "correct-horse-battery-staple-417";

    fn who(identity: &str, room: &str) -> String {
        let room = RoomName::parse(room, 128).expect("a sane name");
        Who::of(identity, &room).encode(&mut [0; Who::TEXT_BYTES]).to_owned()
    }

    #[test]
    fn it_is_what_the_protocol_says() {
        assert_eq!(who(IDENTITY, "team-standup"), "af4ed5336492ea0680adb40e68cbdf0b");
    }

    #[test]
    fn its_digits_are_read_as_they_are_written() {
        let digits = "af4ed5336492ea0680adb40e68cbdf0b";
        let read = Who::parse(digits).expect("digits");
        assert_eq!(read.encode(&mut [0; Who::TEXT_BYTES]), digits);
        for other in ["", "AF4ED5336492EA0680ADB40E68CBDF0B", "af4ed533-6492-ea06-80ad-b40e68cbdf0b", &digits[1..]] {
            assert_eq!(Who::parse(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_another_in_each_room_and_for_each_secret() {
        let here = who(IDENTITY, "a");
        assert_eq!(who(IDENTITY, "a"), here);
        assert_ne!(who(IDENTITY, "b"), here);
        assert_ne!(who("correct-horse-battery-staple-418", "a"), here);
        assert_ne!(who(&here, "a"), here, "what all see is no secret");
        // A key longer than a block of the hash is hashed first: that is HMAC's business, and no special case of ours.
        assert_ne!(who(&"k".repeat(128), "a"), who(&"k".repeat(127), "a"));
    }
}
