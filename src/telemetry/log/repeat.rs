//! Which events a client may cause any number of, and what makes two of them alike.

use std::net::SocketAddr;

use slog::Level;

use crate::telemetry::{
    counts::labels::Label,
    event::{source::Source, table::Event},
};

/// What an event is one more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) struct Repeat {
    /// How the gathered line names `kind`; empty where the error in the event says it, or nothing does.
    pub(in crate::telemetry) field: &'static str,
    /// Code, reason or the like: those of different kinds are not alike.
    pub(in crate::telemetry) kind: &'static str,
    /// Who causes them. What cannot be told by address is gathered only when there are too many of all.
    pub(in crate::telemetry) source: Option<Source>,
    /// How many are written before the rest is gathered.
    pub(in crate::telemetry) burst: Burst,
}

/// Which of the two bounds per address holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) enum Burst {
    /// `log.burst_lines`: the usual life of connections and rooms.
    Life,
    /// `log.burst_refusals`: something went wrong.
    Refusal,
}

/// `None` for what is never gathered: the server's own errors and its life, which clients do not cause.
#[expect(clippy::too_many_lines, reason = "a table: a row for each event")]
pub(in crate::telemetry) fn of(event: &Event<'_>) -> Option<Repeat> {
    if let Event::DependencyLog { .. } = event {
        // What they tell at error level, too: a client may be behind it.
        return life("", "", None);
    }
    if event.level().is_at_least(Level::Error) {
        return None;
    }
    match *event {
        Event::HandshakeRefused { code, remote, .. } => refusal(code.label(), remote.map(|at| Source::of(at.ip()))),
        Event::SocketRefused { remote, reason, .. } => labelled("reason", reason.label(), remote),
        Event::RequestRejected { remote, kind, .. } => labelled("kind", kind.label(), remote),
        Event::OperatorCall { remote, call, .. } => life("call", call.label(), Some(Source::of(remote.ip()))),
        Event::OpsDenied { remote, reason, .. } => labelled("reason", reason.label(), Some(remote)),
        Event::TokenDenied { context, reason } => {
            Some(Repeat { field: "reason", kind: reason.label(), source: context.source, burst: Burst::Refusal })
        }
        Event::JoinRefused { context, code, .. }
        | Event::ResumeRefused { context, code, .. }
        | Event::FrameRefused { context, code, .. } => refusal(code.label(), context.source),
        Event::ConnectionOpened { remote, .. } => life("", "", remote.map(|at| Source::of(at.ip()))),
        Event::ConnectionClosed { context, reason, .. } => life("reason", reason.label(), context.source),
        Event::PeerJoined { context, .. }
        | Event::SessionParked { context, .. }
        | Event::SessionRestored { context, .. }
        | Event::RoomOpened { context }
        | Event::MeshFractured { context, .. }
        | Event::MeshWhole { context, .. }
        | Event::RoomEnded { context, .. } => life("", "", context.source),
        Event::RoomModerated { context, act, .. } => life("act", act.label(), context.source),
        Event::SessionGivenUp { context, limit } => life("limit", limit, context.source),
        Event::PeerLeft { context, reason, .. } => life("reason", reason.label(), context.source),
        Event::SessionResumed { context, result, .. } => life("result", result.label(), context.source),
        Event::SlowMessage { context, kind, .. } => life("kind", kind, context.source),
        Event::SlowRequest { context, route, .. } | Event::HttpServed { context, route, .. } => {
            life("route", route, context.source)
        }
        Event::ServerStarted { .. }
        | Event::ServerReady { .. }
        | Event::ServerStopped { .. }
        | Event::ConfigWarning { .. }
        | Event::DrainStarted { .. }
        | Event::DrainWithdrawn { .. }
        | Event::RecordingsGivenUp { .. }
        | Event::LogLevelSet { .. }
        | Event::DrainFinished { .. }
        | Event::ScrapeAwaited { .. }
        | Event::ShutdownRecordFailed { .. }
        | Event::PreviousShutdown { .. }
        | Event::StateStored { .. }
        | Event::StateNotStored { .. }
        | Event::StateRestored { .. }
        | Event::StateRefused { .. }
        | Event::RoomLost { .. }
        | Event::ServerFault { .. }
        | Event::DependencyLog { .. }
        | Event::TickLate { .. }
        | Event::HealthChanged { .. }
        | Event::MemoryPressure { .. }
        | Event::LivenessChanged { .. }
        | Event::Wedged { .. }
        | Event::SignalIgnored { .. }
        | Event::Aborted { .. }
        | Event::ConfigReloaded { .. }
        | Event::ConfigNotReloaded { .. }
        | Event::ForwardedNotBelieved { .. }
        | Event::ProxyNamesNobody { .. }
        | Event::Panicked { .. }
        | Event::StunStarted { .. }
        | Event::StunOnlyPrivate { .. }
        | Event::StunCounted { .. }
        | Event::StunTotalLimit { .. }
        | Event::IceServerFailed { .. }
        | Event::IceServerRestored { .. }
        | Event::LogFileFailed { .. }
        | Event::LogFileRestored { .. }
        | Event::LogFileReopened { .. }
        | Event::LogFileRemoved { .. }
        | Event::LogLinesDropped { .. }
        | Event::RedisFailed { .. }
        | Event::RedisRestored { .. }
        | Event::ClusterDataLost { .. }
        | Event::NodeDead { .. }
        | Event::NodeSuperseded { .. }
        | Event::WebhookFailed { .. }
        | Event::WebhookRestored { .. } => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what `of` answers")]
fn life(field: &'static str, kind: &'static str, source: Option<Source>) -> Option<Repeat> {
    Some(Repeat { field, kind, source, burst: Burst::Life })
}

#[expect(clippy::unnecessary_wraps, reason = "as above")]
fn refusal(kind: &'static str, source: Option<Source>) -> Option<Repeat> {
    Some(Repeat { field: "", kind, source, burst: Burst::Refusal })
}

#[expect(clippy::unnecessary_wraps, reason = "as above")]
fn labelled(field: &'static str, kind: &'static str, remote: Option<SocketAddr>) -> Option<Repeat> {
    Some(Repeat { field, kind, source: remote.map(|at| Source::of(at.ip())), burst: Burst::Refusal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::EndReason,
        telemetry::event::{context::Context, fault::Fault, samples},
    };

    #[test]
    fn what_the_server_does_itself_is_never_gathered() {
        samples::each(|event| {
            let own = event.is_milestone() || event.level().is_at_least(Level::Error);
            assert!(!own || of(&event).is_none(), "{}", event.key());
        });
        let context = Context::default();
        let event = Event::ConnectionClosed {
            context,
            reason: EndReason::Internal,
            duration: std::time::Duration::ZERO,
            frames_in: 2,
            frames_out: 3,
        };
        assert_eq!(of(&event), None, "an ending that is the server's own error");
    }

    #[test]
    fn what_a_client_causes_is_told_by_address() {
        let mut gathered = 0;
        samples::each(|event| {
            let Some(repeat) = of(&event) else { return };
            gathered += 1;
            let by_request = matches!(event, Event::SlowRequest { .. } | Event::DependencyLog { .. });
            assert!(repeat.source.is_some() || by_request, "{}", event.key());
            let says = repeat.kind.is_empty() || !repeat.field.is_empty() || Fault::of(&event).is_some();
            assert!(says, "{}: what the gathered lines have in common is not in them", event.key());
        });
        assert!(gathered >= 14, "{gathered}");
    }
}
