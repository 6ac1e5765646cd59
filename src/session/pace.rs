//! The pace of one connection: a token per frame, taken before the frame is read, and a price per byte, paid when it has been
//! read, by the connection and by its address. Who sends faster is read no faster, and TCP slows it down; nothing it sent is
//! lost.

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
    limits::Uncharged,
    moment::Moment,
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

/// One connection's pace. Its two buckets are in the [`SessionShared`]: they are the session's.
pub(super) struct Pace {
    /// The time of the last read: all frames of one read share one look at the clock.
    now: Moment,
    uncharged: Uncharged,
    /// Whether one more read was found permitted, and nothing was read since: whatever else the session does, it asks again.
    is_permitted: bool,
    /// None for a connection that was never too fast: nearly all are, and each pays for what stands here.
    excess: Option<Box<Excess>>,
}

/// What is remembered of a connection that was too fast.
#[derive(Default)]
struct Excess {
    refused: Option<Instant>,
    spell: Option<Spell>,
    /// Its address has sent more than it may. Until then nothing is read from this connection; and then once, whatever the
    /// others have sent meanwhile: so each gets its part.
    address_until: Option<Instant>,
}

/// The time for which a connection is too fast: a frame waits for a token, or bytes to be paid for, and ever since the first
/// did, more came before the server had caught up.
struct Spell {
    since: Instant,
    read_at: Instant,
    /// Since when it is the server that does not read on, having more to do than it has time for.
    still_since: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl Spell {
    fn stands_still(&mut self, now: Instant) {
        self.still_since.get_or_insert(now);
    }

    /// The time that was the server's is no part of the spell, and does not make the next look a late one.
    fn goes_on(&mut self, now: Instant) {
        if let Some(still_since) = self.still_since.take() {
            let still = now.saturating_duration_since(still_since);
            self.since += still;
            self.read_at += still;
        }
    }
}

/// Whose budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// The connection's own, of frames.
    Frames,
    /// The connection's own, of bytes.
    Bytes,
    /// Its address's, of bytes: what is used up there may all be others'.
    Address,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { now: now.into(), uncharged: Uncharged::default(), is_permitted: false, excess: None }
    }

    /// So many bytes came in: looks at the clock for all the frames in them, and has them paid for. The time it is.
    pub(super) fn read(&mut self, bytes: u32, shared: &SessionShared) -> Moment {
        self.now = Moment::now();
        self.is_permitted = false;
        let mut bucket = shared.bytes.get();
        bucket.charge(shared.setup.pace.bytes.cost(bytes), self.now);
        shared.bytes.set(bucket);
        if self.uncharged.read(bytes) || self.excess.as_ref().is_some_and(|excess| excess.address_until.is_some()) {
            self.charge_address(shared);
        }
        self.now
    }

    /// Charges the address with what is read from this connection. Also to be done at its end: coming anew saves nothing.
    #[inline(never)]
    pub(super) fn charge_address(&mut self, shared: &SessionShared) {
        let Some(subnet) = shared.subnet.get() else { return };
        let now = self.now.instant();
        let until = self.uncharged.charge(&shared.setup.addresses, subnet, now).map(|wait| now + wait);
        if until.is_some() || self.excess.is_some() {
            self.excess.get_or_insert_default().address_until = until;
        }
    }

    /// Takes a token for the next frame, if there is one.
    #[inline]
    pub(super) fn take(&mut self, shared: &SessionShared) -> bool {
        self.is_permitted = false;
        self.take_at(shared).is_ok() || self.take_now(shared)
    }

    /// Before a frame is made to wait, the clock is looked at again.
    #[cold]
    fn take_now(&mut self, shared: &SessionShared) -> bool {
        self.now = Moment::now();
        self.take_at(shared).is_ok()
    }

    #[inline]
    fn take_at(&self, shared: &SessionShared) -> Result<(), Duration> {
        let mut bucket = shared.bucket.get();
        let taken = bucket.take(shared.setup.pace.rate, self.now);
        shared.bucket.set(bucket);
        taken
    }

    /// Whether one more frame may be read.
    #[inline]
    pub(super) fn may_read(&mut self, shared: &SessionShared) -> bool {
        // Between two reads the budgets change by relief alone.
        if !self.is_permitted || shared.held_back.get() {
            self.is_permitted = self.lack(shared).is_none();
            if self.is_permitted {
                shared.reads_on();
            }
        }
        self.is_permitted
    }

    /// What keeps one more frame from being read, and for how long. The connection's own budgets come first: where they are
    /// used up, too, it is not for others that it waits.
    #[inline]
    fn lack(&self, shared: &SessionShared) -> Option<(Lack, Duration)> {
        let limits = &shared.setup.pace;
        let frames = shared.bucket.get().wait(limits.rate, self.now);
        if !frames.is_zero() {
            return Some((Lack::Frames, frames));
        }
        let bytes = shared.bytes.get().overdrawn(limits.bytes.span(), self.now);
        if !bytes.is_zero() {
            return Some((Lack::Bytes, bytes));
        }
        let until = self.excess.as_ref()?.address_until?;
        let wait = until.saturating_duration_since(self.now.instant());
        (!wait.is_zero()).then_some((Lack::Address, wait))
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

    /// Something waits, and it is the server that has no time to read it.
    #[cold]
    pub(super) fn stands_still(&mut self) {
        if let Some(spell) = self.spell() {
            spell.stands_still(Instant::now());
        }
    }

    /// The server has time again.
    #[cold]
    pub(super) fn has_turn(&mut self) {
        if let Some(spell) = self.spell() {
            spell.goes_on(Instant::now());
        }
    }

    fn spell(&mut self) -> Option<&mut Spell> {
        self.excess.as_mut()?.spell.as_mut()
    }

    /// Something waits: ready when it may be read. Says so to the client now and then, and ends who never pauses.
    pub(super) fn poll_budget(&mut self, cx: &mut Context<'_>, shared: &SessionShared) -> Poll<()> {
        self.has_turn();
        self.now = Moment::now();
        loop {
            let Some((lack, wait)) = self.lack(shared) else {
                shared.reads_on();
                return Poll::Ready(());
            };
            self.go_on(lack, wait, shared.held_back.get());
            self.refuse(lack, wait, shared);
            // To be read at this pace is a sign of life.
            shared.received();
            let now = self.now.instant();
            let Some(spell) = self.spell() else { return Poll::Ready(()) };
            if now.saturating_duration_since(spell.since) >= shared.setup.pace.flood {
                shared.kill_switch.kill(EndReason::RateLimited);
                return Poll::Pending;
            }
            ready!(spell.sleep.as_mut().poll(cx));
            self.now = Moment::now();
        }
    }

    /// Begins a spell, or goes on with it. One that the server is the reason for, or others of the address, is nobody's flood.
    fn go_on(&mut self, lack: Lack, wait: Duration, held_back: bool) {
        let now = self.now.instant();
        let read_at = now + wait;
        let excess = self.excess.get_or_insert_default();
        if let Some(spell) = &mut excess.spell {
            if held_back || lack == Lack::Address || Lateness::at(now, spell.read_at, LATE).is_late {
                spell.since = now;
            }
            spell.read_at = read_at;
            spell.sleep.as_mut().reset(read_at.into());
            return;
        }
        if !held_back {
            telemetry::tally(|t| t.limit_hits.add(lack.limit()));
        }
        let sleep = Box::pin(tokio::time::sleep_until(read_at.into()));
        excess.spell = Some(Spell { since: now, read_at, still_since: None, sleep });
    }

    fn refuse(&mut self, lack: Lack, wait: Duration, shared: &SessionShared) {
        let excess = self.excess.get_or_insert_default();
        let now = self.now.instant();
        if excess.refused.is_some_and(|at| now.saturating_duration_since(at) < REFUSE_AGAIN) {
            return;
        }
        excess.refused = Some(now);
        let message = if shared.held_back.get() { error_texts::HELD_BACK } else { lack.message() };
        let member = shared.member.get();
        let context = member.map(|m| m.context().as_peer(m.peer)).unwrap_or_default();
        telemetry::emit(&Event::FrameRefused { context, code: ErrorCode::RateLimited, detail: message });
        let pause = match lack {
            Lack::Frames => Milliseconds::rounded_down(shared.setup.pace.rate.span()).0,
            Lack::Bytes => Milliseconds::rounded_down(shared.setup.pace.bytes.span()).0,
            Lack::Address => Milliseconds::rounded_up(wait).0,
        };
        let error = ErrorFrame::new(ErrorCode::RateLimited, message);
        shared.send(&ServerFrame::Error(ErrorFrame { retry_after_ms: Some(pause), ..error }));
    }
}

