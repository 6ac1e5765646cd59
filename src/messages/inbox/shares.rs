//! Who has how much waiting for one receiver: the rules while that is more than a share. No lock, no actix; time is an
//! argument.
//!
//! Up to one share nothing is counted for anybody. Beyond it each sender may have one frame or a share of its own waiting,
//! whichever is more, and all together what signals may come to. `K` is a sender's name, and `W` how it is woken.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::load::{Bound, Load};

/// A receiver whose bound is in use is slow if it reads less than this: 1 Mbit/s.
const SLOW_BYTES_PER_MS: u64 = 125;

/// What a receiver may have read and not have shown yet: the kernel says that it takes more when much of its buffer is free again.
const UNSEEN_BYTES: u64 = 64 << 10;

/// What becomes of a frame that a sender wants to post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is admitted, and counted for nobody.
    Free,
    /// It is admitted, and counted for its sender until it is written.
    Counted,
    /// There is no room for it.
    Busy,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shares<K, W> {
    senders: Vec<Sender<K, W>>,
    /// Counted frames in the receiver's queue, oldest first.
    queued: VecDeque<Queued<K>>,
    /// While the bound is in use: since the sweep saw it first, and how much was written by then.
    in_use: Option<(Instant, u64)>,
    /// Bytes written while anything was counted.
    written: u64,
}

#[derive(Debug)]
struct Sender<K, W> {
    name: K,
    /// What is counted for it.
    load: Load,
    /// The frame that was refused, and how its sender is told that there is room for it.
    waits: Option<(Load, W)>,
}

#[derive(Debug)]
struct Queued<K> {
    /// Its number among all frames of the receiver's connection.
    number: u64,
    from: K,
    load: Load,
}

impl<K, W> Default for Shares<K, W> {
    fn default() -> Self {
        Self { senders: Vec::new(), queued: VecDeque::new(), in_use: None, written: 0 }
    }
}

/// Whether anybody may add `more`, where `before` waits in all.
fn is_free(more: Load, before: Load, bound: &Bound) -> bool {
    before.is_zero() || (before + more).fits(bound.share)
}

/// Whether a sender with `counted` may add `more`, where `before` waits in all.
fn may_add(counted: Load, more: Load, before: Load, bound: &Bound) -> bool {
    let own = counted.is_zero() || (counted + more).fits(bound.share);
    own && (before + more).fits(bound.signals)
}

impl<K: Copy + PartialEq, W> Shares<K, W> {
    /// A sender wants to post a frame, where `before` waits in all.
    pub(super) fn ask(&mut self, from: K, more: Load, before: Load, bound: &Bound) -> Verdict {
        if is_free(more, before, bound) {
            return Verdict::Free;
        }
        if !may_add(self.counted(from), more, before, bound) {
            return Verdict::Busy;
        }
        let sender = self.sender(from);
        sender.load = sender.load + more;
        Verdict::Counted
    }

    /// What is counted for a sender.
    pub(super) fn counted(&self, from: K) -> Load {
        self.senders.iter().find(|sender| sender.name == from).map_or(Load::default(), |sender| sender.load)
    }

    /// A frame of this sender's was refused. `false`: it waits already, and there was no room since.
    pub(super) fn wait(&mut self, from: K, more: Load, wake: impl FnOnce() -> W) -> bool {
        let waits = &mut self.sender(from).waits;
        let first = waits.is_none();
        waits.get_or_insert_with(|| (more, wake()));
        first
    }

    /// A counted frame is in the receiver's queue, as its frame of that number.
    pub(super) fn queued(&mut self, from: K, load: Load, number: u64) {
        self.queued.push_back(Queued { number, from, load });
    }

    /// A counted frame is gone without having been queued.
    pub(super) fn dropped(&mut self, from: K, load: Load) {
        self.take_off(from, load);
    }

    /// The receiver's frames up to that number are written, `bytes` of them just now.
    pub(super) fn written(&mut self, number: u64, bytes: u64) {
        self.written += bytes;
        while self.queued.front().is_some_and(|first| first.number <= number) {
            self.release_first();
        }
    }

    /// The receiver's socket is gone, or there is another: nothing that was queued so far is counted for anybody any more, and
    /// how much of it was read says nothing of what comes.
    pub(super) fn release(&mut self) {
        self.in_use = None;
        while !self.queued.is_empty() {
            self.release_first();
        }
    }

    /// Wakes who waits and has room now, where `total` waits in all.
    pub(super) fn wake_ready(&mut self, total: Load, bound: &Bound, wake: impl FnMut(&W)) {
        self.wake(|own, more| is_free(more, total, bound) || may_add(own, more, total, bound), wake);
    }

    /// Wakes everybody who waits.
    pub(super) fn wake_all(&mut self, wake: impl FnMut(&W)) {
        self.wake(|_, _| true, wake);
    }

    fn wake(&mut self, is_ready: impl Fn(Load, Load) -> bool, mut wake: impl FnMut(&W)) {
        for sender in &mut self.senders {
            if let Some((_, waker)) = sender.waits.take_if(|(more, _)| is_ready(sender.load, *more)) {
                wake(&waker);
            }
        }
        self.forget_idle();
    }

    /// Whether the receiver is slow: its bound is in use, has been for `limit`, and it read too little over that time. A look
    /// that comes late has seen nothing.
    pub(super) fn is_slow(&mut self, total: Load, bound: &Bound, now: Instant, late: bool, limit: Duration) -> bool {
        let in_use = !total.fits(bound.signals) || self.senders.iter().any(|sender| sender.waits.is_some());
        if !in_use {
            self.in_use = None;
            return false;
        }
        let (since, written) = *self.in_use.get_or_insert((now, self.written));
        let elapsed = now.saturating_duration_since(since);
        if elapsed < limit && !late {
            return false;
        }
        self.in_use = Some((now, self.written));
        let expected = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_mul(SLOW_BYTES_PER_MS);
        !late && self.written - written + UNSEEN_BYTES < expected
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.senders.is_empty() && self.queued.is_empty() && self.in_use.is_none()
    }

    fn sender(&mut self, name: K) -> &mut Sender<K, W> {
        let at = self.senders.iter().position(|sender| sender.name == name).unwrap_or_else(|| {
            self.senders.push(Sender { name, load: Load::default(), waits: None });
            self.senders.len() - 1
        });
        &mut self.senders[at]
    }

    fn release_first(&mut self) {
        if let Some(Queued { from, load, .. }) = self.queued.pop_front() {
            self.take_off(from, load);
        }
    }

    fn take_off(&mut self, from: K, load: Load) {
        if let Some(sender) = self.senders.iter_mut().find(|sender| sender.name == from) {
            sender.load = sender.load.saturating_sub(load);
        }
        self.forget_idle();
    }

    fn forget_idle(&mut self) {
        self.senders.retain(|sender| !sender.load.is_zero() || sender.waits.is_some());
    }
}
