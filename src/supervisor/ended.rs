//! How many rooms have ended, however they did, so that nobody need look for dead ones while it stays the same.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The rooms of one supervisor that have ended so far.
#[derive(Default)]
pub(super) struct EndedRooms(Arc<AtomicUsize>);

impl EndedRooms {
    /// It may be a moment ahead: a port can still say [`connected`](crate::messages::room::RoomPort::connected) then.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// What a room is to hold as long as its actor is there. A panic and an arbiter's end drop it, too.
    pub(super) fn guard(&self) -> Box<dyn Any + Send> {
        Box::new(Guard(Arc::clone(&self.0)))
    }
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}
