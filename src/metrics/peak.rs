//! The greatest of the values of the last minute: what a gauge must show so that a scrape every 15 s misses no peak.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How far back it looks.
const WINDOW: Duration = Duration::from_secs(60);

/// A sliding maximum. Holds only values that could still become the greatest: they fall from front to back.
#[derive(Debug, Default)]
pub(super) struct Peak(VecDeque<(Instant, Duration)>);

impl Peak {
    /// Adds a value. `now` never falls.
    pub(super) fn observe(&mut self, value: Duration, now: Instant) {
        while self.0.back().is_some_and(|(_, smaller)| *smaller <= value) {
            self.0.pop_back();
        }
        self.0.push_back((now, value));
        while self.0.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.0.pop_front();
        }
    }

    /// The greatest value within the minute before `now`.
    pub(super) fn greatest(&self, now: Instant) -> Duration {
        let recent = self.0.iter().find(|(at, _)| now.duration_since(*at) <= WINDOW);
        recent.map_or(Duration::ZERO, |(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_seen_for_a_minute_and_then_the_next_one() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut peak = Peak::default();
        for (at, ms) in [(0, 5), (10, 900), (20, 40), (30, 20)] {
            peak.observe(Duration::from_millis(ms), second(at));
        }
        for (at, ms) in [(30, 900), (70, 900), (71, 40), (85, 20), (91, 0)] {
            assert_eq!(peak.greatest(second(at)), Duration::from_millis(ms), "at {at} s");
        }
    }
}
