//! The sessions of one arbiter: the only list of them, in the order in which a sweep must look at them, and how many of
//! them stand how.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use super::wheel::{Position, Positioned, Wheel};

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Connected, in no room.
    Connected,
    /// Connected and in a room.
    Joined,
    /// Without a socket.
    Parked,
}

/// What the registry remembers at each of its sessions. Changed by it alone.
pub(super) struct Entry {
    position: Cell<Position>,
    /// As what it is counted, while it is.
    counted: Cell<Option<Standing>>,
}

impl Default for Entry {
    fn default() -> Self {
        Self { position: Cell::new(Position::OUTSIDE), counted: Cell::new(None) }
    }
}

/// What a registry lists.
pub(super) trait Listed {
    fn entry(&self) -> &Entry;

    /// How it stands now.
    fn standing(&self) -> Standing;
}

impl<T: Listed> Positioned for T {
    fn position(&self) -> &Cell<Position> {
        &self.entry().position
    }
}

/// See the module.
pub(super) struct Registry<T> {
    wheel: RefCell<Wheel<T>>,
    /// By [`Standing`].
    counts: Cell<[usize; 3]>,
}

impl<T: Listed> Registry<T> {
    /// An empty one.
    pub(super) fn new(now: Instant) -> Self {
        Self { wheel: RefCell::new(Wheel::new(now)), counts: Cell::new([0; 3]) }
    }

    /// Adds a session; the next sweep looks at it.
    pub(super) fn insert(&self, item: &Rc<T>) {
        self.wheel.borrow_mut().insert(Rc::clone(item));
        self.count(item, Some(item.standing()));
    }

    /// Removes a session. Nothing more happens if it is not there.
    pub(super) fn remove(&self, item: &T) {
        self.count(item, None);
        let removed = self.wheel.borrow_mut().remove(item);
        // Dropped outside the borrow: a session's last owner may close a socket.
        drop(removed);
    }

    /// Has the next sweep look at the session.
    #[inline]
    pub(super) fn hurry(&self, item: &T) {
        self.wheel.borrow_mut().hurry(item);
    }

    /// The session may stand otherwise than before.
    pub(super) fn recount(&self, item: &T) {
        if item.entry().counted.get().is_some() {
            self.count(item, Some(item.standing()));
        }
    }

    /// Takes the sessions that are due, and some that are not. Each must be put back.
    pub(super) fn take_due(&self, now: Instant) -> Vec<Rc<T>> {
        self.wheel.borrow_mut().take_due(now)
    }

    /// Puts back what a sweep took, for the sweep that follows `due`.
    pub(super) fn put_back(&self, item: Rc<T>, due: Option<Instant>) {
        self.wheel.borrow_mut().put_back(item, due);
    }

    /// All sessions, in no order.
    pub(super) fn all(&self) -> Vec<Rc<T>> {
        self.wheel.borrow().iter().cloned().collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.wheel.borrow().len()
    }

    /// How many stand how, by [`Standing`]: as they were counted when that changed.
    pub(super) fn counts(&self) -> [usize; 3] {
        self.counts.get()
    }

    /// The same, counted anew.
    pub(super) fn counted_anew(&self) -> [usize; 3] {
        self.wheel.borrow().iter().fold([0; 3], |mut counts, item| {
            counts[item.standing() as usize] += 1;
            counts
        })
    }

    /// Counts the session where it stands now, and no longer where it stood.
    fn count(&self, item: &T, now: Option<Standing>) {
        let before = item.entry().counted.replace(now);
        let mut counts = self.counts.get();
        if let Some(before) = before {
            counts[before as usize] -= 1;
        }
        if let Some(now) = now {
            counts[now as usize] += 1;
        }
        self.counts.set(counts);
    }
}
