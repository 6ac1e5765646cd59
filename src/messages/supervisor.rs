//! Messages to the supervisor. Handled in `supervisor/actor.rs`.
//!
//! Those of sessions go past its mailbox's bound, since each is bounded by its cause: of one session there wait four at most, and
//! of one that moderates its room eight more, however fast its client sends, and whatever it sends.
//!
//! | message | at most | since |
//! |---|---|---|
//! | `Join` or `Resume` | 1 | the session waits for the answer to either, which nobody gives who has not handled it |
//! | `Leave` | 2 | one in a room that it was let into, and so all before it was handled; and one at its end |
//! | `Moderate` | 8 | with so many unanswered, its client is told `rate_limited` |
//! | `Presence` | 1 | another is not sent while one waits ([`PresenceState`](super::PresenceState)) |
//!
//! A connection has one session at a time, so that `server.max_connections` and `limits.parked_sessions` bound the whole. What
//! sessions that are over have left behind is bounded by the watch: the supervisor answers it from behind them within
//! `watchdog.exit_ms`, or the process ends. The simulation of seats counts what waits against this table.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Message;

use super::{
    listing::Question,
    moderation::RoomOrder,
    session::{Member, ResumeRequest},
};
use crate::{
    auth::Grant,
    limits::Subnet,
    protocol::{LeaveReason, Meta, RoomName, SessionId, client::Identified},
};

/// From a session, unbounded: a seat in that room, please. The room answers, with the first roster; or the supervisor,
/// with [`JoinFailed`](super::session::JoinFailed).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Join {
    /// Who asks.
    pub member: Arc<Member>,
    /// Where to.
    pub room: RoomName,
    /// Passed on to the room.
    pub meta: Option<Meta>,
    /// The client's reconnection counter; above 0, the join's result counts as that of a reconnection.
    pub attempt: u32,
    /// The number of the join, counted by the session. It comes back in `joined` and in an eviction, so that the session can tell
    /// news of this join from news of a former one.
    pub join_seq: u32,
    /// Whether its session outlives its connection.
    pub resumable: bool,
    /// Where it comes from, for the limits per address; `None`: they do not concern it.
    pub subnet: Option<Subnet>,
    /// Who it is, if it gave an identity.
    pub identified: Option<Identified>,
    /// What its token grants; `None`: it came without one, and may.
    pub grant: Option<Arc<Grant>>,
}

/// From a session, unbounded, idempotent: free its seat, if it has one. Sent for the `leave` frame and from `stopped()`.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// Names the session, so that one without a seat (refused, evicted) changes nothing.
    pub session: SessionId,
    /// What the others are told.
    pub reason: LeaveReason,
}

/// From a session, unbounded: its client says that it comes back to another session. Passed on to that one if the secret
/// is right; else the request is dropped, and with it the answer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Resume {
    /// The session that the token names.
    pub session: SessionId,
    /// What that session is asked, if the secret is right.
    pub request: Box<ResumeRequest>,
    /// Where it comes from, for the limit on wrong secrets; `None`: it does not concern it.
    pub subnet: Option<Subnet>,
}

/// From a session, unbounded, idempotent: its client is away, with its seat kept, or back. Which of the two is found in its
/// [`PresenceState`](super::PresenceState) when this is handled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Presence {
    /// Whose.
    pub member: Arc<Member>,
}

/// Of one session, so many [`Moderate`] wait for their answers: who sends away a roomful goes on in a moment.
pub const MOST_MODERATING: u8 = 8;

/// From a session, unbounded: its client moderates the room that it is in, and may. Answered with
/// [`Moderated`](super::session::Moderated).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Moderate {
    /// Who asks.
    pub member: Arc<Member>,
    /// For what.
    pub order: RoomOrder,
    /// The request's `id`.
    pub re: Option<Box<str>>,
}

/// From the shutdown, unbounded: nobody gets a seat from now on; whoever has one keeps it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct StopJoins;

/// From the shutdown, unbounded: the drain was withdrawn, and seats are to be had again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct AllowJoins;

/// From the operator's listener, unbounded (one at a time, as [`listing`](super::listing) says): what rooms and peers there
/// are.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Look(pub Question);

/// From the watchdog, unbounded (one at a time): run this. That it runs is the answer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ping(pub Box<dyn FnOnce() + Send>);

/// How many are here: published by the supervisor with every change and every second, so that whoever is asked for it
/// asks nobody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headcount {
    /// Rooms with at least one seat.
    pub rooms: usize,
    /// Seats taken.
    pub peers: usize,
    /// Joins in the last 60 s.
    pub joins_per_minute: u64,
    /// Leaves in the last 60 s.
    pub leaves_per_minute: u64,
}

/// The latest [`Headcount`]: published by the supervisor, for anybody to look at. Cloning shares it.
///
/// A channel would look for somebody who waits for it with every join and leave, and nobody does.
#[derive(Debug, Clone, Default)]
pub struct LatestHeadcount(Arc<Mutex<Headcount>>);

impl LatestHeadcount {
    /// So many are here now.
    pub fn publish(&self, headcount: Headcount) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = headcount;
    }

    /// How many are here.
    #[must_use]
    pub fn get(&self) -> Headcount {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The supervisor's truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Rooms with at least one seat.
    pub rooms: usize,
    /// Seats taken.
    pub peers: usize,
    /// People who sit there, as far as they can be told apart.
    pub users: usize,
    /// Joins in the last 60 s.
    pub joins_per_minute: u64,
    /// Leaves in the last 60 s.
    pub leaves_per_minute: u64,
    /// Rooms that are locked, those that are gone and remembered included.
    pub locked_rooms: usize,
    /// Bans that are in force.
    pub bans: usize,
    /// Bytes of what is remembered of locks and bans.
    pub ban_bytes: u64,
    /// `occupancy[n - 1]` rooms hold exactly `n` peers; the last entry holds the fuller ones, too.
    pub occupancy: Vec<u64>,
}
