//! The worker threads, and which of them a room and its sessions live on.
//!
//! A relay between two sessions of one arbiter crosses no thread. A connection that names its room in the handshake
//! (`/ws?room=NAME`) is moved to the arbiter where that room is; the others are served where the kernel put them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use actix_rt::{Arbiter, ArbiterHandle};

use crate::protocol::RoomName;

/// The list of worker arbiters. Written while the workers start, read afterwards.
#[derive(Debug, Clone, Default)]
pub struct Arbiters(Arc<Mutex<Vec<ArbiterHandle>>>);

impl Arbiters {
    /// Adds the calling thread's arbiter; its index names it in metrics.
    pub fn enroll(&self) -> usize {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Arbiter::current());
        list.len() - 1
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<ArbiterHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The index of the arbiter of a room: always the same one for a name. `None` while no worker has started.
    #[must_use]
    pub fn place(&self, room: &RoomName) -> Option<(usize, ArbiterHandle)> {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = DefaultHasher::new();
        room.hash(&mut hasher);
        let workers = u64::try_from(list.len()).ok().filter(|count| *count > 0)?;
        let index = usize::try_from(hasher.finish() % workers).ok()?;
        Some((index, list.get(index)?.clone()))
    }
}
