//! What stands before the logger, and gathers events that clients may cause any number of.
//!
//! It is no drain of slog's: whether two events are alike is in their types, and a record has no more than their texts.
//!
//! One table for all threads, since a bound per address is to hold however many threads serve it. Its lock is held for a
//! tenth of a microsecond, by an event that is logged, and such a line waits for the queue's lock anyway; what is only
//! counted or relayed never comes here.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use slog::Logger;

use super::{
    record, repeat,
    windows::{GatherRules, Gathered, Windows},
};
use crate::telemetry::{
    counts::tally,
    event::{fault::Fault, table::Event},
};

/// Logs what it does not gather, and now and then a record that tells of what it did.
pub(in crate::telemetry) struct Gather {
    logger: Logger,
    /// `None`: everything is logged.
    rules: Option<GatherRules>,
    windows: Mutex<Windows>,
}

impl Gather {
    pub(in crate::telemetry) fn new(rules: Option<GatherRules>, logger: Logger) -> Self {
        Self { logger, rules, windows: Mutex::default() }
    }

    /// Tells of the windows that are over.
    pub(in crate::telemetry) fn sweep(&self, now: Instant) {
        let Some(rules) = &self.rules else { return };
        let over = self.windows().expire(now, rules);
        self.report(&over);
    }

    /// Tells of all windows, as far as they have come: the process ends.
    pub(in crate::telemetry) fn finish(&self, now: Instant) {
        let Some(rules) = &self.rules else { return };
        let open = mem::take(&mut *self.windows());
        self.report(&open.end(now, rules));
    }

    /// Before the event, windows that are over are told of.
    pub(in crate::telemetry) fn take(&self, event: &Event<'_>, fault: Option<&Fault<'_>>, now: Instant) {
        if let Some(rules) = &self.rules
            && let Some(repeat) = repeat::of(event)
        {
            let mut windows = self.windows();
            let over = windows.expire(now, rules);
            let is_admitted = windows.admit(event, fault, repeat, now, rules);
            drop(windows);
            self.report(&over);
            if !is_admitted {
                tally(|t| t.log_lines_gathered += 1);
                return;
            }
        }
        record::of(event, fault, |record| self.logger.log(record));
    }

    fn report(&self, over: &[Gathered]) {
        for gathered in over {
            gathered.record(|record| self.logger.log(record));
        }
    }

    pub(super) fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
