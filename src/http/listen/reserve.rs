//! What becomes of sockets beyond the limits: a few at a time are read, for no longer than a probe needs, and answered with
//! that probe's answer or a refusal. So a balancer, an orchestrator and a health check learn how the server is even when
//! strangers hold every socket there may be. When there are too many of them, who has waited longest makes room: a probe
//! says what it wants at once.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{IoSlice, Read, Write as _},
    net::{IpAddr, Shutdown, TcpStream as StdStream},
    rc::Rc,
    time::{Duration, Instant},
};

use actix_rt::net::TcpStream;
use bytes::BytesMut;
use tokio::{select, sync::oneshot, time::timeout};

use crate::{
    http::{
        client::Clients,
        public::probes::{self, Probes},
        socket::{
            head::{self, NoHead},
            plain::{self, RETRY_AFTER_SECONDS},
            proxy_protocol, secure,
            silent::Waits,
            single_request,
            sockets::Sockets,
        },
    },
    limits::{Bucket, Rate},
    protocol::ErrorCode,
    tls::TlsAcceptor,
    ws::{AnySocket, Socket},
};

/// From the accept to the head of the request.
const WITHIN: Duration = Duration::from_secs(2);
/// A probe's head is no longer.
const HEAD: usize = 2048;
/// Nor is its part of a TLS handshake.
const TLS_HEAD: usize = 8192;

/// TLS handshakes a second, and at once, on the thread that accepts: each takes less than a millisecond, a tenth of its time. A probe
/// that comes while strangers use them up is closed; where that matters it asks the operator's listener.
const TLS_HANDSHAKES: (u32, u32) = (100, 20);

/// Fewer than these are not worth looking for those that wait no more.
const FORGET_FROM: usize = 64;

/// Those that wait for something, in the order in which they came. Whoever waits keeps the receiver; it hears that it
/// shall make room.
#[derive(Default)]
pub(in crate::http) struct Waiting(RefCell<VecDeque<oneshot::Sender<()>>>);

impl Waiting {
    /// One more waits.
    pub(in crate::http) fn enter(&self) -> oneshot::Receiver<()> {
        let (make_room, needed) = oneshot::channel();
        let mut waiting = self.0.borrow_mut();
        while waiting.front().is_some_and(oneshot::Sender::is_closed) {
            waiting.pop_front();
        }
        // One that waits long must not keep all who came and went behind it: with each doubling they are forgotten.
        if waiting.len() >= FORGET_FROM && waiting.len().is_power_of_two() {
            waiting.retain(|one| !one.is_closed());
        }
        waiting.push_back(make_room);
        needed
    }

    /// Those that still wait.
    pub(in crate::http) fn len(&self) -> usize {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(|one| !one.is_closed());
        waiting.len()
    }

    /// Tells who has waited longest to make room. Says whether anybody was there.
    pub(in crate::http) fn evict(&self) -> bool {
        let mut waiting = self.0.borrow_mut();
        while let Some(longest) = waiting.pop_front() {
            if longest.send(()).is_ok() {
                return true;
            }
        }
        false
    }
}

/// The reserve of one listener.
pub(in crate::http) struct Reserve {
    most: usize,
    waiting: Waiting,
    probes: Probes,
    sockets: Sockets,
    clients: Option<Clients>,
    tls: Option<TlsAcceptor>,
    tls_handshakes: Cell<Bucket>,
}

impl Reserve {
    /// For `most` sockets at a time beyond those of `sockets`. `clients`: those among which there may be proxies.
    pub(in crate::http) fn new(
        most: usize,
        probes: Probes,
        sockets: Sockets,
        clients: Option<Clients>,
        tls: Option<TlsAcceptor>,
    ) -> Rc<Self> {
        let tls_handshakes = Cell::new(Bucket::full(Instant::now()));
        Rc::new(Self { most, waiting: Waiting::default(), probes, sockets, clients, tls, tls_handshakes })
    }

    fn may_make_tls_handshake(&self) -> bool {
        let mut bucket = self.tls_handshakes.get();
        let may = bucket.take(Rate::per_second(TLS_HANDSHAKES.0, TLS_HANDSHAKES.1), Instant::now()).is_ok();
        self.tls_handshakes.set(bucket);
        may
    }

    /// Answers a socket that was refused, and comes from there.
    pub(in crate::http) fn take(self: &Rc<Self>, socket: StdStream, from: IpAddr) {
        if self.waiting.len() >= self.most {
            self.waiting.evict();
        }
        let needed = self.waiting.enter();
        let (this, place) = (Rc::clone(self), self.sockets.reserve());
        actix_rt::spawn(async move {
            this.serve(socket, from, needed).await;
            drop(place);
        });
    }

