//! One guard against looks at the clock that come late: the process was stopped, the machine slept, something held the
//! thread. Whoever looks again and again, and would take a silence for an end, asks here first.

use std::time::{Duration, Instant};

/// The guard of one series of looks.
#[derive(Debug, Clone, Copy)]
pub struct LateGuard {
    last: Instant,
    tolerance: Duration,
}

/// How late a look came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// So much after it was due.
    pub behind: Duration,
    /// More than the tolerance: the look says nothing about those who did nothing meanwhile.
    pub is_late: bool,
}

impl LateGuard {
    /// The first look is at `first`; each may come `tolerance` later than planned.
    #[must_use]
    pub fn new(first: Instant, tolerance: Duration) -> Self {
        Self { last: first, tolerance }
    }

    /// A look now, planned for `pause` after the one before.
    pub fn look(&mut self, now: Instant, pause: Duration) -> Lateness {
        let lateness = Lateness::at(now, self.last + pause, self.tolerance);
        self.last = now;
        lateness
    }
}

impl Lateness {
    /// Of a single look, which was due at a moment.
    #[must_use]
    pub fn at(now: Instant, due: Instant, tolerance: Duration) -> Self {
        let behind = now.saturating_duration_since(due);
        Self { behind, is_late: behind > tolerance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_is_held_against_the_one_before_it() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut guard = LateGuard::new(start, second);
        let came = |behind, is_late| Lateness { behind, is_late };
        assert_eq!(guard.look(start + second, second), came(Duration::ZERO, false));
        assert_eq!(guard.look(start + 3 * second, second), came(second, false), "as late as is tolerated");
        assert_eq!(guard.look(start + 6 * second, second), came(2 * second, true));
        assert_eq!(guard.look(start + 6 * second, second), came(Duration::ZERO, false), "early is not late");
    }
}
