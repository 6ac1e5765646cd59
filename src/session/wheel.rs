//! A timing wheel: items in the order of the time at which somebody must look at them, so that a sweep touches only those.
//!
//! Times are rough and may be early, never late: an item lies in the slot that its time falls into, a sweep takes all
//! slots up to the present one, and whoever is taken too early is put back. So a sweep must do no harm to an item that is
//! not due. What lies beyond the wheel's span is looked at when the span is over, and put back.
//!
//! The wheel is the only list of its items: beside the pointer there is nothing that it keeps for one. Each item remembers
//! where it lies, so that it can be moved or removed without a search.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

/// What a slot spans: a fraction of the time between two sweeps, so that few items are taken too early.
const SLOT: Duration = Duration::from_millis(250);
/// Slots: their span, 64 s, is longer than the usual heartbeat interval.
const SLOTS: u64 = 256;

/// Where an item lies. Kept by the item, changed by the wheel alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    slot: u32,
    index: u32,
}

impl Position {
    /// Not in the wheel: not inserted yet, or taken by a sweep that will put it back.
    pub(super) const OUTSIDE: Self = Self { slot: u32::MAX, index: u32::MAX };
}

/// What a wheel may hold.
pub(super) trait Positioned {
    /// Where the item remembers its position. [`Position::OUTSIDE`] at first.
    fn position(&self) -> &Cell<Position>;
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    slots: Vec<Vec<Rc<T>>>,
    /// The slot that the next sweep begins with, counted from `epoch`.
    cursor: u64,
    epoch: Instant,
    len: usize,
}

impl<T: Positioned> Wheel<T> {
    /// An empty one.
    pub(super) fn new(now: Instant) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), cursor: 0, epoch: now, len: 0 }
    }

    /// Items in the wheel, those included that a sweep has taken and not put back yet.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All items in the wheel, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Rc<T>> {
        self.slots.iter().flatten()
    }

    /// Adds an item; the next sweep takes it.
    pub(super) fn insert(&mut self, item: Rc<T>) {
        self.len += 1;
        self.push(self.cursor, item);
    }

    /// Has the next sweep take the item. Nothing if it is outside.
    #[inline]
    pub(super) fn hurry(&mut self, item: &T) {
        let slot = item.position().get().slot;
        if slot != ring(self.cursor) && slot != Position::OUTSIDE.slot {
            self.hurry_far(item);
        }
    }

    #[cold]
    fn hurry_far(&mut self, item: &T) {
        if let Some(item) = self.pull_out(item) {
            self.push(self.cursor, item);
        }
    }

    /// Removes an item. Nothing if it is outside.
    pub(super) fn remove(&mut self, item: &T) -> Option<Rc<T>> {
        let removed = self.pull_out(item)?;
        self.len -= 1;
        Some(removed)
    }

    /// Takes all items that are due, and some that are not. Each must be put back.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Rc<T>> {
        let present = self.slot_of(now).max(self.cursor);
        let mut due = Vec::new();
        for slot in self.cursor..=present.min(self.cursor + SLOTS - 1) {
            // Either way the slot's memory goes with its items.
            let mut items = std::mem::take(&mut self.slots[ring(slot) as usize]);
            if due.is_empty() {
                due = items;
            } else {
                due.append(&mut items);
            }
        }
        self.cursor = present;
        for item in &due {
            item.position().set(Position::OUTSIDE);
        }
        due
    }

    /// Puts back what a sweep took, for the sweep that follows `due`.
    pub(super) fn put_back(&mut self, item: Rc<T>, due: Option<Instant>) {
        let last = self.cursor + SLOTS - 1;
        let slot = due.map_or(last, |due| self.slot_of(due).clamp(self.cursor, last));
        self.push(slot, item);
    }

    /// The slot that a time falls into.
    fn slot_of(&self, time: Instant) -> u64 {
        let slot = time.saturating_duration_since(self.epoch).as_millis() / SLOT.as_millis();
        u64::try_from(slot).unwrap_or(u64::MAX)
    }

    fn push(&mut self, slot: u64, item: Rc<T>) {
        let slot = ring(slot);
        let items = &mut self.slots[slot as usize];
        // More items than 32 bits count have no memory.
        let index = u32::try_from(items.len()).unwrap_or(u32::MAX);
        item.position().set(Position { slot, index });
        items.push(item);
    }

    fn pull_out(&mut self, item: &T) -> Option<Rc<T>> {
        let position = item.position().replace(Position::OUTSIDE);
        let items = self.slots.get_mut(position.slot as usize)?;
        let removed = items.swap_remove(position.index as usize);
        if let Some(moved) = items.get(position.index as usize) {
            moved.position().set(position);
        }
        Some(removed)
    }
}

