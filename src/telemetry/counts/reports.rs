//! Absolute values from whoever owns the truth. They travel with the counts; the newest one wins.

use std::time::{Duration, SystemTime};

use super::kinds::MemoryStep;

/// What one arbiter's shared tick knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArbiterReport {
    /// Which arbiter, from 0.
    pub arbiter: usize,
    /// Open WebSocket connections on it.
    pub connections: usize,
    /// Those of them that are in a room.
    pub joined: usize,
    /// Sessions without a socket, that wait for their clients.
    pub parked: usize,
    /// What its sessions hold.
    pub held: HeldReport,
    /// How much later than planned this tick came: how long something kept the thread from its work.
    pub tick_delay: Duration,
}

/// What the sessions of an arbiter hold, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeldReport {
    /// Read, and no whole message yet.
    pub partial_frames: u64,
    /// Waiting to be written, or for room to.
    pub outboxes: u64,
    /// Kept for clients that have not acknowledged it.
    pub resume_buffers: u64,
}

/// What is held on behalf of clients, as the thread that watches over memory last found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryReport {
    /// Bytes in all.
    pub used: u64,
    /// Those of them that are the kernel's, for TCP.
    pub tcp: u64,
    /// Those of request heads that have not ended.
    pub heads: u64,
    /// Those of sockets on their way to the session that they resume.
    pub transfers: u64,
    /// What is done about it.
    pub step: Option<MemoryStep>,
}

/// What waits for the receiver of webhooks, as the thread that delivers last found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookReport {
    /// Events, those included that are being sent.
    pub events: usize,
    /// Their bytes, as `webhooks.queue_bytes` counts them.
    pub bytes: usize,
}

/// The supervisor's truth, sent from its own tick. That it comes at all is the server's heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusReport {
    /// When it was taken.
    pub at: SystemTime,
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
    /// `occupancy[n - 1]` rooms hold exactly `n` peers; the last entry holds the fuller ones, too.
    pub occupancy: Vec<u64>,
}
