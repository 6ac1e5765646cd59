//! `[health]`: the periodic checks.

use std::time::Duration;

use super::{kind::Kind, section::section};

section! {
    /// The checks behind `/health` and `/readyz`.
    Health = "health" {
        /// Time between two runs of the checks; answers show the last one's result with its time, and how many are here as of now.
        /// 5 s notice trouble before a probe every 10 s does, at no cost worth naming.
        interval_ms: u64 = 5000, Kind::milliseconds(100).usual(500, 120_000);
    }
}

impl Health {
    /// [`Self::interval_ms`].
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }
}
