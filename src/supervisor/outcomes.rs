//! What the rules of seats answer, and who is meant by a kick.

use std::{sync::Arc, time::Duration};

use super::parked::Excess;
use crate::protocol::{RoomName, SessionId, Who};

/// A session that is to end, because more are parked than may be. Its seat is freed by its own `Leave`, as any other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// Which.
    pub session: SessionId,
    /// What was exceeded.
    pub excess: Excess,
}

/// A seat was given.
#[derive(Debug)]
pub struct Granted<M, R> {
    /// The room that is to let the peer in.
    pub port: R,
    /// Peers in it, the newcomer included.
    pub peers: usize,
    /// Whether the room was opened for it.
    pub opened: bool,
    /// Who of its address has to make room for it.
    pub given_up: Option<GivenUp>,
    /// The seats that it took the place of, in joining order. Nobody may resume a session that sat there.
    pub replaced: Vec<Freed<M>>,
}

/// What is known of a person, beside what all see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Who it is in its room, if it gave an identity.
    pub who: Option<Who>,
    /// The user that its token names.
    pub user: Option<Arc<str>>,
}

/// A seat that is free again.
#[derive(Debug)]
pub struct Freed<M> {
    /// Who sat there.
    pub member: M,
    /// What was known of it.
    pub known: Known,
    /// How long.
    pub stayed: Duration,
}

/// A peer left its room.
#[derive(Debug)]
pub struct Left<M, R> {
    /// Its former seat.
    pub seat: Freed<M>,
    /// The room.
    pub room: RoomName,
    /// The room that is to let the peer go. When it was the last one, the room is forgotten here already.
    pub port: R,
    /// How long the room lived, when the peer was its last.
    pub ended: Option<Duration>,
}

/// A room died under its peers; they have no seats any more.
#[derive(Debug)]
pub struct Lost<M> {
    /// The room.
    pub room: RoomName,
    /// Everybody who was in it.
    pub seats: Vec<Freed<M>>,
}
