//! What every session of an arbiter needs to know.

use std::{cell::Cell, time::Duration};

use actix::Recipient;

use super::{resume_buffer::Keep, tokens::TokenJudge, waiting::Times};
use crate::{
    config::{Limits, Milliseconds, Settings},
    ice::IceServers,
    limits::{Addresses, ByteRate, Rate, Waiting},
    memory::Intake,
    messages::{
        Bounds, KillSwitch,
        supervisor::{Join, Leave, Moderate, Presence, Resume},
    },
    protocol::{
        Feature, SessionId,
        client::ParseLimits,
        server::{PreparedWelcome, ServerFrame, Welcome, WelcomeHeartbeat},
    },
    ws::{Bound, QueueBound},
};

/// Messages of the room and about the session itself that a session's mailbox holds beside signals.
const MAILBOX: usize = 256;
/// Where rooms are large, so many of these per peer: a mesh forms in bursts of about that.
const MAILBOX_PER_PEER: usize = 8;
/// One more report than is due may come: the last of a stay, however short a while ago the one before it went.
const REPORTS_AT_ONCE: u32 = 2;

/// Where a session sends its messages.
pub struct Ports {
    /// A seat, please.
    pub join: Recipient<Join>,
    /// Free my seat.
    pub leave: Recipient<Leave>,
    /// This client says that it comes back.
    pub resume: Recipient<Resume>,
    /// My client is away, or back.
    pub presence: Recipient<Presence>,
    /// My client moderates its room.
    pub moderate: Recipient<Moderate>,
}

/// How fast a connection may send.
#[derive(Debug)]
pub(super) struct PaceLimits {
    /// `limits.frame_rate` and `limits.frame_burst`.
    pub(super) rate: Rate,
    /// `limits.byte_rate` and `limits.byte_burst`.
    pub(super) bytes: ByteRate,
    /// `limits.flood_timeout_ms`: for how long it may be too fast.
    pub(super) flood: Duration,
}

/// What every session of an arbiter needs to know. Made once per arbiter by `app`, shared by all its sessions.
pub struct SessionConfig {
    pub(super) bounds: ParseLimits,
    /// What a message may have, fragments together.
    pub(super) bound: Bound,
    /// What may wait for a slow reader.
    pub(super) queue: QueueBound,
    /// How much of that each sender may fill.
    pub(super) inbox: Bounds,
    /// How long a session is not read for the sake of receivers that are too busy for what it sent.
    pub(super) busy_pause: Milliseconds,
    /// For how long the bound of a slow reader is in use before it is ended.
    pub(super) slow: Duration,
    /// What is kept of what a resumable session's client has not acknowledged.
    pub(super) keep: Keep,
    /// How long a parked session waits for its client.
    pub(super) resume_window: Milliseconds,
    /// What the kernel may take in for a connection before it is read, by how many there are; and what it takes in now.
    pub(super) intake: Intake,
    pub(super) taken_in: Cell<usize>,
    /// How fast a connection may send.
    pub(super) pace: PaceLimits,
    /// What each address has sent, by all arbiters.
    pub(super) addresses: Addresses,
    /// Messages that a session's mailbox holds.
    pub(super) mailbox: usize,
    /// How long a connection may be in no room.
    pub(super) times: Times,
    /// Those of all arbiters that are in no room.
    pub(super) waiting: Waiting<KillSwitch>,
    /// Who is let in with what.
    pub(super) tokens: TokenJudge,
    /// How long a drain takes at most, for a client that asks before it has been sent its own time.
    pub(super) drain: Duration,
    /// How long the supervisor and the room may take to let a session in.
    pub(super) join_reply: Duration,
    /// A message handled slower than this is logged.
    pub(super) slow_message: Duration,
    /// What clients are told of STUN and TURN servers.
    pub(super) ice: IceServers,
    /// `limits.ice_per_minute`: how often each may ask.
    pub(super) ice_rate: Rate,
    /// `limits.report_interval_ms`: how often each may report; `None`: never.
    pub(super) report_rate: Option<Rate>,
    /// Without keys for tokens, and with some: a reload may bring the first, or take the last away.
    welcomes: [PreparedWelcome; 2],
    pub(super) ports: Ports,
}

