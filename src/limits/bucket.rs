//! The token bucket, kept as the one moment at which it will be full again (the generic cell rate algorithm, as ATM
//! calls it): nothing has to refill it, and an unused one is always full.

use std::time::Duration;

use crate::moment::Moment;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time that one token takes to come.
    interval: Duration,
    /// The time that an empty bucket takes to be full.
    span: Duration,
    /// The time that one with a single token takes to be full.
    span_of_rest: Duration,
    /// Tokens that it holds.
    burst: u32,
}

impl Rate {
    /// `tokens` in each `period`, at most `burst` at once. All three are above 0; a 0 counts as 1.
    #[must_use]
    pub fn new(tokens: u32, period: Duration, burst: u32) -> Self {
        Self::of(period / tokens.max(1), burst.max(1))
    }

    fn of(interval: Duration, burst: u32) -> Self {
        let interval = interval.max(Duration::from_nanos(1));
        let span = interval * burst;
        Self { interval, span, span_of_rest: span.saturating_sub(interval), burst }
    }

    /// `n` times as fast, and `n` times as much at once.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        if n <= 1 { self } else { Self::of(self.interval / n, self.burst.saturating_mul(n)) }
    }

    /// `tokens` a second, at most `burst` at once.
    #[must_use]
    pub fn per_second(tokens: u32, burst: u32) -> Self {
        Self::new(tokens, Duration::from_secs(1), burst)
    }

    /// `tokens` a minute, all of them at once if need be.
    #[must_use]
    pub fn per_minute(tokens: u32) -> Self {
        Self::new(tokens, Duration::from_secs(60), tokens)
    }

    /// The time that an empty bucket takes to be full.
    #[must_use]
    pub fn span(self) -> Duration {
        self.span
    }
}

/// One bucket: 8 bytes. Its [`Rate`] is passed in, since a million buckets may share one. Who asks one bucket more than once at the
/// same time has a [`Moment`]; all others an `Instant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    full_at: Moment,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(now: impl Into<Moment>) -> Self {
        Self { full_at: now.into() }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none; the time until there is. Nothing has changed then. A clock that goes back (`now` before an
    /// earlier one, as between threads) gives no tokens.
    #[inline]
    pub fn take(&mut self, rate: Rate, now: impl Into<Moment>) -> Result<(), Duration> {
        let now = now.into();
        let wait = self.wait(rate, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = self.full_at.max(now) + rate.interval;
        Ok(())
    }

    /// The time until there is a token; zero when there is one.
    #[must_use]
    #[inline]
    pub fn wait(&self, rate: Rate, now: impl Into<Moment>) -> Duration {
        let now = now.into();
        // Asked before every read, and nearly always so.
        if self.full_at <= now + rate.span_of_rest {
            return Duration::ZERO;
        }
        let missing = self.full_at.since(now);
        (missing + rate.interval).saturating_sub(rate.span)
    }

    /// Takes what something has cost, as the time in which it comes again, whether it is there or not.
    #[inline]
    pub fn charge(&mut self, cost: Duration, now: impl Into<Moment>) {
        self.full_at = self.full_at.max(now.into()) + cost;
    }

    /// The time until as much as was taken beyond what it holds has come; zero where nothing was. `span`: the time that an
    /// empty one takes to be full.
    #[must_use]
    #[inline]
    pub fn overdrawn(&self, span: Duration, now: impl Into<Moment>) -> Duration {
        let now = now.into();
        // As above.
        if self.full_at <= now + span {
            return Duration::ZERO;
        }
        self.full_at.since(now).saturating_sub(span)
    }

    /// Takes all tokens, and lets none come for that long.
    pub fn hold_back(&mut self, rate: Rate, now: impl Into<Moment>, pause: Duration) {
        self.full_at = self.full_at.max(now.into() + rate.span + pause.saturating_sub(rate.interval));
    }

    /// Whether it is as it was at first: forgetting it changes nothing.
    #[must_use]
    pub fn is_full(&self, now: impl Into<Moment>) -> bool {
        self.full_at <= now.into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::per_second(50, 3);
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, start), Ok(()));
        }
        assert_eq!(bucket.take(rate, start), Err(20 * MS));
        assert_eq!(bucket.take(rate, start + 19 * MS), Err(MS));
        assert_eq!(bucket.take(rate, start + 20 * MS), Ok(()));
        assert_eq!(bucket.take(rate, start + 20 * MS), Err(20 * MS));
        assert!(!bucket.is_full(start + 79 * MS));
        assert!(bucket.is_full(start + 80 * MS));
    }

    #[test]
    fn a_bucket_that_is_held_back_has_no_token_for_that_long_and_then_one() {
        let rate = Rate::per_second(50, 3);
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        bucket.hold_back(rate, start, 250 * MS);
        assert_eq!(bucket.wait(rate, start), 250 * MS);
        assert_eq!(bucket.take(rate, start + 249 * MS), Err(MS));
        bucket.hold_back(rate, start + 100 * MS, 100 * MS);
        assert_eq!(bucket.take(rate, start + 250 * MS), Ok(()), "it is held back no less than it was, and no more");
        assert_eq!(bucket.take(rate, start + 250 * MS), Err(20 * MS));
    }

    #[test]
    fn an_unused_bucket_holds_no_more_than_its_burst() {
        let rate = Rate::per_minute(2);
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let later = start + Duration::from_secs(86_400);
        assert_eq!([bucket.take(rate, later), bucket.take(rate, later)], [Ok(()), Ok(())]);
        assert_eq!(bucket.take(rate, later), Err(Duration::from_secs(30)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let rate = Rate::per_second(1, 1);
        let before = Instant::now();
        let now = before + 500 * MS;
        let mut bucket = Bucket::full(now);
        assert_eq!(bucket.take(rate, now), Ok(()));
        assert_eq!(bucket.take(rate, before), Err(1500 * MS));
    }
}
