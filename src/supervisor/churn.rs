//! How many peers came and went in the last minute.

use std::time::Instant;

/// One slot per second of the minute that is kept.
const SLOTS: usize = 60;
/// The same, in seconds.
const KEPT: u64 = SLOTS as u64;

/// Joins and leaves of the last 60 s: the second that runs and the 59 before it. A ring with its sums, so that counting and asking
/// cost the same whether one peer comes or ten thousand.
#[derive(Debug)]
pub(super) struct Churn {
    began: Instant,
    /// The second that was counted in last: its slot and the 59 before it are the sums.
    latest: u64,
    slots: [Count; SLOTS],
    sums: Count,
}

/// What happened, in one second or in all that are kept.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    joins: u64,
    leaves: u64,
}

impl Churn {
    /// Counts from `now` on; nothing may be counted at an earlier time.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, latest: 0, slots: [Count::default(); SLOTS], sums: Count::default() }
    }

    /// A peer came.
    pub(super) fn joined(&mut self, now: Instant) {
        self.slot(now).joins += 1;
        self.sums.joins += 1;
    }

    /// A peer went.
    pub(super) fn left(&mut self, now: Instant) {
        self.slot(now).leaves += 1;
        self.sums.leaves += 1;
    }

    /// Joins and leaves within the last 60 s.
    pub(super) fn per_minute(&self, now: Instant) -> (u64, u64) {
        let Count { joins, leaves } =
            self.ended(self.second(now)).map(|slot| self.slots[slot]).fold(self.sums, Count::without);
        (joins, leaves)
    }

    /// The slot of that time, once those that are over are empty.
    fn slot(&mut self, now: Instant) -> &mut Count {
        let second = self.second(now).max(self.latest);
        for slot in self.ended(second) {
            self.sums = self.sums.without(std::mem::take(&mut self.slots[slot]));
        }
        self.latest = second;
        &mut self.slots[slot_of(second)]
    }

    /// The slots that are over a minute old in that second, and still in the sums.
    fn ended(&self, second: u64) -> impl Iterator<Item = usize> + use<> {
        (self.latest + 1..=second).take(SLOTS).map(slot_of)
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs()
    }
}

impl Count {
    fn without(self, less: Self) -> Self {
        Self { joins: self.joins - less.joins, leaves: self.leaves - less.leaves }
    }
}

fn slot_of(second: u64) -> usize {
    (second % KEPT) as usize
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn what_is_counted_is_what_a_list_of_all_says(
            steps in prop::collection::vec((any::<bool>(), prop::sample::select(&[0_u64, 300, 5000, 40_000, 59_900, 200_000])), 1..60),
        ) {
            let start = Instant::now();
            let (mut churn, mut now) = (Churn::new(start), start);
            let mut all: Vec<(bool, u64)> = Vec::new();
            for (comes, pause) in steps {
                now += Duration::from_millis(pause);
                let second = (now - start).as_secs();
                let of_last_minute = |all: &[(bool, u64)], comes| {
                    all.iter().filter(|(one, at)| *one == comes && at + KEPT > second).count() as u64
                };
                prop_assert_eq!(churn.per_minute(now), (of_last_minute(&all, true), of_last_minute(&all, false)));
                if comes { churn.joined(now) } else { churn.left(now) }
                all.push((comes, second));
                prop_assert_eq!(churn.per_minute(now), (of_last_minute(&all, true), of_last_minute(&all, false)));
            }
        }
    }
}
