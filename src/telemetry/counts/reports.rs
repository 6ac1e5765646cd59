//! Absolute values from whoever owns the truth. They travel with the counts; the newest one wins.

use std::time::{Duration, SystemTime};

use super::{
    buckets::{self, CommandBuckets},
    kinds::{
        IceKind, IceTransport, MemoryStep, MeshRoom, PairState, RedisConnection, RedisOperation, RedisStatus, Resync,
    },
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

/// How it stands with the cluster, and all that was counted of it since the start, on the one thread that speaks to Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterReport {
    /// Whether Redis is there, and nothing of what it has is missing here.
    pub up: bool,
    /// Commands, by what became of them, a row per [`RedisOperation`].
    pub commands: [Counts<RedisStatus>; RedisOperation::ALL.len()],
    /// How long they took from their way out to their answer.
    pub times: [CommandBuckets; RedisOperation::ALL.len()],
    /// Connections.
    pub connections: Counts<RedisConnection>,
    /// Commands that have no answer yet.
    pub waiting: usize,
    /// Bytes of signals among them.
    pub waiting_bytes: usize,
    /// Rooms that this node has a replica of.
    pub rooms: usize,
    /// Holes in rooms' logs that were filled.
    pub holes: u64,
    /// Rooms that were taken anew.
    pub resyncs: Counts<Resync>,
    /// Losses of data.
    pub generations: u64,
    /// Nodes that this one found dead.
    pub dead: u64,
    /// Entries and answers that make no sense.
    pub malformed: u64,
}

impl ClusterReport {
    /// Of a thread that begins.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            up: false,
            commands: [Counts::new(); RedisOperation::ALL.len()],
            times: [CommandBuckets::new(buckets::COMMAND); RedisOperation::ALL.len()],
            connections: Counts::new(),
            waiting: 0,
            waiting_bytes: 0,
            rooms: 0,
            holes: 0,
            resyncs: Counts::new(),
            generations: 0,
            dead: 0,
            malformed: 0,
        }
    }

    /// Counts one command.
    pub fn command(&mut self, operation: RedisOperation, status: RedisStatus, took: Duration) {
        self.commands[operation.index()].add(status);
        self.times[operation.index()].observe(took);
    }
}

impl Default for ClusterReport {
    fn default() -> Self {
        Self::new()
    }
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
