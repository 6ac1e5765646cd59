//! What a worker does with a socket that it is given: reads the head, and lets the upgrade or the application answer the
//! one request, all within one deadline.

use std::{cell::Cell, net::SocketAddr, pin::pin, rc::Rc, time::Duration};

use actix_codec::Decoder;
use actix_http::{Request, ServiceConfig, error::ParseError, h1};
use actix_rt::net::TcpStream;
use actix_service::Service;
use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use tokio::{
    select,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, timeout_at},
};

use super::{accept::Accepted, reserve};
use crate::{
    config::Settings,
    http::{
        client::{Clients, KnownBy},
        public::upgrade::{Arrived, UpgradeService},
        socket::{
            head::{self, NoHead},
            heads::{HeadPlace, Heads},
            plain,
            proxy_protocol::{self, Named},
            secure,
            silent::Silent,
            single_request::{self, BODY_MAX, MakeRoom, SingleRequestStream},
            sockets::SocketPlace,
        },
    },
    session::reading,
    telemetry::{self, Event, Listener, MemoryStep, Rejection, SocketRefusal},
    tls::TlsAcceptor,
    ws::AnySocket,
};

/// How long, and how much, a socket may take for its request.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct RequestLimits {
    /// From the accept to the end of the head.
    pub(in crate::http) request: Duration,
    /// From the accept to the close.
    pub(in crate::http) whole: Duration,
    /// Bytes of the head.
    pub(in crate::http) head: usize,
}

impl From<&Settings> for RequestLimits {
    fn from(settings: &Settings) -> Self {
        Self {
            request: settings.http.request_timeout_ms.get(),
            whole: settings.http.socket_timeout_ms.get(),
            head: settings.limits.head_bytes,
        }
    }
}

/// What one thread does with the sockets of one listener.
pub(in crate::http) struct Worker<S> {
    pub(in crate::http) service: S,
    /// At the public listener: for handshakes, and for who is behind a proxy.
    pub(in crate::http) public: Option<(Rc<UpgradeService>, Clients)>,
    pub(in crate::http) tls: Option<TlsAcceptor>,
    pub(in crate::http) config: ServiceConfig,
    pub(in crate::http) bounds: RequestLimits,
    pub(in crate::http) heads: Rc<Heads>,
    pub(in crate::http) silent: Silent,
}

/// A connection of which one request is read, and who is at its other end.
pub(in crate::http) type Served = (SingleRequestStream, Option<SocketAddr>);

/// A socket whose request is not known yet.
struct Fresh<'a> {
    /// `None` once it is lost.
    socket: Option<AnySocket>,
    /// Who is at its other end: where it comes from, or whoever a proxy there speaks for.
    peer: &'a Cell<SocketAddr>,
    known_by: Cell<KnownBy>,
    listener: Listener,
    at: Instant,
    make_room: MakeRoom,
}

/// Serves what comes, for ever.
pub(in crate::http) async fn run<S>(worker: Worker<S>, mut accepted: UnboundedReceiver<Accepted>)
where
    S: Service<Served> + 'static,
{
    let worker = Rc::new(worker);
    while let Some(accepted) = accepted.recv().await {
        let worker = Rc::clone(&worker);
        actix_rt::spawn(async move { worker.serve(accepted).await });
    }
}

impl<S: Service<Served>> Worker<S> {
    async fn serve(&self, accepted: Accepted) {
        let Accepted { socket, peer, at, listener, place, flight } = accepted;
        if !self.has_turn(peer).await {
            return turned_away(peer, listener, SocketRefusal::Silent);
        }
        let Ok(socket) = TcpStream::from_std(socket) else {
            telemetry::emit(&Event::SocketRefused { remote: Some(peer), listener, reason: SocketRefusal::Descriptors });
            return;
        };
        let peer = Cell::new(peer);
        let fresh = Fresh {
            socket: Some(socket.into()),
            peer: &peer,
            known_by: Cell::default(),
            listener,
            at: at.into(),
            make_room: None,
        };
        if timeout_at(fresh.at + self.bounds.whole, self.http(fresh, place)).await.is_err() {
            reject(peer.get(), listener, Rejection::Timeout);
        }
        drop(flight);
    }

    /// Waits for its turn, if it has to. Meanwhile it is one of those that hold a place for nothing: whether it keeps that.
    async fn has_turn(&self, peer: SocketAddr) -> bool {
        let mut turn = pin!(reading::turn(peer.ip()));
        if turn.as_mut().now_or_never().is_some() {
            return true;
        }
        let mut make_room = Some(self.silent.wait(peer.ip()));
        select! {
            () = turn => true,
            () = single_request::place_needed(&mut make_room) => false,
        }
    }

