//! Whose turn it is to be read, while an arbiter has more to do than it has time for. The rules alone: no clock, no task.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    time::Duration,
};

/// What the thread is to work for one round: a frame on its way waits for three or four of them, and all that is beside the
/// reading costs some 50 µs for each.
const ROUND: Duration = Duration::from_millis(4);
/// Sessions that are read in a round before it is known what one costs; and after it, where that was little.
const FIRST: usize = 16;
/// Sessions that are read in a round, at most: what they have sent may be much, and is only then known.
const MOST: usize = 128;
/// Of those that are fresh, so many are read in any round: mostly there is little to read, so that it is not their doing if
/// rounds are long, and fewer of them would only wait for longer.
const FRESH: usize = 8;
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

/// Those of one class that wait. Their addresses have turns, and the sessions of each are served in the order in which they
/// came: so nobody waits for ever, and however many of one address wait, somebody of another waits for one of them.
#[derive(Debug)]
struct Queue<A, S> {
    /// The addresses of those that wait, each once.
    order: VecDeque<A>,
    /// An entry for each of those.
    of_address: HashMap<A, VecDeque<S>>,
    len: usize,
}

impl<A: Copy + Eq + Hash, S> Queue<A, S> {
    fn new() -> Self {
        Self { order: VecDeque::new(), of_address: HashMap::new(), len: 0 }
    }

    fn push(&mut self, session: S, from: A) {
        let sessions = self.of_address.entry(from).or_default();
        if sessions.is_empty() {
            self.order.push_back(from);
        }
        sessions.push_back(session);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<S> {
        let from = self.order.pop_front()?;
        let Entry::Occupied(mut sessions) = self.of_address.entry(from) else { return None };
        let session = sessions.get_mut().pop_front();
        if sessions.get().is_empty() {
            sessions.remove();
        } else {
            self.order.push_back(from);
        }
        self.len -= 1;
        session
    }
}

/// Those that wait, by where they are. Bounded as the sessions are: each waits once.
#[derive(Debug)]
pub(super) struct Turns<A, S> {
    fresh: Queue<A, S>,
    backlogged: Queue<A, S>,
    /// How many are read in the next round.
    batch: usize,
    /// How many were read in the last one: often fewer wait than there is time for, and what these cost says nothing of more.
    read: usize,
}

impl<A: Copy + Eq + Hash, S> Turns<A, S> {
    pub(super) fn new() -> Self {
        Self { fresh: Queue::new(), backlogged: Queue::new(), batch: FIRST, read: 0 }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        [&self.fresh, &self.backlogged].iter().all(|queue| queue.len == 0 && queue.of_address.is_empty())
    }

    /// This one of that address waits from now on. It must not wait already.
    pub(super) fn wait(&mut self, session: S, from: A, class: Class) {
        match class {
            Class::Fresh => self.fresh.push(session, from),
            Class::Backlogged => self.backlogged.push(session, from),
        }
    }

