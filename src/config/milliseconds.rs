//! A duration as a key takes it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A duration that is configured as a whole number of milliseconds, and used as a [`Duration`]: only here one becomes the
/// other, so that no number is ever taken for seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Milliseconds(pub u64);

impl Milliseconds {
    /// As the code uses it.
    #[must_use]
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Milliseconds> for Duration {
    fn from(configured: Milliseconds) -> Self {
        configured.get()
    }
}

/// The number, as the key has it.
impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
