//! The decoder at its socket: the session's own message stream, instead of the crate's, which reads ahead without bound,
//! keeps its buffer, and checks a frame's length only when all of it is there.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use actix_http::ws::Message;
use bytes::Bytes;
use futures_util::Stream;

use super::{
    fan_out,
    pace::Pace,
    reading::{self, READING},
    shared::SessionShared,
    turns::{Class, Turn},
};
use crate::{
    protocol::{EndReason, close_code},
    ws::{Decoder, FrameError, READ},
};

/// What a session may read before it gives its arbiter's turn back: a flooder must not starve its neighbours.
const TURN: usize = READ;
/// What one call may read from a connection that is too fast, or in one turn from one that has a backlog while its arbiter is
/// busy: what it sent ahead waits in the kernel, not here.
const SHORT_READ: usize = 4 * 1024;

/// Frames of one turn, while the arbiter is busy: a frame may be relayed to a whole room, and of one of 64 some hundred
/// microseconds for each are as much as a [round](super::turns) has.
const TURN_FRAMES: u32 = 4;
/// So many more deliveries than one for each are as much of a turn as a frame: each is a message and its part of a write.
const DELIVERIES: u32 = 4;
/// Without turns, frames are read as they come. More than this is left of it, however long it lasts.
const UNCOUNTED: u32 = u32::MAX / 2;

/// The stream of one socket's messages. Ends when the socket does; the [`SessionShared`] then knows why.
pub(super) struct Inbound {
    shared: Rc<SessionShared>,
    /// Which of the session's sockets this is.
    epoch: u32,
    decoder: Decoder,
    pace: Pace,
    /// Bytes read in this turn.
    turn: u32,
    /// Frames that may be read before it is asked whose turn it is.
    frames: u32,
    /// Whether something was read and nothing has shown yet that it was all there was.
    has_backlog: bool,
    /// Whether this turn's read is still to come.
    may_read: bool,
}

impl Inbound {
    pub(super) fn new(shared: Rc<SessionShared>, unread: &[u8], now: Instant) -> Self {
        let mut decoder = Decoder::new(shared.setup.bound);
        decoder.feed(unread);
        let pace = Pace::new(now);
        Self {
            epoch: shared.connection.epoch(),
            shared,
            decoder,
            pace,
            turn: 0,
            frames: u32::MAX,
            has_backlog: false,
            may_read: false,
        }
    }

    /// The next message for which there are tokens, and time.
    fn decode(&mut self) -> Result<Option<Message>, FrameError> {
        let Self { decoder, pace, shared, frames, .. } = self;
        decoder.next_permitted(|| {
            let permitted = *frames > 0 && pace.take(shared);
            if permitted {
                *frames -= 1;
                shared.connection.frame_read();
            }
            permitted
        })
    }

    /// While the arbiter is busy: what the frames of this turn have caused is part of it. Who has had none yet needs one for what it
    /// has read before, too.
    #[cold]
    fn count_turn(&mut self) {
        let caused = fan_out::take() / DELIVERIES;
        self.frames = if self.frames > UNCOUNTED { 0 } else { self.frames.saturating_sub(caused) };
    }

