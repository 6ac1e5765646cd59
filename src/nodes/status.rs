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
    /// Since when it is up, or is not.
    pub since: Instant,
    /// Whether it ever was.
    pub was_up: bool,
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
pub struct ClusterStatus {
    figures: Arc<Mutex<ClusterFigures>>,
    /// `cluster.ready_grace_ms`
    grace: Duration,
}

impl ClusterFigures {
    /// Whether Redis is there, or has been away for less than `grace`.
    fn is_ready(&self, grace: Duration) -> bool {
        self.link == Link::Up || (self.was_up && !self.superseded && self.since.elapsed() < grace)
    }
}

impl ClusterStatus {
    /// Of a thread that begins.
    #[must_use]
    pub(super) fn new(grace: Duration, now: Instant) -> Self {
        let figures = ClusterFigures {
            link: Link::Away,
            since: now,
            was_up: false,
            error: None,
            latency: None,
            connections: 0,
            rooms: 0,
            waiting: 0,
            waiting_bytes: 0,
            superseded: false,
        };
        Self { figures: Arc::new(Mutex::new(figures)), grace }
    }

    /// As they are now.
    #[must_use]
    pub fn get(&self) -> ClusterFigures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether new clients do well to come to this node: Redis is there, or has been away for less than `cluster.ready_grace_ms`.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.get().is_ready(self.grace)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut ClusterFigures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Says so when the thread that speaks to Redis ends, however it does: nobody joins a room any more, and the probes must not say that
/// all is well.
pub(super) struct Ended(pub(super) ClusterStatus);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.change(|figures| {
            (figures.link, figures.was_up) = (Link::Away, false);
            figures.error = Some("the thread that speaks to it has ended".to_owned());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_while_redis_is_there_and_for_a_while_after() {
        let (grace, now) = (Duration::from_secs(60), Instant::now());
        let status = ClusterStatus::new(grace, now);
        assert!(!status.get().is_ready(grace), "it never was up");
        status.change(|figures| (figures.link, figures.was_up) = (Link::Up, true));
        assert!(status.get().is_ready(Duration::ZERO));
        status.change(|figures| figures.link = Link::Away);
        assert!(status.get().is_ready(grace) && !status.get().is_ready(Duration::ZERO));
        status.change(|figures| figures.superseded = true);
        assert!(!status.get().is_ready(grace));
    }

    #[test]
    fn a_node_whose_thread_has_ended_is_not_ready_however_long_the_grace_is() {
        let grace = Duration::from_secs(60);
        let status = ClusterStatus::new(grace, Instant::now());
        status.change(|figures| (figures.link, figures.was_up) = (Link::Up, true));
        let ended = Ended(status.clone());
        assert!(status.is_ready());
        drop(ended);
        assert!(!status.is_ready());
    }
}
