//! Letters to a room. Handled in `room/actor.rs`.

use std::sync::Arc;

use actix::{Message, Recipient};

use super::session::Member;
use crate::protocol::{LeaveReason, Meta, PeerId};

/// From the supervisor, must arrive: this session has a seat, let it in.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Admit {
    /// The newcomer.
    pub member: Arc<Member>,
    /// What it wants the others to know of it.
    pub meta: Option<Meta>,
    /// The `id` of its `join`, for the `joined` frame.
    pub re: Option<Box<str>>,
    /// The session's number of this stay, for its first roster.
    pub stay: u32,
}

/// From the supervisor, must arrive: this peer's seat is free. When it was the last, the room stops itself; the
/// supervisor has forgotten it already.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Remove {
    /// Who.
    pub peer: PeerId,
    /// What the others are told.
    pub reason: LeaveReason,
}

/// All letters from a room's sessions in one type: they share the one port in its snapshots.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum FromSession {
    /// May be refused: the client is told `rate_limited`.
    Update(Update),
    /// Must arrive: the peer's socket is gone, its seat is kept.
    Away {
        /// Whose.
        peer: PeerId,
        /// Until when it is waited for, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// Must arrive: the peer is back.
    Back {
        /// Who.
        peer: PeerId,
    },
    /// Must arrive: the peer is back, has missed too much, and needs the whole room.
    Resync {
        /// Who.
        peer: PeerId,
        /// Comes back in [`Welcomed`](super::session::Welcomed).
        stay: u32,
        /// Comes back, too.
        re: Option<Box<str>>,
    },
}

/// New metadata.
#[derive(Debug)]
pub struct Update {
    /// Whose.
    pub peer: PeerId,
    /// The new metadata, whole.
    pub meta: Meta,
    /// The `id` of the request.
    pub re: Option<Box<str>>,
}

/// How the supervisor reaches one room.
#[derive(Debug, Clone)]
pub struct RoomPorts {
    /// Takes peers in.
    pub admit: Recipient<Admit>,
    /// Lets peers go.
    pub remove: Recipient<Remove>,
}

impl RoomPorts {
    /// Whether the room's actor is alive. `false` is final.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.admit.connected()
    }
}
