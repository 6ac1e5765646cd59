//! What the operator's routes reach.

use std::time::Duration;

use super::scrapes::Scrapes;
use crate::{config::Settings, lifecycle::Lifecycle, metrics::Exposition};

/// What the operator's routes need. Cloning is cheap and done once per arbiter.
#[derive(Clone)]
pub struct Ops {
    /// `/metrics` and `/errors`.
    pub metrics: Exposition,
    /// The phase.
    pub lifecycle: Lifecycle,
    /// Who scrapes.
    pub scrapes: Scrapes,
    /// `/admin/drain`.
    pub drain: DrainTimes,
}

/// How the server goes when it is told to.
#[derive(Debug, Clone, Copy)]
pub struct DrainTimes {
    /// From the call to the end, at most.
    pub deadline: Duration,
    /// The clients' departures are spread over this.
    pub spread: Duration,
}

impl From<&Settings> for DrainTimes {
    fn from(settings: &Settings) -> Self {
        let server = &settings.server;
        Self { deadline: server.drain_deadline_ms.get(), spread: server.drain_ms.get() }
    }
}
