//! From an HTTP request to a session: admission, handshake, 101, and the socket is the session's.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_codec::Framed;
use actix_http::HttpMessage;
use actix_http::{
    Request, Response, StatusCode,
    body::{BodySize, BoxBody},
    h1,
    header::{self, HeaderValue},
    ws,
};
use bytes::Bytes;
use futures_util::SinkExt;

use super::{
    client::{Client, Clients, retry_after_seconds},
    gate::{Gate, Permit, Refusal},
    handshake::{self, Accepted, Policy, Refused},
    live::Live,
    once::Once,
    request_id,
};
use crate::{
    protocol::{ErrorCode, http_error},
    session::Opened,
    telemetry::{self, Event, Ids, RequestId},
};

/// After this a refused client may try again: a full server's connections come and go, a draining one is
/// being replaced.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The route in metrics and logs.
const ROUTE: &str = "/ws";

/// The socket ended during its handshake: there is nobody left to tell, and nothing to count but the request.
#[derive(Debug, thiserror::Error)]
#[error("the socket ended during its handshake")]
pub struct Gone(#[from] std::io::Error);

impl From<Gone> for Response<BoxBody> {
    fn from(_: Gone) -> Self {
        Self::internal_server_error()
    }
}

/// What the upgrade service of one arbiter needs.
pub struct Door {
    gate: Gate,
    clients: Clients,
    policy: Policy,
    /// Takes the connection, on this arbiter or another.
    open: Box<dyn Fn(Opened<Permit>)>,
}

impl Door {
    /// `open` gives the accepted socket to a session.
    pub fn new(
        gate: Gate,
        clients: Clients,
        allowed_origins: Live<[String]>,
        room_name_bytes: usize,
        open: impl Fn(Opened<Permit>) + 'static,
    ) -> Rc<Self> {
        let policy = Policy { allowed_origins, room_name_bytes };
        Rc::new(Self { gate, clients, policy, open: Box::new(open) })
    }

    /// Serves one upgrade request. An error is the socket's: there is nobody left to tell.
    pub(super) async fn serve(
        self: Rc<Self>,
        request: Request,
        mut framed: Framed<Once, h1::Codec>,
    ) -> Result<(), Gone> {
        let began = Instant::now();
        let id = request_id::of(request.headers());
        let client = self.clients.identify(peer(&request, &framed), request.headers());
        let status = match self.admit(&request, client) {
            Ok((accepted, permit)) => {
                switch(&request, &accepted, &id, &mut framed).await?;
                let parts = framed.into_parts();
                // The parts hold empty buffers of several kilobytes: only the unread octets go on.
                (self.open)(Opened {
                    socket: parts.io.into_inner(),
                    unread: parts.read_buf.to_vec(),
                    remote: client.remote,
                    origin: client.origin,
                    request: id.clone(),
                    hint: accepted.hint,
                    permit,
                });
                StatusCode::SWITCHING_PROTOCOLS
            }
            Err(denied) => {
                report(&denied.refused, &id, client.remote);
                refuse(&denied, &id, &mut framed).await?;
                denied.refused.status
            }
        };
        telemetry::emit(&Event::HttpServed {
            ids: Ids { request: Some(&id), ..Ids::default() },
            method: "GET",
            route: ROUTE,
            status: status.as_u16(),
            took: began.elapsed(),
        });
        Ok(())
    }

    /// The cheapest check first, and nothing is held that a later check could refuse.
    fn admit(&self, request: &Request, client: Client) -> Result<(Accepted, Permit), Denied> {
        let too_fast = |wait| too_many("more handshakes from this address than it may make", wait);
        self.clients.handshake(client).map_err(too_fast)?;
        let accepted = handshake::check(request.head(), &self.policy, client.proxied)?;
        let place = self.clients.connect(client);
        let place = place.ok_or_else(|| too_many("this address holds as many connections as it may", RETRY_AFTER))?;
        let permit = self.gate.admit(place).map_err(refused_at_the_gate)?;
        Ok((accepted, permit))
    }
}

/// A handshake that is answered with an error.
struct Denied {
    refused: Refused,
    /// When the same may be tried again.
    retry_after: Option<Duration>,
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self { refused, retry_after: None }
    }
}

fn peer(request: &Request, framed: &Framed<Once, h1::Codec>) -> SocketAddr {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    request.peer_addr().or_else(|| framed.io_ref().peer_addr().ok()).unwrap_or(unknown)
}

fn too_many(message: &'static str, wait: Duration) -> Denied {
    let refused = Refused { status: StatusCode::TOO_MANY_REQUESTS, code: ErrorCode::RateLimited, message };
    Denied { refused, retry_after: Some(wait) }
}

fn refused_at_the_gate(refusal: Refusal) -> Denied {
    let (code, message) = match refusal {
        Refusal::Full => (ErrorCode::OverCapacity, "the server holds as many connections as it may"),
        Refusal::Draining => (ErrorCode::ServerDraining, "the server is going away"),
    };
    let refused = Refused { status: StatusCode::SERVICE_UNAVAILABLE, code, message };
    Denied { refused, retry_after: Some(RETRY_AFTER) }
}

fn report(refused: &Refused, id: &RequestId, remote: SocketAddr) {
    telemetry::emit(&Event::HandshakeRefused {
        ids: Ids { request: Some(id), ..Ids::default() },
        remote: Some(remote),
        code: refused.code,
        status: refused.status.as_u16(),
        detail: refused.message,
    });
}

/// Answers 101 (RFC 6455 section 4.2.2).
async fn switch(
    request: &Request,
    accepted: &Accepted,
    id: &RequestId,
    framed: &mut Framed<Once, h1::Codec>,
) -> Result<(), Gone> {
    let mut response = ws::handshake_response(request.head());
    response.insert_header((request_id::HEADER, request_id::value(id)));
    if accepted.named_subprotocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, handshake::SUBPROTOCOL));
    }
    let head = response.finish().drop_body();
    framed.send(h1::Message::Item((head, BodySize::None))).await?;
    Ok(())
}

/// Answers with the error as JSON and hangs up.
async fn refuse(denied: &Denied, id: &RequestId, framed: &mut Framed<Once, h1::Codec>) -> Result<(), Gone> {
    let Denied { refused, retry_after } = denied;
    let retry_after = retry_after.map(retry_after_seconds);
    let body = Bytes::from(http_error(refused.code, refused.message, retry_after.map(|s| s * 1_000), &id.to_string()));
    let mut response = Response::build(refused.status);
    response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((request_id::HEADER, request_id::value(id)));
    if let Some(seconds) = retry_after {
        response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    match refused.status {
        StatusCode::UPGRADE_REQUIRED => {
            response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
            response.insert_header((header::UPGRADE, "websocket"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            response.insert_header((header::ALLOW, "GET"));
        }
        _ => {}
    }
    response.force_close();
    let head = response.finish().drop_body();
    framed.send(h1::Message::Item((head, BodySize::Sized(body.len() as u64)))).await?;
    framed.send(h1::Message::Chunk(Some(body))).await?;
    framed.send(h1::Message::Chunk(None)).await?;
    SinkExt::<h1::Message<(Response<()>, BodySize)>>::close(framed).await?;
    Ok(())
}
