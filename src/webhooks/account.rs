//! How much waits for the receiver, and how much it will not get.
//!
//! Shared between threads on purpose: the supervisor looks at it before it hands an event on, so that no queue in between can
//! grow. Only it adds, and only the dispatcher takes off, so the bound holds.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Events that wait or are being sent, and those that were dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Account(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    events: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// What may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// `webhooks.queue_events`.
    pub(super) events: usize,
    /// `webhooks.queue_bytes`.
    pub(super) bytes: usize,
}

impl Account {
    /// Counts one more event, if there is room for it.
    pub(super) fn admit(&self, bytes: usize, bounds: Bounds) -> bool {
        let (events, held) = self.waiting();
        let fits = events < bounds.events && held + bytes <= bounds.bytes;
        if fits {
            self.0.events.fetch_add(1, Ordering::AcqRel);
            self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        }
        fits
    }

    /// One of them was delivered.
    pub(super) fn settle(&self, bytes: usize) {
        self.0.events.fetch_sub(1, Ordering::AcqRel);
        self.0.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// So many were dropped.
    pub(super) fn drop_events(&self, events: u64) {
        self.0.dropped.fetch_add(events, Ordering::AcqRel);
    }

    /// Events, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.0.events.load(Ordering::Acquire), self.0.bytes.load(Ordering::Acquire))
    }

    /// Events that were dropped, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_admitted_than_may_wait() {
        let (account, bounds) = (Account::default(), Bounds { events: 2, bytes: 10 });
        assert!(!account.admit(11, bounds));
        assert!(account.admit(4, bounds) && !account.admit(7, bounds) && account.admit(6, bounds));
        assert!(!account.admit(0, bounds), "two are two");
        assert_eq!(account.waiting(), (2, 10));
        account.settle(4);
        assert!(account.admit(4, bounds));
        account.drop_events(3);
        assert_eq!((account.waiting(), account.dropped()), ((2, 10), 3));
    }
}