    /// The whole life of a socket as HTTP. `place` goes on with it if it becomes a WebSocket.
    async fn http(&self, mut fresh: Fresh<'_>, mut place: SocketPlace) {
        let (mut got, peer, listener) = (BytesMut::new(), fresh.peer, fresh.listener);
        let end = self.head_in_time(&mut fresh, &mut place, &mut got).await;
        if end.is_err() {
            // Those that came together end together.
            reading::turn(peer.get().ip()).await;
        }
        let decoded = match end {
            Ok(end) => self.decode(&got[..end]).map(|(request, codec)| (end, request, codec)),
            Err(NoHead::Gone) => return,
            Err(NoHead::PlaceNeeded) => return turned_away(peer.get(), listener, SocketRefusal::Silent),
            Err(NoHead::NoPlace) if self.tls.is_some() => {
                return turned_away(peer.get(), listener, SocketRefusal::Address);
            }
            Err(NoHead::NoPlace) => return fresh.turn_away(SocketRefusal::Address).await,
            Err(NoHead::TooManyHandshakes) => return turned_away(peer.get(), listener, SocketRefusal::TlsRate),
            Err(NoHead::NoTls(cause)) => return fresh.refuse_tls(cause).await,
            Err(NoHead::Rejected(kind)) => Err(kind),
        };
        let (end, request, codec) = match decoded {
            Ok(decoded) => decoded,
            Err(kind) => return fresh.refuse(kind, got, self.tls.is_some()).await,
        };
        let (facts, peer, known_by) = (head::facts(&got[..end]), fresh.peer.get(), fresh.known_by.get());
        let Some(socket) = fresh.socket else { return };
        if let Some((upgrade_service, _)) = self.public.as_ref().filter(|_| facts.websocket) {
            drop(fresh.make_room);
            got.advance(end);
            let arrived = Arrived { request, codec, socket, unread: got, peer, known_by, place };
            // An error is a socket that ended during its handshake: there is nobody left to tell.
            let _ = Rc::clone(upgrade_service).serve(arrived).await;
            return;
        }
        // The library reads the head again, and a client that does not read the answer could keep both for long.
        drop((request, codec));
        let takes = if fresh.listener == Listener::Ops { BODY_MAX } else { 0 };
        let make_room = fresh.make_room.or_else(|| Some(self.silent.wait(peer.ip())));
        let once = SingleRequestStream::new(socket, got, end, facts.body, takes, facts.http_10, make_room);
        let input = Rc::clone(once.input());
        input.known_by.set(known_by);
        let served = (once, Some(peer));
        // It is large, and most sockets that wait are not there yet.
        drop(Box::pin(self.service.call(served)).await);
        if input.was_cut() {
            reject(peer, fresh.listener, Rejection::BodyTooLarge);
        }
    }

    /// The head, unless what the socket holds is needed for others before it is whole.
    async fn head_in_time(
        &self,
        fresh: &mut Fresh<'_>,
        place: &mut SocketPlace,
        got: &mut BytesMut,
    ) -> Result<usize, NoHead> {
        let (reading, peer) = (self.heads.begin(fresh.listener), fresh.peer);
        let mut make_room = None;
        let end = {
            let mut head = pin!(self.head(fresh, place, got, &reading));
            // Mostly it came with the socket.
            if let Some(end) = head.as_mut().now_or_never() {
                end
            } else {
                make_room = Some(self.silent.wait(peer.get().ip()));
                select! {
                    end = head => end,
                    () = reading.memory_needed() => Err(NoHead::Rejected(Rejection::Memory)),
                    () = single_request::place_needed(&mut make_room) => Err(NoHead::PlaceNeeded),
                }
            }
        };
        fresh.make_room = make_room;
        end
    }

    async fn head(
        &self,
        fresh: &mut Fresh<'_>,
        place: &mut SocketPlace,
        got: &mut BytesMut,
        reading: &HeadPlace,
    ) -> Result<usize, NoHead> {
        let until = fresh.at + self.bounds.request;
        let read = async {
            self.learn_client(fresh, place, got).await?;
            self.make_tls_handshake(fresh, got, reading).await?;
            let socket = fresh.socket.as_mut().ok_or(NoHead::Gone)?;
            head::read(socket, self.bounds.head, got, |bytes| reading.holds(bytes)).await
        };
        match timeout_at(until, read).await {
            Ok(read) => read,
            // Browsers open connections that they may want; who says nothing has asked for nothing.
            Err(_) if got.is_empty() && !fresh.is_in_tls_handshake() => Err(NoHead::Gone),
            Err(_) => Err(NoHead::Rejected(Rejection::Timeout)),
        }
    }

