//! Everything that one thread counted since it last reported.

use std::time::SystemTime;

use super::{
    buckets::{self, Buckets, DelayBuckets, HandlingBuckets, LifetimeBuckets, NetworkBuckets, RequestBuckets},
    error_samples::ErrorSamples,
    http_counts::HttpCounts,
    kinds::{
        IceKind, IceOutcome, IceTransport, LimitHit, Listener, MemoryStep, ModerationAct, Moderator, OpsCall,
        OpsDenial, Reconnection, Rejection, RelayOutcome, ReportDrop, SocketRefusal, StunOutcome, TokenOutcome,
        WebhookDrop, WebhookOutcome,
    },
    labels::{Counts, Label},
    reports::{ArbiterReport, CensusReport, ClusterReport, IceReport, MemoryReport, WebhookReport},
    series::{AsSeries, LabelSpec, Reading, SeriesKind, Topic},
};
use crate::protocol::{
    CandidateType, EndReason, ErrorCode, FrameKind, LeaveReason, PairFailure, ReportKind, ReportedError, Severity,
};

/// Rows of [`Tally::ice_checks`].
const ICE_PROTOCOLS: usize = IceKind::ALL.len() * IceTransport::ALL.len();

/// What a tally has, and how more of it is added.
trait Add {
    fn add(&mut self, later: Self);
}

impl Add for u64 {
    fn add(&mut self, later: Self) {
        *self += later;
    }
}

impl<L: Label> Add for Counts<L> {
    fn add(&mut self, later: Self) {
        self.merge(&later);
    }
}

impl<L: Label, const N: usize> Add for [Counts<L>; N] {
    fn add(&mut self, later: Self) {
        for (mine, more) in self.iter_mut().zip(&later) {
            mine.merge(more);
        }
    }
}

impl<const N: usize> Add for Buckets<N> {
    fn add(&mut self, later: Self) {
        self.merge(&later);
    }
}

impl Add for ErrorSamples {
    fn add(&mut self, later: Self) {
        self.merge(later);
    }
}

impl Add for HttpCounts {
    fn add(&mut self, later: Self) {
        self.merge(later);
    }
}

/// An absolute value: the newest wins.
impl<T> Add for Option<T> {
    fn add(&mut self, later: Self) {
        *self = later.or(self.take());
    }
}

/// A field of a tally that is a series as it stands.
#[derive(Debug)]
pub struct TallySeries {
    /// Where the reference has it.
    pub topic: Topic,
    /// Its name.
    pub name: &'static str,
    /// One or two sentences.
    pub help: &'static str,
    /// Its type.
    pub kind: SeriesKind,
    /// Its labels: one, or none.
    pub labels: &'static [LabelSpec],
    /// Its values.
    pub read: fn(&Tally) -> Reading,
}

/// By topic: field, type and what it begins with. Behind an arrow the series that the field is, with the name of its label; its
/// documentation is the help text then, and nothing else declares it.
macro_rules! tally {
    (@series $topic:ident $field:ident $type:ty, $help:expr,) => { None };
    (@series $topic:ident $field:ident $type:ty, $help:expr, $name:literal $($label:literal)?) => {
        Some(TallySeries {
            topic: Topic::$topic,
            name: $name,
            help: $help.trim_ascii_start(),
            kind: <$type as AsSeries>::KIND,
            labels: &[$(LabelSpec { name: $label, values: <$type as AsSeries>::VALUES })?],
            read: |tally| tally.$field.read(),
        })
    };
    ($(#[$doc:meta])* Tally { $($topic:ident { $(
        $(#[doc = $help:literal])+ $field:ident: $type:ty = $empty:expr $(=> $name:literal $(by $label:literal)?)?,
    )+ })+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::doc_markdown, reason = "help texts are plain")]
        pub struct Tally {
            $($($(#[doc = $help])+ pub $field: $type,)+)+
        }

        impl Default for Tally {
            fn default() -> Self { Self::new() }
        }

        impl Tally {
            /// Nothing counted.
            #[must_use]
            pub const fn new() -> Self {
                Self { $($($field: $empty,)+)+ }
            }

            /// Adds what was counted later.
            pub fn merge(&mut self, later: Self) {
                $($(Add::add(&mut self.$field, later.$field);)+)+
            }

            /// The fields that are series as they stand.
            pub fn series() -> impl Iterator<Item = &'static TallySeries> {
                const SERIES: &[Option<TallySeries>] =
                    &[$($(tally!(@series $topic $field $type, concat!($($help),+), $($name $($label)?)?),)+)+];
                SERIES.iter().flatten()
            }
        }
    };
}

