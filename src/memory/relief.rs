//! Who gives memory up: those that hold most, never one that holds little.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Who holds no more than this holds little, whatever an equal share would be.
pub const LITTLE: u64 = 16 << 10;

/// The same of a request head: browsers send one or two KiB, and whole.
pub const LITTLE_HEAD: u64 = 4 << 10;

/// What all sessions hold together. Each arbiter says what its own do; cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Totals(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    bytes: AtomicU64,
    sessions: AtomicU64,
}

/// One arbiter's part of the totals, as it last said.
#[derive(Debug, Default)]
pub struct Contribution {
    totals: Totals,
    bytes: u64,
    sessions: u64,
}

impl Totals {
    /// A part that is nothing yet.
    #[must_use]
    pub fn contribution(&self) -> Contribution {
        Contribution { totals: self.clone(), bytes: 0, sessions: 0 }
    }
}

impl Contribution {
    /// So many sessions hold so many bytes now.
    pub fn set(&mut self, sessions: u64, bytes: u64) {
        let Sums { bytes: all_bytes, sessions: all_sessions } = &*self.totals.0;
        // What is taken away was added before: it wraps around, and back.
        all_bytes.fetch_add(bytes.wrapping_sub(self.bytes), Ordering::AcqRel);
        all_sessions.fetch_add(sessions.wrapping_sub(self.sessions), Ordering::AcqRel);
        (self.bytes, self.sessions) = (bytes, sessions);
    }

    /// What each session would hold if all held the same and `target` together, where `used` is used now, and no less than
    /// `little`. Who holds no more is left alone.
    ///
    /// What is used beside what they are known to hold (mailboxes, what the allocator needs, the kernel's part where it was not
    /// asked for) is used for the same sessions: so they may hold the less themselves.
    #[must_use]
    pub fn equal_share(&self, target: u64, used: u64, little: u64) -> u64 {
        let Sums { bytes, sessions } = &*self.totals.0;
        let held = bytes.load(Ordering::Acquire).max(self.bytes);
        let theirs = if held < used { u128::from(target) * u128::from(held) / u128::from(used) } else { target.into() };
        let share = theirs / u128::from(sessions.load(Ordering::Acquire).max(1));
        u64::try_from(share).unwrap_or(u64::MAX).max(little)
    }

    /// The part of `excess` that this arbiter's sessions have to give up: as much of it as they hold of all.
    #[must_use]
    pub fn part_of(&self, excess: u64) -> u64 {
        let all = self.totals.0.bytes.load(Ordering::Acquire).max(self.bytes).max(1);
        let part = u128::from(excess) * u128::from(self.bytes) / u128::from(all);
        u64::try_from(part).unwrap_or(excess)
    }
}

/// Those that hold more than `share`, the largest first, until they hold `enough` together.
pub fn largest<T>(all: impl IntoIterator<Item = T>, held: impl Fn(&T) -> u64, share: u64, enough: u64) -> Vec<T> {
    let mut chosen: Vec<T> = all.into_iter().filter(|one| held(one) > share).collect();
    chosen.sort_by_cached_key(|one| Reverse(held(one)));
    let mut sum = 0_u64;
    let needed = chosen.iter().take_while(|one| {
        let before = sum;
        sum = sum.saturating_add(held(one));
        before < enough
    });
    let needed = needed.count();
    chosen.truncate(needed);
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    #[test]
    fn the_largest_give_up_first_and_no_more_than_is_needed() {
        let held = [5, 900, 300, 100, 700, 101];
        let chosen = |enough| largest(held, |held| *held, 100, enough);
        assert!(chosen(0).is_empty());
        assert_eq!(chosen(1), [900]);
        assert_eq!(chosen(900), [900]);
        assert_eq!(chosen(901), [900, 700]);
        assert_eq!(chosen(u64::MAX), [900, 700, 300, 101]);
    }

    #[test]
    fn arbiters_share_what_is_to_be_given_up_by_what_they_hold() {
        let totals = Totals::default();
        let (mut one, mut other) = (totals.contribution(), totals.contribution());
        one.set(10, 3 << 20);
        other.set(30, 1 << 20);
        assert_eq!((one.part_of(400), other.part_of(400)), (300, 100));
        assert_eq!(one.equal_share(40 << 20, 4 << 20, LITTLE), 1 << 20);
        assert_eq!(
            one.equal_share(40 << 20, 8 << 20, LITTLE),
            1 << 19,
            "as much again is used, and no session has said that it holds it"
        );
        other.set(0, 0);
        assert_eq!((one.part_of(400), other.part_of(400)), (400, 0));
        assert_eq!(one.equal_share(40 << 20, 3 << 20, LITTLE), 4 << 20);
        assert_eq!(one.equal_share(10 << 10, 3 << 20, LITTLE), LITTLE);
    }

    proptest! {
        /// Whoever holds little or an equal share gives up nothing; nobody gives up while one that holds more does not; and
        /// where all sessions hold more than they should together, there is somebody who gives up.
        #[test]
        fn who_holds_little_is_left_alone(
            held in prop::collection::vec(0_u64..2_000_000, 1..60), target in 0_u64..20_000_000, enough in 1_u64..20_000_000,
        ) {
            let mut mine = Totals::default().contribution();
            let sum: u64 = held.iter().sum();
            mine.set(held.len() as u64, sum);
            let share = mine.equal_share(target, sum, LITTLE);
            let chosen = largest(held.iter().copied().enumerate(), |(_, held)| *held, share, enough);
            assert!(chosen.iter().all(|(_, held)| *held > LITTLE && *held > target / mine.sessions));
            let least = chosen.iter().map(|(_, held)| *held).min().unwrap_or(u64::MAX);
            let spared = held.iter().enumerate().filter(|(at, _)| chosen.iter().all(|(chosen, _)| chosen != at));
            let freed: u64 = chosen.iter().map(|(_, held)| *held).sum();
            assert!(spared.map(|(_, held)| *held).max().unwrap_or(0) <= least);
            assert!(freed < enough.saturating_add(least), "no more than is needed");
            let must = sum > target && sum > LITTLE * held.len() as u64;
            assert!(!must || !chosen.is_empty(), "{sum} are held, {target} are to be");
        }
    }
}
