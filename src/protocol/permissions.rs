//! What a session may do, as a token says it and as `joined.permissions` tells it.

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// To be in a room.
    pub const JOIN: Self = Self(1);
    /// To send a `signal` to one peer, or to some.
    pub const SIGNAL: Self = Self(2);
    /// To send a `signal` to all others at once.
    pub const BROADCAST: Self = Self(4);
    /// To change its metadata.
    pub const UPDATE: Self = Self(8);
    /// To moderate the room.
    pub const ADMIN: Self = Self(16);
    /// What a session may without a token, where none is asked for, and with one that does not say.
    pub const USUAL: Self = Self(Self::JOIN.0 | Self::SIGNAL.0 | Self::BROADCAST.0 | Self::UPDATE.0);

    /// All there are.
    #[cfg(test)]
    pub(super) const ALL: Self = Self(u8::MAX);

    const WORDS: [(&str, Self); 5] = [
        ("join", Self::JOIN),
        ("signal", Self::SIGNAL),
        ("broadcast", Self::BROADCAST),
        ("update", Self::UPDATE),
        ("admin", Self::ADMIN),
    ];

    /// What that word grants; a word that is unknown grants nothing.
    #[must_use]
    pub fn named(word: &str) -> Self {
        Self::WORDS.into_iter().find(|(name, _)| *name == word).map_or(Self::NONE, |(_, granted)| granted)
    }

    /// Both sets together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is among them.
    #[inline]
    #[must_use]
    pub fn allow(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The words on the wire, in one order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(_, one)| self.allow(*one)).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_make_sets_and_unknown_ones_grant_nothing() {
        let set = |words: &[&str]| words.iter().fold(Permissions::NONE, |set, word| set.and(Permissions::named(word)));
        let told: Vec<_> = set(&["admin", "join", "kick", "Join", ""]).words().collect();
        assert_eq!(told, ["join", "admin"]);
        let usual: Vec<_> = Permissions::USUAL.words().collect();
        assert_eq!(usual, ["join", "signal", "broadcast", "update"]);
        assert!(Permissions::USUAL.allow(Permissions::SIGNAL) && !Permissions::USUAL.allow(Permissions::ADMIN));
        assert!(!set(&["join"]).allow(Permissions::USUAL), "one of them is not all of them");
    }
}
