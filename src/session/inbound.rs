//! From octets to messages: the session's own stream, instead of the crate's, which reads ahead without bound, keeps its
//! buffer, and checks a frame's length only when all of it is there.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, Message, ProtocolError};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::Stream;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::OwnedReadHalf,
};

use super::{
    Setup,
    fragments::{self, Assembly, Bound},
    guard::{self, Head, LEAST_READ},
    link::Link,
    pace::Pace,
};
use crate::protocol::EndReason;

/// What one call may read, and what a session may handle before it gives its arbiter's turn back: a flooder must not
/// starve its neighbours.
const TURN: usize = 64 * 1024;
/// What one call may read from a connection that is too fast: what it sent ahead waits in the kernel, not here.
const SHORT_READ: usize = 4 * 1024;

thread_local! {
    /// One read buffer per arbiter. A session borrows it for a read and hands on slices of it; once they are handled,
    /// the next reservation takes the memory back.
    static BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// The stream of one socket's messages. Ends when the socket does; the [`Link`] then knows why.
pub(super) struct Inbound {
    socket: OwnedReadHalf,
    link: Rc<Link>,
    /// Which of the session's sockets this is.
    epoch: u32,
    codec: Codec,
    bound: Bound,
    /// Octets read and not yet decoded.
    rest: BytesMut,
    /// Whether `rest` is this session's own small copy of a partial frame, and not a slice of the arbiter's buffer.
    own: bool,
    assembly: Option<Box<Assembly>>,
    pace: Pace,
    /// Octets read in this turn.
    turn: usize,
}

/// Text that is not UTF-8, as the codec's error type can say it; [`end_reason`] reads it back.
pub(super) fn not_utf8<E>(_: E) -> ProtocolError {
    ProtocolError::Io(io::ErrorKind::InvalidInput.into())
}

/// What a broken rule of RFC 6455 ends the connection with.
pub(super) fn end_reason(error: &ProtocolError) -> EndReason {
    match error {
        ProtocolError::Overflow => EndReason::MessageTooLarge,
        // How `not_utf8` says it.
        ProtocolError::Io(error) if error.kind() == io::ErrorKind::InvalidInput => EndReason::InvalidUtf8,
        _ => EndReason::ProtocolError,
    }
}

impl Inbound {
    pub(super) fn new(socket: OwnedReadHalf, link: Rc<Link>, unread: &[u8], setup: &Setup, now: Instant) -> Self {
        let bound = setup.bound();
        Self {
            epoch: link.epoch.get(),
            socket,
            link,
            codec: Codec::new().max_size(bound.bytes),
            bound,
            rest: BytesMut::from(unread),
            own: true,
            assembly: None,
            pace: Pace::new(Rc::clone(&setup.pace), now),
            turn: 0,
        }
    }

    /// The next whole message among the octets at hand.
    fn decode(&mut self) -> Result<Option<Message>, ProtocolError> {
        loop {
            match guard::inspect(&self.rest, self.bound.bytes)? {
                Head::Frame(length) if length <= self.rest.len() => {
                    if !self.pace.take(&self.link) {
                        self.keep_partial();
                        return Ok(None);
                    }
                }
                // The codec still looks at the head: a wrong mask, opcode or reserved bit need not wait for the payload.
                _ => {
                    if self.rest.len() >= 2 {
                        self.codec.decode(&mut self.rest)?;
                    }
                    self.keep_partial();
                    return Ok(None);
                }
            }
            let Some(frame) = self.codec.decode(&mut self.rest)? else { return Ok(None) };
            if self.rest.is_empty() {
                self.rest = BytesMut::new();
            }
            if let Some(message) = self.assemble(frame)? {
                return Ok(Some(message));
            }
        }
    }

    fn assemble(&mut self, frame: Frame) -> Result<Option<Message>, ProtocolError> {
        Ok(Some(match frame {
            Frame::Text(octets) => Message::Text(ByteString::try_from(octets).map_err(not_utf8)?),
            Frame::Binary(octets) => Message::Binary(octets),
            Frame::Ping(payload) => Message::Ping(payload),
            Frame::Pong(payload) => Message::Pong(payload),
            Frame::Close(reason) => Message::Close(reason),
            Frame::Continuation(item) => return fragments::take(&mut self.assembly, item, self.bound),
        }))
    }

    /// Copies a partial frame, or frames that wait for a token, off the arbiter's buffer, which it would otherwise keep for itself.
    fn keep_partial(&mut self) {
        if !self.own {
            self.rest = BytesMut::from(&self.rest[..]);
            self.own = true;
        }
    }

    /// Reads once into the arbiter's buffer, behind what is left of the last read.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let most = if self.pace.is_exceeded() { SHORT_READ } else { TURN };
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            buffer.reserve(self.rest.len().max(LEAST_READ) + most);
            buffer.extend_from_slice(&self.rest);
            let kept = buffer.len();
            buffer.resize(kept + most, 0);
            let mut target = ReadBuf::new(&mut buffer[kept..]);
            let outcome = Pin::new(&mut self.socket).poll_read(cx, &mut target);
            let read = target.filled().len();
            if let Err(error) = ready!(outcome) {
                return Poll::Ready(Err(error));
            }
            buffer.truncate(kept + read);
            self.rest = buffer.split();
            self.own = false;
            Poll::Ready(Ok(read))
        })
    }

    /// With an empty bucket: ready when there is a token again, if a frame waits for it, here or in the kernel.
    fn wait_for_token(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turn = 0;
        let whole = matches!(guard::inspect(&self.rest, self.bound.bytes), Ok(Head::Frame(n)) if n <= self.rest.len());
        if !whole && self.socket.as_ref().poll_read_ready(cx).is_pending() {
            self.pace.caught_up();
            return Poll::Pending;
        }
        self.pace.poll_token(cx, &self.link)
    }
}

impl Stream for Inbound {
    type Item = Result<Message, ProtocolError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.epoch != this.link.epoch.get() {
            return Poll::Ready(None);
        }
        loop {
            if this.link.paused.get() {
                return Poll::Pending;
            }
            if let Some(message) = this.decode().transpose() {
                return Poll::Ready(Some(message));
            }
            if !this.pace.has_token(&this.link) {
                ready!(this.wait_for_token(cx));
                continue;
            }
            if this.turn >= TURN {
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
                    this.link.lost.set(true);
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(read)) => {
                    this.turn += read;
                    this.link.heard();
                    this.pace.read();
                }
            }
        }
    }
}

impl Drop for Inbound {
    /// A socket that is handed over takes along what was read of it.
    fn drop(&mut self) {
        if self.link.handover.borrow().is_some() {
            self.link.unread.replace(self.rest.to_vec());
        }
    }
}

/// An empty message stream for the context's own reader, which we do not use.
pub(super) fn unused() -> futures_util::stream::Pending<Result<Bytes, actix_http::error::PayloadError>> {
    futures_util::stream::pending()
}
