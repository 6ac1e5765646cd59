//! A connection that is in no room: how long it may be, and what a refused join does to that. A client may wait for a full
//! room as long as it asks no more often than it was told to. No clock.

use std::time::{Duration, Instant};

use crate::{config::Settings, limits::WaitingPlace, messages::KillSwitch};

/// When a refused join may be tried again, where the refusal itself does not say. Well below the time to join, so that a
/// patient client is never late.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);
/// An attempt is not too early by less than this: timers and clocks are not that exact.
const SLACK: Duration = Duration::from_millis(50);
/// Least time for the next attempt to come when it may: a slow phone, and a sweep that comes once a second.
const ARRIVAL: Duration = Duration::from_secs(1);

/// How long a connection may be in no room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// `limits.join_timeout_ms`: until it asks for one.
    pub(super) join: Duration,
    /// `limits.join_wait_ms`: in all, however often it asks.
    pub(super) wait: Duration,
}

impl From<&Settings> for Times {
    fn from(settings: &Settings) -> Self {
        Self { join: settings.limits.join_timeout_ms.get(), wait: settings.limits.join_wait_ms.get() }
    }
}

/// One connection's time in no room.
#[derive(Debug)]
pub(super) struct Wait {
    since: Instant,
    /// When the next attempt may come, once one was refused.
    next: Option<Instant>,
}

impl Wait {
    pub(super) fn since(now: Instant) -> Self {
        Self { since: now, next: None }
    }

    /// When it ends if the client does nothing.
    pub(super) fn begins(&self, times: Times) -> Instant {
        self.since + times.join.min(times.wait)
    }

    /// Whether an attempt that comes now comes no sooner than it may.
    pub(super) fn is_patient(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now + SLACK >= next)
    }

    /// An attempt was refused, and the client told to try again after `retry`. When the wait ends now, if that has changed.
    pub(super) fn refused(&mut self, patient: bool, retry: Duration, times: Times, now: Instant) -> Option<Instant> {
        self.next = Some(now + retry);
        let more = times.join.max(retry + ARRIVAL.max(times.join / 2));
        patient.then(|| (now + more).min(self.since + times.wait))
    }

    /// Whether the time is up in which it could ask again and again.
    pub(super) fn is_over(&self, times: Times, now: Instant) -> bool {
        now >= self.since + times.wait
    }
}

/// That time, and the connection's place among all that wait.
pub(super) struct InNoRoom {
    pub(super) wait: Wait,
    pub(super) _place: WaitingPlace<KillSwitch>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times { join: Duration::from_secs(10), wait: Duration::from_secs(600) };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_asks_as_told_may_wait_to_the_end_and_no_longer() {
        let start = Instant::now();
        let mut wait = Wait::since(start);
        let mut ends = wait.begins(TIMES);
        let mut now = start + seconds(9);
        while now < start + TIMES.wait {
            assert!(now < ends, "closed after {:?}", now - start);
            assert!(wait.is_patient(now) && !wait.is_over(TIMES, now));
            ends = wait.refused(true, RETRY_AFTER, TIMES, now).expect("the time begins anew");
            now += RETRY_AFTER;
        }
        assert_eq!(ends, start + TIMES.wait);
        assert!(wait.is_over(TIMES, ends));
    }

    #[test]
    fn who_asks_sooner_gains_nothing() {
        let start = Instant::now();
        let mut wait = Wait::since(start);
        assert!(wait.is_patient(start), "the first attempt is never too early");
        assert_eq!(wait.refused(true, RETRY_AFTER, TIMES, start), Some(start + TIMES.join));
        for at in [1, 4, 8] {
            let now = start + seconds(at);
            assert!(!wait.is_patient(now), "after {at} s");
            assert_eq!(wait.refused(false, RETRY_AFTER, TIMES, now), None);
        }
        assert!(wait.is_patient(start + seconds(13)));
    }

    #[test]
    fn who_is_told_to_wait_longer_than_a_join_may_take_has_the_time() {
        let start = Instant::now();
        for (join, retry) in [(10, 20), (1, 5)] {
            let times = Times { join: seconds(join), ..TIMES };
            let ends = Wait::since(start).refused(true, seconds(retry), times, start).expect("the time begins anew");
            assert!(ends >= start + seconds(retry + 1), "{join} s to join, {retry} s to wait: {:?}", ends - start);
        }
    }
}