    async fn serve(&self, socket: StdStream, from: IpAddr, needed: oneshot::Receiver<()>) {
        let Ok(socket) = TcpStream::from_std(socket) else { return };
        let mut socket = Some(AnySocket::from(socket));
        let (mut got, mut make_room) = (BytesMut::new(), Some(Waits::told_by(needed)));
        let end = select! {
            end = timeout(WITHIN, self.head(&mut socket, from, &mut got)) => end.ok().and_then(Result::ok),
            () = single_request::place_needed(&mut make_room) => None,
        };
        let probe = end.and_then(|end| {
            let (bodyless, path) = probe_of(&got[..end])?;
            Some((bodyless, probes::answer(path, &self.probes)?))
        });
        let bytes = match &probe {
            Some((bodyless, answer)) => plain::answer(answer.status, answer.content_type, &answer.body, *bodyless),
            None => refusal(),
        };
        let Some(socket) = socket else { return };
        if end.is_some() {
            // It waits on for its client to hang up, and is one of those that may. A failure is the socket's: there is nobody
            // left to tell.
            let _ = single_request::answer(socket, from, &bytes, &mut make_room).await;
        } else {
            // Where TLS is spoken and none has come about, there is nothing that would be understood.
            dismiss(socket, if self.tls.is_some() { None } else { Some(&bytes) });
        }
    }

    async fn head(&self, socket: &mut Option<AnySocket>, from: IpAddr, got: &mut BytesMut) -> Result<usize, NoHead> {
        // Whoever it speaks for: the balancer's own check begins with such a header, too.
        if self.clients.as_ref().is_some_and(|clients| clients.speaks_proxy_protocol(from)) {
            proxy_protocol::read(socket.as_mut().ok_or(NoHead::Gone)?, HEAD, got).await?;
        }
        if let Some(tls) = &self.tls {
            secure::handshake(socket, tls, TLS_HEAD, got, || self.may_make_tls_handshake()).await?;
        }
        head::read(socket.as_mut().ok_or(NoHead::Gone)?, HEAD, got, |_| true).await
    }
}

/// Answers without waiting for anything, and hangs up.
pub(in crate::http) fn turn_away(socket: &StdStream, speaks_tls: bool) {
    // There are no keys to say it with.
    let answer = if speaks_tls { Vec::new() } else { refusal() };
    dismiss_plain(socket, &answer);
}

/// `plain` is what is said without TLS.
fn dismiss(socket: AnySocket, plain: Option<&[u8]>) {
    match secure::speaking(socket) {
        Ok(AnySocket::Tcp(tcp)) | Err(AnySocket::Tcp(tcp)) => {
            if let Ok(tcp) = tcp.into_std() {
                dismiss_plain(&tcp, plain.unwrap_or_default());
            }
        }
        Ok(mut other) | Err(mut other) => {
            // An attempt, as below.
            let _ = other.try_write(&[IoSlice::new(&refusal())]);
            other.finish();
        }
    }
}

fn dismiss_plain(mut socket: &StdStream, bytes: &[u8]) {
    // What came is read, so that it is a close and no reset, which could overtake the answer. All of it is an attempt.
    let _ = socket.write(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let _ = socket.read(&mut [0; 4096]);
}

/// To whoever finds no place.
pub(super) fn refusal() -> Vec<u8> {
    let message =
        "the server has as many sockets open as it may, or as many as it may of one address, or no memory for more";
    plain::refusal(503, ErrorCode::OverCapacity, message, Some(RETRY_AFTER_SECONDS))
}

/// The path that a GET or HEAD asks for, and whether it is the latter.
fn probe_of(head: &[u8]) -> Option<(bool, &str)> {
    let start = head.iter().position(|byte| !b"\r\n".contains(byte))?;
    let line = std::str::from_utf8(&head[start..start + memchr::memchr(b'\n', &head[start..])?]).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    // In full, as through a proxy (RFC 9112 section 3.2.2), or the path alone.
    let target = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
    let path = target.split('?').next()?;
    matches!(method, "GET" | "HEAD").then_some((method == "HEAD", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_makes_room() {
        let waiting = Waiting::default();
        assert!(!waiting.evict());
        let (mut first, second, mut third) = (waiting.enter(), waiting.enter(), waiting.enter());
        assert_eq!(waiting.len(), 3);
        assert!(waiting.evict() && first.try_recv().is_ok());
        drop(second);
        assert_eq!(waiting.len(), 1, "who does not wait any more is not counted");
        assert!(waiting.evict() && third.try_recv().is_ok());
        assert!(!waiting.evict());
    }

    #[test]
    fn who_came_and_went_behind_one_that_waits_is_forgotten() {
        let waiting = Waiting::default();
        let _longest = waiting.enter();
        for _ in 0..10 * FORGET_FROM {
            drop(waiting.enter());
        }
        assert!(waiting.0.borrow().len() <= FORGET_FROM, "{}", waiting.0.borrow().len());
    }

    #[test]
    fn a_probe_is_known_by_its_path() {
        assert_eq!(probe_of(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"), Some((false, "/healthz")));
        assert_eq!(probe_of(b"\r\nHEAD /readyz?a=b HTTP/1.0\r\n\r\n"), Some((true, "/readyz")));
        assert_eq!(probe_of(b"GET http://a:1/healthz HTTP/1.1\r\n\r\n"), Some((false, "/healthz")));
        for other in ["GET http://a HTTP/1.1\r\n\r\n", "POST /healthz HTTP/1.1\r\n\r\n", "\r\n", "GET\r\n"] {
            assert_eq!(probe_of(other.as_bytes()), None, "{other:?}");
        }
    }
}
