//! How anybody ends a session whose mailbox refuses letters: an atomic reason and the pump's waker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

use crate::protocol::EndReason;

/// A session's emergency cord. Whoever finds its mailbox full pulls it; the pump sees it at its next poll and ends the
/// session the ordinary way. Nobody frees a seat on a session's behalf, so there is one way out and no race for it.
#[derive(Clone, Default)]
pub struct Cut(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// 0, or an [`EndReason`]. The first one stays.
    reason: AtomicU8,
    pump: AtomicWaker,
}

impl Cut {
    /// Asks the pump to end the session. The first reason wins.
    pub fn pull(&self, reason: EndReason) {
        let first = self.0.reason.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.0.pump.wake();
        }
    }

    /// The reason, once pulled.
    #[must_use]
    pub fn reason(&self) -> Option<EndReason> {
        EndReason::from_raw(self.0.reason.load(Ordering::Acquire))
    }

    /// The pump says whom to wake. To be called before [`Cut::reason`], or a pull in between is lost.
    pub fn register(&self, pump: &Waker) {
        self.0.pump.register(pump);
    }
}

impl std::fmt::Debug for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cut({:?})", self.reason())
    }
}
