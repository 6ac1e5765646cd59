//! Why a client frame is refused.

use std::borrow::Cow;

use super::fields::Field;
use crate::protocol::{errors::ErrorCode, server::FrameKind};

/// A frame that is not obeyed: what becomes an `error` frame. Its message never quotes a payload, metadata or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// `invalid_message` or `unknown_type`.
    pub code: ErrorCode,
    /// For the developer of the client.
    pub message: Cow<'static, str>,
    /// The request's `id`, when the text was JSON and the `id` a good one: the reply's `re`.
    pub id: Option<String>,
    /// What the frame wanted to be; [`FrameKind::Invalid`] when it does not say.
    pub kind: FrameKind,
}

impl ParseError {
    /// For text that is no JSON object.
    pub(super) fn of_text(error: &serde_json::Error) -> Self {
        let message = match error.classify() {
            // Its message quotes the text.
            serde_json::error::Category::Data => Cow::Borrowed("not a JSON object"),
            _ => Cow::Owned(format!("not JSON: {error}")),
        };
        Self { code: ErrorCode::InvalidMessage, message, id: None, kind: FrameKind::Invalid }
    }
}

/// What is wrong with a frame, before it is known whose request it was.
#[derive(Debug)]
pub(super) struct FieldError {
    pub(super) code: ErrorCode,
    pub(super) message: Cow<'static, str>,
}

impl FieldError {
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::InvalidMessage, message: message.into() }
    }

    pub(super) fn unknown_type() -> Self {
        Self { code: ErrorCode::UnknownType, message: Cow::Borrowed("type names no frame of this version") }
    }

    pub(super) fn number() -> Self {
        Self::invalid("a number is beyond what a double can hold, or has more than 400 digits")
    }

    /// `complaint` continues a sentence that starts with the field's name.
    pub(super) fn field(field: Field, complaint: impl AsRef<str>) -> Self {
        Self::invalid(format!("{} {}", field.as_str(), complaint.as_ref()))
    }
}
