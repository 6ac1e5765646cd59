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

use super::{pace::Pace, shared::SessionShared};
use crate::{
    protocol::{EndReason, close_code},
    ws::{Decoder, FrameError, READ},
};

/// What a session may read before it gives its arbiter's turn back: a flooder must not starve its neighbours.
const TURN: usize = READ;
/// What one call may read from a connection that is too fast: what it sent ahead waits in the kernel, not here.
const SHORT_READ: usize = 4 * 1024;

/// The stream of one socket's messages. Ends when the socket does; the [`SessionShared`] then knows why.
pub(super) struct Inbound {
    shared: Rc<SessionShared>,
    /// Which of the session's sockets this is.
    epoch: u32,
    decoder: Decoder,
    pace: Pace,
    /// Bytes read in this turn.
    turn: u32,
}

impl Inbound {
    pub(super) fn new(shared: Rc<SessionShared>, unread: &[u8], now: Instant) -> Self {
        let mut decoder = Decoder::new(shared.setup.bound);
        decoder.feed(unread);
        let pace = Pace::new(now);
        Self { epoch: shared.connection.epoch(), shared, decoder, pace, turn: 0 }
    }

    /// The next message for which there are tokens.
    fn decode(&mut self) -> Result<Option<Message>, FrameError> {
        let Self { decoder, pace, shared, .. } = self;
        decoder.next_permitted(|| {
            let permitted = pace.take(shared);
            if permitted {
                shared.connection.frame_read();
            }
            permitted
        })
    }

    /// Reads once, behind what is left of the last read.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let most = if self.pace.is_exceeded() { SHORT_READ } else { READ };
        self.shared.connection.poll_fill(&mut self.decoder, most, cx)
    }

    /// With an empty bucket: ready when there is a token again, if a frame waits for it, here or in the kernel.
    fn wait_for_token(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turn = 0;
        if !self.decoder.has_frame() && self.shared.connection.poll_read_ready(cx).is_pending() {
            self.pace.caught_up();
            return Poll::Pending;
        }
        self.pace.poll_token(cx, &self.shared)
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
            if let Some(message) = this.decode().transpose() {
                return Poll::Ready(Some(message));
            }
            this.shared.connection.leave_unhandled(this.decoder.held());
            if !this.pace.has_token(&this.shared) {
                ready!(this.wait_for_token(cx));
                continue;
            }
            if this.turn as usize >= TURN {
                this.turn = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match this.fill(cx) {
                Poll::Pending => {
                    this.turn = 0;
                    this.pace.caught_up();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0) | Err(_)) => {
                    this.shared.connection.note(|attachment| attachment.lost = true);
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(read)) => {
                    this.turn = this.turn.saturating_add(u32::try_from(read).unwrap_or(u32::MAX));
                    this.shared.received();
                    this.pace.read();
                }
            }
        }
    }
}

impl Drop for Inbound {
    /// A socket that is handed over takes along what was read of it.
    fn drop(&mut self) {
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