    /// Where a proxy says first who its client is: from then on the socket is that client's, and one of its address's.
    async fn learn_client(
        &self,
        fresh: &mut Fresh<'_>,
        place: &mut SocketPlace,
        got: &mut BytesMut,
    ) -> Result<(), NoHead> {
        let from = fresh.peer.get().ip();
        let speaking = self.public.as_ref().map(|(_, clients)| clients).filter(|one| one.speaks_proxy_protocol(from));
        let Some(clients) = speaking else { return Ok(()) };
        let socket = fresh.socket.as_mut().ok_or(NoHead::Gone)?;
        match proxy_protocol::read(socket, self.bounds.head, got).await? {
            Named::Client(client) => {
                fresh.peer.set(client);
                fresh.known_by.set(KnownBy::Header);
                place.belongs_to(clients.socket(client.ip(), KnownBy::Header).ok_or(NoHead::NoPlace)?);
            }
            // The connection is between it and us, and what it says in HTTP is its own.
            Named::Itself => {}
            Named::Nobody => fresh.known_by.set(KnownBy::Nobody),
        }
        Ok(())
    }

    /// Where the listener speaks TLS. What rustls holds meanwhile is counted as a head that has come so far.
    async fn make_tls_handshake(
        &self,
        fresh: &mut Fresh<'_>,
        got: &mut BytesMut,
        reading: &HeadPlace,
    ) -> Result<(), NoHead> {
        let Some(tls) = &self.tls else { return Ok(()) };
        let (from, known_by, most) = (fresh.peer.get().ip(), fresh.known_by.get(), self.bounds.head);
        let may = || {
            reading.holds(most);
            self.public.as_ref().is_none_or(|(_, clients)| clients.tls_handshake(from, known_by))
        };
        secure::handshake(&mut fresh.socket, tls, most, got, may).await?;
        reading.holds(0);
        Ok(())
    }

    /// Reads a whole head as the HTTP library does.
    fn decode(&self, head: &[u8]) -> Result<(Request, h1::Codec), Rejection> {
        let mut codec = h1::Codec::new(self.config.clone());
        match codec.decode(&mut BytesMut::from(head)) {
            Ok(Some(h1::Message::Item(request))) => Ok((request, codec)),
            Err(ParseError::TooLarge) => Err(Rejection::HeadTooLarge),
            Ok(_) | Err(_) => {
                let facts = head::facts(head);
                Err(if facts.host || facts.http_10 { Rejection::Malformed } else { Rejection::NoHost })
            }
        }
    }
}

impl Fresh<'_> {
    /// `over_tls`: whether the listener speaks TLS.
    async fn refuse(self, kind: Rejection, got: BytesMut, over_tls: bool) {
        if kind == Rejection::Memory {
            telemetry::tally(|t| t.memory_relief.add(MemoryStep::EndConnections));
        }
        reject(self.peer.get(), self.listener, kind);
        drop(got);
        // Whoever is about to speak TLS reads no plain words; who speaks something else is told what is spoken here.
        let is_before_tls = over_tls && matches!(self.socket, Some(AnySocket::Tcp(_)));
        let of_any_client = matches!(kind, Rejection::Memory | Rejection::Timeout | Rejection::HeadTooLarge);
        let answer = if is_before_tls && of_any_client { Vec::new() } else { plain::rejection(kind) };
        self.end(&answer).await;
    }

    async fn refuse_tls(self, cause: &'static str) {
        let (remote, listener) = (Some(self.peer.get()), self.listener);
        telemetry::emit(&Event::RequestRejected { remote, listener, kind: Rejection::TlsHandshake, cause });
        self.end(&[]).await;
    }

    fn is_in_tls_handshake(&self) -> bool {
        matches!(&self.socket, Some(AnySocket::Tls(tls)) if !tls.is_established())
    }

    async fn turn_away(self, reason: SocketRefusal) {
        turned_away(self.peer.get(), self.listener, reason);
        self.end(&reserve::refusal()).await;
    }

    async fn end(mut self, answer: &[u8]) {
        let Some(socket) = self.socket else { return };
        let (socket, answer) = secure::speaking(socket).map_or_else(|silent| (silent, &[][..]), |one| (one, answer));
        // A failure is a socket that ended: there is nobody left to tell.
        let _ = single_request::answer(socket, self.peer.get().ip(), answer, &mut self.make_room).await;
    }
}

fn turned_away(peer: SocketAddr, listener: Listener, reason: SocketRefusal) {
    telemetry::emit(&Event::SocketRefused { remote: Some(peer), listener, reason });
}

fn reject(peer: SocketAddr, listener: Listener, kind: Rejection) {
    telemetry::emit(&Event::RequestRejected { remote: Some(peer), listener, kind, cause: kind.cause() });
}