impl SessionConfig {
    /// From the settings. `waiting`, `addresses`, `tokens` and `ice` are shared by all arbiters.
    #[must_use]
    pub fn new(
        settings: &Settings,
        ports: Ports,
        waiting: Waiting<KillSwitch>,
        addresses: Addresses,
        tokens: TokenJudge,
        ice: IceServers,
    ) -> Self {
        let limits = &settings.limits;
        Self {
            bounds: settings.into(),
            bound: settings.into(),
            queue: settings.into(),
            inbox: settings.into(),
            busy_pause: limits.busy_pause_ms,
            slow: limits.slow_ms.get(),
            keep: settings.into(),
            resume_window: limits.resume_window_ms,
            intake: settings.into(),
            taken_in: Cell::new(settings.heartbeat.receive_buffer_bytes),
            pace: settings.into(),
            addresses,
            mailbox: mailbox(limits),
            times: settings.into(),
            waiting,
            tokens,
            drain: settings.server.drain_ms.get(),
            join_reply: limits.join_reply_ms.get(),
            slow_message: settings.log.slow_message_ms.get(),
            ice,
            ice_rate: Rate::per_minute(limits.ice_per_minute),
            report_rate: limits.takes_reports().then(|| Rate::new(1, limits.report_interval_ms.get(), REPORTS_AT_ONCE)),
            welcomes: [false, true].map(|takes_tokens| prepare_welcome(settings, takes_tokens)),
            ports,
        }
    }

    /// With shared parts of its own.
    #[cfg(test)]
    pub(super) fn for_tests(settings: &Settings, ports: Ports) -> Self {
        let keys = crate::auth::KeyRing::open(&settings.auth).expect("the keys are sound");
        let tickets = crate::auth::Tickets::new(settings);
        let (tokens, ice) = (
            TokenJudge::new(settings, keys, tickets),
            IceServers::open(&settings.ice, &settings.stun).expect("no secrets"),
        );
        Self::new(settings, ports, Waiting::new(50, 50), settings.into(), tokens, ice)
    }

    /// The first frame of a connection.
    pub(super) fn welcome(&self, session: SessionId) -> ServerFrame<'_> {
        ServerFrame::Welcome { session, server: &self.welcomes[usize::from(self.tokens.takes_tokens())] }
    }
}

/// Messages that a session's mailbox holds. Signals cannot fill it: those that were admitted and not handled are within the
/// bound of the queue or of the resume buffer (see [`Inbox`](crate::messages::Inbox)).
fn mailbox(limits: &Limits) -> usize {
    limits.queue_frames.max(limits.resume_frames) + MAILBOX.max(MAILBOX_PER_PEER * limits.peers_per_room)
}

/// The first frame of each connection, but for the session's name: what a server with these settings tells of itself.
#[must_use]
pub fn welcome(settings: &Settings) -> PreparedWelcome {
    prepare_welcome(settings, settings.auth.has_keys())
}

fn prepare_welcome(settings: &Settings, takes_tokens: bool) -> PreparedWelcome {
    let heartbeat = WelcomeHeartbeat {
        interval_ms: settings.heartbeat.interval_ms.0,
        timeout_ms: settings.heartbeat.ping_timeout().0,
    };
    let spoken = |feature: &Feature| match feature {
        Feature::Tokens => takes_tokens,
        Feature::Report => settings.limits.takes_reports(),
        Feature::Restart => settings.server.handover,
        _ => true,
    };
    let features: Vec<_> = Feature::ALL.iter().copied().filter(spoken).map(Feature::as_str).collect();
    Welcome {
        version: env!("CARGO_PKG_VERSION"),
        node: settings.server.node_name().as_deref(),
        features: &features,
        limits: &settings.in_welcome(),
        heartbeat,
    }
    .prepare()
}

impl From<&Settings> for PaceLimits {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            rate: Rate::per_second(limits.frame_rate, limits.frame_burst),
            bytes: ByteRate::new(limits.byte_rate, limits.byte_burst),
            flood: limits.flood_timeout_ms.get(),
        }
    }
}

impl From<&Settings> for Intake {
    fn from(settings: &Settings) -> Self {
        let (budget, arbiters) = (settings.limits.memory_bytes as u64, settings.server.worker_count());
        Self::new(budget, arbiters, settings.heartbeat.receive_buffer_bytes)
    }
}

impl From<&Settings> for ParseLimits {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            room_name_bytes: limits.room_name_bytes,
            meta_bytes: limits.meta_bytes,
            json_depth: limits.json_depth,
            recipients: limits.recipients,
            report_events: limits.report_events,
        }
    }
}

impl From<&Settings> for Bound {
    fn from(settings: &Settings) -> Self {
        Self { bytes: settings.limits.frame_bytes, fragments: settings.limits.fragments }
    }
}

impl From<&Settings> for QueueBound {
    fn from(settings: &Settings) -> Self {
        Self { bytes: settings.limits.queue_bytes, frames: settings.limits.queue_frames }
    }
}
