//! `POST /admin/drain`: the drain without a signal, for those who can reach the ops listener and not the process.
//!
//! A browser on the operator's machine reaches that listener, too, and runs whatever page it is shown. No page can ask for
//! the drain: a JSON content type makes the browser ask first and be told nothing (no route answers CORS), a foreign
//! `Origin` is refused, and so is a `Host` that is not ours (a name that its owner has turned to this address).

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN, WWW_AUTHENTICATE},
    },
    web,
};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{
    gate::{Call, Gate},
    once::BODY_MAX,
    ops::Ops,
};
use crate::{protocol::same_octets, telemetry::RequestId};

/// How `drain_started` names this way.
const BY: &str = "POST /admin/drain";
/// Time for the body, once everything else is right.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// A token's length. Shorter ones can be guessed; no header should be longer.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// The address of ours that a connection was made to.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnAddress(pub(super) Option<SocketAddr>);

/// What an operator proves to be one with.
#[derive(Clone)]
pub struct Token(Arc<[u8]>);

/// Whether, and for whom, the server may be told to go. Cloning shares it.
#[derive(Clone)]
pub struct Admin {
    /// Whoever can reach the listener is on this machine, or must have the token.
    open: bool,
    token: Option<Token>,
    /// Names of ours beside `localhost`.
    names: Arc<[String]>,
    /// From the call to the end, at most.
    deadline: Duration,
    /// The clients' departures are spread over this.
    drain: Duration,
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Method,
    Host,
    Origin,
    Closed,
    Unauthorized,
    NotJson,
    Body,
    SlowBody,
}

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Draining {
    /// `draining`, or `already_draining` when somebody had asked before.
    status: &'static str,
    /// Those that are still there.
    connections: usize,
    /// The time over which they are closed.
    drain_ms: u64,
    /// The time that is left until the process ends, whoever is still there.
    deadline_ms: u64,
    /// The same as a time of day: RFC 3339, UTC.
    deadline: String,
}

#[derive(Serialize)]
struct Refused<'a> {
    error: RefusedError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusedError<'a> {
    code: &'static str,
    category: &'static str,
    retryable: bool,
    message: &'static str,
    request_id: &'a str,
}

impl Token {
    /// Reads it from a file of one line; an empty path is none.
    ///
    /// # Errors
    /// The file cannot be read, or is no line of 16 to 512 visible ASCII characters. What was found is not told.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = fs::read(path)?;
        let token = text.trim_ascii();
        let fits = TOKEN_BYTES.contains(&token.len()) && token.iter().all(u8::is_ascii_graphic);
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no line of 16 to 512 visible ASCII characters");
        if fits { Ok(Some(Self(token.into()))) } else { Err(wrong()) }
    }

    /// RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = the_one(headers, &AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case("Bearer ").then_some(token)
        });
        shown.is_some_and(|token| same_octets(token.as_bytes(), &self.0))
    }
}

impl Admin {
    /// For a listener at `address`, which is also called by these names.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        token: Option<Token>,
        names: Vec<String>,
        drain: Duration,
        deadline: Duration,
    ) -> Self {
        let open = token.is_some() || address.ip().to_canonical().is_loopback();
        Self { open, token, names: names.into(), deadline, drain }
    }

    fn check(&self, method: &Method, headers: &HeaderMap, own: Option<SocketAddr>) -> Result<(), Refusal> {
        if method != Method::POST {
            return Err(Refusal::Method);
        }
        let host = the_one(headers, &HOST).filter(|host| self.is_ours(host, own)).ok_or(Refusal::Host)?;
        if headers.contains_key(ORIGIN) && !the_one(headers, &ORIGIN).is_some_and(|origin| is_of(origin, host)) {
            return Err(Refusal::Origin);
        }
        if !self.open {
            return Err(Refusal::Closed);
        }
        if self.token.as_ref().is_some_and(|token| !token.is_shown(headers)) {
            return Err(Refusal::Unauthorized);
        }
        let json = the_one(headers, &CONTENT_TYPE).is_some_and(|value| {
            value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
        if json { Ok(()) } else { Err(Refusal::NotJson) }
    }

    /// Whether a `Host` means this listener: the very address that the connection was made to, or a name that is not
    /// somebody else's to give.
    fn is_ours(&self, host: &str, own: Option<SocketAddr>) -> bool {
        let (Some(own), Some((name, port))) = (own, split_port(host)) else { return false };
        let here = own.ip().to_canonical();
        let name = name.strip_suffix('.').unwrap_or(name);
        let known = match name.parse::<IpAddr>() {
            Ok(address) => address.to_canonical() == here,
            Err(_) if name.eq_ignore_ascii_case("localhost") => here.is_loopback(),
            Err(_) => self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name)),
        };
        known && port.is_none_or(|port| port == own.port())
    }
}

