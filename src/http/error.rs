//! The answer to a request that is refused: one body, whoever refuses it.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};

use crate::{protocol::ErrorBody, telemetry::RequestId};

/// The refusal as JSON, and `Retry-After` if it says when to come back.
pub(super) fn answer(status: StatusCode, error: &ErrorBody, id: &RequestId) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if let Some(wait) = error.retry_after_ms {
        answer.insert_header((RETRY_AFTER, wait / 1_000));
    }
    answer.content_type("application/json").body(error.http(&id.to_string()))
}

/// The answer with one header more.
pub(super) fn with_header(mut answer: HttpResponse, name: HeaderName, value: &'static str) -> HttpResponse {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
