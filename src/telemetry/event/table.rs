//! Everything the server says about itself. Business code emits an [`Event`]; what becomes of it (which level, which
//! words, which counter) is decided in this folder. Those that no client and no step of the server's life is behind are in
//! `background.rs`.

use std::{error::Error, net::SocketAddr, time::Duration};

use slog::{Level, Serializer};

use super::{
    background::with_background_events,
    context::Context,
    define::{EventDoc, events},
    field::Field,
};
use crate::{
    protocol::{EndReason, ErrorCode, LeaveReason},
    telemetry::counts::kinds::{
        Listener, ModerationAct, Moderator, OpsCall, OpsDenial, Reconnection, Rejection, SocketRefusal, TokenOutcome,
        WebhookOutcome,
    },
};

with_background_events! { events {
    /// The listeners are open.
    ServerStarted = "server_started", Info, "server started" {
        version: &'a str,
        /// Where clients connect.
        public: SocketAddr,
        /// Where operators look.
        ops: SocketAddr,
        /// Threads that serve connections.
        workers: usize,
        /// `limits.memory_bytes`, as it is in force.
        memory["memory_bytes"]: u64,
        /// What the other limits would let clients hold, all together.
        limits["limits_bytes"]: u64,
    }
    /// `/readyz` says 200 for the first time.
    ServerReady = "server_ready", Info, "server ready" {
        /// Since the start.
        took["took_ms"]: Duration,
    }
    /// The last line of an orderly end.
    ServerStopped = "server_stopped", Info, "server stopped" {
        /// Since it was asked to go.
        took["took_ms"]: Duration,
        /// Events that the receiver of webhooks has not got since the start; only where there is one.
        webhooks_dropped: Option<u64>,
    }
    /// The configuration is usable, but asks for something that this machine or release cannot give.
    ConfigWarning = "config_warning", Warning, "configuration warning" {
        /// The key, what was asked, what there is.
        what: &'a str,
    }
    /// A signal came that changes nothing. Told once a second at most.
    SignalIgnored = "signal_ignored", Warning, "signal ignored" {
        signal: &'a str,
        why: &'static str,
    }
    /// The last line of a process that was told to end at once (`SIGABRT`).
    Aborted = "aborted", Critical, "process aborted" {
        signal: &'static str,
    }
    /// `SIGHUP`: the configuration was read again, and what can change while the server runs was changed.
    ConfigReloaded = "config_reloaded", Info, "configuration reloaded" {
        /// The keys that have another value now.
        changed: &'a str,
        /// The keys that have another value there, and will have it here after a restart.
        restart: &'a str,
    }
    /// `SIGHUP`: what was read is not sound, and nothing was changed.
    ConfigNotReloaded = "config_not_reloaded", Warning, "configuration not reloaded" {
        error["cause"]: &'a (dyn Error + 'static),
    }
    /// A signal or the operator asked the server to end.
    DrainStarted = "drain_started", Info, "drain started" {
        /// Only `request` is known, and only where one asked.
        context: Context<'a>,
        /// The signal's name, or the route.
        by: &'a str,
        connections: usize,
        /// The time over which they are closed.
        drain["drain_ms"]: Duration,
    }
    /// An operator took the drain back before a connection was closed: the server goes on.
    DrainWithdrawn = "drain_withdrawn", Info, "drain withdrawn" {
        /// Since it was asked for.
        after["after_ms"]: Duration,
        /// Open connections.
        connections: usize,
    }
    /// All connections are closed, or the deadline has come. A warning when some had to be cut.
    DrainFinished = "drain_finished", Info, "drain finished" {
        /// Since it was asked for.
        took["took_ms"]: Duration,
        /// Connections that were still open.
        stragglers: usize,
    }
    /// Nobody is connected any more; the end waits for one scrape to tell Prometheus of it.
    ScrapeAwaited = "scrape_awaited", Info, "waiting for a scrape" {
        /// No longer than this.
        most["most_ms"]: Duration,
    }
    /// How long the last shutdown took could not be read, or that of this one not be kept for the next start.
    ShutdownRecordFailed = "shutdown_record_failed", Warning, "shutdown record not read or written" {
        error["cause"]: &'a (dyn Error + 'static),
    }
    /// What the previous run left behind, told at the start.
    PreviousShutdown = "previous_shutdown", Info, "previous shutdown" {
        /// How long it took.
        took["took_ms"]: Duration,
    }
    /// A socket was accepted and refused before anything of it was read: answered with 503, or closed. One of the ops
    /// listener that had said nothing may have been closed for the next one.
    SocketRefused = "socket_refused", Warning, "socket refused" {
        /// Its address: the peer's, since nothing was read that could name another.
        remote: Option<SocketAddr>,
        listener: Listener,
        /// Which limit it met.
        reason: SocketRefusal,
    }
    /// What came over a socket became no request that was served, or not the whole of one.
    RequestRejected = "request_rejected", Info, "request rejected" {
        /// The socket's address: the peer's, which may be a proxy.
        remote: Option<SocketAddr>,
        listener: Listener,
        /// What it was instead.
        kind: Rejection,
        /// What is mostly behind it.
        cause: &'static str,
    }
    /// A WebSocket handshake was refused, or a request for `/ws` that is none, mostly because a proxy changed it.
    HandshakeRefused = "handshake_refused", Info, "handshake refused" {
        /// Only `request` is known.
        context: Context<'a>,
        /// The client's address as it is believed; of one behind a proxy mostly without a port.
        remote: Option<SocketAddr>,
        /// What the client was told.
        code[""]: ErrorCode,
        status: u16,
        /// What was wrong, in the server's words.
        detail[""]: &'a str,
    }
    /// A WebSocket connection is open.
    ConnectionOpened = "connection_opened", Info, "connection opened" {
        /// Request and session.
        context: Context<'a>,
        /// The client's address, as above.
        remote: Option<SocketAddr>,
    }
    /// A WebSocket connection ended. Carries class, code, severity and fingerprint when the reason is an error; at
    /// error level when that was the server's own.
    ConnectionClosed = "connection_closed", Info, "connection closed" {
        /// Request, session, and peer if it was ever in a room.
        context: Context<'a>,
        reason: EndReason,
        duration["duration_ms"]: Duration,
        /// WebSocket frames read from it, fragments and control frames too.
        frames_in: u64,
        /// Those written to it by then: `bye` and a close frame may follow.
        frames_out: u64,
    }
    /// A peer is in a room.
    PeerJoined = "peer_joined", Info, "peer joined" {
        /// All of them.
        context: Context<'a>,
        /// Peers in the room, this one included.
        peers: usize,
        /// The client's count of attempts to come back; 0 for a first join.
        attempt: u32,
    }
    /// A join was refused.
    JoinRefused = "join_refused", Info, "join refused" {
        /// Request and session, and the room that was asked for.
        context: Context<'a>,
        /// What the client was told.
        code[""]: ErrorCode,
        /// The client's count of attempts to come back; 0 for a first join.
        attempt: u32,
    }
    /// A token was bad, missing, or not looked at. What follows from it is told beside it.
    TokenDenied = "token_denied", Info, "token denied" {
        /// Request and session, and the room that it is in.
        context: Context<'a>,
        reason: TokenOutcome,
    }
    /// A session's socket is gone, and its seat is kept.
    SessionParked = "session_parked", Info, "session parked" {
        /// All of them.
        context: Context<'a>,
        /// How long its client is waited for.
        window["window_ms"]: Duration,
    }
    /// A parked session ends before its time, because more are parked than may be.
    SessionGivenUp = "session_given_up", Info, "session given up" {
        /// Request and session.
        context: Context<'a>,
        /// The limit, as in `switchboard_limit_hits_total`.
        limit: &'static str,
    }
    /// A client came back to its session.
    SessionResumed = "session_resumed", Info, "session resumed" {
        /// All of them; the request is the one that the session began with.
        context: Context<'a>,
        /// Whether anything was missed.
        result: Reconnection,
        /// The client's count of attempts to come back.
        attempt: u32,
    }
    /// A client came back to a session that is not there.
    ResumeRefused = "resume_refused", Info, "resume refused" {
        /// Request and session.
        context: Context<'a>,
        /// What the client was told.
        code[""]: ErrorCode,
        /// The client's count of attempts to come back.
        attempt: u32,
    }
    /// A peer is no longer in its room.
    PeerLeft = "peer_left", Info, "peer left" {
        /// All of them.
        context: Context<'a>,
        /// What the others are told.
        reason: LeaveReason,
        stayed["stayed_ms"]: Duration,
    }
    /// The first peer of a room came.
    RoomOpened = "room_opened", Info, "room opened" {
        context: Context<'a>,
    }
    /// The last peer of a room went.
    RoomEnded = "room_ended", Info, "room ended" {
        /// Which, and where its peer is.
        context: Context<'a>,
        lived["lived_ms"]: Duration,
    }
    /// Somebody who moderates a room did something to it, or an operator to all of them. Who it was about is not told.
    RoomModerated = "room_moderated", Info, "room moderated" {
        /// The room; and of a member that did it, all else.
        context: Context<'a>,
        act: ModerationAct,
        by: Moderator,
        /// How many it sent away or told.
        peers: usize,
        /// For how long at most somebody is kept out by it; 0: nobody is.
        ban["ban_ms"]: Duration,
    }
    /// A room's actor died under its peers, who are told and may join again.
    RoomLost = "room_lost", Error, "room lost" {
        /// Which.
        context: Context<'a>,
        peers: usize,
    }
    /// A client's message was answered with an error and the connection stays. At debug level, since a client can
    /// cause any number of them; all are counted.
    FrameRefused = "frame_refused", Debug, "frame refused" {
        /// Whatever is known.
        context: Context<'a>,
        /// What the client was told.
        code[""]: ErrorCode,
        /// What was wrong, in the server's words: never the client's text.
        detail[""]: &'a str,
    }
    /// The server failed at something that ended no connection.
    ServerFault = "server_fault", Error, "server fault" {
        /// Whatever is known.
        context: Context<'a>,
        /// What was attempted; a constant.
        doing[""]: &'static str,
        /// Why it failed.
        error[""]: &'a (dyn Error + 'static),
    }
    /// A library that the server is built of logged something. At the level that it chose.
    DependencyLog = "dependency_log", Info, "log of a dependency" {
        level[""]: Level,
        /// Which part of it.
        target: &'a str,
        text: &'a str,
    }
    /// Handling one message took longer than `log.slow_message_ms`.
    SlowMessage = "slow_message", Warning, "slow message" {
        context: Context<'a>,
        kind: &'static str,
        /// From its read to its place in the last receiver's queue.
        took["took_ms"]: Duration,
    }
    /// An HTTP request took longer than `http.slow_request_ms`.
    SlowRequest = "slow_request", Warning, "slow request" {
        /// Only `request` is known.
        context: Context<'a>,
        /// See [`method_label`](crate::telemetry::method_label).
        method: &'static str,
        /// The route's pattern.
        route: &'static str,
        /// From its head to the response's.
        took["took_ms"]: Duration,
    }
    /// An HTTP request was answered.
    HttpServed = "http_served", Debug, "http request served" {
        /// Only `request` is known.
        context: Context<'a>,
        /// See [`method_label`](crate::telemetry::method_label).
        method: &'static str,
        /// The route's pattern.
        route: &'static str,
        status: u16,
        /// From its head to the response's.
        took["took_ms"]: Duration,
    }
    /// Something kept an arbiter's thread from its work: all its connections waited that long.
    TickLate = "tick_late", Warning, "tick late" {
        arbiter: usize,
        /// How much later than planned.
        late["late_ms"]: Duration,
    }
    /// `/health` says something else than before. Info when it says `healthy` again.
    HealthChanged = "health_changed", Warning, "health changed" {
        from: &'static str,
        to: &'static str,
    }
    /// `/healthz` says something else: a thread or the supervisor fell silent, or answers again (info then).
    LivenessChanged = "liveness_changed", Error, "liveness changed" {
        to: &'static str,
        /// Who is silent, or was.
        subject: &'a str,
        silent["silent_ms"]: Duration,
    }
    /// The last line of a process that ends itself because a thread or the supervisor hangs or is gone.
    Wedged = "wedged", Critical, "process wedged" {
        /// Who is silent.
        subject: &'a str,
        silent["silent_ms"]: Duration,
        /// What the process ends with.
        exit_code: u16,
    }
    /// What is done because memory is nearly used (`limits.memory_bytes`) has changed; info when it is nothing any more.
    MemoryPressure = "memory_pressure", Warning, "memory pressure changed" {
        /// How far it goes: as in `switchboard_memory_relief_total`, or `none`.
        step: &'static str,
        /// What is held on behalf of clients.
        used["used_bytes"]: u64,
        /// The part of it that is the kernel's, for TCP.
        tcp["tcp_bytes"]: u64,
        /// The budget.
        budget["budget_bytes"]: u64,
    }
    /// Somebody who is not on `http.trusted_proxies` sent the header of `http.forwarded_header`: if that is a proxy of yours,
    /// all its clients share the limits of one address. Told once.
    ForwardedNotBelieved = "forwarded_not_believed", Warning, "forwarded address not believed" {
        /// Who sent it.
        remote: SocketAddr,
    }
    /// What a proxy on `http.trusted_proxies` wrote in `http.forwarded_header` is missing, unreadable, or names only such ones:
    /// all clients that it asks for like that share the limits of its own address. Told every ten minutes at most.
    ProxyNamesNobody = "proxy_names_nobody", Warning, "trusted proxy names nobody" {
        remote: SocketAddr,
    }
    /// The operator's listener refused a request: its `Host` or `Origin` is none of ours, or the token is missing or
    /// wrong. A page that somebody in the operator's network was shown, somebody who guesses, or a key that is not set.
    OpsDenied = "ops_denied", Warning, "request to the ops listener denied" {
        /// Only `request` is known.
        context: Context<'a>,
        remote: SocketAddr,
        reason: OpsDenial,
        /// The `Host` that was asked for, as far as it is visible ASCII.
        host: &'a str,
    }
    /// A thread panicked. A defect, always.
    Panicked = "panicked", Critical, "panic" {
        thread: &'a str,
        message[""]: &'a str,
        /// File, line and column.
        location: &'a str,
        /// Where it came from, one frame per line.
        backtrace: &'a str,
    }
}}
