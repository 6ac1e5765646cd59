//! How anybody ends a session whose mailbox refuses messages: an atomic reason and the pump's waker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering, fence},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

use crate::protocol::EndReason;

/// A session's emergency cord. Whoever finds its mailbox full pulls it; the pump sees it at its next poll and ends the
/// session the ordinary way. Nobody frees a seat on a session's behalf, so there is one way out and no race for it.
#[derive(Clone, Default)]
pub struct KillSwitch(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// 0, or an [`EndReason`]. The first one stays until it is taken.
    reason: AtomicU8,
    /// Whether a message was lost.
    lost: AtomicBool,
    /// Whether the session has taken its last message.
    shut: AtomicBool,
    /// [`Note`]s that the pump has not read.
    notes: AtomicU8,
    /// The session's number of the join whose seat is taken; 0: none yet.
    taken: AtomicU32,
    pump: AtomicWaker,
}

/// Something for the pump to look at between two messages. Unlike a reason it ends nothing by itself: what it asks for may be
/// out of date by then, and only the pump can tell, since nothing else happens to its session meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Note {
    /// Somebody who knows a secret of this session asks to resume it: see [`ResumeRequests`](super::ResumeRequests).
    ResumeRequested = 1,
    /// There are too many parked sessions, and this one is to go, if it is still parked.
    TooManyParked = 2,
    /// There are too many connections in no room, and this one is to go, if it still is in none.
    TooManyWaiting = 4,
    /// The seat of a join is taken for good: see [`Member::take_seat`](super::session::Member::take_seat).
    SeatTaken = 16,
    /// Say when all is handled that was posted before this: the server hands its sessions over.
    Settle = 32,
    /// A receiver that was too busy for a signal of this session's has room for it: see [`Inbox`](super::Inbox).
    InboxReady = 8,
}

/// The notes that the pump found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notes(u8);

impl Notes {
    /// Whether that one is among them.
    #[must_use]
    pub fn has(self, note: Note) -> bool {
        self.0 & note as u8 != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What the pump finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed {
    /// Why.
    pub reason: EndReason,
    /// Whether a message to the session was refused, and is lost.
    pub lost: bool,
}

impl KillSwitch {
    /// Asks the pump to end the session. The first reason wins.
    pub fn kill(&self, reason: EndReason) {
        let first = self.0.reason.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.0.pump.wake();
        }
    }

    /// As [`KillSwitch::kill`], by whoever had a message refused: what the session was to be told is lost.
    pub fn kill_for_lost_message(&self) {
        self.0.lost.store(true, Ordering::Release);
        self.kill(EndReason::SlowConsumer);
    }

    /// Leaves a note for the pump.
    pub fn leave_note(&self, note: Note) {
        self.0.notes.fetch_or(note as u8, Ordering::AcqRel);
        self.0.pump.wake();
    }

    /// The seat that this join of the session's brought is taken for good; why is known by now.
    pub(super) fn take_seat(&self, join_seq: u32) {
        self.0.taken.store(join_seq, Ordering::Release);
        self.leave_note(Note::SeatTaken);
    }

    /// The latest join whose seat was taken.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.0.taken.load(Ordering::Acquire)
    }

    /// Takes the notes, for the pump.
    #[must_use]
    pub fn take_notes(&self) -> Notes {
        // Mostly there are none, and a load costs less than a swap.
        let none = self.0.notes.load(Ordering::Acquire) == 0;
        Notes(if none { 0 } else { self.0.notes.swap(0, Ordering::AcqRel) })
    }

    /// Takes what was pulled: for the pump, which settles it.
    #[must_use]
    pub fn take(&self) -> Option<Killed> {
        // As above; the pump asks at every poll.
        self.reason()?;
        let reason = EndReason::from_repr(self.0.reason.swap(0, Ordering::AcqRel))?;
        Some(Killed { reason, lost: self.0.lost.swap(false, Ordering::AcqRel) })
    }

    /// As [`KillSwitch::take`], if it was pulled for that reason.
    #[must_use]
    pub fn take_if(&self, reason: EndReason) -> Option<Killed> {
        if self.reason() == Some(reason) { self.take() } else { None }
    }

    /// From here on no message counts as taken; those that do are in the mailbox, for the pump to see to. (The fences are
    /// a pair: whoever posted either finds this said, or its message is found by whoever looks after saying it.)
    pub fn shut(&self) {
        self.0.shut.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Whether a message that was just posted came too late.
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
        EndReason::from_repr(self.0.reason.load(Ordering::Acquire))
    }

    /// The waker of the pump. To be called before [`KillSwitch::reason`], or a pull in between is lost.
    pub fn register(&self, pump: &Waker) {
        self.0.pump.register(pump);
    }
}

impl std::fmt::Debug for KillSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KillSwitch({:?})", self.reason())
    }
}
