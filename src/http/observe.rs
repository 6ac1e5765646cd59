//! What every request of the app gets: an id, the security headers, one count, and a log line.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};

use super::{headers, labels::Labels, request_id, socket::single_request::Input};
use crate::telemetry::{self, Context, Event, RequestId, method_label};

/// What the middleware depends on.
pub(super) struct Observe {
    /// By what names the listener's routes are counted.
    pub(super) labels: Labels,
    /// A request slower than this is logged.
    pub(super) slow_request: Duration,
    /// Whether clients speak TLS, with us or with a proxy: only then HSTS makes sense (RFC 6797 section 7.2).
    pub(super) is_https: bool,
}

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
    let route = policy.labels.of(response.request().match_pattern().as_deref());
    let context = Context::of_request(&id);
    let status = response.status().as_u16();
    telemetry::emit(&Event::HttpServed { context, method, route, status, took });
    if took > policy.slow_request {
        telemetry::emit(&Event::SlowRequest { context, method, route, took });
    }
    dress(response.headers_mut(), &id, policy.is_https);
    // It is the last answer on its connection, whatever the request asked for: who reuses it must not be misled.
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    if let Some(input) = response.request().conn_data::<Rc<Input>>() {
        input.answered();
    }
    Ok(response)
}

fn dress(answer: &mut HeaderMap, id: &RequestId, is_https: bool) {
    let mut set = |name: &'static str, value: &'static str| {
        let name = HeaderName::from_static(name);
        // A page may have a policy of its own.
        if !answer.contains_key(&name) {
            answer.insert(name, HeaderValue::from_static(value));
        }
    };
    for (name, value) in headers::STRICT {
        set(name, value);
    }
    if is_https {
        set("strict-transport-security", HSTS);
    }
    answer.insert(HeaderName::from_static(request_id::HEADER), request_id::value(id));
}
