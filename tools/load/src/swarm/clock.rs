//! The generator's time: nanoseconds since the start of the run.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Instant,
};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// A monotonic clock that starts at 0.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// A number that two runs against one server do not share, not even two of one process that start in the same
    /// microsecond: the standard library's random keys differ at every call.
    #[must_use]
    pub fn run_id(&self) -> u32 {
        RandomState::new().hash_one(std::process::id()) as u32
    }
}
