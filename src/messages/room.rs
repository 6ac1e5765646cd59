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

/// From a session, may be refused (the client is told `rate_limited`): new metadata.
#[derive(Debug, Message)]
#[rtype(result = "()")]
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
