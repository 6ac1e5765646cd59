//! What waits for one session, from the moment that a sender posts it until its client's socket has taken it: who fills it
//! pays for it.
//!
//! Senders are on any thread, the receiver is on one. A sender is *admitted* before it posts: it adds its frame to what is
//! `posted`, and then looks at what is `waiting` in the receiver's queue. The receiver publishes its queue *before* it takes a
//! frame off what is posted. So the sum is never too small, and the bound holds to the byte; it may be too large for a moment,
//! and then somebody is sent the slow way who need not have been. That way goes through a lock and the [`Shares`], which exist
//! only while more than a share waits.

mod load;
#[cfg(test)]
mod properties;
mod shares;
#[cfg(test)]
mod threads;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

pub use self::load::{Bound, Bounds, Load};
use self::shares::{Shares, Verdict};
use super::kill_switch::{KillSwitch, Note};
use crate::protocol::PeerId;

/// In `posted`: there are shares to look after.
const SHARED: u64 = 1 << 62;
/// In `waiting`: the receiver has no socket, and what waits is what its resume buffer holds.
const AWAY: u64 = 1 << 62;
/// In `waiting`: the receiver's session is over.
const GONE: u64 = 1 << 63;

/// See the module.
#[derive(Default)]
pub struct Inbox {
    /// The [`Load`] that was posted and is not handled yet, news of the room included.
    posted: AtomicU64,
    /// The [`Load`] in the receiver's queue. Its session alone writes it.
    waiting: AtomicU64,
    shares: Mutex<Option<Box<Shares<PeerId, KillSwitch>>>>,
}

/// Whether a signal may be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may, and must be posted now or [withdrawn](Inbox::dropped).
    Admitted(Mark),
    /// It may not.
    Busy(Busy),
    /// The receiver's session is over.
    Gone,
}

/// What an admitted signal carries to its receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Whether it is counted for its sender.
    pub counted: bool,
    /// Whether the receiver was away, so that it is within the bound of the resume buffer and perhaps not within that of the
    /// queue, should the receiver be back before it is handled.
    pub away: bool,
}

/// Why a signal is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Its sender has filled its share, and is left [`Note::InboxReady`] when there is room.
    Waits,
    /// The same, and it was so for an earlier one: there was no room since.
    StillWaits,
    /// The receiver is away, and nothing gets less while it is.
    Away,
}

impl Inbox {
    /// Asks for room for a frame.
    #[inline]
    pub fn admit(&self, from: PeerId, bytes: usize, bounds: &Bounds, sender: &KillSwitch) -> Admission {
        let more = Load::frame(bytes);
        let posted = Load::unpack(self.posted.fetch_add(more.pack(), Ordering::AcqRel));
        let waiting = self.waiting.load(Ordering::Acquire);
        let total = posted + Load::unpack(waiting) + more;
        let away = waiting & AWAY != 0;
        if total.fits(bounds.of(away).share) {
            return Admission::Admitted(Mark { counted: false, away });
        }
        self.posted.fetch_sub(more.pack(), Ordering::AcqRel);
        self.admit_shared(from, more, bounds, sender)
    }

    #[cold]
    fn admit_shared(&self, from: PeerId, more: Load, bounds: &Bounds, sender: &KillSwitch) -> Admission {
        let mut guard = self.lock();
        let shares = guard.get_or_insert_default();
        // Before it looks at what waits: the receiver looks for this after it has written something.
        self.posted.fetch_or(SHARED, Ordering::SeqCst);
        let posted = Load::unpack(self.posted.fetch_add(more.pack(), Ordering::SeqCst));
        let waiting = self.waiting.load(Ordering::SeqCst);
        let (before, away) = (posted + Load::unpack(waiting), waiting & AWAY != 0);
        let bound = bounds.of(away);
        let gone = waiting & GONE != 0;
        let verdict = if gone { Verdict::Busy } else { shares.ask(from, more, before, bound) };
        let admission = match verdict {
            Verdict::Free => Admission::Admitted(Mark { counted: false, away }),
            Verdict::Counted => Admission::Admitted(Mark { counted: true, away }),
            Verdict::Busy => {
                self.posted.fetch_sub(more.pack(), Ordering::SeqCst);
                if gone {
                    Admission::Gone
                } else if away {
                    Admission::Busy(Busy::Away)
                } else if shares.wait(from, more, || sender.clone()) {
                    Admission::Busy(Busy::Waits)
                } else {
                    Admission::Busy(Busy::StillWaits)
                }
            }
        };
        // What a sender had added on its way here may have had another one wait, this one included.
        shares.wake_ready(self.total(), bound, ready);
        self.put_back(guard);
        admission
    }

    /// A signal that was posted is in the receiver's queue, as the frame of that number; the queue is
    /// [published](Self::publish).
    #[inline]
    pub fn queued(&self, from: PeerId, bytes: usize, mark: Mark, number: u64) {
        if mark.counted {
            self.queued_counted(from, bytes, number);
        }
        self.posted.fetch_sub(Load::frame(bytes).pack(), Ordering::AcqRel);
    }

