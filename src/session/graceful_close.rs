//! The end of a socket that takes last words: `bye`, a close frame, FIN, and then what still comes is thrown away until
//! the client hangs up. Closing a socket with unread bytes would reset it, and the last words with it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_http::ws::CloseReason;
use tokio::time::Sleep;

use super::{connection::Connection, inbound};
use crate::{
    protocol::{ByeAction, EndReason, server},
    ws::{Flushed, close_frame},
};

/// How long the last words may take, and how long the client may take to hang up after them. Then the socket is reset.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes thrown away in one turn.
const LINGER_READ: usize = 16 * 1024;
/// Bytes thrown away in all: what a client had on its way. One that still goes on is slowed by TCP, not read to the end.
const LINGER_MOST: usize = 1024 * 1024;
/// When a client whose connection the server ended for its own reasons may come back: at once, but its own back-off rules.
const RETRY_AFTER_MS: u64 = 1_000;

/// Ends a socket in the way that the reason asks for, in a task of its own.
pub(super) fn close(mut connection: Connection, reason: EndReason, action: ByeAction) {
    let last_words = match (connection.echo.take(), reason.close_code()) {
        // The client closed first: its close frame is answered with the same.
        (Some(echo), _) => *echo,
        (None, Some(code)) => {
            if !connection.said_bye {
                // A drain's time to come back is the closing itself.
                let at_once = action == ByeAction::Disconnect || reason == EndReason::ServerDraining;
                let retry_after_ms = if at_once { 0 } else { RETRY_AFTER_MS };
                connection.outbox.push(server::bye(reason, action, retry_after_ms).into_bytes());
            }
            close_frame(Some(CloseReason { code: code.into(), description: Some(reason.as_str().to_owned()) }))
        }
        (None, None) => return connection.reset(),
    };
    connection.outbox.push(last_words);
    actix_rt::spawn(GracefulClose {
        connection: Some(connection),
        finished: false,
        thrown_away: 0,
        grace: Box::pin(tokio::time::sleep(GRACE)),
    });
}

struct GracefulClose {
    connection: Option<Connection>,
    finished: bool,
    /// Bytes that came too late.
    thrown_away: usize,
    grace: Pin<Box<Sleep>>,
}

impl Future for GracefulClose {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.grace.as_mut().poll(cx).is_ready() {
            if let Some(connection) = this.connection.take() {
                connection.reset();
            }
            return Poll::Ready(());
        }
        let Some(connection) = this.connection.as_mut() else { return Poll::Ready(()) };
        while !this.finished {
            match connection.flush() {
                Ok(Flushed::Empty) => {
                    this.finished = true;
                    connection.finish();
                }
                Ok(Flushed::Jammed) => {
                    if ready!(connection.socket().poll_write_ready(cx)).is_err() {
                        return Poll::Ready(());
                    }
                }
                Err(_) => return Poll::Ready(()),
            }
        }
        throw_away(connection, &mut this.thrown_away, cx)
    }
}

fn throw_away(connection: &Connection, so_far: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
    if *so_far > LINGER_MOST {
        return Poll::Pending;
    }
    if ready!(connection.socket().poll_read_ready(cx)).is_err() {
        return Poll::Ready(());
    }
    match inbound::discard(connection.socket(), LINGER_READ) {
        Ok(0) => Poll::Ready(()),
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Poll::Ready(()),
        read => {
            *so_far += read.unwrap_or(0);
            // One read a turn: a client that goes on sending has two seconds, not the arbiter.
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}
