//! A request's head: read off the socket before anything is built for it, with a bound, and looked at for what it is when
//! it is no HTTP. A socket that has said nothing costs no buffer, one that dribbles costs what it has sent.

use std::{cell::RefCell, future::poll_fn, task::Poll};

use bytes::BytesMut;

use crate::{
    telemetry::Rejection,
    ws::{AnySocket, Socket},
};

/// Most bytes in one read.
const READ: usize = 16 * 1024;
/// How version 2 of the PROXY protocol begins.
pub(super) const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// How version 1 begins.
pub(super) const PROXY_V1: &[u8] = b"PROXY ";
/// How HTTP/2 begins (RFC 9113 section 3.4).
const HTTP_2: &[u8] = b"PRI * HTTP/2";
/// How a TLS handshake begins: its record's type, and the first byte of every version there is.
const TLS: &[u8] = &[0x16, 0x03];

thread_local! {
    /// One for all sockets of a thread: nothing is kept in it over an `await`.
    static BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(READ));
}

/// Why there is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum NoHead {
    /// The client hung up before it had said anything, or the socket is lost.
    Gone,
    /// Something else came.
    Rejected(Rejection),
    /// Somebody else needs its place.
    PlaceNeeded,
    /// Its client has all the sockets that it may: a proxy named it.
    NoPlace,
    /// Its client makes more TLS handshakes than it may.
    TooManyHandshakes,
    /// The TLS handshake failed, mostly for that reason.
    NoTls(&'static str),
}

/// What of a head concerns what follows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Facts {
    /// `Upgrade` names `websocket`.
    pub(in crate::http) websocket: bool,
    /// Whether there is a `Host`.
    pub(in crate::http) host: bool,
    /// Whether it is HTTP/1.0.
    pub(in crate::http) http_10: bool,
    /// The body.
    pub(in crate::http) body: Body,
}

/// How long a body is said to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::http) enum Body {
    /// There is none.
    #[default]
    None,
    /// So many bytes.
    Sized(u64),
    /// As many as come.
    Chunked,
}

/// What is known of a head while it comes.
#[derive(Debug, Default)]
struct Scan {
    /// Where it begins: empty lines may come before it.
    start: usize,
    /// So many bytes need not be looked at again.
    seen: usize,
    /// The request line is one.
    begun: bool,
}

/// Reads into `got`, where the beginning may be already, until there is a whole head of at most `most` bytes, and says how
/// long it is. More may have come behind it. `holds` is told how much memory it takes, and says whether there is so much for one
/// that is not whole.
pub(in crate::http) async fn read(
    socket: &mut AnySocket,
    most: usize,
    got: &mut BytesMut,
    holds: impl Fn(usize) -> bool,
) -> Result<usize, NoHead> {
    let (mut scan, mut may_wait) = (Scan::default(), true);
    loop {
        if let Some(end) = scan.look(got).map_err(NoHead::Rejected)? {
            return Ok(end);
        }
        if !may_wait {
            return Err(NoHead::Rejected(Rejection::Memory));
        }
        more(socket, most, Rejection::HeadTooLarge, got).await?;
        may_wait = holds(got.capacity());
    }
}

/// Reads what there is, up to `most` bytes in all; if there are so many, it is `full`.
pub(super) async fn more(
    socket: &mut AnySocket,
    most: usize,
    full: Rejection,
    got: &mut BytesMut,
) -> Result<(), NoHead> {
    if got.len() >= most {
        return Err(NoHead::Rejected(full));
    }
    let room = (most - got.len()).min(READ);
    let read = poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            let read = socket.poll_read(cx, buffer, room);
            if matches!(read, Poll::Ready(Ok(_))) {
                got.extend_from_slice(buffer);
            }
            read
        })
    });
    match read.await {
        Ok(0) if got.is_empty() => Err(NoHead::Gone),
        Ok(0) => Err(NoHead::Rejected(Rejection::Malformed)),
        Ok(_) => Ok(()),
        Err(_) => Err(NoHead::Gone),
    }
}

