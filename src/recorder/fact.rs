//! One fact of a room, as a ring holds it: 32 bytes, without a name, a payload, an address or a size to the byte.

use std::fmt;

use crate::{
    protocol::{ErrorCode, LeaveReason, PeerId, SignalKind},
    telemetry::RelayOutcome,
};

/// Sizes are told in blocks of this many bytes: the exact length of a session description or a candidate says something of
/// what is in it.
pub const SIZE_BLOCK: usize = 64;

/// The first half of a peer's id. It has 60 random bits, so that two peers of one recording share it in one of 10^12
/// recordings of a thousand peers; the whole id is found again where something says it (see [`Fact::whole_id`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(u64);

impl ShortId {
    /// Of that peer.
    #[must_use]
    #[inline]
    pub fn of(peer: PeerId) -> Self {
        Self(peer.halves().0)
    }
}

/// 16 hex digits: those that the whole id begins with.
impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The second half of a peer's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest(u64);

/// The size of a payload, in blocks of [`SIZE_BLOCK`] bytes, rounded up; what is longer than 65 535 blocks counts as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks(u16);

impl Blocks {
    /// Of so many bytes.
    #[must_use]
    #[inline]
    pub fn of(bytes: usize) -> Self {
        Self(u16::try_from(bytes.div_ceil(SIZE_BLOCK)).unwrap_or(u16::MAX))
    }

    /// Bytes, as coarsely as they are known.
    #[must_use]
    pub fn bytes(self) -> u32 {
        u32::from(self.0) * u32::try_from(SIZE_BLOCK).unwrap_or(u32::MAX)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The peer sent one other peer a signal.
    Signal {
        /// The other one.
        to: ShortId,
        /// What it carries.
        kind: SignalKind,
        /// How long it is.
        size: Blocks,
        /// What became of it.
        outcome: RelayOutcome,
    },
    /// The same, and the receiver has no room for it yet: what becomes of it is told later.
    Waits {
        /// The other one.
        to: ShortId,
        /// What it carries.
        kind: SignalKind,
        /// How long it is.
        size: Blocks,
    },
    /// The peer sent everybody else a signal. Those that did not get it are told of one by one.
    Broadcast {
        /// How many others there were.
        others: u32,
        /// What it carries.
        kind: SignalKind,
        /// How long it is.
        size: Blocks,
    },
    /// The peer joined.
    Joined(Rest),
    /// It is gone.
    Left(Rest, LeaveReason),
    /// Its socket is gone, its seat is kept.
    Away(Rest),
    /// It has a socket again.
    Back(Rest),
    /// It resumed its session; `true`: it missed nothing.
    Resumed(bool),
    /// It was not let in, because of the room: full, locked, or a ban.
    JoinRefused(ErrorCode),
    /// It was sent an error.
    Error(ErrorCode),
    /// The room was locked, or unlocked. It is nobody's doing as far as the room knows.
    Locked(bool),
    /// The room died under the peer.
    RoomClosed,
}

/// When, who, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Nanoseconds since the recorder's beginning. In one thread's recording no two facts have the same.
    pub at: u64,
    /// The peer that it is about, if [it is about one](Self::peer).
    pub who: ShortId,
    /// What happened.
    pub what: What,
}

/// A ring has as many as fit into its bytes.
pub const FACT_BYTES: usize = size_of::<Fact>();

/// A cache line holds two.
const _: () = assert!(FACT_BYTES <= 32);

/// No peer: what concerns the room as such.
pub(super) const NOBODY: ShortId = ShortId(0);

impl What {
    /// The peer joined.
    #[must_use]
    pub fn joined(peer: PeerId) -> Self {
        Self::Joined(Rest(peer.halves().1))
    }

    /// It is gone.
    #[must_use]
    pub fn left(peer: PeerId, reason: LeaveReason) -> Self {
        Self::Left(Rest(peer.halves().1), reason)
    }

    /// Its socket is gone.
    #[must_use]
    pub fn away(peer: PeerId) -> Self {
        Self::Away(Rest(peer.halves().1))
    }

    /// It has one again.
    #[must_use]
    pub fn back(peer: PeerId) -> Self {
        Self::Back(Rest(peer.halves().1))
    }

    /// Whether it is what an application sends for purposes of its own: there may be any number of it, and it must not push
    /// out what a call is made of.
    #[inline]
    pub(super) fn is_chatter(&self) -> bool {
        matches!(
            self,
            Self::Signal { kind: SignalKind::App, .. }
                | Self::Waits { kind: SignalKind::App, .. }
                | Self::Broadcast { kind: SignalKind::App, .. }
        )
    }

    /// The signal's kind, if it is one.
    #[must_use]
    pub fn signal(&self) -> Option<SignalKind> {
        match self {
            Self::Signal { kind, .. } | Self::Waits { kind, .. } | Self::Broadcast { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// The peer that it was for, if it was for one.
    #[must_use]
    pub fn to(&self) -> Option<ShortId> {
        match self {
            Self::Signal { to, .. } | Self::Waits { to, .. } => Some(*to),
            _ => None,
        }
    }
}

impl Fact {
    /// The peer that it is about; `None`: the room as such.
    #[must_use]
    pub fn peer(&self) -> Option<ShortId> {
        (!matches!(self.what, What::Locked(_))).then_some(self.who)
    }

    /// The whole id of the peer that it is about, where it says so.
    #[must_use]
    pub fn whole_id(&self) -> Option<PeerId> {
        match self.what {
            What::Joined(rest) | What::Left(rest, _) | What::Away(rest) | What::Back(rest) => {
                Some(PeerId::from_halves(self.who.0, rest.0))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_no_finer_than_a_block() {
        let told = |bytes| Blocks::of(bytes).bytes();
        assert_eq!([0, 1, 63, 64, 65, 128].map(told), [0, 64, 64, 64, 128, 128]);
        assert_eq!((told(usize::MAX), told(65_535 * 64)), (65_535 * 64, 65_535 * 64));
    }

    #[test]
    fn a_peer_is_known_by_half_of_its_id_and_found_again_by_the_facts_that_have_both() {
        let peer = PeerId::random();
        let (text, short) = (peer.to_string(), ShortId::of(peer));
        assert_eq!(short.to_string(), text[..16]);
        let whole = |what| Fact { at: 0, who: short, what }.whole_id();
        for what in [What::joined(peer), What::left(peer, LeaveReason::Left), What::away(peer), What::back(peer)] {
            assert_eq!(whole(what), Some(peer));
        }
        assert_eq!(whole(What::Resumed(true)), None);
    }
}
