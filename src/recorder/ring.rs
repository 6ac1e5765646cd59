//! A bounded ring of facts, which grows as it is told to and then forgets the oldest first. No clock.

use super::fact::{FACT_BYTES, Fact};

/// What a ring begins with: two peers join, and one makes an offer that the other answers.
const FIRST: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Ring {
    facts: Vec<Fact>,
    /// Where the oldest is, once the ring goes round.
    oldest: u32,
    /// How many it may have in all.
    most: u32,
    /// Whether it goes round at what it has: it may not grow for now.
    stays: bool,
    /// Facts that were forgotten.
    lost: u64,
}

impl Ring {
    /// An empty one, which takes no memory yet. `bytes` is what it may take, rounded down to whole facts.
    pub(super) fn new(bytes: usize) -> Self {
        let most = u32::try_from(bytes / FACT_BYTES).unwrap_or(u32::MAX);
        Self { facts: Vec::new(), oldest: 0, most, stays: false, lost: 0 }
    }

    /// Adds a fact. `false`: it was not added, since the ring has first to [grow](Self::grow) or to be told that it may not.
    #[inline]
    pub(super) fn push(&mut self, fact: Fact) -> bool {
        if self.facts.len() < self.facts.capacity() {
            // One that may not grow is full, so that it goes round from its beginning.
            self.facts.push(fact);
            return true;
        }
        if self.facts.len() < self.most as usize && !self.stays {
            return false;
        }
        self.lost += 1;
        if let Some(oldest) = self.facts.get_mut(self.oldest as usize) {
            *oldest = fact;
            self.oldest = if self.oldest as usize + 1 == self.facts.len() { 0 } else { self.oldest + 1 };
        }
        true
    }

    /// By how many bytes it would grow next; 0: it is as large as it may be.
    pub(super) fn growth(&self) -> usize {
        let wanted = (self.facts.capacity() * 2).max(FIRST).min(self.most as usize);
        wanted.saturating_sub(self.facts.capacity()) * FACT_BYTES
    }

    /// Grows by that.
    pub(super) fn grow(&mut self) {
        let more = self.growth() / FACT_BYTES;
        self.facts.rotate_left(self.oldest as usize);
        self.oldest = 0;
        self.facts.reserve_exact(self.facts.capacity() + more - self.facts.len());
        self.stays = false;
    }

    /// There is no memory for more.
    pub(super) fn stay(&mut self) {
        self.stays = true;
    }

    /// There may be some again.
    pub(super) fn may_grow(&mut self) {
        self.stays = false;
    }

    /// Gives its memory back. What it had is lost.
    pub(super) fn clear(&mut self) {
        self.lost += self.facts.len() as u64;
        (self.facts, self.oldest) = (Vec::new(), 0);
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.facts.capacity() * FACT_BYTES
    }

    /// Facts that were forgotten.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// What it has, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Fact> {
        let (newer, older) = self.facts.split_at(self.oldest as usize);
        older.iter().chain(newer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::recorder::fact::{NOBODY, What};

    fn fact(at: u64) -> Fact {
        Fact { at, who: NOBODY, what: What::RoomClosed }
    }

    proptest! {
        /// Whatever memory it gets: it holds the newest facts that fit into it, in order, counts the others, and never takes
        /// more than its bytes.
        #[test]
        fn it_has_the_newest_and_counts_the_others(
            bytes in 0_usize..2000, steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u8..40), 1..400),
        ) {
            let mut ring = Ring::new(bytes);
            let mut model: VecDeque<u64> = VecDeque::new();
            let (mut lost, mut at) = (0, 0);
            for (grows, relaxes, what) in steps {
                if relaxes {
                    ring.may_grow();
                }
                if what == 0 {
                    ring.clear();
                    lost += model.drain(..).count() as u64;
                }
                at += 1;
                if !ring.push(fact(at)) {
                    prop_assert!(ring.growth() > 0, "it asks for memory that it can use");
                    if grows { ring.grow() } else { ring.stay() }
                    prop_assert!(ring.push(fact(at)), "it is told, and goes on");
                }
                model.push_back(at);
                while model.len() * FACT_BYTES > ring.bytes() {
                    model.pop_front();
                    lost += 1;
                }
                prop_assert!(ring.bytes() <= bytes);
                prop_assert_eq!(ring.iter().map(|fact| fact.at).collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(ring.lost(), lost);
            }
        }
    }
}
