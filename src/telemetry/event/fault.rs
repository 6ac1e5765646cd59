//! What makes an event an error: code, severity, cause, and a fingerprint that groups equal ones.

use std::borrow::Cow;

use super::{
    causes::{chain, clip, root_kind},
    redaction,
    table::Event,
};
use crate::{
    protocol::{EndReason, ErrorCode, Severity},
    telemetry::counts::labels::Label,
};

/// The error in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<'a> {
    /// What a client was told, or would be; its category is the error's class.
    pub code: ErrorCode,
    /// How bad it is.
    pub severity: Severity,
    /// What was attempted; a constant.
    pub doing: &'static str,
    /// Why it failed: the chain of causes, outermost first, or what was wrong with a client's input.
    pub cause: Option<Cow<'a, str>>,
    /// Equal for errors of one kind, over restarts and machines: made of code (and so class), `doing` and the root
    /// cause's kind, never of text that varies.
    pub fingerprint: u64,
}

impl<'a> Fault<'a> {
    /// The error in `event`, if it tells of one. Every error is in exactly one event: whatever ends a connection, a
    /// client's message or a failure of the server, is counted by `ConnectionClosed` alone.
    #[must_use]
    pub fn of(event: &Event<'a>) -> Option<Self> {
        match *event {
            Event::HandshakeRefused { code, detail, .. } => {
                Some(Self::refusal(code, "upgrading a connection", Some(detail)))
            }
            Event::FrameRefused { code, detail, .. } => Some(Self::refusal(code, "handling a message", Some(detail))),
            Event::JoinRefused { code, .. } => Some(Self::refusal(code, "joining a room", None)),
            Event::ResumeRefused { code, .. } => Some(Self::refusal(code, "resuming a session", None)),
            Event::ConnectionClosed { reason, .. } => error_of(reason)
                .map(|code| Self::new(code, code.severity(), "keeping a connection", reason.label(), None)),
            Event::RoomLost { .. } => Some(Self::refusal(ErrorCode::Internal, "keeping a room", None)),
            Event::ServerFault { doing, error, .. } => {
                let cause = Some(Cow::Owned(chain(error)));
                Some(Self::new(ErrorCode::Internal, Severity::High, doing, &root_kind(error), cause))
            }
            Event::Wedged { subject, .. } => {
                Some(Self::new(ErrorCode::Internal, Severity::Critical, "answering the watchdog", subject, None))
            }
            Event::Panicked { message, location, .. } => {
                let cause = Some(clip(redaction::scrub(message)));
                Some(Self::new(ErrorCode::Internal, Severity::Critical, "panic", location, cause))
            }
            _ => None,
        }
    }

    /// The fingerprint as logs and the journal write it.
    #[must_use]
    pub fn fingerprint_hex(fingerprint: u64) -> String {
        format!("{fingerprint:016x}")
    }

    /// What errors of this kind have in common.
    pub(in crate::telemetry) fn without_cause(&self) -> Fault<'static> {
        let Self { code, severity, doing, fingerprint, .. } = *self;
        Fault { code, severity, doing, cause: None, fingerprint }
    }

    fn refusal(code: ErrorCode, doing: &'static str, detail: Option<&'a str>) -> Self {
        let cause = detail.map(|text| clip(Cow::Borrowed(text)));
        Self::new(code, code.severity(), doing, "", cause)
    }

    fn new(code: ErrorCode, severity: Severity, doing: &'static str, kind: &str, cause: Option<Cow<'a, str>>) -> Self {
        let fingerprint = fnv1a(&[code.category().as_str(), code.as_str(), doing, kind]);
        Self { code, severity, doing, cause, fingerprint }
    }
}

/// The error that this ending stands for.
fn error_of(reason: EndReason) -> Option<ErrorCode> {
    match reason {
        EndReason::PingTimeout => Some(ErrorCode::PingTimeout),
        EndReason::JoinTimeout => Some(ErrorCode::JoinTimeout),
        EndReason::SlowConsumer => Some(ErrorCode::SlowConsumer),
        EndReason::MessageTooLarge => Some(ErrorCode::MessageTooLarge),
        EndReason::ProtocolError | EndReason::BinaryMessage | EndReason::InvalidUtf8 => Some(ErrorCode::InvalidMessage),
        EndReason::RateLimited => Some(ErrorCode::RateLimited),
        EndReason::MemoryPressure => Some(ErrorCode::OverCapacity),
        EndReason::Internal => Some(ErrorCode::Internal),
        EndReason::ClientClosed
        | EndReason::Disconnected
        | EndReason::SessionTaken
        | EndReason::Kicked
        | EndReason::RoomClosed
        | EndReason::ResumeExpired
        | EndReason::TokenExpired
        | EndReason::ServerDraining => None,
    }
}

/// FNV-1a, 64 bits: stable over releases of Rust, which `std`'s hasher is not.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::telemetry::event::context::Context;

    #[derive(Debug, thiserror::Error)]
    #[error("asking for room {0}")]
    struct Asking(u32, #[source] io::Error);

    fn fault(error: &Asking) -> Fault<'_> {
        let event = Event::ServerFault { context: Context::default(), doing: "asking", error };
        Fault::of(&event).expect("a fault")
    }

    #[test]
    fn errors_of_one_kind_share_a_fingerprint_whatever_their_text() {
        let one = Asking(1, io::Error::new(io::ErrorKind::TimedOut, "after 5 s"));
        let two = Asking(2, io::Error::new(io::ErrorKind::TimedOut, "after 9 s"));
        let other = Asking(1, io::Error::new(io::ErrorKind::NotFound, "after 5 s"));
        assert_eq!(fault(&one).fingerprint, fault(&two).fingerprint);
        assert_ne!(fault(&one).fingerprint, fault(&other).fingerprint);
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_build() {
        let event = Event::FrameRefused { context: Context::default(), code: ErrorCode::InvalidMessage, detail: "x" };
        let fault = Fault::of(&event).expect("a fault");
        assert_eq!(Fault::fingerprint_hex(fault.fingerprint), "52219fffa6b291a2");
    }

    #[test]
    fn the_chain_names_every_cause_outermost_first() {
        let error = Asking(7, io::Error::other("no answer"));
        assert_eq!(chain(&error), "asking for room 7: no answer");
    }
}
