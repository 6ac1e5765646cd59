//! A moment in eight bytes, for what there is one of per connection, and for what is asked of each frame.
//!
//! An [`Instant`] takes sixteen bytes, and to add to it or to take two from each other is a dozen instructions, since it counts seconds
//! and nanoseconds apart. A [`Moment`] is one number. It is made from an `Instant` once, where the clock is looked at.

use std::{
    ops::Add,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

/// What is counted from: so long before it was first asked for, since moments before it cannot be told apart.
const BEFORE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Where the clock does not go back that far, as it may not on a machine that was just started, it is the moment that was first asked for.
static BEGIN: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(BEFORE).unwrap_or(now)
});

/// See the module. In nanoseconds, of which 584 years can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Now, by the monotonic clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from(Instant::now())
    }

    /// The same moment for whoever counts as the standard library does.
    #[must_use]
    pub fn instant(self) -> Instant {
        *BEGIN + Duration::from_nanos(self.0)
    }

    /// How long it is after an earlier one; nothing where that is a later one.
    #[must_use]
    #[inline]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds.
    #[must_use]
    #[inline]
    pub fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<Instant> for Moment {
    #[inline]
    fn from(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(*BEGIN);
        Self(nanos(since))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    #[inline]
    fn add(self, more: Duration) -> Self {
        Self(self.0.saturating_add(nanos(more)))
    }
}

#[inline]
fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(NANOS).saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    /// A day before and a day after now.
    fn at(start: Instant, offset: i64) -> Instant {
        let time = Duration::from_nanos(offset.unsigned_abs() % (24 * 3600 * NANOS));
        if offset < 0 { start.checked_sub(time).unwrap_or(start) } else { start + time }
    }

    proptest! {
        #[test]
        fn it_counts_as_an_instant_does(a in any::<i64>(), b in any::<i64>(), more in 0..u64::from(u32::MAX)) {
            let start = Instant::now();
            let (a, b, more) = (at(start, a), at(start, b), Duration::from_nanos(more));
            let (left, right) = (Moment::from(a), Moment::from(b));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert_eq!(left.since(right), a.saturating_duration_since(b));
            prop_assert_eq!(left + more, Moment::from(a + more));
            prop_assert_eq!((left + more).instant(), a + more);
        }
    }

    #[test]
    fn what_is_too_far_away_is_the_last_there_is() {
        let never = Moment::now() + Duration::MAX;
        assert_eq!(never + Duration::from_secs(1), never);
        assert!(never > Moment::now());
    }
}
