//! Errors on their way to the journal: one note per kind of error and flush, however many there were.

use std::time::SystemTime;

use super::{Severity, fault::Fault};
use crate::protocol::ErrorCode;

/// Kinds of errors one thread keeps notes of between two flushes. What is beyond is counted in
/// `switchboard_errors_total` like everything else, and only missing from the journal.
pub const MAX_NOTES: usize = 32;

/// One kind of error since the last flush, with its first case as the example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorNote {
    /// Equal for errors of the same kind: see [`Fault`].
    pub fingerprint: u64,
    /// The code.
    pub code: ErrorCode,
    /// How bad it is.
    pub severity: Severity,
    /// What was attempted.
    pub doing: &'static str,
    /// The example's cause chain or detail.
    pub cause: Option<String>,
    /// When the latest case happened.
    pub at: SystemTime,
    /// How many cases.
    pub count: u64,
    /// Whom the example concerned.
    pub whom: Whom,
}

/// The ids of an error's example, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whom {
    /// Request id.
    pub request: Option<String>,
    /// Session id.
    pub session: Option<String>,
    /// Peer id.
    pub peer: Option<String>,
    /// Room name.
    pub room: Option<String>,
}

/// The notes of one tally.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(Vec<ErrorNote>);

impl Notes {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes one error. `whom` is called only for the first of its kind since the last flush: a client that causes
    /// thousands must not make the server format thousands of ids.
    pub fn add(&mut self, fault: &Fault<'_>, at: SystemTime, whom: impl FnOnce() -> Whom) {
        if let Some(known) = self.find(fault.fingerprint) {
            known.count += 1;
            known.at = at;
        } else if self.0.len() < MAX_NOTES {
            self.0.push(ErrorNote {
                fingerprint: fault.fingerprint,
                code: fault.code,
                severity: fault.severity,
                doing: fault.doing,
                cause: fault.cause.as_deref().map(str::to_owned),
                at,
                count: 1,
                whom: whom(),
            });
        }
    }

    /// Adds newer notes to older ones.
    pub fn merge(&mut self, newer: Self) {
        for note in newer.0 {
            if let Some(known) = self.find(note.fingerprint) {
                *known = ErrorNote { count: known.count + note.count, ..note };
            } else if self.0.len() < MAX_NOTES {
                self.0.push(note);
            }
        }
    }

    fn find(&mut self, fingerprint: u64) -> Option<&mut ErrorNote> {
        self.0.iter_mut().find(|note| note.fingerprint == fingerprint)
    }

    /// The notes, taken out.
    pub fn take(&mut self) -> Vec<ErrorNote> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(fingerprint: u64) -> Fault<'static> {
        Fault {
            code: ErrorCode::InvalidMessage,
            severity: Severity::Low,
            doing: "reading a frame",
            cause: None,
            fingerprint,
        }
    }

    #[test]
    fn a_flood_of_one_kind_is_one_note() {
        let mut notes = Notes::default();
        for _ in 0..1000 {
            notes.add(&fault(1), SystemTime::UNIX_EPOCH, Whom::default);
        }
        let notes = notes.take();
        assert_eq!((notes.len(), notes[0].count), (1, 1000));
    }

    #[test]
    fn the_number_of_kinds_is_bounded_through_add_and_merge() {
        let mut notes = Notes::default();
        let mut more = Notes::default();
        for kind in 0..100 {
            notes.add(&fault(kind), SystemTime::UNIX_EPOCH, Whom::default);
            more.add(&fault(kind + 20), SystemTime::UNIX_EPOCH, Whom::default);
        }
        notes.merge(more);
        let notes = notes.take();
        assert_eq!(notes.len(), MAX_NOTES);
        assert_eq!(notes.iter().map(|n| n.count).max(), Some(2), "the kinds both had are counted together");
    }
}
