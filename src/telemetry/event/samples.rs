//! One of each event, for the tests that hold for all of them.

use std::{io, net::SocketAddr, time::Duration};

use super::{context::Context, request_id::RequestId, source::Source, table::Event};
use crate::{
    protocol::{EndReason, ErrorCode, LeaveReason, PeerId, RoomName, SessionId},
    telemetry::counts::kinds::{
        Listener, ModerationAct, Moderator, OpsCall, OpsDenial, Reconnection, Rejection, SocketRefusal, TokenOutcome,
        WebhookOutcome,
    },
};

const TOOK: Duration = Duration::from_micros(1500);

/// Calls `with` with one of each.
pub(in crate::telemetry) fn each(mut with: impl FnMut(Event<'_>)) {
    let room = RoomName::parse("den \"1\"", 128).expect("a room");
    let request = RequestId::accept(Some("req-1"));
    let context = Context {
        request: Some(&request),
        session: Some(SessionId::random()),
        peer: Some(PeerId::random()),
        room: Some(&room),
        source: Some(Source::of([192, 0, 2, 7].into())),
    };
    let error = io::Error::new(io::ErrorKind::TimedOut, "after 5 s");
    let all = [server(&error), connection(context, &error), rooms(context, &room)];
    all.into_iter().flatten().for_each(&mut with);
}

fn server(error: &io::Error) -> Vec<Event<'_>> {
    let address = SocketAddr::from(([127, 0, 0, 1], 8080));
    vec![
        Event::ServerStarted { version: "0.1.0", public: address, ops: address, workers: 2, memory: 3, limits: 4 },
        Event::ServerReady { took: TOOK },
        Event::ServerStopped { took: TOOK, webhooks_dropped: Some(1) },
        Event::ConfigWarning { what: "server.max_connections is 10000, file descriptors 1024" },
        Event::SignalIgnored { signal: "SIGUSR1", why: "it means nothing to this server" },
        Event::Aborted { signal: "SIGABRT" },
        Event::ConfigReloaded { changed: "log.level", restart: "" },
        Event::ConfigNotReloaded { error },
        Event::DrainStarted { context: Context::default(), by: "SIGTERM", connections: 3, drain: TOOK },
        Event::DrainWithdrawn { after: TOOK, connections: 3 },
        Event::ScrapeAwaited { most: TOOK },
        Event::DrainFinished { took: TOOK, stragglers: 0 },
        Event::ShutdownRecordFailed { error },
        Event::PreviousShutdown { took: TOOK },
        Event::StateStored { sessions: 3, rooms: 2, moderated: 1, bytes: 4096, took: TOOK },
        Event::StateNotStored { error },
        Event::StateRestored { sessions: 3, rooms: 2, moderated: 1, age: TOOK, took: TOOK },
        Event::StateRefused { error },
        Event::TickLate { arbiter: 1, late: TOOK },
        Event::HealthChanged { from: "healthy", to: "degraded" },
        Event::Panicked { thread: "arbiter", message: "oh", location: "src/a.rs:1:2", backtrace: "0: main\n1: b\n" },
        Event::MemoryPressure { step: "read_less", used: 90, tcp: 30, budget: 100 },
        Event::LivenessChanged { to: "dead", subject: "supervisor", silent: TOOK },
        Event::Wedged { subject: "supervisor", silent: TOOK, exit_code: 70 },
        Event::ForwardedNotBelieved { remote: address },
        Event::ProxyNamesNobody { remote: address },
        Event::OpsDenied { context: Context::default(), remote: address, reason: OpsDenial::Token, host: "a.example" },
        Event::RecordingsGivenUp { recordings: 3 },
        Event::LogLevelSet { from: "info", to: "debug" },
        Event::StunStarted { address },
        Event::StunOnlyPrivate { remote: address, public_host: "a.example" },
        Event::StunCounted { answered: 3, refused: 1 },
        Event::StunTotalLimit { refused: 7 },
        Event::IceServerFailed { url: "turn:turn.example.org:3478", error },
        Event::IceServerRestored { url: "turn:turn.example.org:3478", failed: TOOK },
        Event::LogFileFailed { file: "switchboard-2026-01-31.jsonl", error, lines: 3 },
        Event::LogFileRestored { file: "switchboard-2026-01-31.jsonl", lines: 3 },
        Event::LogFileReopened { file: "switchboard-2026-01-31.jsonl", found: "removed or renamed" },
        Event::LogFileRemoved { file: "switchboard-2026-01-01.jsonl.gz", bytes: 100 },
        Event::LogLinesDropped { lines: 7 },
        Event::RedisFailed { detail: "no connection", waiting: 3 },
        Event::RedisRestored { failed: TOOK },
        Event::ClusterDataLost { losses: 1 },
        Event::NodeDead { nodes: 1 },
        Event::NodeSuperseded { node: "a" },
        Event::WebhookFailed { outcome: WebhookOutcome::ServerError, status: 500, detail: "", waiting: 3, dropped: 1 },
        Event::WebhookRestored { failed: TOOK, waiting: 3, dropped: 1 },
        Event::SlowRequest { context: Context::default(), method: "GET", route: "/health", took: TOOK },
    ]
}