/// Reads into `got` until it begins as a TLS handshake does, or as something else.
pub(super) async fn begin_tls(socket: &mut AnySocket, most: usize, got: &mut BytesMut) -> Result<(), NoHead> {
    let mut scan = Scan::default();
    loop {
        // Its record's type is no first byte of anything else.
        if got.first() == TLS.first() {
            return Ok(());
        }
        match scan.look(got) {
            Err(kind) => return Err(NoHead::Rejected(kind)),
            Ok(None) if !scan.begun => more(socket, most, Rejection::Malformed, got).await?,
            Ok(_) => return Err(NoHead::Rejected(Rejection::PlainHttp)),
        }
    }
}

impl Scan {
    /// Where the head ends, if it does; or what it is instead of one, as soon as that can be seen.
    fn look(&mut self, got: &[u8]) -> Result<Option<usize>, Rejection> {
        if !self.begun {
            match begins(got, PROXY_V2) {
                Some(true) => return Err(Rejection::ProxyProtocol),
                None => return Ok(None),
                Some(false) => {}
            }
            // A parser may skip empty lines before a request (RFC 9112 section 2.2).
            let start = got.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(got.len());
            if !request_line(&got[start..])? {
                return Ok(None);
            }
            (self.begun, self.start, self.seen) = (true, start, start);
        }
        let from = self.seen.saturating_sub(2).max(self.start);
        self.seen = got.len();
        Ok(end_of_head(&got[from..]).map(|end| from + end))
    }
}

/// Whether it begins so; `None` as long as it may.
pub(super) fn begins(got: &[u8], start: &[u8]) -> Option<bool> {
    let common = got.len().min(start.len());
    if got[..common] != start[..common] {
        return Some(false);
    }
    (common == start.len()).then_some(true)
}

/// Whether the first line is whole, and a request's.
fn request_line(got: &[u8]) -> Result<bool, Rejection> {
    for (start, kind) in [(PROXY_V1, Rejection::ProxyProtocol), (HTTP_2, Rejection::Http2), (TLS, Rejection::Tls)] {
        match begins(got, start) {
            Some(true) => return Err(kind),
            // A first byte alone could still be a request's.
            None => return Ok(false),
            Some(false) => {}
        }
    }
    // A method is a token (RFC 9110 section 9.1), then comes a space.
    let word = got.iter().position(|byte| !is_token(*byte)).unwrap_or(got.len());
    if word == 0 || got.get(word).is_some_and(|byte| *byte != b' ') {
        return Err(Rejection::Malformed);
    }
    let Some(line) = memchr::memchr(b'\n', got) else { return Ok(false) };
    let line = got[..line].trim_ascii_end();
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(true),
        b"HTTP/2" | b"HTTP/2.0" => Err(Rejection::Http2),
        _ => Err(Rejection::Malformed),
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Behind the empty line. A line ends with CR LF; a parser may be content with LF.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match &bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// What a whole head says.
pub(in crate::http) fn facts(head: &[u8]) -> Facts {
    let mut facts = Facts::default();
    let start = head.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(head.len());
    let mut lines = head[start..].split(|byte| *byte == b'\n');
    facts.http_10 = lines.next().is_some_and(|line| line.trim_ascii_end().ends_with(b"HTTP/1.0"));
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"upgrade") {
            facts.websocket |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"websocket"));
        } else if name.eq_ignore_ascii_case(b"host") {
            facts.host = true;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            facts.body = Body::Chunked;
        } else if name.eq_ignore_ascii_case(b"content-length") && facts.body != Body::Chunked {
            // What is no number is refused by the parser.
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            facts.body = length.filter(|length| *length > 0).map_or(Body::None, Body::Sized);
        }
    }
    facts
}

