//! What every request of the app gets: an id, the security headers, one count, and a log line.

use std::time::{Duration, Instant};

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};

use super::{page, request_id};
use crate::telemetry::{self, Event, Ids, RequestId, method_label};

/// What the middleware depends on.
pub(super) struct Observe {
    /// A request slower than this is logged.
    pub(super) slow_request: Duration,
    /// Whether TLS ends in front of us: only then HSTS makes sense (RFC 6797 section 7.2).
    pub(super) behind_tls: bool,
}

/// The routes that are told apart in metrics and logs. Every other is a file of the page.
const ROUTES: [&str; 6] = ["/ws", "/healthz", "/readyz", "/health", "/metrics", "/errors"];
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
    let mut response = next.call(request).await?;
    let took = began.elapsed();
    let route = label(response.request().match_pattern().as_deref());
    let ids = Ids { request: Some(&id), ..Ids::default() };
    let status = response.status().as_u16();
    telemetry::emit(&Event::HttpServed { ids, method, route, status, took });
    if took > policy.slow_request {
        telemetry::emit(&Event::SlowRequest { ids, method, route, took });
    }
    dress(response.headers_mut(), &id, policy.behind_tls);
    Ok(response)
}

fn dress(headers: &mut HeaderMap, id: &RequestId, behind_tls: bool) {
    let mut set = |name: &'static str, value: &'static str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    set("content-security-policy", page::CONTENT_SECURITY_POLICY);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "no-referrer");
    if behind_tls {
        set("strict-transport-security", HSTS);
    }
    headers.insert(HeaderName::from_static(request_id::HEADER), request_id::value(id));
}

/// A closed set: a scanner must not make a series per guess, and the page's files are one thing.
fn label(pattern: Option<&str>) -> &'static str {
    let Some(pattern) = pattern else { return "unmatched" };
    ROUTES.iter().copied().find(|route| *route == pattern).unwrap_or("/")
}
