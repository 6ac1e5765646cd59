//! The pace of one connection: a token per frame, taken before the frame is read. Who sends faster is read no faster, and
//! TCP slows it down; nothing it sent is lost.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::time::Sleep;

use super::shared::SessionShared;
use crate::{
    config::Milliseconds,
    late::Lateness,
    protocol::{
        EndReason, ErrorCode, error_texts,
        server::{ErrorFrame, ServerFrame},
    },
    telemetry::{self, Event, LimitHit},
};

/// A client that is too fast is told so at most this often.
const REFUSE_AGAIN: Duration = Duration::from_secs(1);
/// A connection that was woken this much too late has seen a stopped process or a blocked arbiter: meanwhile its bucket
/// has filled, so its spell begins anew.
const LATE: Duration = Duration::from_secs(1);

/// One connection's bucket. The tokens are in the [`SessionShared`]: they are the session's.
pub(super) struct Pace {
    /// The time of the last read: all frames of one read share one look at the clock.
    now: Instant,
    /// None for a connection that was never too fast: nearly all are, and each pays for what stands here.
    excess: Option<Box<Excess>>,
}

/// What is remembered of a connection that was too fast.
#[derive(Default)]
struct Excess {
    refused: Option<Instant>,
    spell: Option<Spell>,
}

/// The time for which a connection is too fast: a frame waits for a token, and ever since the first one did, another
/// came before the server had caught up.
struct Spell {
    since: Instant,
    token_at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { now, excess: None }
    }

    /// Bytes came in: looks at the clock for all the frames in them.
    pub(super) fn read(&mut self) {
        self.now = Instant::now();
    }

    /// Takes a token for the next frame, if there is one.
    #[inline]
    pub(super) fn take(&mut self, shared: &SessionShared) -> bool {
        self.take_at(shared).is_ok() || self.take_now(shared)
    }

    /// Before a frame is made to wait, the clock is looked at again.
    #[cold]
    fn take_now(&mut self, shared: &SessionShared) -> bool {
        self.now = Instant::now();
        self.take_at(shared).is_ok()
    }

    #[inline]
    fn take_at(&self, shared: &SessionShared) -> Result<(), Duration> {
        let mut bucket = shared.bucket.get();
        let taken = bucket.take(shared.setup.pace.rate, self.now);
        shared.bucket.set(bucket);
        taken
    }

    /// Whether there is a token for one more frame.
    #[inline]
    pub(super) fn has_token(&self, shared: &SessionShared) -> bool {
        shared.bucket.get().wait(shared.setup.pace.rate, self.now).is_zero()
    }

    /// Whether the connection is too fast.
    pub(super) fn is_exceeded(&self) -> bool {
        self.excess.as_ref().is_some_and(|excess| excess.spell.is_some())
    }

    /// No frame waits any more.
    #[inline]
    pub(super) fn caught_up(&mut self) {
        if let Some(excess) = &mut self.excess {
            excess.spell = None;
        }
    }

    /// A frame waits: ready when there is a token for it. Says so to the client now and then, and ends who never pauses.
    pub(super) fn poll_token(&mut self, cx: &mut Context<'_>, shared: &SessionShared) -> Poll<()> {
        self.now = Instant::now();
        loop {
            let wait = shared.bucket.get().wait(shared.setup.pace.rate, self.now);
            if wait.is_zero() {
                shared.held_back.set(false);
                return Poll::Ready(());
            }
            self.go_on(wait, shared.held_back.get());
            self.refuse(shared);
            // To be read at this pace is a sign of life.
            shared.received();
            let spell = self.excess.as_mut().and_then(|excess| excess.spell.as_mut());
            let Some(spell) = spell else { return Poll::Ready(()) };
            if self.now.saturating_duration_since(spell.since) >= shared.setup.pace.flood {
                shared.kill_switch.kill(EndReason::RateLimited);
                return Poll::Pending;
            }
            ready!(spell.sleep.as_mut().poll(cx));
            self.now = Instant::now();
        }
    }

    /// Begins a spell, or goes on with it. One that the server is the reason for is nobody's flood.
    fn go_on(&mut self, wait: Duration, held_back: bool) {
        let (now, token_at) = (self.now, self.now + wait);
        let excess = self.excess.get_or_insert_default();
        if let Some(spell) = &mut excess.spell {
            if held_back || Lateness::at(now, spell.token_at, LATE).is_late {
                spell.since = now;
            }
            spell.token_at = token_at;
            spell.sleep.as_mut().reset(token_at.into());
            return;
        }
        if !held_back {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::FrameRate));
        }
        let sleep = Box::pin(tokio::time::sleep_until(token_at.into()));
        excess.spell = Some(Spell { since: now, token_at, sleep });
    }

    fn refuse(&mut self, shared: &SessionShared) {
        let excess = self.excess.get_or_insert_default();
        if excess.refused.is_some_and(|at| self.now.saturating_duration_since(at) < REFUSE_AGAIN) {
            return;
        }
        excess.refused = Some(self.now);
        let message = if shared.held_back.get() { error_texts::HELD_BACK } else { error_texts::TOO_FAST };
        let member = shared.member.get();
        let context = member.map(|m| m.context().as_peer(m.peer)).unwrap_or_default();
        telemetry::emit(&Event::FrameRefused { context, code: ErrorCode::RateLimited, detail: message });
        let pause = Milliseconds::rounded_down(shared.setup.pace.rate.span()).0;
        let error = ErrorFrame::new(ErrorCode::RateLimited, message);
        shared.send(&ServerFrame::Error(ErrorFrame { retry_after_ms: Some(pause), ..error }));
    }
}