tally! {
    /// A thread's counts since its last flush; also, in the metrics actor, everything since the start. Plain numbers: the
    /// hot path adds to them without locks, allocation or hashing.
    Tally {
        Messages {
            /// Messages read from clients.
            messages_in: Counts<FrameKind> = Counts::new(),
            /// Messages put into clients' queues.
            messages_out: Counts<FrameKind> = Counts::new(),
            /// Bytes of messages read, without frame heads.
            bytes_in: u64 = 0,
            /// Bytes of messages queued, with frame heads.
            bytes_out: u64 = 0,
            /// Signals towards one receiver each, by what became of them.
            relays: Counts<RelayOutcome> = Counts::new() => "switchboard_relays_total" by "outcome",
            /// Times that a connection was read no further because receivers had no room for what it sent.
            busy_pauses: u64 = 0 => "switchboard_busy_pauses_total",
            /// From a message's read to its place in the receiver's queue. A sample: one relayed message in 16.
            handling: HandlingBuckets = HandlingBuckets::new(buckets::HANDLING) => "switchboard_message_handling_seconds",
            /// Messages whose handling took longer than log.slow_message_ms and was logged.
            slow_messages: u64 = 0 => "switchboard_slow_messages_total",
        }

        Connections {
            /// WebSocket connections opened.
            connections_opened: u64 = 0 => "switchboard_connections_opened_total",
            /// WebSocket connections ended, by reason.
            connections_closed: Counts<EndReason> = Counts::new() => "switchboard_connections_closed_total" by "reason",
            /// How long WebSocket connections were open, observed at their end.
            connection_duration: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME)
                => "switchboard_connection_duration_seconds",
            /// Upgrades to a WebSocket refused, by the code that the client was told.
            handshakes_refused: Counts<ErrorCode> = Counts::new() => "switchboard_handshakes_refused_total" by "code",
            /// Sockets refused before a request was read, one row per [`Listener`].
            sockets_refused: [Counts<SocketRefusal>; Listener::ALL.len()] = [Counts::new(); Listener::ALL.len()],
            /// What came over sockets and became no request, or whose body was not read, by what it was.
            http_rejections: Counts<Rejection> = Counts::new() => "switchboard_http_rejections_total" by "kind",
            /// Limits of one connection's or one address's share, and stun_total of all, that did their work, by the limit. frame_rate, byte_rate and
            /// byte_rate_per_address count spells of sending too fast, parked_sessions and parked_per_room sessions that were given up, join_wait
            /// connections that were closed, stun_total seconds in which requests were left unanswered, the others what was refused; connections_per_address also seats of
            /// somebody absent that a newcomer of that address got.
            limit_hits: Counts<LimitHit> = Counts::new() => "switchboard_limit_hits_total" by "limit",
            /// Bytes read from WebSocket connections, heads of frames included, without TCP and TLS.
            websocket_received_bytes: u64 = 0 => "switchboard_websocket_received_bytes_total",
            /// Bytes written to WebSocket connections, heads of frames included, without TCP and TLS.
            websocket_sent_bytes: u64 = 0 => "switchboard_websocket_sent_bytes_total",
            /// WebSocket pings sent to clients that were silent for heartbeat.interval_ms.
            pings_sent: u64 = 0 => "switchboard_pings_sent_total",
            /// Frames thrown away because the connection they waited for was cut.
            discarded_frames: u64 = 0 => "switchboard_discarded_frames_total",
            /// Bytes thrown away because the connection they waited for was cut.
            discarded_bytes: u64 = 0 => "switchboard_discarded_bytes_total",
            /// HTTP requests.
            http: HttpCounts = HttpCounts::new(),
            /// Open sockets of each [`Listener`]. To be set on one thread only.
            sockets: Option<[usize; Listener::ALL.len()]> = None,
            /// When the certificates of each [`Listener`] end. To be set on one thread only.
            certificates: Option<[Option<SystemTime>; Listener::ALL.len()]> = None,
            /// Addresses that are remembered for the limits per address. To be set on one thread only.
            addresses: Option<usize> = None,
        }

        Rooms {
            /// Joins granted.
            joins: u64 = 0 => "switchboard_joins_total",
            /// Sessions that lost their socket and kept their seat.
            parked: u64 = 0,
            /// Sessions that the process before this one has left, and that go on here.
            restored: u64 = 0 => "switchboard_sessions_restored_total",
            /// Times that what the process before has left was not taken up: 0, or 1 after the start.
            state_refused: u64 = 0 => "switchboard_state_refused_total",
            /// Times that sessions, locks and bans could not be left for the next process.
            state_not_stored: u64 = 0 => "switchboard_state_not_stored_total",
            /// Joins refused, by the code that the client was told.
            join_rejections: Counts<ErrorCode> = Counts::new() => "switchboard_join_rejections_total" by "code",
            /// Join tokens, those that renew included, by what became of them; `missing` is a join without one that needs
            /// one.
            tokens: Counts<TokenOutcome> = Counts::new() => "switchboard_tokens_total" by "outcome",
            /// Lists of ICE servers that were told with credentials made for the one peer, in joined and in ice_servers.
            turn_credentials: u64 = 0 => "switchboard_turn_credentials_total",
            /// Stays in a room that ended, by reason.
            leaves: Counts<LeaveReason> = Counts::new() => "switchboard_leaves_total" by "reason",
            /// Peers that were sent out of a room, by who did it.
            kicks: Counts<Moderator> = Counts::new() => "switchboard_kicks_total" by "by",
            /// What was done to rooms by those who moderate them, operators and members together.
            moderation: Counts<ModerationAct> = Counts::new() => "switchboard_moderation_total" by "act",
            /// How long peers stayed in a room, observed at their leave.
            time_in_room: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME) => "switchboard_room_stay_seconds",
            /// Joins by clients that had lost their connection (attempt above 0), by result.
            reconnections: Counts<Reconnection> = Counts::new() => "switchboard_reconnection_attempts_total" by "result",
            /// Rooms opened.
            rooms_opened: u64 = 0 => "switchboard_rooms_opened_total",
            /// Rooms that ended with their last peer.
            rooms_ended: u64 = 0 => "switchboard_rooms_ended_total",
            /// Rooms whose actor died under their peers.
            rooms_lost: u64 = 0 => "switchboard_rooms_lost_total",
            /// How long rooms were open, observed at their end.
            room_lifetime: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME)
                => "switchboard_room_lifetime_seconds",
            /// Recordings of rooms that were emptied or forgotten before their time, because recorder.total_bytes was used or memory was.
            recordings_given_up: u64 = 0 => "switchboard_recordings_given_up_total",
            /// The latest census, on the supervisor's thread.
            census: Option<CensusReport> = None,
        }

        Clients {
            /// Events that clients reported, by what they are about. Whoever likes may report anything: these are no alarms.
            reports: Counts<ReportKind> = Counts::new() => "switchboard_client_events_total" by "kind",
            /// Reported events that were not used, by why.
            reports_dropped: Counts<ReportDrop> = Counts::new() => "switchboard_client_events_dropped_total" by "reason",
            /// How long clients' connections to this server took, from their begin to the first frame.
            client_connect: NetworkBuckets = NetworkBuckets::new(buckets::NETWORK)
                => "switchboard_client_connect_seconds",
            /// How long a ping took to this server and back, as clients found it.
            client_rtt: NetworkBuckets = NetworkBuckets::new(buckets::NETWORK)
                => "switchboard_client_signaling_rtt_seconds",
            /// How long clients that lost their connection were out of the room, of those that came back.
            client_outage: NetworkBuckets = NetworkBuckets::new(buckets::NETWORK)
                => "switchboard_client_outage_seconds",
            /// How long clients' sessions were, reported at their end.
            client_session: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME)
                => "switchboard_client_session_seconds",
            /// What failed at clients and was told to the application, by code.
            client_errors: Counts<ReportedError> = Counts::new() => "switchboard_client_errors_total" by "code",
            /// Connections between peers that came to stand, by the type of the local candidate. Each end counts.
            pairs_connected: Counts<CandidateType> = Counts::new() => "switchboard_pair_connections_total" by "candidate",
            /// Connections between peers that could not be made or were lost, by why. Each end counts.
            pairs_failed: Counts<PairFailure> = Counts::new() => "switchboard_pair_failures_total" by "reason",
            /// How long connections between peers took to stand.
            pair_connect: NetworkBuckets = NetworkBuckets::new(buckets::NETWORK) => "switchboard_pair_connect_seconds",
            /// How long it takes from one peer to the other and back, as peers found it.
            pair_rtt: NetworkBuckets = NetworkBuckets::new(buckets::NETWORK) => "switchboard_pair_rtt_seconds",
        }

        Ice {
            /// Datagrams that came to the STUN responder, by what became of them.
            stun_requests: Counts<StunOutcome> = Counts::new() => "switchboard_stun_requests_total" by "outcome",
            /// Checks of ICE servers, one row per [`IceKind`] and [`IceTransport`].
            ice_checks: [Counts<IceOutcome>; ICE_PROTOCOLS] = [Counts::new(); ICE_PROTOCOLS],
            /// How long the STUN and TURN servers that clients are told of took to give what they were asked for: of TURN
            /// servers an allocation, which takes two answers.
            ice_check_time: RequestBuckets = RequestBuckets::new(buckets::REQUEST) => "switchboard_ice_check_seconds",
            /// What the latest round of checks found. To be set on one thread only.
            ice_report: Option<IceReport> = None,
        }

        Errors {
            /// Errors by code, one row per [`Severity`].
            errors: [Counts<ErrorCode>; Severity::ALL.len()] = [Counts::new(); Severity::ALL.len()],
            /// What the journal of errors is told.
            error_samples: ErrorSamples = ErrorSamples::new(),
            /// Panics on any thread. Each is a defect.
            panics: u64 = 0 => "switchboard_panics_total",
        }

        Memory {
            /// What was done because memory was nearly used: connections refused, connections read no further for a
            /// while, resume buffers emptied, connections ended.
            memory_relief: Counts<MemoryStep> = Counts::new() => "switchboard_memory_relief_total" by "step",
            /// What is held on behalf of clients. To be set on one thread only.
            memory: Option<MemoryReport> = None,
        }

        Webhooks {
            /// Attempts to deliver an event to the receiver of webhooks, by what became of them.
            webhook_requests: Counts<WebhookOutcome> = Counts::new() => "switchboard_webhook_requests_total" by "outcome",
            /// How long those attempts took, whatever became of them.
            webhook_duration: RequestBuckets = RequestBuckets::new(buckets::REQUEST)
                => "switchboard_webhook_request_duration_seconds",
            /// Events that the receiver of webhooks will not get, by why.
            webhooks_dropped: Counts<WebhookDrop> = Counts::new() => "switchboard_webhook_events_dropped_total" by "reason",
            /// What waits for it. To be set on one thread only.
            webhooks: Option<WebhookReport> = None,
        }

        Cluster {
            /// How it stands with the cluster, and what was counted of it since the start. To be set on one thread only.
            cluster: Option<Box<ClusterReport>> = None,
        }

        Server {
            /// Requests that the operator's listener refused, by what was wrong: host and origin may be a page that
            /// somebody was shown, token somebody who tries tokens. Addresses with too many wrong ones count as token.
            ops_denied: Counts<OpsDenial> = Counts::new() => "switchboard_ops_denied_total" by "reason",
            /// Calls of operators to the ops listener that were let in, whatever was answered: looks into rooms, and what
            /// changes something.
            ops_calls: Counts<OpsCall> = Counts::new() => "switchboard_ops_calls_total" by "call",
            /// Tickets that can be redeemed. To be set on one thread only.
            tickets: Option<usize> = None,
            /// Ticks that came so late that it was logged.
            ticks_late: u64 = 0 => "switchboard_late_ticks_total",
            /// Rounds in which an arbiter had no time to read all that its sessions had sent, and read some of them, those
            /// that send least first, so that requests, joins and probes had their turn in between.
            busy_rounds: u64 = 0 => "switchboard_busy_rounds_total",
            /// How late arbiters' ticks came.
            tick_delay: DelayBuckets = DelayBuckets::new(buckets::DELAY) => "switchboard_arbiter_tick_delay_seconds",
            /// Log lines dropped because standard output was read too slowly or not at all, or a file could not be
            /// written.
            log_lines_dropped: u64 = 0 => "switchboard_log_lines_dropped_total",
            /// Log lines not written because one like it was, within `log.gather_ms`; a line with their count is.
            log_lines_gathered: u64 = 0 => "switchboard_log_lines_gathered_total",
            /// Reports of counts that found the metrics mailbox full; their counts came with a later one.
            records_refused: u64 = 0 => "switchboard_records_refused_total",
            /// The latest report of this thread's arbiter.
            arbiter: Option<ArbiterReport> = None,
            /// Whether `/readyz` says 200. To be set on one thread only: reports of several come in no particular order.
            ready: Option<bool> = None,
            /// Whether the server is draining. To be set on the same thread as `ready`.
            draining: Option<bool> = None,
        }
    }
}

