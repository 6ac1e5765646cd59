//! What every session of an arbiter needs to know.

use std::time::Duration;

use actix::Recipient;

use super::{resume_buffer::Keep, waiting::Times};
use crate::{
    config::Settings,
    limits::{Rate, Waiting},
    messages::{
        KillSwitch,
        supervisor::{Join, Leave, Presence, Reclaim},
    },
    protocol::{
        SessionId, TextFrame,
        client::Bounds,
        server::{Heartbeat, PreparedWelcome, Welcome, WelcomeLimits},
    },
    ws::Bound,
};

/// Messages that a session's mailbox holds: with fewer a healthy reader loses a burst.
const MAILBOX: usize = 256;
/// Where rooms are large, so many messages per peer: a mesh forms in bursts of about that.
const MAILBOX_PER_PEER: usize = 8;

/// Where a session sends its messages.
pub struct Ports {
    /// A seat, please.
    pub join: Recipient<Join>,
    /// Free my seat.
    pub leave: Recipient<Leave>,
    /// This client says that it comes back.
    pub reclaim: Recipient<Reclaim>,
    /// My client is away, or back.
    pub presence: Recipient<Presence>,
}

/// How fast a connection may send.
#[derive(Debug)]
pub(super) struct PaceLimits {
    /// `limits.frame_rate` and `limits.frame_burst`.
    pub(super) rate: Rate,
    /// `limits.flood_timeout_ms`: for how long it may be too fast.
    pub(super) flood: Duration,
}

/// What every session of an arbiter needs to know. Made once per arbiter by `app`, shared by all its sessions.
pub struct SessionConfig {
    pub(super) bounds: Bounds,
    /// Longest message in bytes, fragments together.
    pub(super) frame_bytes: usize,
    /// Most fragments of one message.
    pub(super) fragments: usize,
    /// Most bytes that may wait for a slow reader.
    pub(super) queue_bytes: usize,
    /// Most frames that may wait for a slow reader.
    pub(super) queue_frames: usize,
    /// What is kept of what a resumable session's client has not acknowledged.
    pub(super) keep: Keep,
    /// How long a parked session waits for its client.
    pub(super) resume_window: Duration,
    /// How fast a connection may send.
    pub(super) pace: PaceLimits,
    /// Messages that a session's mailbox holds.
    pub(super) mailbox: usize,
    /// How long a connection may be in no room.
    pub(super) times: Times,
    /// Those of all arbiters that are in no room.
    pub(super) waiting: Waiting<KillSwitch>,
    /// How long a drain takes at most, for a client that asks before it has heard its own time.
    pub(super) drain: Duration,
    /// How long the supervisor and the room may take to let a session in.
    pub(super) join_reply: Duration,
    /// A message handled slower than this is logged.
    pub(super) slow_message: Duration,
    /// For `joined.iceServers`: a JSON array.
    pub(super) ice_servers: String,
    pub(super) resume_window_ms: u64,
    welcome: PreparedWelcome,
    pub(super) ports: Ports,
}

impl SessionConfig {
    /// From the settings. `waiting` is shared by all arbiters.
    #[must_use]
    pub fn new(settings: &Settings, ports: Ports, waiting: Waiting<KillSwitch>) -> Self {
        let limits = &settings.limits;
        Self {
            bounds: Bounds {
                room_name_bytes: limits.room_name_bytes,
                meta_bytes: limits.meta_bytes,
                json_depth: limits.json_depth,
                recipients: limits.recipients,
            },
            frame_bytes: limits.frame_bytes,
            fragments: limits.fragments,
            queue_bytes: limits.queue_bytes,
            queue_frames: limits.queue_frames,
            keep: Keep { frames: limits.resume_frames, bytes: limits.resume_bytes },
            resume_window: limits.resume_window(),
            pace: PaceLimits {
                rate: Rate::per_second(limits.frame_rate, limits.frame_burst),
                flood: limits.flood_timeout(),
            },
            mailbox: MAILBOX.max(MAILBOX_PER_PEER * limits.peers_per_room),
            times: Times { join: limits.join_timeout(), wait: limits.join_wait() },
            waiting,
            drain: settings.server.drain(),
            join_reply: limits.join_reply(),
            slow_message: settings.log.slow_message(),
            ice_servers: settings.ice.to_json(),
            resume_window_ms: limits.resume_window_ms,
            welcome: welcome(settings),
            ports,
        }
    }

    pub(super) fn bound(&self) -> Bound {
        Bound { bytes: self.frame_bytes, fragments: self.fragments }
    }

    /// The first frame of a connection.
    pub(super) fn welcome(&self, session: SessionId) -> TextFrame {
        self.welcome.to(session)
    }
}

/// The first frame of each connection, but for the session's name: what a server with these settings tells of itself.
#[must_use]
pub fn welcome(settings: &Settings) -> PreparedWelcome {
    let limits = &settings.limits;
    let limits = WelcomeLimits {
        frame_bytes: limits.frame_bytes,
        queue_bytes: limits.queue_bytes,
        queue_frames: limits.queue_frames,
        meta_bytes: limits.meta_bytes,
        room_name_bytes: limits.room_name_bytes,
        peers_per_room: limits.peers_per_room,
        recipients: limits.recipients,
        json_depth: limits.json_depth,
        join_timeout_ms: limits.join_timeout_ms,
        resume_frames: limits.resume_frames,
        resume_bytes: limits.resume_bytes,
        resume_window_ms: limits.resume_window_ms,
        frame_rate: limits.frame_rate,
        frame_burst: limits.frame_burst,
    };

    let timeout_ms = u64::try_from(settings.heartbeat.ping_timeout().as_millis()).unwrap_or(u64::MAX);
    let heartbeat = Heartbeat { interval_ms: settings.heartbeat.interval_ms, timeout_ms };
    Welcome {
        version: env!("CARGO_PKG_VERSION"),
        node: settings.server.node_name().as_deref(),
        features: &["resume", "wait"],
        limits: &limits,
        heartbeat,
    }
    .prepare()
}
