//! Seats that name this node as their owner, which has no such session: an answer was lost, or a failover brought back what
//! was over. They are given back when they are seen twice in a row, so that nothing can be under way.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::PeerId;

/// What was seen at the last look, by room.
#[derive(Debug)]
pub struct Strays<R> {
    last: BTreeMap<R, BTreeSet<PeerId>>,
}

impl<R> Default for Strays<R> {
    fn default() -> Self {
        Self { last: BTreeMap::new() }
    }
}

impl<R: Ord> Strays<R> {
    /// Forgets what was seen in rooms that nobody looks at any more.
    pub fn retain(&mut self, rooms: impl Fn(&R) -> bool) {
        self.last.retain(|room, _| rooms(room));
    }

    /// These seats of `room` name this node; which to give back.
    pub fn look(
        &mut self,
        room: R,
        owned: impl IntoIterator<Item = PeerId>,
        has: impl Fn(PeerId) -> bool,
    ) -> Vec<PeerId> {
        let now: BTreeSet<_> = owned.into_iter().filter(|peer| !has(*peer)).collect();
        let before = if now.is_empty() { self.last.remove(&room) } else { self.last.insert(room, now.clone()) };
        before.map(|before| now.intersection(&before).copied().collect()).unwrap_or_default()
    }
}