/// A slot's place in the ring.
fn ring(slot: u64) -> u32 {
    (slot % SLOTS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(u32, Cell<Position>);

    impl Positioned for Item {
        fn position(&self) -> &Cell<Position> {
            &self.1
        }
    }

    fn item(name: u32) -> Rc<Item> {
        Rc::new(Item(name, Cell::new(Position::OUTSIDE)))
    }

    fn names(items: &[Rc<Item>]) -> Vec<u32> {
        let mut names: Vec<u32> = items.iter().map(|i| i.0).collect();
        names.sort_unstable();
        names
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes what is due and puts it back for the given time after `now`.
    fn sweep(wheel: &mut Wheel<Item>, now: Instant, again: Duration) -> Vec<u32> {
        let due = wheel.take_due(now);
        let taken = names(&due);
        for item in due {
            wheel.put_back(item, Some(now + again));
        }
        taken
    }

    #[test]
    fn an_item_is_taken_by_the_first_sweep_after_its_time_and_by_few_before() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        wheel.insert(item(1));
        assert_eq!(sweep(&mut wheel, start + SECOND, SECOND * 30), [1], "new ones are looked at at once");
        let mut looks = 0;
        for second in 2..31 {
            looks += sweep(&mut wheel, start + SECOND * second, SECOND * (31 - second)).len();
        }
        assert_eq!(looks, 0, "of the sweeps before");
        assert_eq!(sweep(&mut wheel, start + SECOND * 31, SECOND * 30), [1]);
    }

    #[test]
    fn a_time_beyond_the_span_is_looked_at_within_it() {
        let start = Instant::now();
        for due in [None, Some(start + SECOND * 3600)] {
            let mut wheel = Wheel::new(start);
            wheel.insert(item(1));
            for item in wheel.take_due(start) {
                wheel.put_back(item, due);
            }
            assert!(wheel.take_due(start + SECOND * 63).is_empty());
            assert_eq!(names(&wheel.take_due(start + SECOND * 64)), [1]);
        }
    }

    #[test]
    fn a_sweep_that_comes_after_more_than_the_span_takes_all_once() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        (0..100).for_each(|name| wheel.insert(item(name)));
        for (n, item) in wheel.take_due(start).into_iter().enumerate() {
            wheel.put_back(item, Some(start + SECOND * u32::try_from(n).unwrap()));
        }
        assert_eq!(names(&wheel.take_due(start + SECOND * 500)), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn who_is_hurried_or_removed_leaves_the_others_in_their_places() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let items: Vec<_> = (0..4).map(item).collect();
        for item in &items {
            wheel.insert(Rc::clone(item));
        }
        sweep(&mut wheel, start, SECOND * 10);
        wheel.hurry(&items[0]);
        wheel.hurry(&items[0]);
        assert_eq!(wheel.remove(&items[1]).map(|i| i.0), Some(1));
        assert!(wheel.remove(&items[1]).is_none(), "it is outside");
        wheel.hurry(&items[1]);
        assert_eq!((wheel.len(), wheel.iter().count()), (3, 3));
        assert_eq!(sweep(&mut wheel, start + SECOND, SECOND * 9), [0]);
        assert_eq!(sweep(&mut wheel, start + SECOND * 10, SECOND), [0, 2, 3]);
    }
}
