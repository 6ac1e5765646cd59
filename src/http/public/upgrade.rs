//! From an HTTP request to a session: admission, handshake, 101, and the socket is the session's.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_codec::Encoder;
use actix_http::{
    HttpMessage, Request, Response, StatusCode, Version,
    body::BodySize,
    h1,
    header::{self, HeaderValue},
    ws,
};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;

use super::handshake::{self, Accepted, HandshakeError, Policy};
use crate::{
    http::{
        client::{Client, Clients, KnownBy, retry_after_seconds},
        request_id,
        socket::{single_request, sockets::SocketPlace},
    },
    lifecycle::{AdmissionError, Lifecycle, Permit},
    protocol::{ErrorBody, ErrorCode, error_texts},
    session::AcceptedSocket,
    telemetry::{self, Context, Event, RequestId, method_label},
    ws::AnySocket,
};

/// After this a refused client may try again: a full server's connections come and go, a draining one is
/// being replaced.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The socket ended during its handshake: there is nobody left to tell, and nothing to count but the request.
#[derive(Debug, thiserror::Error)]
#[error("the socket ended during its handshake")]
pub struct Gone(#[from] std::io::Error);

/// An upgrade request, and the socket that it came over.
pub(in crate::http) struct Arrived {
    pub(in crate::http) request: Request,
    /// What read the request, and writes the answer.
    pub(in crate::http) codec: h1::Codec,
    pub(in crate::http) socket: AnySocket,
    /// What came behind the request.
    pub(in crate::http) unread: BytesMut,
    pub(in crate::http) peer: SocketAddr,
    pub(in crate::http) known_by: KnownBy,
    pub(in crate::http) place: SocketPlace,
}

/// What a connection keeps for as long as its socket lives; dropping it gives all of it back.
#[derive(Debug)]
pub struct Kept {
    #[expect(dead_code, reason = "held for its Drop: the place among the connections")]
    permit: Permit,
    #[expect(dead_code, reason = "held for its Drop: the place among the sockets")]
    socket: SocketPlace,
}

/// What the upgrade service of one arbiter needs.
pub struct UpgradeService {
    lifecycle: Lifecycle,
    clients: Clients,
    policy: Policy,
    /// Takes the connection, on this arbiter or another.
    open: Box<dyn Fn(AcceptedSocket<Kept>)>,
}

impl UpgradeService {
    /// `open` gives the accepted socket to a session.
    pub(in crate::http) fn new(
        lifecycle: Lifecycle,
        clients: Clients,
        policy: Policy,
        open: impl Fn(AcceptedSocket<Kept>) + 'static,
    ) -> Rc<Self> {
        Rc::new(Self { lifecycle, clients, policy, open: Box::new(open) })
    }

    /// Serves one upgrade request. An error is the socket's: there is nobody left to tell.
    pub(in crate::http) async fn serve(self: Rc<Self>, arrived: Arrived) -> Result<(), Gone> {
        let began = Instant::now();
        let Arrived { request, mut codec, mut socket, unread, peer, known_by, place } = arrived;
        let id = request_id::of(request.headers());
        let client = self.clients.identify(peer, known_by, request.headers());
        let status = match self.admit(&request, client) {
            Ok((accepted, permit)) => {
                socket.write_all(&switch(&request, &accepted, &id, &mut codec)?).await?;
                // Nothing of it may wait behind what the session writes.
                socket.flush().await?;
                (self.open)(AcceptedSocket {
                    socket,
                    unread: unread.to_vec(),
                    remote: client.remote,
                    subnet: client.subnet,
                    request: id.clone(),
                    hint: accepted.hint,
                    bearer: accepted.bearer,
                    host: accepted.host,
                    permit: Kept { permit, socket: place },
                });
                StatusCode::SWITCHING_PROTOCOLS
            }
            Err(denied) => {
                report(&denied.refused, &id, client.remote);
                let silent = request.head().version == Version::HTTP_10;
                single_request::answer(socket, peer.ip(), &refuse(&denied, &id, &mut codec, silent)?, &mut None)
                    .await?;
                denied.refused.status
            }
        };
        telemetry::emit(&Event::HttpServed {
            context: Context::of_request(&id),
            method: method_label(request.method().as_str()),
            route: handshake::PATH,
            status: status.as_u16(),
            took: began.elapsed(),
        });
        Ok(())
    }

    /// The cheapest check first, and nothing is held that a later check could refuse.
    fn admit(&self, request: &Request, client: Client) -> Result<(Accepted, Permit), UpgradeError> {
        let too_fast = |wait| too_many(error_texts::TOO_MANY_HANDSHAKES, wait);
        self.clients.handshake(client).map_err(too_fast)?;
        let accepted = handshake::check(request.head(), &self.policy, client.believed)?;
        let place = self.clients.connect(client);
        let place = place.ok_or_else(|| too_many("this address holds as many connections as it may", RETRY_AFTER))?;
        let permit = self.lifecycle.admit(place).map_err(refused_at_the_gate)?;
        Ok((accepted, permit))
    }
}

/// A handshake that is answered with an error.
struct UpgradeError {
    refused: HandshakeError,
    /// When the same may be tried again.
    retry_after: Option<Duration>,
}

impl From<HandshakeError> for UpgradeError {
    fn from(refused: HandshakeError) -> Self {
        Self { refused, retry_after: None }
    }
}

fn too_many(message: &'static str, wait: Duration) -> UpgradeError {
    let refused =
        HandshakeError { status: StatusCode::TOO_MANY_REQUESTS, code: ErrorCode::RateLimited, message: message.into() };
    UpgradeError { refused, retry_after: Some(wait) }
}

fn refused_at_the_gate(refusal: AdmissionError) -> UpgradeError {
    let (code, message) = match refusal {
        AdmissionError::Full => (ErrorCode::OverCapacity, error_texts::SERVER_FULL),
        AdmissionError::Draining => (ErrorCode::ServerDraining, "the server is going away"),
    };
    let refused = HandshakeError { status: StatusCode::SERVICE_UNAVAILABLE, code, message: message.into() };
    UpgradeError { refused, retry_after: Some(RETRY_AFTER) }
}

/// Tells of a handshake that is refused, wherever that is found.
pub(in crate::http) fn report(refused: &HandshakeError, id: &RequestId, remote: SocketAddr) {
    telemetry::emit(&Event::HandshakeRefused {
        context: Context::of_request(id),
        remote: Some(remote),
        code: refused.code,
        status: refused.status.as_u16(),
        detail: &refused.message,
    });
}

/// The answer 101 (RFC 6455 section 4.2.2).
fn switch(request: &Request, accepted: &Accepted, id: &RequestId, codec: &mut h1::Codec) -> Result<BytesMut, Gone> {
    let mut response = ws::handshake_response(request.head());
    response.insert_header((request_id::HEADER, request_id::value(id)));
    if accepted.named_subprotocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, handshake::SUBPROTOCOL));
    }
    let head = response.finish().drop_body();
    let mut out = BytesMut::new();
    codec.encode(h1::Message::Item((head, BodySize::None)), &mut out)?;
    Ok(out)
}

/// The error as JSON, in an answer that is the last one on its connection. `silent`: the library leaves out that it is.
fn refuse(denied: &UpgradeError, id: &RequestId, codec: &mut h1::Codec, silent: bool) -> Result<BytesMut, Gone> {
    let UpgradeError { refused, retry_after } = denied;
    let retry_after = retry_after.map(retry_after_seconds);
    let body = ErrorBody::new(refused.code, &refused.message).after(retry_after.map(|s| s * 1_000));
    let body = Bytes::from(body.http(&id.to_string()));
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
    let mut out = BytesMut::new();
    codec.encode(h1::Message::Item((head, BodySize::Sized(body.len() as u64))), &mut out)?;
    codec.encode(h1::Message::Chunk(Some(body)), &mut out)?;
    codec.encode(h1::Message::Chunk(None), &mut out)?;
    Ok(if silent { single_request::with_close_header(&out) } else { out })
}
