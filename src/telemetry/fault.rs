//! What makes an event an error: code, severity, cause, and a fingerprint that groups equal ones.

use std::{borrow::Cow, error::Error, fmt, io};

use super::{Event, Label, Severity, redaction};
use crate::protocol::{EndReason, ErrorCode};

/// Bytes of a cause that are kept.
const MAX_CAUSE: usize = 1024;

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
                .map(|code| Self::new(code, Severity::of(code), "keeping a connection", reason.label(), None)),
            Event::RoomLost { .. } => Some(Self::refusal(ErrorCode::Internal, "keeping a room", None)),
            Event::ServerFault { code, severity, doing, error, .. } => {
                Some(Self::new(code, severity, doing, &root_kind(error), Some(Cow::Owned(chain(error)))))
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
    pub(super) fn without_cause(&self) -> Fault<'static> {
        let Self { code, severity, doing, fingerprint, .. } = *self;
        Fault { code, severity, doing, cause: None, fingerprint }
    }

    fn refusal(code: ErrorCode, doing: &'static str, detail: Option<&'a str>) -> Self {
        let cause = detail.map(|text| clip(Cow::Borrowed(text)));
        Self::new(code, Severity::of(code), doing, "", cause)
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
        EndReason::Internal => Some(ErrorCode::Internal),
        EndReason::ClientClosed
        | EndReason::Disconnected
        | EndReason::SessionTaken
        | EndReason::ResumeExpired
        | EndReason::ServerDraining => None,
    }
}

/// An error with all its causes, outermost first, as `a: b: c`.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let words: Vec<String> = causes(error).map(ToString::to_string).collect();
    clip(redaction::scrub(&words.join(": "))).into_owned()
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |e| (**e).source())
}

/// What kind of error stands at the end of the chain: an I/O error's kind, else the name that its `Debug` text begins
/// with (a struct's or variant's); the text itself varies.
fn root_kind(error: &(dyn Error + 'static)) -> String {
    let root = causes(error).last().unwrap_or(error);
    if let Some(io) = root.downcast_ref::<io::Error>() {
        return format!("{:?}", io.kind());
    }
    let mut name = LeadingName(String::new());
    // It ends with an error as soon as the name does.
    let _ = fmt::write(&mut name, format_args!("{root:?}"));
    name.0
}

/// Takes the identifier that a text begins with and refuses the rest.
struct LeadingName(String);

impl fmt::Write for LeadingName {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let fits = letter == '_' || letter.is_ascii_alphabetic() || (letter.is_ascii_digit() && !self.0.is_empty());
            if !fits || self.0.len() > 64 {
                return Err(fmt::Error);
            }
            self.0.push(letter);
        }
        Ok(())
    }
}

/// At most [`MAX_CAUSE`] bytes.
fn clip(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MAX_CAUSE {
        return text;
    }
    let end = (0..=MAX_CAUSE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(text[..end].to_owned() + "…")
}

/// FNV-1a, 64 bits: stable over releases of Rust, which `std`'s hasher is not.
fn fnv1a(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Ids;

    #[derive(Debug, thiserror::Error)]
    #[error("asking for room {0}")]
    struct Asking(u32, #[source] io::Error);

    fn fault(error: &Asking) -> Fault<'_> {
        let event = Event::ServerFault {
            ids: Ids::default(),
            code: ErrorCode::Internal,
            severity: Severity::High,
            doing: "asking",
            error,
        };
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
        let event = Event::FrameRefused { ids: Ids::default(), code: ErrorCode::InvalidMessage, detail: "x" };
        let fault = Fault::of(&event).expect("a fault");
        assert_eq!(Fault::fingerprint_hex(fault.fingerprint), "52219fffa6b291a2");
    }

    #[test]
    fn the_chain_names_every_cause_outermost_first() {
        let error = Asking(7, io::Error::other("no answer"));
        assert_eq!(chain(&error), "asking for room 7: no answer");
    }

    #[test]
    fn the_kind_of_a_root_cause_is_its_name_and_never_its_text() {
        let parse = "x1".parse::<u32>().expect_err("no number");
        assert_eq!(root_kind(&parse), "ParseIntError");
        let text: Box<dyn Error> = "something 17 went wrong".into();
        assert_eq!(root_kind(text.as_ref()), "");
    }

    #[test]
    fn a_long_cause_is_clipped_between_characters() {
        let clipped = clip(Cow::Owned("é".repeat(2000)));
        assert!(clipped.len() <= MAX_CAUSE + '…'.len_utf8());
        assert!(clipped.ends_with('…'));
    }
}
