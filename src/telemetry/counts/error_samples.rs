//! Errors on their way to the journal: one note per kind of error and flush, however many there were.

use std::time::SystemTime;

use crate::protocol::{ErrorCode, Severity};

/// Kinds of errors one thread keeps notes of between two flushes. What is beyond is counted in
/// `switchboard_errors_total` like everything else, and only missing from the journal.
pub const MAX_SAMPLES: usize = 32;

/// One kind of error since the last flush, with its first case as the example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorSample {
    /// Equal for errors of the same kind.
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
    /// The request, session, peer and room of the example.
    pub sample_ids: SampleIds,
}

/// The ids of an error's example, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleIds {
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
pub struct ErrorSamples(Vec<ErrorSample>);

impl ErrorSamples {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes one error of a kind. `first` is called only for the first of its kind since the last flush: a client that
    /// causes thousands must not make the server format thousands of context.
    pub fn add(&mut self, fingerprint: u64, at: SystemTime, first: impl FnOnce() -> ErrorSample) {
        if let Some(known) = self.find(fingerprint) {
            known.count += 1;
            known.at = at;
        } else if self.0.len() < MAX_SAMPLES {
            self.0.push(first());
        }
    }

    /// Adds newer notes to older ones.
    pub fn merge(&mut self, newer: Self) {
        for sample in newer.0 {
            if let Some(known) = self.find(sample.fingerprint) {
                *known = ErrorSample { count: known.count + sample.count, ..sample };
            } else if self.0.len() < MAX_SAMPLES {
                self.0.push(sample);
            }
        }
    }

    fn find(&mut self, fingerprint: u64) -> Option<&mut ErrorSample> {
        self.0.iter_mut().find(|sample| sample.fingerprint == fingerprint)
    }

    /// The notes, taken out.
    pub fn take(&mut self) -> Vec<ErrorSample> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(samples: &mut ErrorSamples, fingerprint: u64) {
        let at = SystemTime::UNIX_EPOCH;
        samples.add(fingerprint, at, || ErrorSample {
            fingerprint,
            code: ErrorCode::InvalidMessage,
            severity: Severity::Low,
            doing: "reading a frame",
            cause: None,
            at,
            count: 1,
            sample_ids: SampleIds::default(),
        });
    }

    #[test]
    fn a_flood_of_one_kind_is_one_note() {
        let mut error_samples = ErrorSamples::default();
        for _ in 0..1000 {
            add(&mut error_samples, 1);
        }
        let error_samples = error_samples.take();
        assert_eq!((error_samples.len(), error_samples[0].count), (1, 1000));
    }

    #[test]
    fn the_number_of_kinds_is_bounded_through_add_and_merge() {
        let mut error_samples = ErrorSamples::default();
        let mut more = ErrorSamples::default();
        for kind in 0..100 {
            add(&mut error_samples, kind);
            add(&mut more, kind + 20);
        }
        error_samples.merge(more);
        let error_samples = error_samples.take();
        assert_eq!(error_samples.len(), MAX_SAMPLES);
        assert_eq!(error_samples.iter().map(|n| n.count).max(), Some(2), "the kinds both had are counted together");
    }
}
