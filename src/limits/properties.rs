//! The bucket against a naive one that is refilled step by step, and against what a rate means.

use std::time::{Duration, Instant};

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};

use super::{Bucket, Rate};

/// A bucket as one would explain it: a level that rises with time and sinks by a token's price.
struct Naive {
    level: u128,
    capacity: u128,
    price: u128,
    at: u128,
}

impl Naive {
    fn take(&mut self, now: u128) -> Result<(), u128> {
        self.level = self.capacity.min(self.level + (now - self.at));
        self.at = now;
        if self.level < self.price {
            return Err(self.price - self.level);
        }
        self.level -= self.price;
        Ok(())
    }
}

/// Pauses between takes in nanoseconds: none, a few, about a token's time, far more than the whole burst's.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    let pause =
        prop::sample::select(vec![0, 0, 0, 1, 999, 1_000_000, 19_999_999, 20_000_000, 20_000_001, 9_000_000_000]);
    prop::collection::vec(pause, 1..400)
}

proptest! {
    #[test]
    fn it_is_the_naive_bucket(tokens in 1_u32..2000, burst in 1_u32..300, pauses in pauses()) {
        let rate = Rate::per_second(tokens, burst);
        let price = u128::from(1_000_000_000 / u64::from(tokens));
        let capacity = price * u128::from(burst);
        let mut naive = Naive { level: capacity, capacity, price, at: 0 };
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut now = Duration::ZERO;
        for pause in pauses {
            now += Duration::from_nanos(pause);
            let expected = naive.take(now.as_nanos());
            let wait = bucket.wait(rate, start + now);
            prop_assert_eq!(bucket.take(rate, start + now).map_err(|wait| wait.as_nanos()), expected);
            prop_assert_eq!(wait.as_nanos(), expected.err().unwrap_or(0));
            prop_assert_eq!(bucket.is_full(start + now), naive.level == naive.capacity);
        }
    }

    #[test]
    fn no_window_of_time_lets_more_through_than_burst_and_rate(
        tokens in 1_u32..500, burst in 1_u32..40, pauses in pauses(),
    ) {
        let rate = Rate::per_second(tokens, burst);
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut now = start;
        let mut taken = Vec::new();
        for pause in pauses {
            now += Duration::from_nanos(pause);
            if bucket.take(rate, now).is_ok() {
                taken.push(now);
            }
        }
        let interval = Duration::from_secs(1) / tokens;
        for (from, first) in taken.iter().enumerate() {
            for (to, last) in taken.iter().enumerate().skip(from) {
                let most = u128::from(burst) + (*last - *first).as_nanos() / interval.as_nanos();
                prop_assert!((to - from + 1) as u128 <= most);
            }
        }
    }

    #[test]
    fn who_waits_as_long_as_it_is_told_gets_a_token(tokens in 1_u32..2000, burst in 1_u32..50) {
        let rate = Rate::per_second(tokens, burst);
        let mut now = Instant::now();
        let mut bucket = Bucket::full(now);
        for _ in 0..100 {
            if let Err(wait) = bucket.take(rate, now) {
                let almost = wait.saturating_sub(Duration::from_nanos(1));
                prop_assert!(bucket.take(rate, now + almost).is_err());
                now += wait;
                prop_assert_eq!(bucket.take(rate, now), Ok(()));
            }
        }
    }
}
