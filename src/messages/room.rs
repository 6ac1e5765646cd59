//! Messages to a room. Handled in `room/actor.rs`.

use std::{
    any::Any,
    convert::Infallible,
    sync::{Arc, Weak},
};

use actix::{Message, Recipient, prelude::SendError};
use tokio::sync::mpsc;

use super::{
    cluster::{FarPeer, Receiving, Stay},
    event::RoomEvent,
    mesh::MeshAnswer,
    send::send_unbounded,
    session::Member,
};
use crate::protocol::{LeaveReason, Meta, PairEvent, PeerId, Who};

/// All messages to a room in one type, for the same reason as those to a session: a port for each would cost some 200
/// bytes, and one keeps them in order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToRoom {
    /// From the supervisor, unbounded: this session has a seat, let it in.
    Admit(Admit),
    /// From the supervisor, unbounded: a peer of another node is in the room.
    AdmitFar(Box<AdmitFar>),
    /// From the supervisor, unbounded (so many are under way as [`Receiving::done`] admits): a peer of another node sends something to
    /// peers of this one.
    Receive(Box<Receiving>),
    /// From the supervisor, unbounded: this peer's seat is free. When it was the last, the room stops itself; the
    /// supervisor has forgotten it already.
    Remove {
        /// Who.
        peer: PeerId,
        /// What the others are told.
        reason: LeaveReason,
    },
    /// From the supervisor, unbounded: this is how it stands with the room's lock.
    Lock {
        /// Whether it is locked.
        locked: bool,
    },
    /// From the supervisor, unbounded: this happened, for all to know. The room itself is the same.
    Tell {
        /// What.
        event: Arc<RoomEvent>,
    },
    /// From the supervisor, unbounded: post all news that has been gathered. The room drops `done` when it has; the server hands its
    /// sessions over.
    Settle {
        /// To be dropped.
        done: Done,
    },
    /// From the supervisor, unbounded: this is who has been in the room since before a restart.
    Restore(Restored),
    /// From the supervisor, unbounded: those who have not come back since a restart are told of as away.
    TellAway,
    /// From a session, may be refused: the client is told `rate_limited`.
    Update {
        /// Whose.
        peer: PeerId,
        /// The new metadata, whole.
        meta: Meta,
    },
    /// From a session, may be refused: what a peer reports of its connections to others, in this order. What is refused is counted.
    Report {
        /// Who.
        peer: PeerId,
        /// Of which peer, and what. None of them is the peer itself.
        pairs: Box<[(PeerId, PairEvent)]>,
    },
    /// From the supervisor, for an operator, unbounded (one at a time, as [`listing`](super::listing) says): how its mesh is doing.
    Mesh {
        /// Where the answer goes.
        answer: MeshAnswer,
    },
    /// From a session, unbounded: the peer's socket is gone, its seat is kept.
    Away {
        /// Whose.
        peer: PeerId,
        /// Until when it is waited for, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// From a session, unbounded: the peer is back.
    Back {
        /// Who.
        peer: PeerId,
    },
    /// From a session, unbounded: the peer is back, has missed too much, and needs the whole room.
    Resync {
        /// Who.
        peer: PeerId,
        /// Comes back in [`Welcomed`](super::session::Welcomed).
        join_seq: u32,
    },
}

/// Somebody is to be let in.
#[derive(Debug)]
pub struct Admit {
    /// The newcomer.
    pub member: Arc<Member>,
    /// What it wants the others to know of it.
    pub meta: Option<Meta>,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// Whose seats it made free by that, in joining order: they are to go in the same step.
    pub replaced: Vec<PeerId>,
    /// The user that its token names, where the others are shown that.
    pub user: Option<Arc<str>>,
    /// The session's number of its join, for its first roster.
    pub join_seq: u32,
    /// The room's own port, for its snapshots.
    pub port: RoomPort,
    /// Where the room spans nodes: its seat there.
    pub stay: Option<Box<Stay>>,
}

/// A peer of another node is to be let in.
#[derive(Debug)]
pub struct AdmitFar {
    /// How it is reached from here.
    pub member: Arc<Member>,
    /// What the others know of it.
    pub far: FarPeer,
    /// As in [`Admit`].
    pub replaced: Vec<PeerId>,
    /// As in [`Admit`].
    pub port: RoomPort,
}

/// Dropped by each of those that have done something; whoever holds the other end sees when all have.
pub type Done = mpsc::Sender<Infallible>;

/// Who has been in a room since before a restart, all of them away.
#[derive(Debug)]
pub struct Restored {
    /// In joining order.
    pub seats: Vec<RestoredOccupant>,
    /// Until when they are waited for, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// Whether the room is locked.
    pub locked: bool,
    /// The room's own port, for its snapshots.
    pub port: RoomPort,
    /// Dropped when all of them have been told.
    pub done: Done,
}

/// One of them.
#[derive(Debug)]
pub struct RestoredOccupant {
    /// How it is reached.
    pub member: Arc<Member>,
    /// As in [`Admit`].
    pub meta: Option<Meta>,
    /// As in [`Admit`].
    pub who: Option<Who>,
    /// As in [`Admit`].
    pub user: Option<Arc<str>>,
    /// Whether the others know that it is away.
    pub is_known_away: bool,
}

/// How one room is reached. There is exactly one per room, which the supervisor and all its sessions share: each clone of
/// a `Recipient` would bring a free mailbox slot of its own.
#[derive(Debug, Clone)]
pub struct RoomPort(Arc<Recipient<ToRoom>>);

impl RoomPort {
    /// Of a room that has just been started.
    #[must_use]
    pub fn new(room: Recipient<ToRoom>) -> Self {
        Self(Arc::new(room))
    }

    /// Sends a message past the mailbox's bound. Says whether the room was there to take it.
    #[must_use]
    pub fn send_unbounded(&self, message: ToRoom) -> bool {
        send_unbounded(&self.0, message)
    }

    /// Sends a message that may be refused.
    ///
    /// # Errors
    /// The mailbox is full, or the room is gone.
    pub fn try_send(&self, message: ToRoom) -> Result<(), SendError<ToRoom>> {
        self.0.try_send(message)
    }

    /// Points to the room for as long as anybody can reach it.
    #[must_use]
    pub fn life(&self) -> Weak<dyn Any + Send + Sync> {
        let room: Arc<dyn Any + Send + Sync> = Arc::clone(&self.0) as _;
        Arc::downgrade(&room)
    }

    /// Whether the room's actor is alive. `false` is final.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.0.connected()
    }

    /// Waits until the room has handled the message, or is gone.
    #[cfg(test)]
    pub(crate) async fn handled(&self, message: ToRoom) {
        let _ = self.0.send(message).await;
    }
}

/// The same room, and not a later one of the same name.
impl PartialEq for RoomPort {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RoomPort {}
