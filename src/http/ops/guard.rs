//! Who may ask the operator's listener, and for what.
//!
//! A browser on the operator's machine, or in their network, reaches that listener, too, and runs whatever page it is
//! shown. No page from elsewhere gets anything: on every route a foreign `Origin` is refused, and so is a `Host` that is
//! not ours: a name that its owner has turned to this address (DNS rebinding). An address in `Host` is always ours:
//! nobody can turn one elsewhere. What changes something asks for the token, too. And there no page from elsewhere makes as
//! much as a line of the log: an image of a page has no `Origin`, but `Sec-Fetch-Site`, where a browser sends it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::token::Token;
use crate::{
    config::{Authority, Settings},
    http::{
        authority::{is_page_of, printable, the_one},
        client::{Clients, retry_after_seconds},
        error,
        public::{page, probes},
        request_id,
    },
    limits::{Bucket, Rate, Subnet, Table, table},
    protocol::{ErrorBody, ErrorCategory},
    telemetry::{self, Context, Event, OpsDenial, RequestId},
};
use actix_web::{
    Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode, Version,
        header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN, WWW_AUTHENTICATE},
        uri,
    },
    middleware::Next,
    web,
};

/// What a browser says of the page that asks.
const SEC_FETCH_SITE: &str = "sec-fetch-site";
/// Addresses that are remembered for their wrong tokens.
const ADDRESSES: usize = 4096;

/// The guard of the operator's listener. Cloning shares it.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    /// Names of ours beside `localhost`.
    names: Vec<String>,
    /// Whoever can reach the listener is on this machine, or must have the token.
    open: bool,
    token: Option<Token>,
    /// Whether what only reads asks for the token, too.
    protects_reads: bool,
    clients: Clients,
    /// Wrong tokens that one address may show: `ops.token_failures_per_minute`.
    rate: Rate,
    failures: Mutex<Table<Failures>>,
}

/// What is configured of the guard.
#[derive(Debug, Clone)]
pub struct GuardConfig {
    /// What the listener is also called, beside `localhost` and its address.
    pub names: Vec<String>,
    /// Wrong tokens a minute that one address may show.
    pub failures: u32,
    /// `ops.protect_reads`.
    pub protects_reads: bool,
}

impl From<&Settings> for GuardConfig {
    fn from(settings: &Settings) -> Self {
        let ops = &settings.ops;
        let names = [ops.host.clone()].into_iter().chain(settings.server.node_name()).chain(ops.allowed_hosts.clone());
        Self { names: names.collect(), failures: ops.token_failures_per_minute, protects_reads: ops.protect_reads }
    }
}

/// The wrong tokens of one address.
struct Failures(Bucket);

impl table::Entry for Failures {
    fn new(now: Instant) -> Self {
        Self(Bucket::full(now))
    }

