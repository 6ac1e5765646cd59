//! How it stands with the cluster, for probes, metrics and whoever asks.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How it stands with Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It cannot be reached.
    Away,
    /// It can, and this node finds out what it has missed, or what is left after a loss of data.
    Catching,
    /// All is well.
    Up,
}

/// Figures of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFigures {
    /// How it stands with Redis.
    pub link: Link,
    /// Since when.
    pub since: Instant,
    /// Why it cannot be reached, in words, without credentials.
    pub error: Option<String>,
    /// How long the last heartbeat took.
    pub latency: Option<Duration>,
    /// Connections that were made so far.
    pub connections: u64,
    /// Rooms that this node has a replica of.
    pub rooms: usize,
    /// Commands that have no answer yet.
    pub waiting: usize,
    /// Bytes of signals among them.
    pub waiting_bytes: usize,
    /// Another process has this node's name, and began later.
    pub superseded: bool,
}

/// The figures, shared by the thread and whoever looks.
#[derive(Debug, Clone)]
pub struct ClusterStatus(Arc<Mutex<ClusterFigures>>);

impl ClusterStatus {
    /// Of a thread that begins.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(ClusterFigures {
            link: Link::Away,
            since: now,
            error: None,
            latency: None,
            connections: 0,
            rooms: 0,
            waiting: 0,
            waiting_bytes: 0,
            superseded: false,
        })))
    }

    /// As they are now.
    #[must_use]
    pub fn get(&self) -> ClusterFigures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut ClusterFigures)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
