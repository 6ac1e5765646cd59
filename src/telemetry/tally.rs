//! Everything that one thread counted since it last reported.

use super::{
    ArbiterReport, Buckets, CensusReport, Counts, Label, LimitHit, Listener, OpsDenial, Reconnection, Rejection,
    RelayOutcome, Severity, SocketRefusal, buckets, error_samples::ErrorSamples, http_counts::HttpCounts,
};
use crate::protocol::{EndReason, ErrorCode, FrameKind, LeaveReason};

/// A thread's counts since its last flush; also, in the metrics actor, everything since the start. Plain numbers: the
/// hot path adds to them without locks, allocation or hashing.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Messages read from clients.
    pub messages_in: Counts<FrameKind, 21>,
    /// Messages put into clients' queues.
    pub messages_out: Counts<FrameKind, 21>,
    /// Bytes of messages read, without frame heads.
    pub bytes_in: u64,
    /// Bytes of messages queued, with frame heads.
    pub bytes_out: u64,
    /// Relayed signals by outcome, one per receiver.
    pub relays: Counts<RelayOutcome, 5>,
    /// From a message's read to its place in the receiver's queue, one message in 16.
    pub handling: Buckets<19>,
    /// Messages whose handling was logged as slow.
    pub slow_messages: u64,
    /// WebSocket pings sent to silent clients.
    pub pings_sent: u64,
    /// Frames thrown away because their receiver's connection was cut.
    pub discarded_frames: u64,
    /// Bytes of those frames.
    pub discarded_bytes: u64,

    /// Connections opened.
    pub connections_opened: u64,
    /// Connections ended, by reason.
    pub connections_closed: Counts<EndReason, 14>,
    /// How long they lasted.
    pub connection_duration: Buckets<13>,
    /// Handshakes refused.
    pub handshakes_refused: Counts<ErrorCode, 21>,
    /// Sockets refused at their accept, one row per [`Listener`].
    pub sockets_refused: [Counts<SocketRefusal, 3>; 2],
    /// What became no request.
    pub http_rejections: Counts<Rejection, 8>,
    /// Limits of a connection's or an address's share that did their work.
    pub limit_hits: Counts<LimitHit, 11>,

    /// Joins granted.
    pub joins: u64,
    /// Sessions that lost their socket and kept their seat.
    pub parked: u64,
    /// Joins refused.
    pub join_rejections: Counts<ErrorCode, 21>,
    /// Attempts to come back, by result.
    pub reconnections: Counts<Reconnection, 5>,
    /// Stays in a room that ended, by reason.
    pub leaves: Counts<LeaveReason, 7>,
    /// How long they lasted.
    pub stay: Buckets<13>,
    /// Rooms opened.
    pub rooms_opened: u64,
    /// Rooms that ended with their last peer.
    pub rooms_ended: u64,
    /// Rooms whose actor died.
    pub rooms_lost: u64,
    /// How long rooms lasted.
    pub room_lifetime: Buckets<13>,

    /// Errors by code, one row per [`Severity`].
    pub errors: [Counts<ErrorCode, 21>; 4],
    /// What the journal of errors is told.
    pub error_samples: ErrorSamples,
    /// Panics on any thread.
    pub panics: u64,
    /// HTTP requests.
    pub http: HttpCounts,
    /// Requests that the operator's listener refused.
    pub ops_denied: Counts<OpsDenial, 4>,

    /// Ticks that came so late that it was logged.
    pub ticks_late: u64,
    /// How late ticks came.
    pub tick_delay: Buckets<10>,
    /// Log lines that were dropped.
    pub log_lines_dropped: u64,
    /// Log lines that were gathered: counted in a line, instead of written.
    pub log_lines_gathered: u64,
    /// Reports the metrics actor had no room for; their counts came with a later one.
    pub records_refused: u64,

    /// The latest report of this thread's arbiter.
    pub arbiter: Option<ArbiterReport>,
    /// The latest census, on the supervisor's thread.
    pub census: Option<CensusReport>,
    /// Open sockets of each [`Listener`]. To be set on one thread only.
    pub sockets: Option<[usize; 2]>,
    /// Addresses that are remembered for the limits per address. To be set on one thread only.
    pub addresses: Option<usize>,
    /// Whether `/readyz` says 200. To be set on one thread only: reports of several come in no particular order.
    pub ready: Option<bool>,
    /// Whether the server is draining. To be set on the same thread as `ready`.
    pub draining: Option<bool>,
}

