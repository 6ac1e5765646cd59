//! How anybody ends a session whose mailbox refuses letters: an atomic reason and the pump's waker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering, fence},
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
    /// 0, or an [`EndReason`]. The first one stays until it is taken.
    reason: AtomicU8,
    /// Whether a letter was lost.
    lost: AtomicBool,
    /// Whether the session has taken its last letter.
    shut: AtomicBool,
    pump: AtomicWaker,
}

/// What the pump finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulled {
    /// Why.
    pub reason: EndReason,
    /// Whether a letter to the session was refused, and is lost.
    pub lost: bool,
}

impl Cut {
    /// Asks the pump to end the session. The first reason wins.
    pub fn pull(&self, reason: EndReason) {
        let first = self.0.reason.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.0.pump.wake();
        }
    }

    /// As [`Cut::pull`], by whoever had a letter refused: what the session was to be told is lost.
    pub fn pull_for_lost_letter(&self) {
        self.0.lost.store(true, Ordering::Release);
        self.pull(EndReason::SlowConsumer);
    }

    /// Takes what was pulled: for the pump, which settles it.
    #[must_use]
    pub fn take(&self) -> Option<Pulled> {
        let reason = EndReason::from_raw(self.0.reason.swap(0, Ordering::AcqRel))?;
        Some(Pulled { reason, lost: self.0.lost.swap(false, Ordering::AcqRel) })
    }

    /// As [`Cut::take`], if it was pulled for that reason.
    #[must_use]
    pub fn take_if(&self, reason: EndReason) -> Option<Pulled> {
        if self.reason() == Some(reason) { self.take() } else { None }
    }

    /// From here on no letter counts as taken; those that do are in the mailbox, for the pump to see to. (The fences are
    /// a pair: whoever posted either finds this said, or its letter is found by whoever looks after saying it.)
    pub fn shut(&self) {
        self.0.shut.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Whether a letter that was just posted came too late.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.shut.load(Ordering::Acquire)
    }

    /// Has the pump look again, with nothing pulled.
    pub fn wake(&self) {
        self.0.pump.wake();
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
