//! `[health]`: the periodic checks.

use super::{kind::Kind, milliseconds::Milliseconds, section::section};

section! {
    /// The checks behind `/health` and `/readyz`.
    Health = "health" {
        /// Time between two runs of the checks; answers show the last one's result with its time, and how many are here as of now.
        /// 5 s notice trouble before a probe every 10 s does, at no cost worth naming.
        interval_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(100).usual(500, 120_000);
    }
}