    /// Reads once, behind what is left of the last read.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let is_turn = std::mem::take(&mut self.may_read);
        if !is_turn {
            self.frames = u32::MAX;
        }
        let most = if (is_turn && self.has_backlog) || self.pace.is_exceeded() { SHORT_READ } else { READ };
        self.shared.connection.poll_fill(&mut self.decoder, most, cx)
    }

    /// With a budget used up: ready when there is some again, if something waits for it, here or in the kernel.
    fn wait_for_budget(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turn = 0;
        if !self.decoder.has_frame() && self.shared.connection.poll_read_ready(cx).is_pending() {
            self.is_drained();
            return Poll::Pending;
        }
        self.pace.poll_budget(cx, &self.shared)
    }

    /// While the arbiter is busy: ready when it is this session's turn, if there is anything to read.
    #[cold]
    fn wait_for_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turn = 0;
        match self.shared.turn.get() {
            Turn::Granted => {
                self.shared.turn.set(Turn::None);
                self.pace.has_turn();
                // Others caused what is counted so far.
                let _ = fan_out::take();
                (self.frames, self.may_read) = (TURN_FRAMES, true);
                return Poll::Ready(());
            }
            Turn::Waiting => {}
            Turn::None if !reading::is_busy() => {
                self.pace.has_turn();
                self.frames = u32::MAX;
                return Poll::Ready(());
            }
            Turn::None => {
                if !self.decoder.has_frame() && self.shared.connection.poll_read_ready(cx).is_pending() {
                    self.is_drained();
                    return Poll::Pending;
                }
                let class = if self.has_backlog { Class::Backlogged } else { Class::Fresh };
                READING.with(|reading| reading.wait(&self.shared, class));
            }
        }
        // It is the server that does not read: this is neither silence nor the client's flood, and no end of one.
        self.shared.received();
        self.pace.stands_still();
        Poll::Pending
    }

    /// All that came is read.
    fn is_drained(&mut self) {
        self.has_backlog = false;
        self.pace.caught_up();
    }
}

impl Stream for Inbound {
    type Item = Result<Message, FrameError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.epoch != this.shared.connection.epoch() {
            return Poll::Ready(None);
        }
        loop {
            if this.shared.paused.get() || this.shared.busy.get() {
                return Poll::Pending;
            }
            if reading::is_busy() {
                this.count_turn();
            }
            if let Some(message) = this.decode().transpose() {
                return Poll::Ready(Some(message));
            }
            this.shared.connection.leave_unhandled(this.decoder.held());
            if this.frames == 0 {
                ready!(this.wait_for_turn(cx));
                continue;
            }
            if !this.pace.may_read(&this.shared) {
                ready!(this.wait_for_budget(cx));
                if reading::is_busy() {
                    // There are budgets for thousands of them in each moment: when it is there, it waits for its turn as others do.
                    this.frames = 0;
                }
                continue;
            }
            if reading::is_busy() && !this.may_read {
                ready!(this.wait_for_turn(cx));
            } else if this.turn as usize >= TURN {
                this.turn = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match this.fill(cx) {
                Poll::Pending => {
                    this.turn = 0;
                    this.is_drained();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0) | Err(_)) => {
                    this.shared.connection.note(|attachment| attachment.lost = true);
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(read)) => {
                    let read = u32::try_from(read).unwrap_or(u32::MAX);
                    this.turn = this.turn.saturating_add(read);
                    this.has_backlog = true;
                    this.shared.received();
                    let now = this.pace.read(read, &this.shared);
                    READING.with(|reading| reading.has_read(now));
                }
            }
        }
    }
}

impl Drop for Inbound {
    /// A socket that is handed over takes along what was read of it.
    fn drop(&mut self) {
        self.pace.charge_address(&self.shared);
        if let Some(mut pending_transfer) = self.shared.pending_transfer.take() {
            pending_transfer.unread = self.decoder.unread().to_vec();
            self.shared.pending_transfer.set(Some(pending_transfer));
        }
    }
}

/// What a client's broken frame ends its connection with.
pub(super) fn end_reason(error: FrameError) -> EndReason {
    match error.close_code() {
        close_code::INVALID_PAYLOAD => EndReason::InvalidUtf8,
        close_code::TOO_BIG => EndReason::MessageTooLarge,
        _ => EndReason::ProtocolError,
    }
}

/// An empty message stream for the context's own reader, which we do not use.
pub(super) fn unused() -> futures_util::stream::Pending<Result<Bytes, actix_http::error::PayloadError>> {
    futures_util::stream::pending()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_frame_is_answered_with_the_close_code_that_it_means() {
        for (error, reason) in [
            (FrameError::NotUtf8, EndReason::InvalidUtf8),
            (FrameError::TooBig, EndReason::MessageTooLarge),
            (FrameError::Unmasked, EndReason::ProtocolError),
        ] {
            assert_eq!(end_reason(error), reason);
            assert_eq!(reason.close_code(), Some(error.close_code()));
        }
    }
}
