//! What connections may send in bytes. They are counted when they have been read, since nobody knows before how many come:
//! a bucket may be overdrawn by one read, and then nothing more is read until that has been made up for.

use std::time::Duration;

const NANOS: u64 = 1_000_000_000;

/// How fast bytes may come, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRate {
    per_second: u64,
    /// The time in which as many come as may come at once.
    span: Duration,
}

impl ByteRate {
    /// Both are above 0; a 0 counts as 1.
    #[must_use]
    pub fn new(per_second: usize, burst: usize) -> Self {
        let per_second = per_second.max(1) as u64;
        Self { per_second, span: time_of(burst.max(1) as u64, per_second) }
    }

    /// `n` times as fast, and `n` times as much at once.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        Self { per_second: self.per_second.saturating_mul(n.into()), ..self }
    }

    /// The time in which so many bytes may come.
    #[must_use]
    #[inline]
    pub fn cost(self, bytes: u32) -> Duration {
        Duration::from_nanos(u64::from(bytes) * NANOS / self.per_second)
    }

    /// The time in which as many come as may come at once.
    #[must_use]
    pub fn span(self) -> Duration {
        self.span
    }
}

fn time_of(bytes: u64, per_second: u64) -> Duration {
    let nanos = u128::from(bytes) * u128::from(NANOS) / u128::from(per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::limits::Bucket;

    #[test]
    fn a_read_may_overdraw_it_and_then_it_waits_for_what_is_missing() {
        let (rate, now) = (ByteRate::new(1000, 3000), Instant::now());
        let mut bucket = Bucket::full(now);
        let mut read = |bytes, ms| {
            let now = now + Duration::from_millis(ms);
            bucket.charge(rate.cost(bytes), now);
            bucket.overdrawn(rate.span(), now).as_millis()
        };
        assert_eq!([read(3000, 0), read(500, 0), read(0, 499), read(0, 500)], [0, 500, 1, 0]);
        assert_eq!([read(1, 500), read(3000, 60_000), read(1, 60_000)], [1, 0, 1]);
        assert_eq!(rate.times(4).span(), rate.span());
        assert_eq!(rate.times(4).cost(4000), rate.cost(1000));
    }
}
