//! Absolute values from whoever owns the truth. They travel with the counts; the newest one wins.

use std::time::{Duration, SystemTime};

use super::{
    kinds::{IceKind, IceTransport, MemoryStep, MeshRoom, PairState},
    labels::{Counts, Label},
};

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
    /// How the meshes of its rooms are doing.
    pub mesh: MeshReport,
    /// How much later than planned this tick came: how long something kept the thread from its work.
    pub tick_delay: Duration,
}

/// How the meshes are doing of those rooms of an arbiter of which somebody reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeshReport {
    /// Their pairs.
    pub pairs: Counts<PairState>,
    /// The rooms; one may be in several states.
    pub rooms: Counts<MeshRoom>,
    /// Those of them that count for what alerts see.
    pub counted: Counts<MeshRoom>,
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
    /// By the TLS of their sockets.
    pub tls: u64,
    /// By what is recorded of their rooms.
    pub recordings: u64,
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

/// The ICE servers that were asked in the latest round, and those of them that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IceReport {
    /// By what they are asked for, and how: asked, failed.
    servers: [[(u64, u64); IceTransport::ALL.len()]; IceKind::ALL.len()],
}

impl IceReport {
    /// Adds one that was asked.
    pub fn add(&mut self, kind: IceKind, transport: IceTransport, has_failed: bool) {
        let (asked, failed) = &mut self.servers[kind.index()][transport.index()];
        *asked += 1;
        *failed += u64::from(has_failed);
    }

    /// How many of a protocol were asked, and how many of them failed.
    #[must_use]
    pub fn of(&self, kind: IceKind, transport: IceTransport) -> (u64, u64) {
        self.servers[kind.index()][transport.index()]
    }
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
    /// Rooms that are locked, those that are gone and remembered included.
    pub locked_rooms: usize,
    /// Bans that are in force.
    pub bans: usize,
    /// Bytes of what is remembered of locks and bans.
    pub ban_bytes: u64,
    /// `occupancy[n - 1]` rooms hold exactly `n` peers; the last entry holds the fuller ones, too.
    pub occupancy: Vec<u64>,
}
