//! A duration as a key takes it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A duration that is configured, or told to clients, as a whole number of milliseconds, and used as a [`Duration`]: only
/// here one becomes the other, so that no number is ever taken for seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Milliseconds(pub u64);

impl Milliseconds {
    /// As the code uses it.
    #[must_use]
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Those that are over within that time.
    #[must_use]
    pub fn rounded_down(time: Duration) -> Self {
        Self(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// At least that time: who comes after so many is not too early.
    #[must_use]
    pub fn rounded_up(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_becomes_whole_milliseconds_as_the_name_says() {
        for (nanos, down, up) in [(0, 0, 0), (1, 0, 1), (999_999, 0, 1), (1_000_000, 1, 1), (1_000_001, 1, 2)] {
            let time = Duration::from_nanos(nanos);
            let rounded = (Milliseconds::rounded_down(time), Milliseconds::rounded_up(time));
            assert_eq!(rounded, (Milliseconds(down), Milliseconds(up)), "{nanos} ns");
        }
        assert_eq!(Milliseconds::rounded_down(Duration::MAX), Milliseconds(u64::MAX));
        assert_eq!(Milliseconds::rounded_up(Duration::MAX), Milliseconds(u64::MAX));
    }
}
