//! What an error says, in an `error` frame as in the body of a refused HTTP request.

use super::object::Object;
use crate::protocol::errors::{ErrorCategory, ErrorCode};

/// An error for whoever has asked, by frame or by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorBody<'a> {
    /// A code of the protocol, or one that only a route of the operator's has.
    pub code: &'a str,
    /// What kind of trouble it is.
    pub category: ErrorCategory,
    /// Whether the same request may succeed later without being changed.
    pub retryable: bool,
    /// Not sooner than after this many milliseconds.
    pub retry_after_ms: Option<u64>,
    /// For people.
    pub message: &'a str,
}

impl<'a> ErrorBody<'a> {
    /// An error of the protocol.
    #[must_use]
    pub fn new(code: ErrorCode, message: &'a str) -> Self {
        let (category, retryable) = (code.category(), code.retryable());
        Self { code: code.as_str(), category, retryable, retry_after_ms: None, message }
    }

    /// The same, to be tried again after so many milliseconds.
    #[must_use]
    pub fn after(self, retry_after_ms: Option<u64>) -> Self {
        Self { retry_after_ms, ..self }
    }

    /// The JSON body of a refused HTTP request.
    #[must_use]
    pub fn http(&self, request_id: &str) -> String {
        let mut out = Vec::with_capacity(192 + self.message.len());
        Object::open(&mut out).object("error", |object| self.write(object).text("requestId", request_id)).close();
        String::from_utf8(out).expect("every piece is UTF-8")
    }

    pub(super) fn write<'o>(&self, object: Object<'o>) -> Object<'o> {
        object
            .text("code", self.code)
            .text("category", self.category.as_str())
            .flag("retryable", self.retryable)
            .number_if("retryAfterMs", self.retry_after_ms)
            .text("message", self.message)
    }
}