impl Tally {
    /// Counts one message read, of `bytes` without its frame head.
    pub fn message_in(&mut self, kind: FrameKind, bytes: usize) {
        self.messages_in.add(kind);
        self.bytes_in += bytes as u64;
    }

    /// Counts one message queued, of `bytes` with its frame head.
    pub fn message_out(&mut self, kind: FrameKind, bytes: usize) {
        self.messages_out.add(kind);
        self.bytes_out += bytes as u64;
    }

    /// Counts one socket refused.
    pub fn socket_refused(&mut self, listener: Listener, reason: SocketRefusal) {
        self.sockets_refused[listener.index()].add(reason);
        if reason == SocketRefusal::Memory {
            self.memory_relief.add(MemoryStep::RefuseConnections);
        }
    }

    /// Counts one check of an ICE server.
    pub fn count_ice_check(&mut self, kind: IceKind, transport: IceTransport, outcome: IceOutcome) {
        self.ice_checks[kind.index() * IceTransport::ALL.len() + transport.index()].add(outcome);
    }

    /// Checks of ICE servers by what they were asked for, how, and what was found: of the protocols that any was asked by.
    pub fn ice_checks(&self) -> impl Iterator<Item = (IceKind, IceTransport, &Counts<IceOutcome>)> {
        let protocols = IceKind::ALL.iter().flat_map(|&kind| IceTransport::ALL.iter().map(move |&by| (kind, by)));
        protocols
            .zip(&self.ice_checks)
            .filter(|(_, counts)| counts.total() > 0)
            .map(|((kind, by), counts)| (kind, by, counts))
    }

    /// Counts one error.
    pub fn count_error(&mut self, code: ErrorCode, severity: Severity) {
        self.errors[severity as usize].add(code);
    }

    /// Notes what this tick found, and how late it was.
    pub fn report(&mut self, report: ArbiterReport) {
        self.tick_delay.observe(report.tick_delay);
        self.arbiter = Some(report);
    }
}
