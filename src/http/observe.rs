//! What every request of the app gets: an id, the security headers, one count, and a log line.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};

use super::{
    client::{Clients, retry_after_seconds},
    error, headers,
    ops::Guard,
    public::probes,
    request_id,
    socket::single_request::Input,
};
use crate::{
    protocol::{ErrorBody, ErrorCode},
    telemetry::{self, Context, Event, RequestId, method_label},
};

/// What the middleware depends on.
pub(super) struct Observe {
    /// Whom the listener is for.
    pub(super) side: Side,
    /// A request slower than this is logged.
    pub(super) slow_request: Duration,
    /// Whether TLS ends in front of us: only then HSTS makes sense (RFC 6797 section 7.2).
    pub(super) behind_tls: bool,
}

/// Whom a listener is for.
pub(super) enum Side {
    /// Clients, who have limits per address.
    Public(Clients),
    /// Operators, who are looked at.
    Operator(Guard),
}

/// The routes that are told apart in metrics and logs. Every other is a file of the page.
const ROUTES: [&str; 7] = ["/ws", "/healthz", "/readyz", "/health", "/metrics", "/errors", "/admin/drain"];
/// Half a year.
const HSTS: &str = "max-age=15768000";

/// The middleware.
pub(super) async fn observe(
    policy: web::Data<Observe>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let id = request_id::of(request.headers());
    let method = method_label(request.method().as_str());
    request.extensions_mut().insert(id.clone());
    let refusal = match &policy.side {
        Side::Public(clients) => too_many(clients, &request).map(|wait| refusal(wait, &id)),
        Side::Operator(guard) => guard.refuse(&request, &id),
    };
    let mut response = match refusal {
        Some(refusal) => request.into_response(refusal).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    let took = began.elapsed();
    let route = label(response.request().match_pattern().as_deref());
    let context = Context::of_request(&id);
    let status = response.status().as_u16();
    telemetry::emit(&Event::HttpServed { context, method, route, status, took });
    if took > policy.slow_request {
        telemetry::emit(&Event::SlowRequest { context, method, route, took });
    }
    dress(response.headers_mut(), &id, policy.behind_tls);
    // It is the last answer on its connection, whatever the request asked for: who reuses it must not be misled.
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    if let Some(input) = response.request().conn_data::<Rc<Input>>() {
        input.answered();
    }
    Ok(response)
}

/// The time until this client's address may ask again, if it has asked too often.
fn too_many(clients: &Clients, request: &ServiceRequest) -> Option<Duration> {
    // A balancer's probes must not depend on what else comes from its address.
    if probes::PATHS.contains(&request.path()) {
        return None;
    }
    let client = clients.identify(request.peer_addr()?, request.headers());
    clients.request(client).err()
}

fn refusal(wait: Duration, id: &RequestId) -> HttpResponse {
    let seconds = retry_after_seconds(wait);
    let error = ErrorBody::new(ErrorCode::RateLimited, "more requests from this address than it may make");
    error::answer(StatusCode::TOO_MANY_REQUESTS, &error.after(Some(seconds * 1_000)), id)
}

fn dress(answer: &mut HeaderMap, id: &RequestId, behind_tls: bool) {
    let mut set = |name: &'static str, value: &'static str| {
        answer.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    for (name, value) in headers::STRICT {
        set(name, value);
    }
    if behind_tls {
        set("strict-transport-security", HSTS);
    }
    answer.insert(HeaderName::from_static(request_id::HEADER), request_id::value(id));
}

/// A closed set: a scanner must not make a series per guess, and the page's files are one thing.
fn label(pattern: Option<&str>) -> &'static str {
    let Some(pattern) = pattern else { return "unmatched" };
    ROUTES.iter().copied().find(|route| *route == pattern).unwrap_or("/")
}