    /// Those that are read next, after a round for which the thread has worked so long: itself, since the time in which it had
    /// to wait for others is not got back by reading less.
    pub(super) fn next_round(&mut self, worked: Duration) -> Vec<S> {
        self.batch = match self.read {
            // The first one.
            0 => FIRST,
            read => {
                let fits = read as u128 * ROUND.as_nanos() / worked.as_nanos().max(1);
                usize::try_from(fits).unwrap_or(MOST).clamp(1, (2 * read).max(FIRST)).min(MOST)
            }
        };
        let part = self.batch.div_ceil(BACKLOG_PART).min(self.backlogged.len);
        let fresh = (self.batch - part).max(FRESH).min(self.fresh.len);
        let backlogged = self.batch.saturating_sub(fresh).max(part).min(self.backlogged.len);
        let fresh = std::iter::from_fn(|| self.fresh.pop()).take(fresh);
        let round: Vec<_> = fresh.chain(std::iter::from_fn(|| self.backlogged.pop()).take(backlogged)).collect();
        self.read = round.len();
        round
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// The model of one class: who waits of each address, and how many of others were read since somebody of it was.
    type Addresses = BTreeMap<u8, (VecDeque<u32>, usize)>;

    /// Where most of a test's sessions are.
    const HERE: u8 = 1;

    #[test]
    fn a_round_is_as_large_as_there_is_time_for() {
        let mut turns = Turns::new();
        (0..2000).for_each(|n| turns.wait(n, HERE, Class::Backlogged));
        let mut size = |worked| turns.next_round(worked).len();
        assert_eq!([size(100 * ROUND), size(ROUND), size(ROUND / 2), size(Duration::ZERO)], [16, 16, 32, 64]);
        assert_eq!([size(Duration::ZERO), size(Duration::ZERO)], [MOST, MOST]);
        assert_eq!([size(2 * ROUND), size(16 * ROUND), size(100 * ROUND)], [64, 4, 1]);
        // One stall, of whatever cause, does not leave the rounds small.
        assert_eq!([size(ROUND), size(ROUND / 10), size(ROUND)], [1, 10, 10]);
    }

    /// Two that cost little are no sign that there is time for a hundred.
    #[test]
    fn rounds_in_which_few_wait_do_not_make_the_next_one_large() {
        let mut turns = Turns::new();
        for n in 0..50 {
            turns.wait(2 * n, HERE, Class::Backlogged);
            turns.wait(2 * n + 1, HERE, Class::Fresh);
            assert_eq!(turns.next_round(ROUND / 100).len(), 2);
        }
        (0..2000).for_each(|n| turns.wait(n, HERE, Class::Backlogged));
        assert_eq!(turns.next_round(ROUND / 100).len(), FIRST);
        // And when nobody has waited, it begins anew.
        while !turns.next_round(ROUND / 4).is_empty() {}
        (0..2000).for_each(|n| turns.wait(n, HERE, Class::Backlogged));
        assert_eq!(turns.next_round(ROUND / 100).len(), FIRST);
    }

    /// Neither more nor longer rounds than the flood itself is the reason for: what is read costs the same at all times, in a
    /// model of a thread, and other work comes on top.
    #[test]
    fn a_flood_is_read_as_fast_as_the_thread_can_whatever_a_session_costs() {
        for cost in [20, 100, 500, 1000].map(Duration::from_micros) {
            let mut turns = Turns::new();
            (0..2000).for_each(|n| turns.wait(n, HERE, Class::Backlogged));
            let mut worked = Duration::ZERO;
            let mut rounds = Vec::new();
            for _ in 0..20 {
                let read = turns.next_round(worked);
                worked = cost * u32::try_from(read.len()).expect("few");
                rounds.push(worked);
                for n in read {
                    turns.wait(n, HERE, Class::Backlogged);
                }
            }
            let most = cost * u32::try_from(MOST).expect("few");
            for took in &rounds[5..] {
                assert!(*took <= ROUND && *took >= ROUND.min(most) / 2, "a round of {took:?} at {cost:?} for each");
            }
        }
    }

    #[test]
    fn who_is_fresh_is_read_in_the_next_round_whatever_backlog_there_is() {
        let mut turns = Turns::new();
        (0..5000).for_each(|n| turns.wait(n, HERE, Class::Backlogged));
        for round in 0..50 {
            let name = 10_000 + round;
            turns.wait(name, HERE, Class::Fresh);
            assert!(turns.next_round(20 * ROUND).contains(&name));
        }
    }

    /// The flooders send no more than they may, so that nothing is left when they were read.
    #[test]
    fn who_is_elsewhere_is_read_in_the_next_rounds_however_many_of_other_addresses_are_fresh() {
        for (flooding, rounds) in [(1, 1), (3, 1), (20, 3)] {
            let mut turns = Turns::new();
            (0..2000).for_each(|n| turns.wait(n, n % flooding, Class::Fresh));
            // Rounds have become as small as they can.
            turns.next_round(1000 * ROUND);
            for name in 10_000..10_050 {
                turns.wait(name, flooding, Class::Fresh);
                let waited = (0..rounds).find(|_| turns.next_round(20 * ROUND).contains(&name));
                assert!(waited.is_some(), "{flooding} addresses flood, and it is not read in {rounds} rounds");
                (0..4 * rounds).for_each(|n| turns.wait(n, n % flooding, Class::Fresh));
            }
        }
    }

    proptest! {
        #[test]
        fn addresses_have_turns_and_nobody_waits_for_ever(
            steps in prop::collection::vec((prop::collection::vec((0..6_u8, any::<bool>()), 0..20), 0..30_u64), 1..60),
        ) {
            let mut turns = Turns::new();
            let mut waiting: [Addresses; 2] = Default::default();
            let mut next = 0;
            for (come, took) in steps {
                for (from, backlogged) in come {
                    let class = if backlogged { Class::Backlogged } else { Class::Fresh };
                    turns.wait((next, class, from), from, class);
                    waiting[usize::from(backlogged)].entry(from).or_default().0.push_back(next);
                    next += 1;
                }
                let all = |of: &Addresses| of.values().map(|(names, _)| names.len()).sum::<usize>();
                let before = [all(&waiting[0]), all(&waiting[1])];
                for (name, class, from) in turns.next_round(Duration::from_millis(took)) {
                    let of_class = &mut waiting[usize::from(class == Class::Backlogged)];
                    let (names, passed) = of_class.get_mut(&from).expect("somebody of that address waits");
                    prop_assert_eq!(names.pop_front(), Some(name));
                    *passed = 0;
                    for (other, (names, passed)) in of_class.iter_mut() {
                        *passed += usize::from(*other != from);
                        prop_assert!(names.is_empty() || *passed <= 6, "{other} was passed over {passed} times");
                    }
                    of_class.retain(|_, (names, _)| !names.is_empty());
                }
                for (before, after) in before.into_iter().zip(&waiting) {
                    prop_assert!(before == 0 || all(after) < before, "one of each class at least");
                }
                prop_assert_eq!(turns.is_empty(), waiting.iter().all(BTreeMap::is_empty));
            }
        }
    }
}
