//! What a shutdown concerns, and how long its parts may take.

use std::time::Duration;

use actix::Addr;
use actix_rt::ArbiterHandle;

use crate::{config::Settings, lifecycle::Lifecycle, liveness::Liveness, store::StateDir, supervisor::Supervisor};

/// By then a process that has handed its sessions over has ended: nobody is served until the next one has begun.
const HANDOVER_ENDS: Duration = Duration::from_millis(1_800);

/// How long the parts of a shutdown may take.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The clients' departures are spread over this.
    pub drain: Duration,
    /// By then the process ends, whoever is left.
    pub deadline: Duration,
    /// A scrape is waited for if the last one is no longer ago than this.
    pub scrape: Duration,
    /// Whether the sessions that can be resumed go on in the next process.
    pub hands_over: bool,
    /// For how long sessions wait for their clients there.
    pub window: Duration,
    /// Bytes that may be left for it.
    pub max_bytes: u64,
}

impl Plan {
    /// What remains to be done after a handover: the next process waits to start, and tells Prometheus of this end.
    #[must_use]
    pub fn after_handover(self) -> Self {
        Self { deadline: HANDOVER_ENDS, scrape: Duration::ZERO, ..self }
    }
}

impl From<&Settings> for Plan {
    fn from(settings: &Settings) -> Self {
        Self {
            drain: settings.server.drain_ms.get(),
            deadline: settings.server.drain_deadline_ms.get(),
            scrape: settings.ops.scrape_wait_ms.get(),
            hands_over: settings.server.handover,
            window: settings.limits.resume_window_ms.get(),
            max_bytes: settings.state.max_bytes as u64,
        }
    }
}

/// All that a drain concerns.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    /// The phase and the count.
    pub lifecycle: &'a Lifecycle,
    /// Which threads do not answer, and are not waited for.
    pub liveness: &'a Liveness,
    /// The one that knows every seat.
    pub supervisor: &'a Addr<Supervisor>,
    /// The workers.
    pub arbiters: &'a [ArbiterHandle],
    /// How long all of it may take.
    pub plan: Plan,
    /// Where something can be left for the next process, if there is such a place.
    pub store: Option<&'a StateDir>,
}