    fn is_unused(&self, now: Instant) -> bool {
        self.0.is_full(now)
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
enum GuardError {
    /// With the `Host` that came.
    Host(String),
    /// With the `Origin` and the `Host` that came.
    Origin(String, String),
    /// With the `Sec-Fetch-Site` that came.
    Site(String),
    Closed,
    /// There is no token, or a wrong one.
    Token,
    /// The address has shown too many wrong tokens; the time until the next is looked at.
    TooMany(Duration),
}

impl Guard {
    /// For a listener at `address`.
    #[must_use]
    pub fn new(config: GuardConfig, address: SocketAddr, token: Option<Token>, clients: Clients) -> Self {
        let GuardConfig { names, failures, protects_reads } = config;
        let open = token.is_some() || address.ip().to_canonical().is_loopback();
        let rate = Rate::per_minute(failures);
        let failures = Mutex::new(Table::new(ADDRESSES, Instant::now()));
        Self(Arc::new(Inner { names, open, token, protects_reads, clients, rate, failures }))
    }

    /// Whose address it is that asks: behind a proxy of ours the client's.
    pub(super) fn remote(&self, request: &ServiceRequest) -> SocketAddr {
        self.0.remote(request)
    }
}

/// Middleware of every route: `Host` and `Origin`, and where reading asks for it the token. The live page's own files do not ask: a
/// browser has the token only when they have run, and they tell nothing of this server.
pub(in crate::http) async fn admit(
    guard: web::Data<Guard>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let token = || {
        let asks = guard.0.protects_reads && !page::is_operator_file(request.path());
        if asks { guard.0.authorise(request.headers(), guard.0.remote(&request), Instant::now()) } else { Ok(()) }
    };
    let admitted = guard.0.admit(&request).and_then(|()| token());
    pass(guard, admitted, request, next).await
}

/// Middleware of the routes that change something, or look into rooms: the token.
pub(in crate::http) async fn authorise(
    guard: web::Data<Guard>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let token = || guard.0.authorise(request.headers(), guard.0.remote(&request), Instant::now());
    let authorised = own_page(request.headers()).and_then(|()| token());
    pass(guard, authorised, request, next).await
}

/// That no page of another site is behind it, as far as the browser says (W3C Fetch Metadata, `Sec-Fetch-Site`). `none` is a
/// person: an address that was typed, or a bookmark. Programs do not send it, nor do browsers to an address without TLS
/// that is not their own machine's.
fn own_page(headers: &HeaderMap) -> Result<(), GuardError> {
    let mut sites = headers.get_all(SEC_FETCH_SITE);
    match sites.find(|site| !["same-origin", "none"].iter().any(|ours| site.as_bytes() == ours.as_bytes())) {
        None => Ok(()),
        Some(site) => Err(GuardError::Site(printable(site.as_bytes()))),
    }
}

/// On to the next, or the answer that says why not.
async fn pass(
    guard: web::Data<Guard>,
    allowed: Result<(), GuardError>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match allowed {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(refusal) => {
            let answer = guard.0.answer(&refusal, &request, &request_id::kept(&request));
            Ok(request.into_response(answer).map_into_right_body())
        }
    }
}

impl Inner {
    /// `Host` and `Origin`.
    fn admit(&self, request: &ServiceRequest) -> Result<(), GuardError> {
        let headers = request.headers();
        // Of a request that names its target in full, `Host` is to be ignored (RFC 9112 section 3.2.2); both must be ours.
        let target = request.uri().authority().map(uri::Authority::as_str);
        if let Some(target) = target.filter(|target| !self.is_ours(target)) {
            return Err(GuardError::Host(printable(target.as_bytes())));
        }
        // Balancers ask by HTTP/1.0, which has no Host. Browsers do not.
        let is_bare = request.version() == Version::HTTP_10 && !headers.contains_key(HOST);
        if is_bare && probes::PATHS.contains(&request.path()) && !headers.contains_key(ORIGIN) {
            return Ok(());
        }
        let shown = |name| {
            let values: Vec<_> = headers.get_all(name).map(|value| printable(value.as_bytes())).collect();
            values.join(", ")
        };
        let host = the_one(headers, &HOST).filter(|host| self.is_ours(host));
        let host = host.ok_or_else(|| GuardError::Host(shown(HOST)))?;
        let is_foreign = || the_one(headers, &ORIGIN).is_none_or(|origin| !is_page_of(origin, host));
        if headers.contains_key(ORIGIN) && is_foreign() {
            return Err(GuardError::Origin(shown(ORIGIN), shown(HOST)));
        }
        Ok(())
    }

    /// Whether a `Host` means this listener. Its port does not matter: it may be another's that leads here.
    fn is_ours(&self, host: &str) -> bool {
        let Some(authority) = Authority::parse(host) else { return false };
        let host = authority.name();
        host.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// The token.
    ///
    /// Wrong ones are few: beyond so many a minute from one address none of it is looked at, not even a right one, or
    /// guessing would go on as before. What is not looked at does not count, so that the wait is a few seconds and no
    /// more; and nobody else's address waits.
    fn authorise(&self, headers: &HeaderMap, remote: SocketAddr, now: Instant) -> Result<(), GuardError> {
        if !self.open {
            return Err(GuardError::Closed);
        }
        let Some(token) = &self.token else { return Ok(()) };
        if !headers.contains_key(AUTHORIZATION) {
            // Nobody guesses by showing nothing.
            return Err(GuardError::Token);
        }
        let from = Subnet::of(remote.ip());
        // Held while it is compared: of several at once none comes in between.
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |entry: &mut Failures, shares| match entry.0.wait(self.rate.times(shares), now) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        };
        failures.may(from, now, wait).map_err(GuardError::TooMany)?;
        if token.is_shown(headers) {
            return Ok(());
        }
        // There is a token for it, as was seen just now.
        let _ = table::take(&mut failures, from, now, self.rate, |entry| &mut entry.0);
        Err(GuardError::Token)
    }

    /// Whose address it is that asks: behind a proxy of ours the client's.
    fn remote(&self, request: &ServiceRequest) -> SocketAddr {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        request.peer_addr().map_or(unknown, |peer| self.clients.remote(peer, request.headers()))
    }

    /// Tells of a refusal, and makes the answer.
    fn answer(&self, refusal: &GuardError, request: &ServiceRequest, id: &RequestId) -> HttpResponse {
        let reason = refusal.reason();
        let host = request.headers().get(HOST).map(|host| printable(host.as_bytes()));
        telemetry::emit(&Event::OpsDenied {
            context: Context::of_request(id),
            remote: self.remote(request),
            reason,
            host: host.as_deref().unwrap_or_default(),
        });
        refusal.answer(id)
    }
}

impl GuardError {
    fn reason(&self) -> OpsDenial {
        match self {
            Self::Host(_) => OpsDenial::Host,
            Self::Origin(..) | Self::Site(_) => OpsDenial::Origin,
            Self::Closed => OpsDenial::Closed,
            Self::Token | Self::TooMany(_) => OpsDenial::Token,
        }
    }

    fn facts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Host(host) => (
                StatusCode::FORBIDDEN,
                "foreign_host",
                format!(
                    "Host is {}, which is no name of this listener: ask by an IP address, localhost, ops.host or \
                     server.node, or put that name on ops.allowed_hosts",
                    if host.is_empty() { "missing" } else { host }
                ),
            ),
            Self::Origin(origin, host) => (
                StatusCode::FORBIDDEN,
                "foreign_origin",
                format!("no other page may ask here: Origin is {origin}, and Host is {host}"),
            ),
            Self::Site(site) => (
                StatusCode::FORBIDDEN,
                "foreign_origin",
                format!("no other page may ask here: Sec-Fetch-Site is {site}"),
            ),
            Self::Closed => (
                StatusCode::FORBIDDEN,
                "admin_closed",
                "the ops listener is not on loopback, and ops.token_file names no token: send SIGTERM".to_owned(),
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "Authorization must be Bearer and the token that ops.token_file keeps".to_owned(),
            ),
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "this address has shown more wrong tokens than it may (ops.token_failures_per_minute): none is looked \
                 at until then"
                    .to_owned(),
            ),
        }
    }

    fn answer(&self, id: &RequestId) -> HttpResponse {
        let (status, code, message) = self.facts();
        let retry_after_ms = match self {
            Self::TooMany(wait) => Some(retry_after_seconds(*wait) * 1_000),
            _ => None,
        };
        let retryable = retry_after_ms.is_some();
        let category = if retryable { ErrorCategory::RateLimited } else { ErrorCategory::Auth };
        let answer =
            error::answer(status, &ErrorBody { code, category, retryable, retry_after_ms, message: &message }, id);
        if *self == Self::Token { error::with_header(answer, WWW_AUTHENTICATE, "Bearer") } else { answer }
    }
}

#[cfg(test)]
mod tests;
