//! One request per connection. Every answer says that it is the last one, but actix decodes whatever a client sends ahead and
//! answers all of it in one turn, read or not: 128 KiB of small requests became tens of megabytes of heads and answers, and
//! an arbiter that hung over them. Here the socket ends, as far as reading goes, with the first request.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets of a body that does not say how long it is. No route takes as many.
const UNTOLD_BODY: usize = 4 * 1024;
/// Octets thrown away in one turn.
const THROWN_AWAY: usize = 4 * 1024;

/// A connection that is read to the end of its first request.
#[derive(Debug)]
pub(super) struct Once {
    socket: TcpStream,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// What has come of the head. Its bound is actix's: beyond, the request is refused.
    Head(Vec<u8>),
    /// So many octets belong to the request still; the others are thrown away.
    Body(usize),
    /// Something else than HTTP follows.
    Upgraded,
}

impl Once {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, stage: Stage::Head(Vec::new()) }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.socket
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }
}

impl Stage {
    /// Looks at octets that were read, and says how many of them belong to the request.
    fn take(&mut self, octets: &[u8]) -> usize {
        match self {
            Self::Upgraded => octets.len(),
            Self::Body(left) => {
                let taken = octets.len().min(*left);
                *left -= taken;
                taken
            }
            Self::Head(head) => {
                // A parser may skip empty lines before a request.
                let start = if head.is_empty() {
                    octets.iter().position(|octet| !b"\r\n".contains(octet)).unwrap_or(octets.len())
                } else {
                    0
                };
                let looked_at = head.len().saturating_sub(2);
                head.extend_from_slice(&octets[start..]);
                let Some(end) = end_of_head(&head[looked_at..]).map(|end| looked_at + end) else { return octets.len() };
                let behind = head.len() - end;
                *self = after(&head[..end]);
                let before = octets.len() - behind;
                before + self.take(&octets[before..])
            }
        }
    }
}

/// Behind the empty line. A line ends with CR LF; a parser may be content with LF.
fn end_of_head(octets: &[u8]) -> Option<usize> {
    (0..octets.len()).find_map(|at| match &octets[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// What follows a head.
fn after(head: &[u8]) -> Stage {
    if head.starts_with(b"CONNECT ") {
        return Stage::Upgraded;
    }
    let (mut told, mut untold, mut upgrade) = (0, false, false);
    for line in head.split(|octet| *octet == b'\n') {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket") {
            upgrade = true;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            untold = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            told = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(0);
        }
    }
    // In the order in which actix decides.
    match (untold, upgrade) {
        (true, _) => Stage::Body(UNTOLD_BODY),
        (false, true) => Stage::Upgraded,
        (false, false) => Stage::Body(told),
    }
}

impl AsyncRead for Once {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.stage, Stage::Body(0)) {
            return throw_away(&mut this.socket, cx);
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        let taken = this.stage.take(&buf.filled()[before..]);
        buf.set_filled(before + taken);
        if read > 0 && taken == 0 {
            // Nothing was for the reader, and nothing is no end either.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

/// Ready when the client has hung up. One read a turn: a client that goes on sending has a turn like all others.
fn throw_away(socket: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut octets = [0; THROWN_AWAY];
    let mut octets = ReadBuf::new(&mut octets);
    ready!(Pin::new(socket).poll_read(cx, &mut octets))?;
    if octets.filled().is_empty() {
        return Poll::Ready(Ok(()));
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl AsyncWrite for Once {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of these octets the reader gets, whole and in pieces.
    fn taken(octets: &[u8]) -> Vec<u8> {
        let read = |size: usize| {
            let mut stage = Stage::Head(Vec::new());
            octets.chunks(size).flat_map(|piece| piece[..stage.take(piece)].to_vec()).collect::<Vec<u8>>()
        };
        let whole = read(octets.len());
        for size in [1, 2, 3, 7] {
            assert_eq!(read(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn the_first_request_is_read_and_no_other() {
        let bare = "\r\n\nGET / HTTP/1.1\nHost: a\n\n";
        let told = "POST / HTTP/1.1\r\ncontent-LENGTH:  3\r\n\r\nabc";
        for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", bare, told] {
            assert_eq!(taken(request.repeat(3).as_bytes()), request.as_bytes(), "{request:?}");
        }
    }

    #[test]
    fn a_body_that_does_not_say_how_long_it_is_may_have_some() {
        for upgrade in ["", "Upgrade: websocket\r\n"] {
            let head = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{upgrade}\r\n");
            assert_eq!(taken([&*head, &"x".repeat(9999)].concat().as_bytes()).len(), head.len() + UNTOLD_BODY);
        }
    }

    #[test]
    fn behind_a_handshake_everything_is_read() {
        let handshake = b"GET /ws HTTP/1.1\r\nUPGRADE: WebSocket\r\n\r\n\x81\x80\n\n\r\n".repeat(2);
        assert_eq!(taken(&handshake), handshake);
        let other = "GET /ws HTTP/1.1\r\nUpgrade: h2c\r\n\r\n";
        assert_eq!(taken([other, "more"].concat().as_bytes()), other.as_bytes());
    }

    #[test]
    fn a_head_that_has_not_ended_is_read_on() {
        let endless = b"GET / HTTP/1.1\r\nX: y\r\n".repeat(100);
        assert_eq!(taken(&endless), endless);
    }
}
