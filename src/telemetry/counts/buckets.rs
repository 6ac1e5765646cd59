//! Histograms as they are tallied on a thread: plain counts per bucket.

use std::time::Duration;

/// From 10 µs to 5 s, and the thresholds people alert on (0.5 s, 2 s, 3 s): from a message's read to its place in a queue.
pub(in crate::telemetry) const HANDLING: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.0, 3.0, 5.0,
];
/// From a second to a day: connections, memberships of a room, rooms.
pub(in crate::telemetry) const LIFETIME: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0];
/// From 1 ms to 10 s: requests.
pub(in crate::telemetry) const REQUEST: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From half a millisecond to 2.5 s, with the thresholds that are alerted on (0.1 s, 0.5 s): what Redis takes.
pub(in crate::telemetry) const COMMAND: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// From 10 ms to a minute, with the deadline of 15 s that clients give ICE: what making a connection takes, and a round trip.
pub(in crate::telemetry) const NETWORK: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0, 60.0];
/// From 1 ms to 5 s: how late a tick came.
pub(in crate::telemetry) const DELAY: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What messages' handling took.
pub(in crate::telemetry) type HandlingBuckets = Buckets<{ HANDLING.len() }>;
/// What lifetimes were.
pub(in crate::telemetry) type LifetimeBuckets = Buckets<{ LIFETIME.len() }>;
/// What requests took.
pub type RequestBuckets = Buckets<{ REQUEST.len() }>;
/// What commands to Redis took.
pub type CommandBuckets = Buckets<{ COMMAND.len() }>;
/// What clients found of the network.
pub(in crate::telemetry) type NetworkBuckets = Buckets<{ NETWORK.len() }>;
/// By how much ticks were late.
pub(in crate::telemetry) type DelayBuckets = Buckets<{ DELAY.len() }>;

/// Observed durations, sorted into fixed buckets. Bounds are in seconds and inclusive, as Prometheus' `le` is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Buckets<const N: usize> {
    bounds: &'static [f64; N],
    counts: [u64; N],
    above: u64,
    sum: f64,
}

impl<const N: usize> Buckets<N> {
    /// Empty. `bounds` rise, and there are `N` of them.
    #[must_use]
    pub const fn new(bounds: &'static [f64]) -> Self {
        let Some((bounds, [])) = bounds.split_first_chunk() else { panic!("as many counts as bounds") };
        Self { bounds, counts: [0; N], above: 0, sum: 0.0 }
    }

    /// Counts one duration.
    pub fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.sum += seconds;
        let place = self.bounds.partition_point(|bound| *bound < seconds);
        match self.counts.get_mut(place) {
            Some(count) => *count += 1,
            None => self.above += 1,
        }
    }

    /// Adds what `other` observed. Both have the same bounds, since both are the same field of a tally.
    pub fn merge(&mut self, other: &Self) {
        for (mine, more) in self.counts.iter_mut().zip(other.counts) {
            *mine += more;
        }
        self.above += other.above;
        self.sum += other.sum;
    }

    /// How many were observed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    /// The sum of all observations in seconds.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Upper bounds with cumulative counts, without the last (`+Inf`), which is [`Buckets::count`].
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.bounds.iter().zip(self.counts).scan(0, |so_far, (bound, count)| {
            *so_far += count;
            Some((*bound, *so_far))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BOUNDS: [f64; 2] = [0.5, 2.0];

    fn observed(millis: &[u64]) -> Buckets<2> {
        let mut buckets = Buckets::new(&BOUNDS);
        for ms in millis {
            buckets.observe(Duration::from_millis(*ms));
        }
        buckets
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let buckets = observed(&[500, 501, 2000, 2001]);
        assert_eq!(buckets.cumulative().collect::<Vec<_>>(), [(0.5, 1), (2.0, 3)]);
        assert_eq!(buckets.count(), 4);
    }

    #[test]
    fn merging_is_the_same_as_observing_all_in_one() {
        let mut merged = observed(&[100, 3000]);
        merged.merge(&observed(&[700]));
        let all = observed(&[100, 3000, 700]);
        assert!((merged.sum() - all.sum()).abs() < 1e-9);
        assert_eq!(merged.cumulative().collect::<Vec<_>>(), all.cumulative().collect::<Vec<_>>());
        assert_eq!(merged.count(), all.count());
    }

    #[test]
    fn all_bounds_rise() {
        for bounds in [HANDLING, LIFETIME, REQUEST, NETWORK, DELAY] {
            assert!(bounds.is_sorted() && bounds[0] > 0.0);
        }
    }
}
