//! How many peers came and went in the last minute.

use std::time::Instant;

/// One slot per second of the minute that is kept.
const SLOTS: usize = 60;
/// The same, in seconds.
const KEPT: u64 = SLOTS as u64;

/// Joins and leaves of the last 60 s: the second that runs and the 59 before it. A ring, so that it costs the same
/// whether one peer comes or ten thousand.
#[derive(Debug)]
pub(super) struct Churn {
    subnet: Instant,
    slots: [Slot; SLOTS],
}

/// What happened in one second. A slot whose second is over a minute old counts for nothing and is used anew.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    second: u64,
    joins: u64,
    leaves: u64,
}

impl Churn {
    /// Counts from `now` on; nothing may be counted at an earlier time.
    pub(super) fn new(now: Instant) -> Self {
        Self { subnet: now, slots: [Slot::default(); SLOTS] }
    }

    /// A peer came.
    pub(super) fn joined(&mut self, now: Instant) {
        self.slot(now).joins += 1;
    }

    /// A peer went.
    pub(super) fn left(&mut self, now: Instant) {
        self.slot(now).leaves += 1;
    }

    /// Joins and leaves within the last 60 s.
    pub(super) fn per_minute(&self, now: Instant) -> (u64, u64) {
        let second = self.second(now);
        let recent = self.slots.iter().filter(|slot| slot.second + KEPT > second);
        recent.fold((0, 0), |(joins, leaves), slot| (joins + slot.joins, leaves + slot.leaves))
    }

    fn slot(&mut self, now: Instant) -> &mut Slot {
        let second = self.second(now);
        let slot = &mut self.slots[(second % KEPT) as usize];
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.subnet).as_secs()
    }
}
