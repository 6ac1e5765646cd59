//! Whose turn it is to be read, while an arbiter has more to do than it has time for. The rules alone: no clock, no task.

use std::{collections::VecDeque, time::Duration};

/// A round that took less has time for more sessions.
const QUICK: Duration = Duration::from_millis(5);
/// A round that took more was too long for whoever waits behind it.
const LONG: Duration = Duration::from_millis(15);
/// Sessions that are read in a round before it is known how long one takes.
const FIRST: usize = 16;
/// Sessions that are read in a round, at most: what they have sent may be much, and is only then known.
const MOST: usize = 128;
/// Of those that are fresh, so many are read in any round: mostly there is little to read.
const FRESH: usize = 4;
/// One in so many of a round's turns is for those that have a backlog, whoever else waits.
const BACKLOG_PART: usize = 4;

/// A session's part in it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has not asked, or has read.
    #[default]
    None,
    /// It waits.
    Waiting,
    /// It may read once.
    Granted,
}

/// How a session waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// When it was last read, nothing was left: people who join and make calls, and most others.
    Fresh,
    /// It was read, and more was there. Who sends as fast as it can is among these.
    Backlogged,
}

/// Those that wait. Each class is served in the order in which they came, so that nobody waits for ever.
#[derive(Debug)]
pub(super) struct Turns<S> {
    fresh: VecDeque<S>,
    backlogged: VecDeque<S>,
    /// How many are read in the next round.
    batch: usize,
}

impl<S> Turns<S> {
    pub(super) const fn new() -> Self {
        Self { fresh: VecDeque::new(), backlogged: VecDeque::new(), batch: FIRST }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.backlogged.is_empty()
    }

    /// This one waits from now on. It must not wait already.
    pub(super) fn wait(&mut self, session: S, class: Class) {
        match class {
            Class::Fresh => self.fresh.push_back(session),
            Class::Backlogged => self.backlogged.push_back(session),
        }
    }

    /// Those that are read next, after a round that took so long.
    pub(super) fn next_round(&mut self, took: Duration) -> Vec<S> {
        if took < QUICK {
            self.batch = (2 * self.batch).min(MOST);
        } else if took > LONG {
            let fits = u128::try_from(self.batch).unwrap_or(u128::MAX) * LONG.as_nanos() / took.as_nanos();
            self.batch = usize::try_from(fits).unwrap_or(MOST).max(1);
        } else if self.batch < FIRST {
            // One stall, of whatever cause, must not leave the rounds small.
            self.batch += 1;
        }
        let part = self.batch.div_ceil(BACKLOG_PART).min(self.backlogged.len());
        let fresh = (self.batch - part).max(FRESH).min(self.fresh.len());
        let backlogged = self.batch.saturating_sub(fresh).max(part).min(self.backlogged.len());
        self.fresh.drain(..fresh).chain(self.backlogged.drain(..backlogged)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const FAIR: Duration = Duration::from_millis(10);

    #[test]
    fn a_round_is_as_large_as_there_is_time_for() {
        let mut turns = Turns::new();
        (0..2000).for_each(|n| turns.wait(n, Class::Backlogged));
        let mut size = |took| turns.next_round(took).len();
        assert_eq!([size(FAIR), size(QUICK), size(Duration::ZERO), size(LONG)], [16, 16, 32, 32]);
        assert_eq!([size(2 * LONG), size(4 * LONG), size(100 * LONG), size(LONG)], [16, 4, 1, 2]);
        assert_eq!((0..20).map(|_| size(FAIR)).collect::<Vec<_>>()[11..], [14, 15, 16, 16, 16, 16, 16, 16, 16]);
        assert_eq!((0..10).map(|_| size(Duration::ZERO)).last(), Some(MOST));
    }

    #[test]
    fn who_is_fresh_is_read_in_the_next_round_whatever_backlog_there_is() {
        let mut turns = Turns::new();
        (0..5000).for_each(|n| turns.wait(n, Class::Backlogged));
        for round in 0..50 {
            let name = 10_000 + round;
            turns.wait(name, Class::Fresh);
            assert!(turns.next_round(2 * LONG).contains(&name));
        }
    }

    proptest! {
        #[test]
        fn everybody_is_read_once_in_the_order_of_their_class_and_nobody_waits_for_ever(
            steps in prop::collection::vec((0..20_usize, any::<bool>(), 0..30_u64), 1..60),
        ) {
            let mut turns = Turns::new();
            let (mut waiting, mut next) = ([VecDeque::new(), VecDeque::new()], 0);
            for (come, backlogged, took) in steps {
                let class = if backlogged { Class::Backlogged } else { Class::Fresh };
                for _ in 0..come {
                    turns.wait((next, class), class);
                    waiting[usize::from(backlogged)].push_back(next);
                    next += 1;
                }
                let before = [waiting[0].len(), waiting[1].len()];
                for (name, class) in turns.next_round(Duration::from_millis(took)) {
                    let first = waiting[usize::from(class == Class::Backlogged)].pop_front();
                    prop_assert_eq!(first, Some(name));
                }
                for (before, after) in before.into_iter().zip(&waiting) {
                    prop_assert!(before == 0 || after.len() < before, "one of each class at least");
                }
                prop_assert_eq!(turns.is_empty(), waiting.iter().all(VecDeque::is_empty));
            }
        }
    }
}