/// The members of a list (RFC 9110 section 5.6.1), empty ones left out.
pub(in crate::http) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of these bytes, whole and in pieces: the end of the head, or what it is instead.
    fn looked(bytes: &[u8]) -> Result<Option<usize>, Rejection> {
        let in_pieces = |size: usize| {
            let mut scan = Scan::default();
            let ends = (size..bytes.len()).step_by(size).chain([bytes.len()]);
            ends.map(|end| scan.look(&bytes[..end])).find(|seen| *seen != Ok(None)).unwrap_or(Ok(None))
        };
        let whole = in_pieces(bytes.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(in_pieces(size), whole, "in pieces of {size}: {bytes:?}");
        }
        whole
    }

    #[test]
    fn a_head_ends_with_its_empty_line() {
        for head in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\n\n",
            "\r\n\nPOST /a HTTP/1.0\r\nA: b\n\r\n",
            "P / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(looked(head.as_bytes()), Ok(Some(head.len())), "{head:?}");
            assert_eq!(looked([head, "and\r\n\r\nmore"].concat().as_bytes()), Ok(Some(head.len())), "{head:?}");
        }
        for begun in ["", "\r", "\r\n\r\n", "G", "P", "PR", "PROX", "GET / HTTP/1.1\r\nX: y\r\n", "PRIVATE"] {
            assert_eq!(looked(begun.as_bytes()), Ok(None), "{begun:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_known_as_soon_as_it_can_be_seen() {
        let cases: [(&[u8], Rejection); 16] = [
            (b"PROXY TCP4 1.2.3.4 127.0.0.1 5 8080\r\nGET / HTTP/1.1\r\n", Rejection::ProxyProtocol),
            (b"PROXY UNKNOWN\r\n", Rejection::ProxyProtocol),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Rejection::ProxyProtocol),
            (b"\x16\x03\x01\x02\0\x01", Rejection::Tls),
            (b"\x16\x03", Rejection::Tls),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Rejection::Http2),
            (b"GET / HTTP/2.0\r\n", Rejection::Http2),
            (b"GET / HTTP/9.9\r\n", Rejection::Malformed),
            (b"GET /\r\n", Rejection::Malformed),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Rejection::Malformed),
            (b"\x80\x9e\x01", Rejection::Malformed),
            (b"\0\0\0", Rejection::Malformed),
            (b"HELLO\r\n\r\n", Rejection::Malformed),
            (b"{\"type\":\"join\"}", Rejection::Malformed),
            (b" GET / HTTP/1.1\r\n", Rejection::Malformed),
            (b"\r\n\r\n\0", Rejection::Malformed),
        ];
        for (bytes, kind) in &cases[..15] {
            assert_eq!(looked(bytes), Err(*kind), "{bytes:?}");
        }
        // It may still become the PROXY protocol's.
        assert_eq!(looked(cases[15].0), Ok(None));
        assert_eq!(looked(b"\r\n\r\n\0\r\nQUAT"), Err(Rejection::Malformed));
    }

    #[test]
    fn lists_are_lists_and_the_body_is_what_is_said() {
        let of = |lines: &str| facts(format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes());
        for upgrade in
            ["websocket", "WebSocket", "h2c, websocket", "websocket,h2c", ", websocket ,", "a\r\nUPGRADE: websocket"]
        {
            assert!(of(&format!("Upgrade: {upgrade}")).websocket, "{upgrade}");
        }
        for other in
            ["Upgrade: h2c", "Upgrade: websocket2", "Upgrade: x websocket", "X: websocket", "X-Upgrade: websocket"]
        {
            assert!(!of(other).websocket, "{other}");
        }
        assert_eq!(of("content-LENGTH:  3").body, Body::Sized(3));
        assert_eq!(of("Content-Length: 0").body, Body::None);
        for both in
            ["Transfer-Encoding: chunked\r\nContent-Length: 3", "Content-Length: 3\r\nTransfer-Encoding: chunked"]
        {
            assert_eq!(of(both).body, Body::Chunked, "{both}");
        }
        assert!(of("Host: a").host && !of("X: a").host && !of("Host: a").http_10);
        assert!(facts(b"\r\nGET / HTTP/1.0\r\n\r\n").http_10);
    }
}
