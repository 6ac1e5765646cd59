//! What a room remembers because it spans nodes. Pure.

use std::collections::{HashMap, VecDeque};

use crate::{
    messages::{
        Bounds, Load,
        cluster::{JoinTicket, RoomAsks},
        session::Deliver,
    },
    protocol::PeerId,
};

/// What a room of a cluster has to know beside its members.
#[derive(Debug)]
pub(super) struct FarSide {
    /// Where questions about it go.
    pub(super) asks: RoomAsks,
    /// The joins that brought the peers of this node here.
    pub(super) stays: HashMap<PeerId, JoinTicket>,
    /// What peers of other nodes have sent to those of this one that have no room for it.
    pub(super) waiting: Waiting,
    /// How much may wait for each of those.
    pub(super) bounds: Bounds,
}

impl FarSide {
    /// Of a room in which nobody has a seat yet.
    pub(super) fn new(asks: RoomAsks, bounds: Bounds) -> Self {
        Self { asks, stays: HashMap::new(), waiting: Waiting::default(), bounds }
    }
}

/// Signals that wait for room at their receivers.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) pairs: HashMap<Pair, Queue>,
    /// Whether somebody looks after them.
    pub(super) is_watched: bool,
}

/// Sender and receiver.
pub(super) type Pair = (PeerId, PeerId);

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) signals: VecDeque<Deliver>,
    pub(super) load: Load,
}

impl Waiting {
    /// That peer is out: what it sent is of nobody, and what it was sent is for nobody.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.pairs.retain(|(from, to), _| *from != peer && *to != peer);
    }

    /// All that waits for that peer.
    pub(super) fn of(&self, receiver: PeerId) -> Load {
        let queues = self.pairs.iter().filter(|((_, to), _)| *to == receiver);
        queues.fold(Load::default(), |all, (_, queue)| all + queue.load)
    }
}