impl Lack {
    fn limit(self) -> LimitHit {
        match self {
            Self::Frames => LimitHit::FrameRate,
            Self::Bytes => LimitHit::ByteRate,
            Self::Address => LimitHit::ByteRatePerAddress,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Frames => error_texts::TOO_FAST,
            Self::Bytes => error_texts::TOO_MANY_BYTES,
            Self::Address => error_texts::ADDRESS_TOO_FAST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spell that has lasted for so long, in a connection that has just been read.
    fn spell(lasted: Duration) -> Pace {
        let mut pace = Pace::new(Instant::now());
        pace.go_on(Lack::Frames, lasted, false);
        pace.now = pace.now + lasted;
        pace
    }

    fn lasts(pace: &mut Pace) -> Duration {
        let now = pace.now.instant();
        now - pace.spell().expect("it goes on").since
    }

    #[actix::test]
    async fn a_spell_is_not_forgotten_while_the_server_has_no_time_and_does_not_grow_either() {
        let (ago, still) = (Duration::from_secs(15), Duration::from_secs(8));
        let mut pace = spell(ago);
        let begin = pace.now.instant();
        for turn in 1..=3 {
            // It is polled more than once while it waits for its turn.
            let spell = pace.spell().expect("it goes on");
            spell.stands_still(begin + still * (turn - 1));
            spell.stands_still(begin + still * (turn - 1) + still / 2);
            spell.goes_on(begin + still * turn);
            pace.now = (begin + still * turn).into();
            pace.go_on(Lack::Frames, Duration::ZERO, false);
            assert_eq!(lasts(&mut pace), ago);
        }
        // What passes then is the client's own again.
        pace.now = pace.now + LATE / 2;
        pace.go_on(Lack::Frames, Duration::ZERO, false);
        assert_eq!(lasts(&mut pace), ago + LATE / 2);
    }

    #[actix::test]
    async fn who_has_caught_up_begins_anew() {
        let mut pace = spell(Duration::from_secs(15));
        pace.stands_still();
        assert!(pace.is_exceeded());
        pace.caught_up();
        pace.has_turn();
        assert!(!pace.is_exceeded());
    }
}
