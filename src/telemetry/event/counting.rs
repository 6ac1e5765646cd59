//! What each event adds to the counts of its thread, and the errors' samples: two sinks.

use std::time::{Duration, SystemTime};

use super::{fault::Fault, sink::Sink, table::Event};
use crate::{
    protocol::{EndReason, ErrorCode, LeaveReason},
    telemetry::counts::{
        error_samples::{ErrorSample, SampleIds},
        kinds::{ModerationAct, Reconnection},
        local::{hand_over, tally},
        tally::Tally,
    },
};

/// Counts every event, and the error in it, on the thread where it happens.
#[derive(Debug)]
pub struct EventCounts;

impl Sink for EventCounts {
    fn take(&self, event: &Event<'_>, fault: Option<&Fault<'_>>) {
        tally(|counts| count(event, fault, counts));
    }

    fn flush(&self) {
        hand_over();
    }
}

/// Keeps samples of errors for the journal. They travel with the counts.
#[derive(Debug)]
pub struct SampledErrors;

impl Sink for SampledErrors {
    fn take(&self, event: &Event<'_>, fault: Option<&Fault<'_>>) {
        if let Some(fault) = fault {
            tally(|counts| sample(event, fault, counts));
        }
    }
}

/// Counts `event`, and `fault`, which is the error in it.
#[expect(clippy::too_many_lines, reason = "a table: a row for each event")]
fn count(event: &Event<'_>, fault: Option<&Fault<'_>>, tally: &mut Tally) {
    if let Some(fault) = fault {
        tally.count_error(fault.code, fault.severity);
    }
    match *event {
        Event::ServerReady { .. } => tally.ready = Some(true),
        Event::DrainStarted { .. } => (tally.ready, tally.draining) = (Some(false), Some(true)),
        Event::DrainWithdrawn { .. } => (tally.ready, tally.draining) = (Some(true), Some(false)),
        Event::SocketRefused { listener, reason, .. } => tally.socket_refused(listener, reason),
        Event::RequestRejected { kind, .. } => tally.http_rejections.add(kind),
        Event::HandshakeRefused { code, .. } => tally.handshakes_refused.add(code),
        Event::ConnectionOpened { .. } => tally.connections_opened += 1,
        Event::ConnectionClosed { reason, duration, .. } => count_close(reason, duration, tally),
        Event::PeerJoined { attempt, .. } => count_join(attempt, tally),
        Event::JoinRefused { code, attempt, .. } => count_refused_join(code, attempt, tally),
        Event::TokenDenied { reason, .. } => tally.tokens.add(reason),
        Event::SessionParked { .. } => tally.parked += 1,
        Event::SessionRestored { .. } => tally.restored += 1,
        Event::StateRefused { .. } => tally.state_refused += 1,
        Event::StateNotStored { .. } => tally.state_not_stored += 1,
        Event::SessionResumed { result, .. } => tally.reconnections.add(result),
        Event::ResumeRefused { .. } => tally.reconnections.add(Reconnection::NotFound),
        Event::PeerLeft { reason, stayed, .. } => count_leave(reason, stayed, tally),
        Event::RoomOpened { .. } => tally.rooms_opened += 1,
        Event::RoomEnded { lived, .. } => {
            tally.rooms_ended += 1;
            tally.room_lifetime.observe(lived);
        }
        Event::RoomModerated { act, by, peers, .. } => {
            tally.moderation.add(act);
            if act == ModerationAct::Kick {
                tally.kicks.add_n(by, peers as u64);
            }
        }
        Event::RecordingsGivenUp { recordings } => tally.recordings_given_up += recordings,
        Event::RoomLost { .. } => tally.rooms_lost += 1,
        Event::SlowMessage { .. } => tally.slow_messages += 1,
        Event::HttpServed { method, route, status, took, .. } => tally.http.add(method, route, status, took),
        Event::TickLate { .. } => tally.ticks_late += 1,
        Event::OpsDenied { reason, .. } => tally.ops_denied.add(reason),
        Event::OperatorCall { call, .. } => tally.ops_calls.add(call),
        // Counted elsewhere: a slow request by its `HttpServed`, a panic and lost lines without the thread's tally
        // (which may be what panicked), the rest by its error or not at all, being rare and told by a gauge.
        Event::ServerStarted { .. }
        | Event::ServerStopped { .. }
        | Event::ConfigWarning { .. }
        | Event::SignalIgnored { .. }
        | Event::Aborted { .. }
        | Event::ConfigReloaded { .. }
        | Event::ConfigNotReloaded { .. }
        | Event::DrainFinished { .. }
        | Event::ScrapeAwaited { .. }
        | Event::ShutdownRecordFailed { .. }
        | Event::PreviousShutdown { .. }
        | Event::StateStored { .. }
        | Event::StateRestored { .. }
        | Event::SessionGivenUp { .. }
        | Event::MeshFractured { .. }
        | Event::MeshWhole { .. }
        | Event::MemoryPressure { .. }
        | Event::FrameRefused { .. }
        | Event::ServerFault { .. }
        | Event::DependencyLog { .. }
        | Event::SlowRequest { .. }
        | Event::HealthChanged { .. }
        | Event::LivenessChanged { .. }
        | Event::Wedged { .. }
        | Event::ForwardedNotBelieved { .. }
        | Event::ProxyNamesNobody { .. }
        | Event::LogLevelSet { .. }
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
        | Event::WebhookRestored { .. } => {}
    }
}

fn count_close(reason: EndReason, duration: Duration, tally: &mut Tally) {
    tally.connections_closed.add(reason);
    tally.connection_duration.observe(duration);
}

fn count_join(attempt: u32, tally: &mut Tally) {
    tally.joins += 1;
    count_attempt(attempt, Reconnection::Joined, tally);
}