impl Tally {
    /// Nothing counted.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            messages_in: Counts::new(),
            messages_out: Counts::new(),
            bytes_in: 0,
            bytes_out: 0,
            relays: Counts::new(),
            handling: Buckets::new(&buckets::HANDLING),
            slow_messages: 0,
            pings_sent: 0,
            discarded_frames: 0,
            discarded_bytes: 0,
            connections_opened: 0,
            connections_closed: Counts::new(),
            connection_duration: Buckets::new(&buckets::LIFETIME),
            handshakes_refused: Counts::new(),
            sockets_refused: [Counts::new(); 2],
            http_rejections: Counts::new(),
            limit_hits: Counts::new(),
            joins: 0,
            parked: 0,
            join_rejections: Counts::new(),
            reconnections: Counts::new(),
            leaves: Counts::new(),
            stay: Buckets::new(&buckets::LIFETIME),
            rooms_opened: 0,
            rooms_ended: 0,
            rooms_lost: 0,
            room_lifetime: Buckets::new(&buckets::LIFETIME),
            errors: [Counts::new(); 4],
            error_samples: ErrorSamples::new(),
            panics: 0,
            http: HttpCounts::new(),
            ops_denied: Counts::new(),
            ticks_late: 0,
            tick_delay: Buckets::new(&buckets::DELAY),
            log_lines_dropped: 0,
            log_lines_gathered: 0,
            records_refused: 0,
            arbiter: None,
            census: None,
            sockets: None,
            addresses: None,
            ready: None,
            draining: None,
        }
    }

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

    /// Adds what was counted later.
    pub fn merge(&mut self, later: Self) {
        self.merge_traffic(&later);
        self.merge_rooms(&later);
        self.merge_server(&later);
        self.error_samples.merge(later.error_samples);
        self.http.merge(later.http);
        self.arbiter = later.arbiter.or(self.arbiter);
        self.census = later.census.or(self.census.take());
        self.sockets = later.sockets.or(self.sockets);
        self.addresses = later.addresses.or(self.addresses);
        self.ready = later.ready.or(self.ready);
        self.draining = later.draining.or(self.draining);
    }

    fn merge_traffic(&mut self, later: &Self) {
        self.messages_in.merge(&later.messages_in);
        self.messages_out.merge(&later.messages_out);
        self.bytes_in += later.bytes_in;
        self.bytes_out += later.bytes_out;
        self.relays.merge(&later.relays);
        self.handling.merge(&later.handling);
        self.slow_messages += later.slow_messages;
        self.pings_sent += later.pings_sent;
        self.discarded_frames += later.discarded_frames;
        self.discarded_bytes += later.discarded_bytes;
        self.connections_opened += later.connections_opened;
        self.connections_closed.merge(&later.connections_closed);
        self.connection_duration.merge(&later.connection_duration);
        self.handshakes_refused.merge(&later.handshakes_refused);
        for (mine, more) in self.sockets_refused.iter_mut().zip(&later.sockets_refused) {
            mine.merge(more);
        }
        self.http_rejections.merge(&later.http_rejections);
        self.limit_hits.merge(&later.limit_hits);
    }

    fn merge_rooms(&mut self, later: &Self) {
        self.joins += later.joins;
        self.parked += later.parked;
        self.join_rejections.merge(&later.join_rejections);
        self.reconnections.merge(&later.reconnections);
        self.leaves.merge(&later.leaves);
        self.stay.merge(&later.stay);
        self.rooms_opened += later.rooms_opened;
        self.rooms_ended += later.rooms_ended;
        self.rooms_lost += later.rooms_lost;
        self.room_lifetime.merge(&later.room_lifetime);
    }

    fn merge_server(&mut self, later: &Self) {
        for (mine, more) in self.errors.iter_mut().zip(&later.errors) {
            mine.merge(more);
        }
        self.panics += later.panics;
        self.ops_denied.merge(&later.ops_denied);
        self.ticks_late += later.ticks_late;
        self.tick_delay.merge(&later.tick_delay);
        self.log_lines_dropped += later.log_lines_dropped;
        self.log_lines_gathered += later.log_lines_gathered;
        self.records_refused += later.records_refused;
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
