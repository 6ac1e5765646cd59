//! What the metrics actor knows. No actix, no clock.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{
    journal::{self, ErrorJournal},
    peak::Peak,
    report::ErrorReport,
};
use crate::{
    machine::Machine,
    telemetry::{ArbiterReport, Tally},
};

/// Which program this is.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// Cargo's version.
    pub version: &'static str,
    /// The commit; `SWITCHBOARD_REVISION` at build time, or `unknown`.
    pub revision: &'static str,
    /// The compiler; `SWITCHBOARD_RUSTC` at build time, or `unknown`.
    pub rustc: &'static str,
}

impl BuildInfo {
    /// This build's.
    #[must_use]
    pub const fn current() -> Self {
        Self { version: env!("CARGO_PKG_VERSION"), revision: REVISION, rustc: RUSTC }
    }
}

const REVISION: &str = match option_env!("SWITCHBOARD_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
const RUSTC: &str = match option_env!("SWITCHBOARD_RUSTC") {
    Some(rustc) => rustc,
    None => "unknown",
};

/// What is known at the start and does not change.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Which program.
    pub build: BuildInfo,
    /// This server's name among others; empty: it has none.
    pub node: String,
    /// When it started.
    pub started: SystemTime,
    /// Every configured limit by name, for `switchboard_limit{name}`.
    pub limits: Vec<(String, f64)>,
    /// How long the previous run's shutdown took, if it left word.
    pub last_shutdown: Option<Duration>,
    /// What this process may use.
    pub machine: Machine,
}

/// One arbiter, as it last reported.
#[derive(Debug)]
pub(super) struct Arbiter {
    pub(super) latest: ArbiterReport,
    pub(super) reported_at: Instant,
    pub(super) delay: Peak,
}

/// Everything there is to expose.
#[derive(Debug)]
pub struct MetricsState {
    pub(super) facts: Facts,
    pub(super) totals: Tally,
    pub(super) arbiters: BTreeMap<usize, Arbiter>,
    pub(super) records_merged: u64,
    pub(super) journal: ErrorJournal,
    /// How long the previous scrape took.
    pub(super) scrape_took: Duration,
    /// The time for which this state is being shown.
    pub(super) now: Instant,
}

/// The totals. Held for as long as one report is merged, or all are rendered.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<MetricsState>>);

impl Shared {
    pub(super) fn new(state: MetricsState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, MetricsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetricsState {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(facts: Facts, now: Instant) -> Self {
        Self {
            facts,
            totals: Tally::new(),
            arbiters: BTreeMap::new(),
            records_merged: 0,
            journal: ErrorJournal::new(now),
            scrape_took: Duration::ZERO,
            now,
        }
    }

    /// Takes a thread's counts in.
    pub fn merge(&mut self, mut tally: Tally, now: Instant) {
        self.records_merged += 1;
        if let Some(report) = tally.arbiter {
            self.take_report(report, now);
        }
        self.journal.count(journal::by_severity(&tally), now);
        for sample in tally.error_samples.take() {
            self.journal.sample(sample);
        }
        self.totals.merge(tally);
    }

    /// What the journal has to tell.
    pub(super) fn errors(&self, now: Instant, time: SystemTime) -> ErrorReport {
        self.journal.report(journal::by_severity(&self.totals), now, time)
    }

    fn take_report(&mut self, report: ArbiterReport, now: Instant) {
        let arbiter = self.arbiters.entry(report.arbiter).or_insert_with(|| Arbiter {
            latest: report,
            reported_at: now,
            delay: Peak::default(),
        });
        arbiter.latest = report;
        arbiter.reported_at = now;
        arbiter.delay.observe(report.tick_delay, now);
    }
}
