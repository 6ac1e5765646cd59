//! What a room's log says, and where it stands.

use super::{
    moderation::Moderation,
    names::Incarnation,
    seats::{Departure, Seat},
};
use crate::protocol::{Meta, PeerId};

/// A place in a room's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Head {
    /// Of the room: one that is empty ends, and the next of its name is another life. Later lives have higher numbers.
    pub life: u64,
    /// Entries of this life so far. No number is left out.
    pub n: u64,
    /// What the last entry was given at random: two entries with one number were written in two branches of the data.
    pub tag: u64,
}

/// One entry of a room's log. `D` is what signals carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<D> {
    /// Where it stands.
    pub head: Head,
    /// The tag of the entry before it. A failover that lost entries is noticed by it.
    pub previous: u64,
    /// What it says.
    pub change: Change<D>,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<D> {
    /// A peer is in the room, behind all who were there before.
    Joined {
        /// Which peer.
        peer: PeerId,
        /// Its seat. The number is the entry's own.
        seat: Seat,
    },
    /// A peer is out, for good: no entry brings it back.
    Left {
        /// Which peer.
        peer: PeerId,
        /// Why.
        departure: Departure,
        /// The incarnation whose death ended it.
        reaped: Option<Incarnation>,
    },
    /// Its connection is gone, its session is not.
    Away {
        /// Which peer.
        peer: PeerId,
        /// Until when it is waited for, in milliseconds since the Unix epoch.
        until: u64,
    },
    /// It has a connection again.
    Back {
        /// Which peer.
        peer: PeerId,
    },
    /// It wants the others to know something else of it.
    Updated {
        /// Which peer.
        peer: PeerId,
        /// The new metadata, whole.
        meta: Meta,
    },
    /// Its session is in the store: its node moves it, or drains.
    Released {
        /// Which peer.
        peer: PeerId,
        /// Whether the others hear at once that it is away; else only when nobody claims it within a grace time.
        tell: bool,
    },
    /// A node took its session out of the store.
    Claimed {
        /// Which peer.
        peer: PeerId,
        /// The new owner.
        owner: Incarnation,
        /// Counts the owners of the seat: after a loss of data the highest one is right.
        version: u64,
    },
    /// The room is locked, or not; somebody is banned.
    Moderated(Moderation),
    /// After a loss of data, a node said what it has.
    Asserted,
    /// What was asserted is all there is: from here on everybody goes on together.
    Settled,
    /// One peer to others.
    Signal(Signal<D>),
}

/// Who a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// Those that the entry names.
    Peers(Vec<PeerId>),
    /// All but the sender and those that the entry names as served.
    All,
}

/// A signal that did not reach all its receivers on the sender's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal<D> {
    /// Who sends.
    pub sender: PeerId,
    /// Who it is for.
    pub to: To,
    /// Who had it on the sender's node already, for a signal to all.
    pub served: Vec<PeerId>,
    /// The highest join number in the sender's roster when it was sent: later peers are not meant.
    pub seen: u64,
    /// The node whose line it came through. Void unless that one owns the sender.
    pub origin: Incarnation,
    /// The number of the command in the origin's line: one that was repeated is delivered once.
    pub number: u64,
    /// What is sent.
    pub data: D,
}
