//! Where a request's id comes from, and where it is found again.

use actix_http::header::{HeaderMap, HeaderValue};
use actix_web::{HttpMessage, dev::ServiceRequest};

use crate::telemetry::RequestId;

/// The header, both ways.
pub(super) const HEADER: &str = "x-request-id";

/// The caller's id if it is sane, else a fresh one.
pub(super) fn of(headers: &HeaderMap) -> RequestId {
    RequestId::accept(headers.get(HEADER).and_then(|value| value.to_str().ok()))
}

/// The id that the request got when it came in.
pub(super) fn kept(request: &ServiceRequest) -> RequestId {
    request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId::accept(None))
}

/// The id as a header's value. Nothing in an id needs escaping.
pub(super) fn value(id: &RequestId) -> HeaderValue {
    HeaderValue::from_str(&id.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}
