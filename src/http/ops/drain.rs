//! `POST /admin/drain`: the drain without a signal, for those who can reach the ops listener and not the process.
//!
//! Who may ask is the guard's business (`super::guard`). Beyond it, no page can ask for the drain without being told no by the
//! browser: a JSON content type makes the browser ask first and be told nothing (no route answers CORS).

use std::time::{Duration, Instant, SystemTime};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_TYPE, HeaderMap},
    },
    web,
};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::ports::{DrainTimes, Ops};
use crate::{
    config::Milliseconds,
    http::{authority::the_one, error, socket::single_request::BODY_MAX},
    lifecycle::{Call, Lifecycle},
    protocol::{ErrorBody, ErrorCategory},
    telemetry::RequestId,
};

/// How `drain_started` names this way.
const BY: &str = "POST /admin/drain";
/// Time for the body, once everything else is right.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DrainError {
    Method,
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

impl DrainError {
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "ask by POST"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "Content-Type must be application/json"),
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, "body_timeout", "the announced body did not come in time"),
            Self::Body => (StatusCode::BAD_REQUEST, "invalid_body", "the body must be empty, or {}"),
        }
    }

    fn answer(self, id: &RequestId) -> HttpResponse {
        let (status, code, message) = self.facts();
        let category = ErrorCategory::InvalidMessage;
        let error = ErrorBody { code, category, retryable: false, retry_after_ms: None, message };
        let answer = error::answer(status, &error, id);
        if self == Self::Method { error::with_header(answer, ALLOW, "POST") } else { answer }
    }
}

/// 202 and the deadline; 200 and the same deadline, when the server is on its way out already.
pub(in crate::http) async fn drain(
    request: HttpRequest,
    body: web::Payload,
    id: web::ReqData<RequestId>,
    ops: web::Data<Ops>,
) -> HttpResponse {
    if !is_json(request.headers()) {
        return DrainError::NotJson.answer(&id);
    }
    // Only now: nobody else makes the server wait for a body.
    match timeout(BODY_WITHIN, body.to_bytes_limited(BODY_MAX)).await {
        Ok(Ok(Ok(body))) if says_nothing(&body) => {}
        Ok(_) => return DrainError::Body.answer(&id),
        Err(_) => return DrainError::SlowBody.answer(&id),
    }
    let (first, call) = ops.lifecycle.call_drain(BY, Some(id.into_inner()));
    let status = if first { StatusCode::ACCEPTED } else { StatusCode::OK };
    HttpResponse::build(status).json(report(ops.drain, &ops.lifecycle, first, call))
}

/// By any other method.
pub(in crate::http) async fn only_post(id: web::ReqData<RequestId>) -> HttpResponse {
    DrainError::Method.answer(&id)
}

fn is_json(headers: &HeaderMap) -> bool {
    the_one(headers, &CONTENT_TYPE).is_some_and(|value| {
        value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    })
}

/// There is nothing to say yet: what is said all the same is refused, not ignored.
fn says_nothing(body: &[u8]) -> bool {
    body.is_empty() || serde_json::from_slice::<Map<String, Value>>(body).is_ok_and(|map| map.is_empty())
}

fn report(drain: DrainTimes, lifecycle: &Lifecycle, first: bool, call: &Call) -> Draining {
    let left = (call.at + drain.deadline).saturating_duration_since(Instant::now());
    Draining {
        status: if first { "draining" } else { "already_draining" },
        connections: lifecycle.connections(),
        drain_ms: Milliseconds::rounded_down(drain.spread).0,
        deadline_ms: Milliseconds::rounded_down(left).0,
        deadline: crate::utc::Rfc3339(SystemTime::now() + left).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_json() {
        let kind = |kind: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())]));
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/json ;x=y"] {
            assert!(kind(json), "{json}");
        }
        // These are what a form or a script may send without asking first.
        for simple in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "text/plain; application/json",
        ] {
            assert!(!kind(simple), "{simple}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
