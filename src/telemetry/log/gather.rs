//! The drain that gathers lines that clients may cause any number of.
//!
//! One table for all threads, since a bound per address is to hold however many threads serve it. Its lock is held for a
//! tenth of a microsecond, by an event that is logged, and such a line waits for the queue's lock anyway; what is only
//! counted or relayed never comes here.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use slog::{Drain, Never, OwnedKVList, Record};

use super::{
    record::Repeated,
    windows::{GatherRules, Gathered, Windows},
};
use crate::telemetry::counts::tally;

/// Hands on what it does not gather, and now and then a record that tells of what it did.
pub(in crate::telemetry) struct Gather<D> {
    next: D,
    /// `None`: everything is handed on.
    rules: Option<GatherRules>,
    windows: Mutex<Windows>,
}

impl<D: Drain<Ok = (), Err = Never>> Gather<D> {
    pub(in crate::telemetry) fn new(rules: Option<GatherRules>, next: D) -> Self {
        Self { next, rules, windows: Mutex::default() }
    }

    pub(in crate::telemetry) fn next(&self) -> &D {
        &self.next
    }

    /// Tells of the windows that are over.
    pub(in crate::telemetry) fn sweep(&self, now: Instant, values: &OwnedKVList) {
        let Some(rules) = &self.rules else { return };
        let over = self.windows().expire(now, rules);
        self.report(&over, values);
    }

    /// Tells of all windows, as far as they have come: the process ends.
    pub(in crate::telemetry) fn finish(&self, now: Instant, values: &OwnedKVList) {
        let Some(rules) = &self.rules else { return };
        let open = mem::take(&mut *self.windows());
        self.report(&open.end(now, rules), values);
    }

    /// Before the record, `next` hears of windows that are over.
    pub(super) fn take(&self, record: &Record<'_>, values: &OwnedKVList, now: Instant) -> Result<(), Never> {
        if let Some(rules) = &self.rules
            && let Some(repeated) = Repeated::by(record)
        {
            let mut windows = self.windows();
            let over = windows.expire(now, rules);
            let is_admitted = windows.admit(record.level(), &repeated, now, rules);
            drop(windows);
            self.report(&over, values);
            if !is_admitted {
                tally(|t| t.log_lines_gathered += 1);
                return Ok(());
            }
        }
        self.next.log(record, values)
    }

    fn report(&self, over: &[Gathered], values: &OwnedKVList) {
        for gathered in over {
            // It cannot fail.
            let _ = gathered.record(|record| self.next.log(record, values));
        }
    }

    pub(super) fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Drain<Ok = (), Err = Never>> Drain for Gather<D> {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        self.take(record, values, Instant::now())
    }
}
