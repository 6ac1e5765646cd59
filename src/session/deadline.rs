//! What is kept of when a session ends by itself, in as few bytes as that takes. The rules are in `lifetime.rs`.

use std::{cell::Cell, time::Instant};

use super::{grants::InForce, waiting::InNoRoom};
use crate::{moment::Moment, protocol::EndReason};

/// When a session ends by itself, and why.
#[derive(Default)]
pub(super) struct Deadline(Cell<Option<(Moment, EndReason)>>);

impl Deadline {
    pub(super) fn get(&self) -> Option<(Instant, EndReason)> {
        self.0.get().map(|(at, why)| (at.instant(), why))
    }

    /// Not before [`SessionShared::end_at`](super::shared::SessionShared::end_at) has asked whether it may be moved.
    pub(super) fn set(&self, deadline: Option<(Instant, EndReason)>) {
        self.0.set(deadline.map(|(at, why)| (at.into(), why)));
    }
}

/// What bounds a session's time beside its deadline. Mostly neither is there; both together take a word less than each apart.
#[derive(Default)]
pub(super) struct Lifetime {
    /// What the session was granted, while it is in the room that it was granted for.
    pub(super) grant: Option<Box<InForce>>,
    /// While there is a connection and it is in no room.
    pub(super) in_no_room: Option<Box<InNoRoom>>,
}
