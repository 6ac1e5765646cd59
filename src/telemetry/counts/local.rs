//! The thread's own tally.

use std::{
    cell::RefCell,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::tally::Tally;

/// Where tallies go: takes one, or gives it back when there is no room. Called from every thread that flushes.
pub type TallyReceiver = Box<dyn Fn(Box<Tally>) -> Result<(), Box<Tally>> + Send + Sync>;

static RECEIVER: OnceLock<TallyReceiver> = OnceLock::new();

/// Has tallies handed to `receiver`, once per process; says `false`, and changes nothing, if there is one already. Before
/// it, counts stay on their threads.
pub fn send_tallies_to(receiver: TallyReceiver) -> bool {
    RECEIVER.set(receiver).is_ok()
}

thread_local! {
    static TALLY: RefCell<Option<Box<Tally>>> = const { RefCell::new(None) };
}

/// Counts that come from where no tally can be trusted or is ever flushed (a panicking thread, the log's writer). The
/// next flush of any thread takes them along.
pub(in crate::telemetry) struct Stray(AtomicU64);

pub(in crate::telemetry) static PANICS: Stray = Stray(AtomicU64::new(0));
pub(in crate::telemetry) static LINES_DROPPED: Stray = Stray(AtomicU64::new(0));

impl Stray {
    pub(in crate::telemetry) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Adds to this thread's counts. Does nothing inside another `tally` call and on a thread that is being torn down.
pub fn tally(count: impl FnOnce(&mut Tally)) {
    let _ = TALLY.try_with(|cell| {
        if let Ok(mut slot) = cell.try_borrow_mut() {
            count(slot.get_or_insert_default());
        }
    });
}

/// Takes this thread's counts, with those that have no thread; `None` if there are none.
#[must_use]
pub fn take() -> Option<Box<Tally>> {
    let (panics, lines) = (PANICS.take(), LINES_DROPPED.take());
    if panics + lines > 0 {
        tally(|t| {
            t.panics += panics;
            t.log_lines_dropped += lines;
        });
    }
    TALLY.try_with(|cell| cell.try_borrow_mut().ok()?.take()).ok()?
}

/// Hands this thread's counts to their receiver. What it has no room for stays, and goes with the next.
pub(in crate::telemetry) fn hand_over() {
    let Some(receiver) = RECEIVER.get() else { return };
    let Some(counts) = take() else { return };
    if let Err(refused) = receiver(counts) {
        keep(refused);
    }
}

/// Puts refused counts back, before what may have been counted since.
fn keep(mut refused: Box<Tally>) {
    refused.records_refused += 1;
    let _ = TALLY.try_with(|cell| {
        if let Ok(mut slot) = cell.try_borrow_mut() {
            if let Some(later) = slot.take() {
                refused.merge(*later);
            }
            *slot = Some(refused);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_counted_anew_from_nothing() {
        tally(|t| t.bytes_in += 5);
        assert_eq!(take().expect("counts").bytes_in, 5);
        tally(|t| t.bytes_in += 1);
        assert_eq!(take().expect("counts").bytes_in, 1);
    }

    #[test]
    fn refused_counts_are_merged_into_the_next() {
        tally(|t| t.bytes_in += 5);
        let refused = take().expect("counts");
        tally(|t| t.bytes_in += 2);
        keep(refused);
        let all = take().expect("counts");
        assert_eq!((all.bytes_in, all.records_refused), (7, 1));
    }

    #[test]
    fn counting_inside_of_counting_is_no_panic() {
        tally(|outer| {
            tally(|inner| inner.joins += 1);
            outer.leaves.add(crate::protocol::LeaveReason::Left);
        });
        let counts = take().expect("counts");
        assert_eq!((counts.joins, counts.leaves.total()), (0, 1));
    }
}
