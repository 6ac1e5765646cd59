//! Letters to the supervisor. Handled in `supervisor/actor.rs`.

use std::{sync::Arc, time::Duration};

use actix::Message;

use super::session::{Claim, Member};
use crate::{
    limits::Subnet,
    protocol::{ErrorCode, LeaveReason, Meta, RoomName, SessionId},
};

/// From a session, a request: a seat in that room, please.
#[derive(Debug, Message)]
#[rtype(result = "Result<Seat, JoinRefused>")]
pub struct Join {
    /// Who asks.
    pub member: Arc<Member>,
    /// Where to.
    pub room: RoomName,
    /// Passed on to the room.
    pub meta: Option<Meta>,
    /// Passed on to the room, for the `joined` frame.
    pub re: Option<Box<str>>,
    /// The client's reconnection counter; above 0, the join's result counts as that of a reconnection.
    pub attempt: u32,
    /// The session's own number of this stay. It comes back in `joined` and in an eviction, so that the session can tell
    /// news of this stay from news of a former one.
    pub stay: u32,
    /// Where it comes from, for the limits per address; `None`: they do not concern it.
    pub origin: Option<Subnet>,
}

/// The answer to a [`Join`] that was granted. The session is in the room when its first roster comes, which may be before
/// this or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Peers in the room, this one included.
    pub peers: usize,
}

/// The answer to a [`Join`] that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinRefused {
    /// `room_full`, `room_limit`, `rate_limited`, `already_joined`, `server_draining` or `internal`.
    pub code: ErrorCode,
    /// The cap that was met, for the message; 0 where none was.
    pub limit: usize,
    /// With `rate_limited`: when the next join may come.
    pub retry_after: Option<Duration>,
    /// Whether it was the cap of one address, and not the server's.
    pub of_address: bool,
}

impl JoinRefused {
    /// With that code, because of that cap of the room's or the server's.
    #[must_use]
    pub fn new(code: ErrorCode, limit: usize) -> Self {
        Self { code, limit, retry_after: None, of_address: false }
    }
}

/// From a session, must arrive, idempotent: free its seat, if it has one. Sent for the `leave` frame and from `stopped()`.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// Names the session, so that one without a seat (refused, evicted) changes nothing.
    pub session: SessionId,
    /// What the others are told.
    pub reason: LeaveReason,
}

/// From a session, must arrive: its client says that it comes back to another session. Passed on to that one; if there is
/// none, the claim is dropped, and with it the answer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reclaim {
    /// The session that the token names.
    pub session: SessionId,
    /// What that session is asked.
    pub claim: Claim,
}

/// From the shutdown, must arrive: nobody gets a seat from now on; whoever has one keeps it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StopJoins;

/// From the health check, a request: how many are here? That it is answered is what the check asks.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Census")]
pub struct TakeCensus;

/// From the watchdog, must arrive (one at a time): run this. That it runs is the answer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ping(pub Box<dyn FnOnce() + Send>);

/// From the ops listener of a test build, may be refused: fail, or make somebody fail. Nothing sends it in any other build.
#[cfg(feature = "fault-injection")]
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Fault {
    /// The supervisor panics.
    SupervisorPanic,
    /// The supervisor and its thread hang.
    SupervisorStall,
    /// That session panics.
    SessionPanic(SessionId),
}

/// The supervisor's truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Rooms with at least one seat.
    pub rooms: usize,
    /// Seats taken.
    pub peers: usize,
    /// Joins in the last 60 s.
    pub joins_per_minute: u64,
    /// Leaves in the last 60 s.
    pub leaves_per_minute: u64,
    /// `occupancy[n - 1]` rooms hold exactly `n` peers; the last entry holds the fuller ones, too.
    pub occupancy: Vec<u64>,
}
