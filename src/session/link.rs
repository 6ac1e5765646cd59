//! What a session, its pump and its arbiter's tick share: the writing half of the socket, the bounded queue before it,
//! and the one way to end it all.

use std::{
    cell::{Cell, OnceCell, RefCell},
    io,
    net::Shutdown,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use actix_codec::Encoder;
use actix_http::ws::{CloseReason, Codec, Message};
use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::net::{TcpStream, tcp::OwnedWriteHalf};

use super::{
    outbox::{Flushed, Outbox},
    tick::Beat,
};
use crate::{
    messages::{Cut, session::Member},
    protocol::{EndReason, FrameKind, TextFrame},
    telemetry,
};

/// One connection, as its arbiter sees it.
pub(super) struct Link {
    socket: OwnedWriteHalf,
    outbox: RefCell<Outbox>,
    /// Most octets and frames that may wait.
    most: (usize, usize),
    /// How the connection is ended, by whomever.
    pub(super) cut: Cut,
    /// Whether anything was received since the last sweep.
    heard: Cell<bool>,
    /// For the sweep.
    pub(super) beat: Cell<Beat>,
    /// When this connection ends by itself, and why.
    pub(super) deadline: Cell<Option<(Instant, EndReason)>>,
    /// How the room's other sessions reach this one. Set when its actor starts.
    pub(super) member: OnceCell<Arc<Member>>,
    /// The answer to the client's close frame.
    pub(super) echo: Cell<Option<Bytes>>,
    /// Whether `bye` was said already: a drain says it long before the close.
    pub(super) said_bye: Cell<bool>,
    /// Whether the session is in a room: for the arbiter's report.
    pub(super) joined: Cell<bool>,
    /// Its place in the arbiter's list.
    pub(super) place: Cell<usize>,
}

impl Link {
    pub(super) fn new(socket: OwnedWriteHalf, most: (usize, usize), now: Instant) -> Rc<Self> {
        Rc::new(Self {
            socket,
            outbox: RefCell::default(),
            most,
            cut: Cut::default(),
            heard: Cell::new(false),
            beat: Cell::new(Beat::since(now)),
            deadline: Cell::new(None),
            member: OnceCell::new(),
            echo: Cell::new(None),
            said_bye: Cell::new(false),
            joined: Cell::new(false),
            place: Cell::new(0),
        })
    }

    /// The one way out for text.
    pub(super) fn say(&self, kind: FrameKind, frame: TextFrame) {
        let frame = frame.into_bytes();
        telemetry::tally(|t| t.message_out(kind, frame.len()));
        self.queue(frame);
    }

    /// Queues octets for the socket. Over the bound, and with a kernel that takes no more, this is the end: nothing is
    /// queued after it.
    pub(super) fn queue(&self, frame: Bytes) {
        if self.cut.reason().is_some() {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        if self.over(&outbox, frame.len()) {
            // A burst is no slow reader: what the kernel still takes does not wait. An error here comes back at the
            // pump's own flush.
            let _ = outbox.flush(|slices| self.socket.try_write_vectored(slices));
            if self.over(&outbox, frame.len()) {
                self.cut.pull(EndReason::SlowConsumer);
                return;
            }
        }
        outbox.push(frame);
    }

    /// The last words of a connection that the server ends: past the bound and past the cut, a few hundred octets.
    pub(super) fn last_words(&self, frame: Bytes) {
        self.outbox.borrow_mut().push(frame);
    }

    fn over(&self, outbox: &Outbox, more: usize) -> bool {
        outbox.bytes() + more > self.most.0 || outbox.frames() >= self.most.1
    }

    /// Writes until nothing waits or the kernel takes no more.
    pub(super) fn flush(&self) -> io::Result<Flushed> {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.is_empty() {
            return Ok(Flushed::Empty);
        }
        outbox.flush(|slices| self.socket.try_write_vectored(slices))
    }

    /// Octets came in: the client lives.
    pub(super) fn heard(&self) {
        self.heard.set(true);
    }

    /// Whether anything came in since this was asked last.
    pub(super) fn was_heard(&self) -> bool {
        self.heard.replace(false)
    }

    /// The socket, to wait for and to read off while it lingers.
    pub(super) fn socket(&self) -> &TcpStream {
        self.socket.as_ref()
    }

    /// Says FIN: everything was said.
    pub(super) fn finish(&self) {
        // It fails only if the socket is gone, which is what was wanted.
        let _ = SockRef::from(self.socket()).shutdown(Shutdown::Write);
    }

    /// Gives the socket up without waiting for what it has not sent: the client sees a reset (1006).
    pub(super) fn reset(&self) {
        let mut outbox = self.outbox.borrow_mut();
        telemetry::tally(|t| {
            t.discarded_frames += outbox.frames() as u64;
            t.discarded_bytes += outbox.bytes() as u64;
        });
        outbox.clear();
        // As above.
        let _ = SockRef::from(self.socket()).set_linger(Some(std::time::Duration::ZERO));
    }
}

/// A close frame (RFC 6455 section 5.5.1).
pub(super) fn close_frame(reason: Option<CloseReason>) -> Bytes {
    let mut frame = BytesMut::new();
    // It cannot fail: a client's reason was checked when it was read, and ours are short words.
    let _ = Codec::new().encode(Message::Close(reason), &mut frame);
    frame.freeze()
}
