//! The socket of one request, as the HTTP library sees it: the head that was read already, as much of a body as its
//! listener's routes take, and then the end. The library would read on: a chunked body that nobody reads it throws away
//! for as long as it comes, with the answer long written; and it decodes whatever a client sends ahead and answers all of
//! it in one turn.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    select,
    time::{Sleep, sleep, timeout},
};

use super::{head::Body, silent::Waits};
use crate::{http::client::KnownBy, session::reading, ws::AnySocket};

/// Bytes of a body, with the framing of its chunks, that any route takes: the longest text for a room, with every letter of it
/// escaped, and the longest metadata are within it.
pub(in crate::http) const BODY_MAX: usize = 32 * 1024;
/// Bytes of it that are read at once.
const BODY_PIECE: usize = 1024;
/// How long what still comes is read and thrown away after an answer: a socket that is closed with unread bytes is reset,
/// and the client may never see the answer.
const LINGER: Duration = Duration::from_secs(1);
/// As many bytes of it.
const LINGER_BYTES: usize = 256 * 1024;
/// Bytes thrown away in one read.
const THROWN_AWAY: usize = 4 * 1024;
/// What an answer says that is the last one.
const CLOSE: &[u8] = b"connection: close\r\n";

/// A connection of which one request is read.
pub(in crate::http) struct SingleRequestStream {
    socket: AnySocket,
    /// What was read already.
    read: BytesMut,
    /// So many bytes of the body may come yet.
    left: usize,
    /// Whether it is an HTTP/1.0 request, in whose answers the library leaves out that the connection ends.
    silent_close: bool,
    /// What goes before everything else that is written.
    first: BytesMut,
    /// Whether nobody has said how long the body is.
    chunked: bool,
    input: Rc<Input>,
    make_room: MakeRoom,
    closing: Option<Closing>,
}

/// Told when somebody else needs the place of a socket that only waits: for its head, or for its client to hang up.
pub(in crate::http) type MakeRoom = Option<Waits>;

/// What the application and the socket know of each other.
#[derive(Default)]
pub(in crate::http) struct Input {
    answered: Cell<bool>,
    /// There was, or is, more of a body than the routes take.
    cut: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
    /// How it is known whose the request is.
    pub(in crate::http) known_by: Cell<KnownBy>,
}

/// The time after the last byte of the answer.
struct Closing {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl Input {
    /// There is an answer: no more is read for it.
    pub(in crate::http) fn answered(&self) {
        self.answered.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// Whether a body was not read because it is longer than any route takes.
    pub(in crate::http) fn was_cut(&self) -> bool {
        self.cut.get()
    }
}

impl SingleRequestStream {
    /// For a request whose head is the first `head` bytes of `read`, and a listener whose routes take bodies of `most`.
    pub(in crate::http) fn new(
        socket: AnySocket,
        mut read: BytesMut,
        head: usize,
        body: Body,
        most: usize,
        silent_close: bool,
        make_room: MakeRoom,
    ) -> Self {
        let (may, cut) = match body {
            Body::None => (0, false),
            // Not even begun: there is nothing to be done with the first half of it.
            Body::Sized(length) => {
                usize::try_from(length).ok().filter(|l| *l <= most).map_or((0, true), |l| (l, false))
            }
            Body::Chunked => (most, most == 0),
        };
        read.truncate(head + may);
        let left = head + may - read.len();
        let input = Rc::new(Input { cut: Cell::new(cut), ..Input::default() });
        let chunked = body == Body::Chunked;
        Self { socket, read, left, silent_close, first: BytesMut::new(), chunked, input, make_room, closing: None }
    }

    pub(in crate::http) fn input(&self) -> &Rc<Input> {
        &self.input
    }

    /// Writes what goes first.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.first.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.first))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.first.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for SingleRequestStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.read.is_empty() {
            let taken = this.read.len().min(buf.remaining());
            buf.put_slice(&this.read.split_to(taken));
            if this.read.is_empty() {
                this.read = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        // The end is what the library hears when there is no more for it to read: it answers all the same, and hangs up.
        if this.left == 0 || this.input.answered.get() {
            return Poll::Ready(Ok(()));
        }
        let mut bytes = [0; BODY_PIECE];
        let room = this.left.min(buf.remaining()).min(bytes.len());
        let mut body = ReadBuf::new(&mut bytes[..room]);
        if Pin::new(&mut this.socket).poll_read(cx, &mut body)?.is_pending() {
            this.input.waiting.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        this.left -= body.filled().len();
        if this.left == 0 && this.chunked {
            this.input.cut.set(true);
        }
        buf.put_slice(body.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SingleRequestStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_first(cx))?;
        if !std::mem::take(&mut this.silent_close) {
            return Pin::new(&mut this.socket).poll_write(cx, bytes);
        }
        this.first = with_close_header(bytes);
        let _ = this.poll_first(cx)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_first(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_first(cx))?;
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
        }
        let owed = this.left > 0 || this.input.cut.get();
        let closing =
            this.closing.get_or_insert_with(|| Closing { until: Box::pin(sleep(LINGER)), left: LINGER_BYTES });
        if let Some(make_room) = &mut this.make_room
            && Pin::new(make_room).poll(cx).is_ready()
        {
            this.make_room = None;
            return Poll::Ready(Ok(()));
        }
        let mut lingers = owed || closing.left < LINGER_BYTES;
        // One read a turn, so that a client that goes on sending has a turn like all others.
        let mut bytes = [0; THROWN_AWAY];
        let mut bytes = ReadBuf::new(&mut bytes);
        match Pin::new(&mut this.socket).poll_read(cx, &mut bytes) {
            Poll::Ready(Ok(())) if bytes.filled().is_empty() => return Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) => {
                closing.left = closing.left.saturating_sub(bytes.filled().len());
                lingers = closing.left > 0;
                cx.waker().wake_by_ref();
            }
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
            Poll::Pending => {}
        }
        if lingers && closing.until.as_mut().poll(cx).is_pending() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

/// An answer to an HTTP/1.0 request, with what the library leaves out of it.
pub(in crate::http) fn with_close_header(answer: &[u8]) -> BytesMut {
    let mut out = BytesMut::with_capacity(answer.len() + CLOSE.len());
    let line = memchr::memchr(b'\n', answer).map_or(0, |end| end + 1);
    out.extend_from_slice(&answer[..line]);
    out.extend_from_slice(CLOSE);
    out.extend_from_slice(&answer[line..]);
    out
}

/// Ends when somebody else needs the place.
pub(in crate::http) async fn place_needed(make_room: &mut MakeRoom) {
    if let Some(waiting) = make_room {
        let is_needed = waiting.await.is_ok();
        // It tells once.
        *make_room = None;
        if is_needed {
            return;
        }
    }
    // Nobody can tell, or nobody any more: the server goes.
    std::future::pending::<()>().await;
}

/// Writes a last answer and hangs up, having read what the client may still be sending.
pub(in crate::http) async fn answer(
    mut socket: AnySocket,
    from: IpAddr,
    bytes: &[u8],
    make_room: &mut MakeRoom,
) -> io::Result<()> {
    socket.write_all(bytes).await?;
    socket.shutdown().await?;
    let throw_away = async {
        let (mut bytes, mut left) = ([0; THROWN_AWAY], LINGER_BYTES);
        loop {
            let read = socket.read(&mut bytes).await?;
            reading::turn(from).await;
            left = left.saturating_sub(read);
            if read == 0 || left == 0 {
                return Ok(());
            }
        }
    };
    select! {
        end = timeout(LINGER, throw_away) => end.unwrap_or(Ok(())),
        () = place_needed(make_room) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
