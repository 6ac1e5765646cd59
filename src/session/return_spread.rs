//! How the return of clients is spread whose sessions were handed over, and how much may be handed over. No actix, no clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The time that the next process is given to start before the first client comes: who finds nobody there waits longer than this.
const HEAD_START: Duration = Duration::from_millis(500);
/// The time for each client: 500 a second, as a drain of the usual length spreads 10 000.
const EACH: Duration = Duration::from_millis(2);

/// The return of all arbiters' clients. The arbiters take places from one count. Cloning shares it.
#[derive(Debug, Clone)]
pub struct ReturnSpread {
    first: Duration,
    over: Duration,
    clients: u32,
    next: Arc<AtomicU32>,
}

impl ReturnSpread {
    /// For so many clients: no longer than a drain takes, and than half of the window for which sessions wait, so that the other half
    /// is left for those who do not get through at once.
    #[must_use]
    pub fn new(clients: usize, drain: Duration, window: Duration) -> Self {
        let clients = u32::try_from(clients).unwrap_or(u32::MAX).max(1);
        let over = EACH.saturating_mul(clients).min(drain).min(window / 4);
        Self { first: HEAD_START.min(window / 4), over, clients, next: Arc::default() }
    }

    /// The next place, from now. No later than the last one, should there be more to place than were counted.
    pub(super) fn take(&self) -> Duration {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.first + self.over.mul_f64((f64::from(place) / f64::from(self.clients)).min(1.0))
    }
}

/// The bytes that the records of all arbiters may have together. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<AtomicU64>);

impl Budget {
    /// So many.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes some, if there are so many left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_back_one_after_the_other_and_all_of_them_within_half_of_the_window() {
        let seconds = Duration::from_secs;
        let places = |clients: u32, drain, window| {
            let spread = ReturnSpread::new(clients as usize, drain, window);
            let twin = spread.clone();
            let taken: Vec<_> =
                (0..clients + 2).map(|n| if n % 2 == 0 { spread.take() } else { twin.take() }).collect();
            assert!(taken.is_sorted());
            (taken[0].as_millis(), taken[clients as usize + 1].as_millis())
        };
        assert_eq!(places(10, seconds(20), seconds(30)), (500, 520), "few come at once");
        assert_eq!(places(2_000, seconds(20), seconds(30)), (500, 4_500));
        assert_eq!(places(10_000, seconds(20), seconds(60)), (500, 15_500), "a quarter of the window");
        assert_eq!(places(10_000, seconds(5), seconds(60)), (500, 5_500), "no longer than a drain");
        assert_eq!(places(10, seconds(20), seconds(1)), (250, 270));
    }

    #[test]
    fn a_budget_is_taken_from_until_there_is_not_enough() {
        let budget = Budget::new(10);
        let twin = budget.clone();
        assert!(budget.take(6) && !twin.take(5) && twin.take(4) && !budget.take(1));
    }
}
