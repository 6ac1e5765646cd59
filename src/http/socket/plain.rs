//! Answers that are written without the HTTP library: to what is no request for it, or must not wait for it.

use std::io::Write;

use actix_http::StatusCode;

use crate::{
    http::{headers, request_id},
    protocol::{ErrorBody, ErrorCode},
    telemetry::{Rejection, RequestId},
};

/// After this, whoever found no place may try again.
pub(in crate::http) const RETRY_AFTER_SECONDS: u64 = 5;

/// A whole answer, after which the connection ends; `bodyless` is one to HEAD.
pub(in crate::http) fn answer(status: StatusCode, content_type: &str, body: &str, bodyless: bool) -> Vec<u8> {
    write(status, content_type, &RequestId::accept(None), None, body, bodyless)
}

/// A refusal in JSON. `retry_after` is in seconds.
pub(in crate::http) fn refusal(status: u16, code: ErrorCode, message: &str, retry_after: Option<u64>) -> Vec<u8> {
    let id = RequestId::accept(None);
    let body = ErrorBody::new(code, message).after(retry_after.map(|seconds| seconds * 1000)).http(&id.to_string());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    write(status, "application/json", &id, retry_after, &body, false)
}

/// The answer to what became no request.
pub(in crate::http) fn rejection(kind: Rejection) -> Vec<u8> {
    let (status, message) = match kind {
        Rejection::ProxyProtocol => (400, "this port takes HTTP/1.1, and no PROXY protocol from this address"),
        Rejection::NoProxyHeader => {
            (400, "from this address each connection begins with a header of the PROXY protocol")
        }
        Rejection::BadProxyHeader => {
            (400, "this is no header of the PROXY protocol, or a longer one than limits.head_bytes")
        }
        Rejection::Tls => (400, "this port takes plain HTTP, not TLS"),
        Rejection::PlainHttp => (400, "this port takes HTTPS: TLS, and HTTP inside of it"),
        Rejection::TlsHandshake => (400, "the TLS handshake failed"),
        Rejection::Http2 => (400, "this port takes HTTP/1.1, not HTTP/2"),
        Rejection::NoHost => (400, "an HTTP/1.1 request needs a Host header"),
        Rejection::HeadTooLarge => (431, "the head of the request is longer than limits.head_bytes"),
        Rejection::BodyTooLarge => (413, "this takes no body of that length"),
        Rejection::Timeout => (408, "the head of the request took too long"),
        Rejection::Malformed => (400, "this is no HTTP/1.1 request"),
        Rejection::Memory => {
            let message = "memory is nearly used, and the head of the request holds more of it than others";
            return refusal(503, ErrorCode::OverCapacity, message, Some(RETRY_AFTER_SECONDS));
        }
    };
    refusal(status, ErrorCode::InvalidMessage, message, None)
}

fn write(
    status: StatusCode,
    content_type: &str,
    id: &RequestId,
    retry_after: Option<u64>,
    body: &str,
    bodyless: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + body.len());
    // Writing to memory does not fail.
    let _ = write!(out, "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n", body.len());
    let _ = write!(out, "connection: close\r\n{}: {id}\r\n", request_id::HEADER);
    if let Some(seconds) = retry_after {
        let _ = write!(out, "retry-after: {seconds}\r\n");
    }
    for (name, value) in headers::STRICT {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if !bodyless {
        out.extend_from_slice(body.as_bytes());
    }
    out
}