fn connection<'a>(context: Context<'a>, error: &'a io::Error) -> Vec<Event<'a>> {
    let remote = Some(SocketAddr::from(([192, 0, 2, 7], 50_000)));
    let code = ErrorCode::OverCapacity;
    let (listener, kind) = (Listener::Public, Rejection::Tls);
    vec![
        Event::SocketRefused { remote, listener, reason: SocketRefusal::Address },
        Event::RequestRejected { remote, listener, kind, cause: kind.cause() },
        Event::HandshakeRefused { context, remote, code, status: 503, detail: "10000 connections are open" },
        Event::ConnectionOpened { context, remote },
        Event::ConnectionClosed {
            context,
            reason: EndReason::SlowConsumer,
            duration: TOOK,
            frames_in: 2,
            frames_out: 3,
        },
        Event::FrameRefused { context, code: ErrorCode::InvalidMessage, detail: "unknown field `token`" },
        Event::ServerFault { context, doing: "joining", error },
        Event::DependencyLog { level: slog::Level::Warning, target: "actix_http::h1", text: "a client hung up" },
        Event::SlowMessage { context, kind: "offer", took: TOOK },
        Event::SessionGivenUp { context, limit: "parked_sessions" },
        Event::HttpServed { context, method: "GET", route: "/health", status: 200, took: TOOK },
    ]
}

fn rooms<'a>(context: Context<'a>, room: &'a RoomName) -> Vec<Event<'a>> {
    vec![
        Event::PeerJoined { context, peers: 2, attempt: 1 },
        Event::JoinRefused { context, code: ErrorCode::RoomFull, attempt: 1 },
        Event::TokenDenied { context, reason: TokenOutcome::Signature },
        Event::SessionParked { context, window: TOOK },
        Event::SessionRestored { context, window: TOOK },
        Event::SessionResumed { context, result: Reconnection::Resumed, attempt: 1 },
        Event::ResumeRefused { context, code: ErrorCode::SessionNotFound, attempt: 1 },
        Event::PeerLeft { context, reason: LeaveReason::Left, stayed: TOOK },
        Event::OperatorCall {
            context: Context::of_room(room, None),
            remote: SocketAddr::from(([192, 0, 2, 8], 50_000)),
            call: OpsCall::Room,
            status: 200,
        },
        Event::RoomOpened { context: Context::of_room(room, context.source) },
        Event::RoomEnded { context: Context::of_room(room, context.source), lived: TOOK },
        Event::RoomModerated { context, act: ModerationAct::Kick, by: Moderator::Member, peers: 2, ban: TOOK },
        Event::RoomLost { context: Context::of_room(room, None), peers: 2 },
        Event::MeshFractured { context: Context::of_room(room, context.source), connected: 2, waiting: 0, failed: 1 },
        Event::MeshWhole { context: Context::of_room(room, context.source), connected: 3, waiting: 0, failed: 0 },
    ]
}
