//! What the limit for all addresses together has left unanswered, and when that is told.

use std::time::{Duration, Instant};

/// While it goes on it is told this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What is not reported, and not told, yet.
#[derive(Debug, Default)]
pub(super) struct Excess {
    /// Requests since the last report.
    unreported: u64,
    /// Requests since it was told last.
    untold: u64,
    told: Option<Instant>,
}

impl Excess {
    /// One more request was not answered.
    pub(super) fn add(&mut self) {
        self.unreported += 1;
        self.untold += 1;
    }

    /// Whether there were any since the last report; and of how many it is time to tell.
    pub(super) fn report(&mut self, now: Instant) -> (bool, Option<u64>) {
        let was_hit = std::mem::take(&mut self.unreported) > 0;
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY);
        if self.untold == 0 || !is_due {
            return (was_hit, None);
        }
        self.told = Some(now);
        (was_hit, Some(std::mem::take(&mut self.untold)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_reported_each_time_and_told_at_once_and_then_each_minute() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut excess = Excess::default();
        assert_eq!(excess.report(start), (false, None));
        (0..3).for_each(|_| excess.add());
        assert_eq!(excess.report(start), (true, Some(3)));
        assert_eq!(excess.report(start + second), (false, None), "none since then");
        (0..2).for_each(|_| excess.add());
        assert_eq!(excess.report(start + 2 * second), (true, None));
        excess.add();
        assert_eq!(excess.report(start + TELL_EVERY), (true, Some(3)), "all that were not told of");
        assert_eq!(excess.report(start + 9 * TELL_EVERY), (false, None));
    }
}
