//! Latencies in a histogram of constant memory (three significant digits).

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longer is as bad: an hour, in nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;

/// A distribution of durations.
#[derive(Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants within the histogram's own")]
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3).expect("constant bounds");
        Self(histogram)
    }
}

impl Latency {
    /// Adds one duration, in nanoseconds.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// How many were recorded.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets everything: the measured time begins after the warm-up.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The usual percentiles; `None` of nothing.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let at = |p: f64| self.0.value_at_quantile(p) as f64 / 1000.0;
        (!self.0.is_empty()).then(|| Quantiles {
            count: self.0.len(),
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64 / 1000.0,
        })
    }
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many durations.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// 95 of 100 are not longer.
    pub p95: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// 999 of 1000 are not longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_distribution_are_right_to_three_digits() {
        let mut latency = Latency::default();
        for micros in 1..=1000u64 {
            latency.record(micros * 1000);
        }
        let q = latency.quantiles().unwrap();
        for (got, wanted) in [(q.p50, 500.0), (q.p95, 950.0), (q.p99, 990.0), (q.p999, 999.0), (q.max, 1000.0)] {
            assert!((got - wanted).abs() / wanted < 0.002, "{got} is not {wanted}");
        }
        assert_eq!(q.count, 1000);
    }

    #[test]
    fn of_nothing_there_are_none_and_the_absurd_saturates() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantiles(), None);
        latency.record(u64::MAX);
        assert_eq!(latency.len(), 1);
        latency.clear();
        assert!(latency.is_empty());
    }
}
