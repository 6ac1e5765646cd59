//! Who is in a room, and what the others are told of that.

use std::{collections::BTreeMap, sync::Arc};

use super::names::Incarnation;
use crate::protocol::{Meta, PeerId, Who};

/// Why a peer is out of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It meant to go.
    Left,
    /// Its connection ended, and its session could not outlive that.
    Disconnected,
    /// Nobody resumed it in time, or its node died.
    Timeout,
    /// The same person joined anew.
    Replaced,
    /// Its node drains, and its session could not be kept.
    Draining,
    /// It was sent away.
    Kicked,
    /// It did not read what was sent to it.
    SlowConsumer,
    /// It broke the protocol, or its node failed on it.
    Error,
    /// The time of its token is over.
    TokenExpired,
    /// The whole room ended.
    RoomClosed,
}

/// One peer's place in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The process that has its session; none: the session is in the store.
    pub owner: Option<Incarnation>,
    /// The number of its join entry. Of two peers the later one is polite.
    pub number: u64,
    /// Counts its owners.
    pub version: u64,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// Whether its session outlives its connection.
    pub resumable: bool,
    /// Whether the others were told that it is away.
    pub away: bool,
    /// While it is away: until when it is waited for, in milliseconds since the Unix epoch.
    pub until: u64,
    /// What it wants the others to know of it.
    pub meta: Option<Meta>,
    /// The user that its token names, where the others are shown that.
    pub user: Option<Arc<str>>,
}

/// A room's seats.
pub type Seats = BTreeMap<PeerId, Seat>;

/// What the others in a room are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// `peer_joined`
    Joined {
        /// Which peer.
        peer: PeerId,
        /// Its join number.
        number: u64,
    },
    /// `peer_left`
    Left {
        /// Which peer.
        peer: PeerId,
    },
    /// `peer_away`
    Away {
        /// Which peer.
        peer: PeerId,
    },
    /// `peer_back`
    Back {
        /// Which peer.
        peer: PeerId,
    },
    /// `peer_updated`
    Updated {
        /// Which peer.
        peer: PeerId,
    },
}

impl News {
    /// The peer that it is about, which is not told.
    #[must_use]
    pub fn subject(&self) -> PeerId {
        match *self {
            Self::Joined { peer, .. }
            | Self::Left { peer }
            | Self::Away { peer }
            | Self::Back { peer }
            | Self::Updated { peer } => peer,
        }
    }
}

/// What turns one roster into another: who went, who came in the order of their numbers, who is away or back, and what else is to
/// be known of them.
#[must_use]
pub fn difference(before: &Seats, after: &Seats) -> Vec<News> {
    let left = before.keys().filter(|peer| !after.contains_key(*peer)).map(|peer| News::Left { peer: *peer });
    let mut came: Vec<_> = after.iter().filter(|(peer, _)| !before.contains_key(*peer)).collect();
    came.sort_by_key(|(_, seat)| seat.number);
    let joined = came.into_iter().map(|(peer, seat)| News::Joined { peer: *peer, number: seat.number });
    let turned = after.iter().filter_map(|(peer, seat)| {
        let was = before.get(peer).is_some_and(|seat| seat.away);
        let now = if seat.away { News::Away { peer: *peer } } else { News::Back { peer: *peer } };
        (seat.away != was).then_some(now)
    });
    let updated = after.iter().filter_map(|(peer, seat)| {
        let before = before.get(peer)?;
        (before.meta != seat.meta).then_some(News::Updated { peer: *peer })
    });
    left.chain(joined).chain(turned).chain(updated).collect()
}