    #[cold]
    fn queued_counted(&self, from: PeerId, bytes: usize, number: u64) {
        self.with_shares(|shares| shares.queued(from, Load::frame(bytes), number));
    }

    /// A signal that was admitted is dropped.
    pub fn dropped(&self, from: PeerId, bytes: usize, mark: Mark) {
        let before = self.posted.fetch_sub(Load::frame(bytes).pack(), Ordering::SeqCst);
        if before & SHARED != 0 {
            self.with_shares(|shares| {
                if mark.counted {
                    shares.dropped(from, Load::frame(bytes));
                }
                shares.wake_all(ready);
            });
        }
    }

    /// News of the room is posted: it is counted, and never refused.
    #[inline]
    pub fn news_posted(&self, load: Load) {
        self.posted.fetch_add(load.pack(), Ordering::AcqRel);
    }

    /// News that was posted is handled by `handle`: what it adds to the queue is [published](Self::publish) before it is taken
    /// off what is posted, so that it is never missing from the sum of both.
    #[inline]
    pub fn handle_news(&self, load: Load, handle: impl FnOnce()) {
        handle();
        self.news_lost(load);
    }

    /// News that was posted is not handled by anybody.
    #[inline]
    pub(super) fn news_lost(&self, load: Load) {
        self.posted.fetch_sub(load.pack(), Ordering::AcqRel);
    }

    /// So much is in the receiver's queue, or in its resume buffer where it has no socket.
    #[inline]
    pub fn publish(&self, waiting: Load, away: bool) {
        let away = if away { AWAY } else { 0 };
        self.waiting.store(waiting.pack() | away, Ordering::Release);
    }

    /// The receiver's socket has taken `bytes`; so much is in the queue now, and frames up to that number are written.
    #[inline]
    pub fn flushed(&self, waiting: Load, number: u64, bytes: u64, bounds: &Bounds) {
        if self.waiting.load(Ordering::Relaxed) != waiting.pack() {
            self.waiting.store(waiting.pack(), Ordering::SeqCst);
        }
        if self.posted.load(Ordering::SeqCst) & SHARED != 0 {
            self.flushed_shared(number, bytes, bounds);
        }
    }

    #[cold]
    fn flushed_shared(&self, number: u64, bytes: u64, bounds: &Bounds) {
        self.with_shares(|shares| {
            shares.written(number, bytes);
            shares.wake_ready(self.total(), &bounds.connected, ready);
        });
    }

    /// The receiver has no socket any more, or another one: so much waits now.
    pub fn moved(&self, waiting: Load, away: bool) {
        self.publish(waiting, away);
        self.with_shares(|shares| {
            shares.release();
            shares.wake_all(ready);
        });
    }

    /// The receiver's session is over.
    pub fn close(&self) {
        self.waiting.store(GONE, Ordering::SeqCst);
        let mut guard = self.lock();
        if let Some(mut shares) = guard.take() {
            shares.wake_all(ready);
        }
        self.posted.fetch_and(!SHARED, Ordering::SeqCst);
    }

    /// Whether the receiver is slow (see [`Shares::is_slow`]). For the sweep.
    #[must_use]
    pub fn is_slow(&self, bounds: &Bounds, now: Instant, late: bool, limit: Duration) -> bool {
        let total = self.total();
        let within = total.fits(bounds.connected.signals);
        if within && self.posted.load(Ordering::Acquire) & SHARED == 0 {
            return false;
        }
        let mut guard = self.lock();
        self.posted.fetch_or(SHARED, Ordering::SeqCst);
        let slow = guard.get_or_insert_default().is_slow(self.total(), &bounds.connected, now, late, limit);
        self.put_back(guard);
        slow
    }

    /// Whether there is room for more news, where so much may wait: whoever causes it waits if not. Nobody waits for a receiver
    /// that is away.
    #[must_use]
    pub fn has_room(&self, most: Load) -> bool {
        let away = self.waiting.load(Ordering::Acquire) & (AWAY | GONE) != 0;
        away || self.total().fits(most)
    }

    /// All that waits.
    #[must_use]
    pub fn total(&self) -> Load {
        let posted = Load::unpack(self.posted.load(Ordering::SeqCst));
        posted + Load::unpack(self.waiting.load(Ordering::SeqCst))
    }

    fn with_shares(&self, change: impl FnOnce(&mut Shares<PeerId, KillSwitch>)) {
        let mut guard = self.lock();
        if let Some(shares) = guard.as_deref_mut() {
            change(shares);
        }
        self.put_back(guard);
    }

    /// Gives the lock back, and with it shares that have nothing to remember.
    fn put_back(&self, mut guard: MutexGuard<'_, Option<Box<Shares<PeerId, KillSwitch>>>>) {
        if guard.take_if(|shares| shares.is_empty()).is_some() {
            self.posted.fetch_and(!SHARED, Ordering::SeqCst);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Shares<PeerId, KillSwitch>>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ready(sender: &KillSwitch) {
    sender.leave_note(Note::InboxReady);
}