impl Refusal {
    fn facts(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "INVALID_MESSAGE", "ask by POST"),
            Self::Host => (
                StatusCode::FORBIDDEN,
                "foreign_host",
                "AUTH",
                "Host must be this listener's address, or a name of ours: localhost, ops.host, server.node",
            ),
            Self::Origin => (StatusCode::FORBIDDEN, "foreign_origin", "AUTH", "no other page may ask for this"),
            Self::Closed => (
                StatusCode::FORBIDDEN,
                "admin_closed",
                "AUTH",
                "the ops listener is not on loopback, and ops.token_file names no token: send SIGTERM",
            ),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "AUTH",
                "Authorization must be Bearer and the token that ops.token_file keeps",
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "INVALID_MESSAGE",
                "Content-Type must be application/json",
            ),
            Self::SlowBody => (
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "INVALID_MESSAGE",
                "the announced body did not come in time",
            ),
            Self::Body => (StatusCode::BAD_REQUEST, "invalid_body", "INVALID_MESSAGE", "the body must be empty, or {}"),
        }
    }

    fn answer(self, id: &RequestId) -> HttpResponse {
        let (status, code, category, message) = self.facts();
        let request_id = &id.to_string();
        let mut answer = HttpResponse::build(status);
        match self {
            Self::Method => answer.insert_header((ALLOW, "POST")),
            Self::Unauthorized => answer.insert_header((WWW_AUTHENTICATE, "Bearer")),
            _ => &mut answer,
        };
        answer.json(Refused { error: RefusedError { code, category, retryable: false, message, request_id } })
    }
}

/// 202 and the deadline; 200 and the same deadline, when the server is on its way out already.
pub(super) async fn drain(
    request: HttpRequest,
    body: web::Payload,
    id: web::ReqData<RequestId>,
    ops: web::Data<Ops>,
) -> HttpResponse {
    let own = request.conn_data::<OwnAddress>().and_then(|own| own.0);
    if let Err(refusal) = ops.admin.check(request.method(), request.headers(), own) {
        return refusal.answer(&id);
    }
    // Only now: nobody else makes the server wait for a body.
    match timeout(BODY_WITHIN, body.to_bytes_limited(BODY_MAX)).await {
        Ok(Ok(Ok(body))) if says_nothing(&body) => {}
        Ok(_) => return Refusal::Body.answer(&id),
        Err(_) => return Refusal::SlowBody.answer(&id),
    }
    let (first, call) = ops.gate.call_drain(BY, Some(id.into_inner()));
    let status = if first { StatusCode::ACCEPTED } else { StatusCode::OK };
    HttpResponse::build(status).json(report(&ops.admin, &ops.gate, first, call))
}

/// There is nothing to say yet: what is said all the same is refused, not ignored.
fn says_nothing(body: &[u8]) -> bool {
    body.is_empty() || serde_json::from_slice::<Map<String, Value>>(body).is_ok_and(|map| map.is_empty())
}

fn report(admin: &Admin, gate: &Gate, first: bool, call: &Call) -> Draining {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let left = (call.at + admin.deadline).saturating_duration_since(Instant::now());
    Draining {
        status: if first { "draining" } else { "already_draining" },
        connections: gate.connections(),
        drain_ms: millis(admin.drain),
        deadline_ms: millis(left),
        deadline: humantime::format_rfc3339_millis(SystemTime::now() + left).to_string(),
    }
}

/// The header, if there is exactly one of it: of two, somebody else may have read the other.
fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name);
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// Host and port of an authority (RFC 3986 section 3.2), the brackets of an IPv6 address taken off.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let port = |text: &str| match text.strip_prefix(':') {
        Some(digits) => digits.parse().ok().map(Some),
        None => text.is_empty().then_some(None),
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let (inner, after) = rest.split_once(']')?;
        return Some((inner, port(after)?));
    }
    let at = authority.find(':').unwrap_or(authority.len());
    let (name, after) = authority.split_at(at);
    Some((name, port(after)?))
}

/// Whether a page of this very listener asks, seen through the same `Host`.
fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