fn count_refused_join(code: ErrorCode, attempt: u32, tally: &mut Tally) {
    tally.join_rejections.add(code);
    count_attempt(attempt, Reconnection::Refused, tally);
}

fn count_leave(reason: LeaveReason, stayed: Duration, tally: &mut Tally) {
    tally.leaves.add(reason);
    tally.time_in_room.observe(stayed);
}

fn count_attempt(attempt: u32, result: Reconnection, tally: &mut Tally) {
    if attempt > 0 {
        tally.reconnections.add(result);
    }
}

fn sample(event: &Event<'_>, fault: &Fault<'_>, tally: &mut Tally) {
    let at = SystemTime::now();
    tally.error_samples.add(fault.fingerprint, at, || ErrorSample {
        fingerprint: fault.fingerprint,
        code: fault.code,
        severity: fault.severity,
        doing: fault.doing,
        cause: fault.cause.as_deref().map(str::to_owned),
        at,
        count: 1,
        sample_ids: sample_ids(event),
    });
}

/// What an error concerned, as the journal keeps it.
fn sample_ids(event: &Event<'_>) -> SampleIds {
    let context = event.context();
    SampleIds {
        request: context.request.map(ToString::to_string),
        session: context.session.map(|id| id.to_string()),
        peer: context.peer.map(|id| id.to_string()),
        room: context.room.map(|name| name.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::Severity,
        telemetry::{
            counts::kinds::{Rejection, SocketRefusal},
            event::{context::Context, samples},
        },
    };

    fn counted(event: &Event<'_>) -> Tally {
        let mut tally = Tally::new();
        let fault = Fault::of(event);
        count(event, fault.as_ref(), &mut tally);
        if let Some(fault) = &fault {
            sample(event, fault, &mut tally);
        }
        tally
    }

    #[test]
    fn every_error_is_counted_once_and_noted_once() {
        samples::each(|event| {
            let mut tally = counted(&event);
            let errors: u64 = tally.errors.iter().map(crate::telemetry::Counts::total).sum();
            let expected = u64::from(Fault::of(&event).is_some());
            assert_eq!((errors, tally.error_samples.take().len() as u64), (expected, expected), "{}", event.key());
        });
    }

    #[test]
    fn events_count_what_they_tell() {
        let mut tally = Tally::new();
        samples::each(|event| tally.merge(counted(&event)));
        assert_eq!((tally.connections_opened, tally.connections_closed.get(EndReason::SlowConsumer)), (1, 1));
        assert_eq!((tally.joins, tally.leaves.get(LeaveReason::Left)), (1, 1));
        assert_eq!(tally.join_rejections.get(ErrorCode::RoomFull), 1);
        assert_eq!(tally.tokens.get(crate::telemetry::TokenOutcome::Signature), 1);
        assert_eq!(tally.handshakes_refused.get(ErrorCode::OverCapacity), 1);
        assert_eq!(tally.sockets_refused.map(|counts| counts.get(SocketRefusal::Address)), [1, 0]);
        assert_eq!((tally.http_rejections.get(Rejection::Tls), tally.http_rejections.total()), (1, 1));
        assert_eq!((tally.rooms_opened, tally.rooms_ended, tally.rooms_lost), (1, 1, 1));
        let kicks = tally.kicks.get(crate::telemetry::Moderator::Member);
        assert_eq!((kicks, tally.moderation.get(ModerationAct::Kick), tally.moderation.total()), (2, 1, 1));
        assert_eq!((tally.slow_messages, tally.ticks_late), (1, 1));
        assert_eq!(tally.http.iter().count(), 1);
        assert_eq!(tally.ops_denied.get(crate::telemetry::OpsDenial::Token), 1);
        assert_eq!((tally.ready, tally.draining), (Some(true), Some(false)), "the last was that a drain was withdrawn");
        assert_eq!(tally.ops_calls.get(crate::telemetry::OpsCall::Room), 1);
        for result in [Reconnection::Joined, Reconnection::Refused] {
            assert_eq!(tally.reconnections.get(result), 1);
        }
    }

    #[test]
    fn a_first_join_is_no_reconnection() {
        let tally = counted(&Event::PeerJoined { context: Context::default(), peers: 1, attempt: 0 });
        assert_eq!((tally.joins, tally.reconnections.total()), (1, 0));
    }

    #[test]
    fn an_orderly_end_is_no_error_and_every_other_is_one() {
        for &reason in EndReason::ALL {
            let event = Event::ConnectionClosed {
                context: Context::default(),
                reason,
                duration: Duration::ZERO,
                frames_in: 2,
                frames_out: 3,
            };
            let orderly = [
                EndReason::ClientClosed,
                EndReason::Disconnected,
                EndReason::SessionTaken,
                EndReason::Kicked,
                EndReason::RoomClosed,
                EndReason::ResumeExpired,
                EndReason::TokenExpired,
                EndReason::ServerDraining,
            ];
            assert_eq!(Fault::of(&event).is_none(), orderly.contains(&reason), "{reason:?}");
        }
    }

    #[test]
    fn how_bad_an_end_is_depends_on_whose_fault_it_was() {
        for (reason, severity, code) in [
            (EndReason::MessageTooLarge, Severity::Low, ErrorCode::MessageTooLarge),
            (EndReason::SlowConsumer, Severity::Medium, ErrorCode::SlowConsumer),
            (EndReason::Internal, Severity::High, ErrorCode::Internal),
        ] {
            let event = Event::ConnectionClosed {
                context: Context::default(),
                reason,
                duration: Duration::ZERO,
                frames_in: 2,
                frames_out: 3,
            };
            assert_eq!(counted(&event).errors[severity as usize].get(code), 1, "{reason:?}");
        }
    }
}
