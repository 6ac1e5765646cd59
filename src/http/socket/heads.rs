//! The request heads that one worker is reading. When memory is nearly used, those that hold most are ended, as WebSocket
//! connections are: a head that is whole within moments is none of them. And all of them together have a share of the budget, which needs
//! nobody's look: a flood of heads comes faster than memory can be looked at.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    memory::{Contribution, HeldBytes, LITTLE_HEAD, Outside, Pressure, Relief, largest},
    telemetry::{Listener, MemoryStep},
};

/// After those that were told to end have had their turn.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The part of the budget that heads may hold together. Browsers' are whole with their first packet, so that even a rush of ten thousand
/// holds some MiB for a moment.
const PART_OF_BUDGET: u64 = 4;

/// See the module. Numbered as they came.
pub(in crate::http) struct Heads {
    /// Bytes that those of all threads may hold together.
    most: u64,
    all: RefCell<BTreeMap<u64, Rc<Head>>>,
    next: Cell<u64>,
}

struct Head {
    held: Cell<u64>,
    /// Operators are few, and come when memory is short.
    is_operators: bool,
    end: Notify,
}

/// One head, for as long as it is read.
pub(in crate::http) struct HeadPlace {
    heads: Rc<Heads>,
    number: u64,
    head: Rc<Head>,
    counted: HeldBytes,
}

impl Heads {
    /// Of which there is none yet, with a part of so many bytes that clients may have the server hold.
    pub(in crate::http) fn within(budget: u64) -> Self {
        Self { most: budget / PART_OF_BUDGET, all: RefCell::default(), next: Cell::default() }
    }

    /// One more is read.
    pub(in crate::http) fn begin(self: &Rc<Self>, listener: Listener) -> HeadPlace {
        let is_operators = listener == Listener::Ops;
        let (number, head) = (self.next.get(), Rc::new(Head { held: Cell::new(0), is_operators, end: Notify::new() }));
        self.next.set(number + 1);
        self.all.borrow_mut().insert(number, Rc::clone(&head));
        HeadPlace { heads: Rc::clone(self), number, head, counted: HeldBytes::new(Outside::Heads, 0) }
    }

    /// Ends those that hold most whenever it is asked for, for ever.
    pub(in crate::http) async fn relieve(self: Rc<Self>, relief: Relief) {
        let Relief { mut pressure, totals } = relief;
        let mut mine = totals.contribution();
        while pressure.changed().await.is_ok() {
            let now = *pressure.borrow_and_update();
            if now.asks(MemoryStep::ReadLess) {
                self.look(now, &mut mine);
                tokio::time::sleep(LOOK_EVERY).await;
            } else {
                mine.set(0, 0);
            }
        }
    }

    fn look(&self, pressure: Pressure, mine: &mut Contribution) {
        let all = self.all.borrow();
        let clients = || all.values().filter(|head| !head.is_operators);
        mine.set(clients().count() as u64, clients().map(|head| head.held.get()).sum());
        if pressure.asks(MemoryStep::EndConnections) {
            let (share, excess) =
                (mine.equal_share(pressure.target(), pressure.used, LITTLE_HEAD), mine.part_of(pressure.excess()));
            for head in largest(clients(), |head| head.held.get(), share, excess) {
                head.end.notify_one();
            }
        }
    }
}

impl HeadPlace {
    /// So much of it is there. Says whether it may wait for more: not if it holds more than little while all heads together hold more
    /// than their part of the budget.
    pub(in crate::http) fn holds(&self, bytes: usize) -> bool {
        self.head.held.set(bytes as u64);
        self.counted.set(bytes as u64);
        let is_little = bytes as u64 <= LITTLE_HEAD;
        is_little || self.head.is_operators || Outside::Heads.bytes() <= self.heads.most
    }

    /// Ends when its memory is needed.
    pub(in crate::http) async fn memory_needed(&self) {
        self.head.end.notified().await;
    }
}

impl Drop for HeadPlace {
    fn drop(&mut self) {
        self.heads.all.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::memory::Totals;

    const BUDGET: u64 = 1 << 20;

    fn under(step: MemoryStep) -> Pressure {
        Pressure { used: BUDGET, step: Some(step), ..Pressure::none(BUDGET) }
    }

    fn is_to_end(place: &HeadPlace) -> bool {
        place.memory_needed().now_or_never().is_some()
    }

    #[test]
    fn the_heads_that_hold_most_are_ended_and_none_that_holds_little() {
        let (heads, mut mine) = (Rc::new(Heads::within(BUDGET)), Totals::default().contribution());
        let operators = heads.begin(Listener::Ops);
        operators.holds(16_000);
        let places: Vec<_> = (0..100).map(|_| heads.begin(Listener::Public)).collect();
        for (number, place) in places.iter().enumerate() {
            place.holds(if number % 2 == 0 { 15_000 } else { 1500 });
        }
        heads.look(under(MemoryStep::EmptyResumeBuffers), &mut mine);
        assert!(!places.iter().any(is_to_end), "before anything else has helped");
        heads.look(under(MemoryStep::EndConnections), &mut mine);
        let ended: Vec<_> = places.iter().map(is_to_end).collect();
        let count = ended.iter().filter(|ended| **ended).count();
        // A third of the budget is too much, and that is 21 heads.
        assert_eq!(count, 21, "{ended:?}");
        assert!(
            ended.iter().step_by(2).take(count).all(|ended| *ended),
            "of those that hold as much the oldest: {ended:?}"
        );
        assert!(!is_to_end(&operators));
        drop((operators, places));
        assert!(heads.all.borrow().is_empty());
    }

    /// Heads of other tests of this process count, too: there is room for all of them, or for none.
    #[test]
    fn beyond_their_part_of_the_budget_heads_are_little_or_whole() {
        const LITTLE: usize = 4 << 10;
        assert_eq!(LITTLE as u64, LITTLE_HEAD);
        let (none, all) = (Rc::new(Heads::within(0)), Rc::new(Heads::within(u64::MAX)));
        let head = none.begin(Listener::Public);
        assert!(head.holds(LITTLE));
        assert!(!head.holds(LITTLE + 1));
        assert!(none.begin(Listener::Ops).holds(LITTLE + 1), "operators come when memory is short");
        assert!(all.begin(Listener::Public).holds(LITTLE + 1));
    }
}
