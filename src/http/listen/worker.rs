//! What a worker does with a socket that it is given: reads the head, and lets the upgrade or the application answer the
//! one request, all within one deadline.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use actix_codec::Decoder;
use actix_http::{Request, ServiceConfig, error::ParseError, h1};
use actix_rt::net::TcpStream;
use actix_service::Service;
use bytes::{Buf, BytesMut};
use tokio::{
    select,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, timeout_at},
};

use super::accept::Accepted;
use crate::{
    config::Settings,
    http::{
        public::upgrade::{Arrived, UpgradeService},
        socket::{
            head::{self, NoHead},
            heads::{HeadPlace, Heads},
            plain,
            single_request::{self, BODY_MAX, MakeRoom, SingleRequestStream},
            sockets::SocketPlace,
        },
    },
    telemetry::{self, Event, Listener, MemoryStep, Rejection, SocketRefusal},
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
    /// For the handshakes that come to the public listener.
    pub(in crate::http) upgrade_service: Option<Rc<UpgradeService>>,
    pub(in crate::http) config: ServiceConfig,
    pub(in crate::http) bounds: RequestLimits,
    pub(in crate::http) heads: Rc<Heads>,
}

/// A connection of which one request is read, and who is at its other end.
pub(in crate::http) type Served = (SingleRequestStream, Option<SocketAddr>);

/// A socket whose request is not known yet.
struct Fresh {
    socket: TcpStream,
    peer: SocketAddr,
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
        let Accepted { socket, peer, at, listener, place, flight, make_room } = accepted;
        let Ok(socket) = TcpStream::from_std(socket) else {
            telemetry::emit(&Event::SocketRefused { remote: Some(peer), listener, reason: SocketRefusal::Descriptors });
            return;
        };
        let fresh = Fresh { socket, peer, listener, at: at.into(), make_room };
        if timeout_at(fresh.at + self.bounds.whole, self.http(fresh, place)).await.is_err() {
            reject(peer, listener, Rejection::Timeout);
        }
        drop(flight);
    }

    /// The whole life of a socket as HTTP. `place` goes on with it if it becomes a WebSocket.
    async fn http(&self, mut fresh: Fresh, place: SocketPlace) {
        let mut got = BytesMut::new();
        let reading = self.heads.begin(fresh.listener);
        let end = select! {
            end = self.head(&fresh.socket, fresh.at, &mut got, &reading) => end,
            () = reading.memory_needed() => Err(NoHead::Rejected(Rejection::Memory)),
            () = single_request::place_needed(&mut fresh.make_room) => return turned_away(fresh.peer, fresh.listener, SocketRefusal::Total),
        };
        drop(reading);
        let decoded = match end {
            Ok(end) => self.decode(&got[..end]).map(|(request, codec)| (end, request, codec)),
            Err(NoHead::Gone) => return,
            Err(NoHead::Rejected(kind)) => Err(kind),
        };
        let (end, request, codec) = match decoded {
            Ok(decoded) => decoded,
            Err(kind) => return fresh.refuse(kind, got).await,
        };
        let facts = head::facts(&got[..end]);
        if let Some(upgrade_service) = self.upgrade_service.as_ref().filter(|_| facts.websocket) {
            got.advance(end);
            let arrived = Arrived { request, codec, socket: fresh.socket, unread: got, peer: fresh.peer, place };
            // An error is a socket that ended during its handshake: there is nobody left to tell.
            let _ = Rc::clone(upgrade_service).serve(arrived).await;
            return;
        }
        // The library reads the head again, and a client that does not read the answer could keep both for long.
        drop((request, codec));
        let takes = if fresh.listener == Listener::Ops { BODY_MAX } else { 0 };
        let once = SingleRequestStream::new(fresh.socket, got, end, facts.body, takes, facts.http_10, fresh.make_room);
        let input = Rc::clone(once.input());
        let served = (once, Some(fresh.peer));
        // It is large, and most sockets that wait are not there yet.
        drop(Box::pin(self.service.call(served)).await);
        if input.was_cut() {
            reject(fresh.peer, fresh.listener, Rejection::BodyTooLarge);
        }
    }

    async fn head(
        &self,
        socket: &TcpStream,
        at: Instant,
        got: &mut BytesMut,
        reading: &HeadPlace,
    ) -> Result<usize, NoHead> {
        let read = head::read(socket, self.bounds.head, got, |bytes| reading.holds(bytes));
        match timeout_at(at + self.bounds.request, read).await {
            Ok(read) => read,
            // Browsers open connections that they may want; who says nothing has asked for nothing.
            Err(_) if got.is_empty() => Err(NoHead::Gone),
            Err(_) => Err(NoHead::Rejected(Rejection::Timeout)),
        }
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

impl Fresh {
    async fn refuse(mut self, kind: Rejection, got: BytesMut) {
        if kind == Rejection::Memory {
            telemetry::tally(|t| t.memory_relief.add(MemoryStep::EndConnections));
        }
        reject(self.peer, self.listener, kind);
        drop(got);
        // As above.
        let _ = single_request::answer(self.socket, &plain::rejection(kind), &mut self.make_room).await;
    }
}

fn turned_away(peer: SocketAddr, listener: Listener, reason: SocketRefusal) {
    telemetry::emit(&Event::SocketRefused { remote: Some(peer), listener, reason });
}

fn reject(peer: SocketAddr, listener: Listener, kind: Rejection) {
    telemetry::emit(&Event::RequestRejected { remote: Some(peer), listener, kind, cause: kind.cause() });
}
