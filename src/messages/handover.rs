//! Messages to the supervisor around a restart. Handled in `supervisor/handover.rs`; each comes from the one shutdown or the one
//! start, which waits for the answer before it goes on.

use std::{sync::Arc, time::Instant};

use actix::Message;
use tokio::sync::oneshot;

use super::{
    room::{Done, RestoredOccupant},
    session::Member,
};
use crate::{
    limits::Subnet,
    protocol::{RoomName, SessionId, Who},
    store::ModerationRecord,
    utc::Clocks,
};

/// From the shutdown, unbounded: have every room post what it has gathered. All that was sent to the supervisor before is handled
/// before. Everybody drops `done` then.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SettleRooms {
    /// To be dropped.
    pub done: Done,
}

/// From the shutdown, unbounded: which seats and rooms are there, and what is locked and banned. From then on nobody moderates
/// rooms: the next process would not know of it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TakeStock {
    /// For the times in it.
    pub clocks: Clocks,
    /// Where it goes.
    pub answer: oneshot::Sender<Stock>,
}

/// From the shutdown, unbounded: what [`TakeStock`] was answered is not handed over after all, and rooms can be moderated again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ForgetStock;

/// All that the supervisor knows and a restart carries over.
#[derive(Debug)]
pub struct Stock {
    /// In no order.
    pub rooms: Vec<RoomStock>,
    /// The rooms with a lock or bans.
    pub moderated: Vec<ModerationRecord>,
}

/// A room.
#[derive(Debug)]
pub struct RoomStock {
    /// Its name.
    pub name: RoomName,
    /// When it was opened.
    pub opened: Instant,
    /// Its seats in joining order.
    pub seats: Vec<SeatStock>,
}

/// A seat.
#[derive(Debug, Clone, Copy)]
pub struct SeatStock {
    /// Whose.
    pub session: SessionId,
    /// The address that it is counted for.
    pub subnet: Option<Subnet>,
    /// When it was given.
    pub since: Instant,
}

/// From the start, unbounded: these locks and bans are in force.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RestoreModeration {
    /// For the times in it.
    pub clocks: Clocks,
    /// The rooms.
    pub moderated: Vec<ModerationRecord>,
}

/// From the start, unbounded: these seats were there before, and are kept for clients that are away. After [`RestoreModeration`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RestoreRoom {
    /// Which room.
    pub name: RoomName,
    /// When it was opened.
    pub opened: Instant,
    /// In joining order.
    pub seats: Vec<RestoredSeat>,
    /// Until when they are kept, in milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// Dropped when the room is as it was.
    pub done: Done,
}

/// One of them.
#[derive(Debug)]
pub struct RestoredSeat {
    /// What the room is told.
    pub occupant: RestoredOccupant,
    /// The session's own number of the join.
    pub join_seq: u32,
    /// The address that it is counted for.
    pub subnet: Option<Subnet>,
    /// When it was given.
    pub since: Instant,
    /// The user that its token names.
    pub user: Option<Arc<str>>,
}

impl RestoredSeat {
    /// Who sits there.
    #[must_use]
    pub fn member(&self) -> &Arc<Member> {
        &self.occupant.member
    }

    /// Who that is, if it gave an identity.
    #[must_use]
    pub fn who(&self) -> Option<Who> {
        self.occupant.who
    }
}

/// From the start, unbounded, once: who has not come back since the restart is told of as away.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct TellAway;
