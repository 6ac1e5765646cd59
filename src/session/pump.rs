//! The task of one connection: polls the actor's context whatever the socket does, and writes what waits.
//!
//! One way out for everybody: whoever ends a connection pulls its [`Cut`](crate::messages::Cut); the pump finds it, says
//! the last words if the socket takes them, drops the context (which runs `stopped`), and lets the socket go.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use actix_http::ws::{CloseCode, CloseReason, Codec};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::Sleep;

use super::{
    Opened, Setup,
    actor::Session,
    fragments::Bound,
    inbound,
    inbound::Inbound,
    link::{Link, close_frame},
    outbox::Flushed,
    tick,
};
use crate::protocol::{EndReason, server};

/// How long the last words may take, and how long the client may take to hang up after them. Then the socket is reset.
const CLOSE_GRACE: Duration = Duration::from_secs(2);
/// Octets thrown away in one turn while a closed connection lingers.
const LINGER_READ: usize = 16 * 1024;
/// When a client whose connection the server ended for its own reasons may come back: at once, but its own back-off rules.
const RETRY_AFTER_MS: u64 = 1_000;

/// Starts a session on the calling arbiter and gives it the socket. `permit` is dropped when the socket is.
pub(super) fn open<P: 'static>(setup: &Rc<Setup>, opened: Opened<P>) {
    let now = Instant::now();
    let (reader, writer) = opened.socket.into_split();
    let link = Link::new(writer, (setup.queue_bytes, setup.queue_frames), now);
    let bound = Bound { bytes: setup.frame_bytes, fragments: setup.fragments };
    let inbound = Inbound::new(reader, Rc::clone(&link), &opened.unread, bound);
    let session = Session::new(Rc::clone(setup), Rc::clone(&link), inbound, (opened.request, opened.hint), now);
    session.announce(&opened.remote);
    let context = actix_web_actors::ws::WebsocketContext::with_codec(session, inbound::unused(), Codec::new());
    tick::enlist(&link);
    actix_rt::spawn(Pump { context: Some(context), link, last: None, permit: opened.permit });
}

/// The connection's task.
struct Pump<S, P> {
    /// The actor. Gone once the connection is being closed.
    context: Option<S>,
    link: Rc<Link>,
    last: Option<Last>,
    #[expect(dead_code, reason = "held for its Drop: the connection's place in the count")]
    permit: P,
}

/// The end of a connection that the client should hear of.
struct Last {
    grace: Pin<Box<Sleep>>,
    finished: bool,
}

impl<S, P> Unpin for Pump<S, P> {}

impl<S, P> Future for Pump<S, P>
where
    S: Stream<Item = Result<Bytes, actix_web::Error>> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.last.is_none() {
            this.link.cut.register(cx.waker());
            this.run_actor(cx);
            if let Some(reason) = this.link.cut.reason() {
                if !this.begin_end(reason) {
                    return Poll::Ready(());
                }
            } else {
                return this.write(cx);
            }
        }
        this.linger(cx)
    }
}

impl<S, P> Pump<S, P>
where
    S: Stream<Item = Result<Bytes, actix_web::Error>> + Unpin,
{
    /// Mailbox, timers and incoming messages, until there is nothing to do. What the context encodes are control frames.
    fn run_actor(&mut self, cx: &mut Context<'_>) {
        let Some(context) = self.context.as_mut() else { return };
        loop {
            // A panic ends this session, with a word to its client, and nothing else.
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *context).poll_next(cx))) {
                Ok(Poll::Pending) => return,
                Ok(Poll::Ready(Some(Ok(octets)))) => self.link.queue(octets),
                Ok(Poll::Ready(Some(Err(_)) | None)) | Err(_) => return self.link.cut.pull(EndReason::Internal),
            }
        }
    }

    /// Writes until nothing waits; if the kernel is full, asks to be woken when it is not.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.link.flush() {
                Ok(Flushed::Empty) => return Poll::Pending,
                Ok(Flushed::Jammed) => match self.link.socket().poll_write_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => break,
                    Poll::Pending => return Poll::Pending,
                },
                Err(_) => break,
            }
        }
        self.link.cut.pull(EndReason::Disconnected);
        self.begin_end(EndReason::Disconnected);
        Poll::Ready(())
    }

    /// Ends the actor; `false` where the socket can carry no last words.
    fn begin_end(&mut self, reason: EndReason) -> bool {
        // Runs `stopped`, where the session leaves its room.
        let _ = catch_unwind(AssertUnwindSafe(|| self.context = None));
        let Some(code) = reason.close_code() else {
            self.link.reset();
            return false;
        };
        if reason != EndReason::ClientClosed && !self.link.said_bye.get() {
            self.link.last_words(server::bye(reason, RETRY_AFTER_MS).into_bytes());
        }
        let own = || CloseReason { code: CloseCode::from(code), description: Some(reason.as_str().to_owned()) };
        self.link.last_words(self.link.echo.take().unwrap_or_else(|| close_frame(Some(own()))));
        self.last = Some(Last { grace: Box::pin(tokio::time::sleep(CLOSE_GRACE)), finished: false });
        true
    }

    /// Last words, FIN, and then what still comes is thrown away until the client hangs up: closing a socket with unread
    /// octets would reset it, and the last words with it.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(last) = self.last.as_mut() else { return Poll::Ready(()) };
        if last.grace.as_mut().poll(cx).is_ready() {
            self.link.reset();
            return Poll::Ready(());
        }
        while !last.finished {
            match self.link.flush() {
                Ok(Flushed::Empty) => {
                    last.finished = true;
                    self.link.finish();
                }
                Ok(Flushed::Jammed) => {
                    if ready!(self.link.socket().poll_write_ready(cx)).is_err() {
                        return Poll::Ready(());
                    }
                }
                Err(_) => return Poll::Ready(()),
            }
        }
        self.throw_away(cx)
    }

    fn throw_away(&self, cx: &mut Context<'_>) -> Poll<()> {
        let socket = self.link.socket();
        let mut octets = [0; LINGER_READ];
        match ready!(socket.poll_read_ready(cx)) {
            Ok(()) => match socket.try_read(&mut octets) {
                Ok(0) => Poll::Ready(()),
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Poll::Ready(()),
                _ => {
                    // One read a turn: a client that goes on sending has two seconds, not the arbiter.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Err(_) => Poll::Ready(()),
        }
    }
}

impl<S, P> Drop for Pump<S, P> {
    fn drop(&mut self) {
        tick::dismiss(&self.link);
    }
}
