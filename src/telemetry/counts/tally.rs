//! Everything that one thread counted since it last reported.

use super::{
    buckets::{self, Buckets, DelayBuckets, HandlingBuckets, LifetimeBuckets},
    error_samples::ErrorSamples,
    http_counts::HttpCounts,
    kinds::{LimitHit, Listener, MemoryStep, OpsDenial, Reconnection, Rejection, RelayOutcome, SocketRefusal},
    labels::{Counts, Label},
    reports::{ArbiterReport, CensusReport, MemoryReport},
};
use crate::protocol::{EndReason, ErrorCode, FrameKind, LeaveReason, Severity};

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

/// Field, type and what it begins with: a new counter is one line here.
macro_rules! tally {
    ($(#[$doc:meta])* Tally { $($(#[$fdoc:meta])+ $field:ident: $type:ty = $empty:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct Tally {
            $($(#[$fdoc])+ pub $field: $type,)+
        }

        impl Tally {
            /// Nothing counted.
            #[must_use]
            pub const fn new() -> Self {
                Self { $($field: $empty,)+ }
            }

            /// Adds what was counted later.
            pub fn merge(&mut self, later: Self) {
                $(Add::add(&mut self.$field, later.$field);)+
            }
        }
    };
}

tally! {
    /// A thread's counts since its last flush; also, in the metrics actor, everything since the start. Plain numbers: the
    /// hot path adds to them without locks, allocation or hashing.
    Tally {
        /// Messages read from clients.
        messages_in: Counts<FrameKind> = Counts::new(),
        /// Messages put into clients' queues.
        messages_out: Counts<FrameKind> = Counts::new(),
        /// Bytes of messages read, without frame heads.
        bytes_in: u64 = 0,
        /// Bytes of messages queued, with frame heads.
        bytes_out: u64 = 0,
        /// Relayed signals by outcome, one per receiver.
        relays: Counts<RelayOutcome> = Counts::new(),
        /// From a message's read to its place in the receiver's queue, one message in 16.
        handling: HandlingBuckets = HandlingBuckets::new(buckets::HANDLING),
        /// Messages whose handling was logged as slow.
        slow_messages: u64 = 0,
        /// Rounds of an arbiter that had no time for all that its sessions had sent.
        busy_rounds: u64 = 0,
        /// WebSocket pings sent to silent clients.
        pings_sent: u64 = 0,
        /// Frames thrown away because their receiver's connection was cut.
        discarded_frames: u64 = 0,
        /// Bytes of those frames.
        discarded_bytes: u64 = 0,

        /// Connections opened.
        connections_opened: u64 = 0,
        /// Connections ended, by reason.
        connections_closed: Counts<EndReason> = Counts::new(),
        /// How long they lasted.
        connection_duration: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME),
        /// Handshakes refused.
        handshakes_refused: Counts<ErrorCode> = Counts::new(),
        /// Sockets refused at their accept, one row per [`Listener`].
        sockets_refused: [Counts<SocketRefusal>; Listener::ALL.len()] = [Counts::new(); Listener::ALL.len()],
        /// What became no request.
        http_rejections: Counts<Rejection> = Counts::new(),
        /// Limits of a connection's or an address's share that did their work.
        limit_hits: Counts<LimitHit> = Counts::new(),

        /// What was done because memory was nearly used.
        memory_relief: Counts<MemoryStep> = Counts::new(),

        /// Joins granted.
        joins: u64 = 0,
        /// Sessions that lost their socket and kept their seat.
        parked: u64 = 0,
        /// Joins refused.
        join_rejections: Counts<ErrorCode> = Counts::new(),
        /// Attempts to come back, by result.
        reconnections: Counts<Reconnection> = Counts::new(),
        /// Memberships that ended, by reason.
        leaves: Counts<LeaveReason> = Counts::new(),
        /// How long they lasted.
        time_in_room: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME),
        /// Rooms opened.
        rooms_opened: u64 = 0,
        /// Rooms that ended with their last peer.
        rooms_ended: u64 = 0,
        /// Rooms whose actor died.
        rooms_lost: u64 = 0,
        /// How long rooms lasted.
        room_lifetime: LifetimeBuckets = LifetimeBuckets::new(buckets::LIFETIME),

        /// Errors by code, one row per [`Severity`].
        errors: [Counts<ErrorCode>; Severity::ALL.len()] = [Counts::new(); Severity::ALL.len()],
        /// What the journal of errors is told.
        error_samples: ErrorSamples = ErrorSamples::new(),
        /// Panics on any thread.
        panics: u64 = 0,
        /// HTTP requests.
        http: HttpCounts = HttpCounts::new(),
        /// Requests that the operator's listener refused.
        ops_denied: Counts<OpsDenial> = Counts::new(),

        /// Ticks that came so late that it was logged.
        ticks_late: u64 = 0,
        /// How late ticks came.
        tick_delay: DelayBuckets = DelayBuckets::new(buckets::DELAY),
        /// Log lines that were dropped.
        log_lines_dropped: u64 = 0,
        /// Log lines that were gathered: counted in a line, instead of written.
        log_lines_gathered: u64 = 0,
        /// Reports the metrics actor had no room for; their counts came with a later one.
        records_refused: u64 = 0,

        /// The latest report of this thread's arbiter.
        arbiter: Option<ArbiterReport> = None,
        /// The latest census, on the supervisor's thread.
        census: Option<CensusReport> = None,
        /// Open sockets of each [`Listener`]. To be set on one thread only.
        sockets: Option<[usize; Listener::ALL.len()]> = None,
        /// Addresses that are remembered for the limits per address. To be set on one thread only.
        addresses: Option<usize> = None,
        /// What is held on behalf of clients. To be set on one thread only.
        memory: Option<MemoryReport> = None,
        /// Whether `/readyz` says 200. To be set on one thread only: reports of several come in no particular order.
        ready: Option<bool> = None,
        /// Whether the server is draining. To be set on the same thread as `ready`.
        draining: Option<bool> = None,
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

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
