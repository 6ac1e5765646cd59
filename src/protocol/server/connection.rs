//! Frames about the connection and its requests.

use super::{error_body::ErrorBody, object::Object};
use crate::protocol::{
    endings::{ByeAction, EndReason},
    errors::ErrorCode,
    frame::TextFrame,
    ids::{PeerId, SessionId},
    kinds::FrameKind,
};

/// What the first frame of every connection says, the session's name apart.
#[derive(Debug, Clone, Copy)]
pub struct Welcome<'a> {
    /// The server's version.
    pub version: &'a str,
    /// The server's own name, for who runs several; absent if it has none.
    pub node: Option<&'a str>,
    /// Optional parts of the protocol that this server speaks.
    pub features: &'a [&'a str],
    /// What the client is held to, by name.
    pub limits: &'a [(String, u64)],
    /// How the server finds out that a client is gone.
    pub heartbeat: Heartbeat,
}

/// When the server pings and when it gives up, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Silence after which a WebSocket ping is sent.
    pub interval_ms: u64,
    /// Silence after which the connection is closed.
    pub timeout_ms: u64,
}

/// `welcome`, written but for the session's name: the rest is the same for all connections of a server.
#[derive(Debug, Clone)]
pub struct PreparedWelcome {
    /// What stands before the name and after it.
    around: (Vec<u8>, Vec<u8>),
}

impl Welcome<'_> {
    /// Writes what does not depend on the session.
    #[must_use]
    pub fn prepare(&self) -> PreparedWelcome {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        Object::frame(&mut before, FrameKind::Welcome).text("session", "");
        // The closing quote comes behind the name.
        before.pop();
        Object::open(&mut after)
            .text("version", self.version)
            .text_if("node", self.node)
            .texts("features", self.features.iter().copied())
            .object("limits", |object| {
                self.limits.iter().fold(object, |object, (name, limit)| object.number(name, *limit))
            })
            .object("heartbeat", |object| {
                object.number("intervalMs", self.heartbeat.interval_ms).number("timeoutMs", self.heartbeat.timeout_ms)
            })
            .close();
        // It goes on where the name ends, and does not begin anew.
        after.splice(..1, *b"\",");
        PreparedWelcome { around: (before, after) }
    }
}

impl PreparedWelcome {
    /// `welcome` to the session of that name, which is the connection's in the server's logs.
    #[must_use]
    pub fn to(&self, session: SessionId) -> TextFrame {
        let (before, after) = &self.around;
        TextFrame::build(before.len() + SessionId::TEXT_BYTES + after.len(), |out| {
            out.extend_from_slice(before);
            out.extend_from_slice(session.encode(&mut [0; SessionId::TEXT_BYTES]).as_bytes());
            out.extend_from_slice(after);
        })
    }
}

/// `pong`. `t` is the raw text of the JSON number in the `ping`; `ack`, in a resumable session, how many of the client's
/// counted frames have been handled.
#[must_use]
pub fn pong(t: Option<&str>, ack: Option<u64>, re: Option<&str>) -> TextFrame {
    TextFrame::build(64 + t.map_or(0, str::len) + re.map_or(0, str::len), |out| {
        let pong = Object::frame(out, FrameKind::Pong).text_if("re", re);
        pong.raw_if("t", t).number_if("ack", ack).close();
    })
}

/// What a client is told when a request fails. See [`ErrorFrame::new`].
#[derive(Debug, Clone, Copy)]
pub struct ErrorFrame<'a> {
    /// What is the matter; it brings `category` and `retryable`.
    pub code: ErrorCode,
    /// For the developer: no payload, no metadata, nothing internal.
    pub message: &'a str,
    /// The request's `id`.
    pub re: Option<&'a str>,
    /// When to try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// With `peer_not_found`: who is not there.
    pub peers: &'a [PeerId],
    /// With `peer_not_found`: names that nobody can have. On the wire they follow in the same list.
    pub unknown_peers: &'a [Box<str>],
}

impl<'a> ErrorFrame<'a> {
    /// An error with nothing but a code and a message; the rest by `ErrorFrame { re, ..ErrorFrame::new(…) }`.
    #[must_use]
    pub fn new(code: ErrorCode, message: &'a str) -> Self {
        Self { code, message, re: None, retry_after_ms: None, peers: &[], unknown_peers: &[] }
    }
}

/// `error`.
#[must_use]
pub fn error(error: &ErrorFrame<'_>) -> TextFrame {
    TextFrame::build(256 + error.message.len(), |out| {
        let object = Object::frame(out, FrameKind::Error).text_if("re", error.re);
        let object = ErrorBody::new(error.code, error.message).after(error.retry_after_ms).write(object);
        if error.peers.is_empty() && error.unknown_peers.is_empty() {
            return object.close();
        }
        let names: Vec<String> = error.peers.iter().map(PeerId::to_string).collect();
        let unknown = error.unknown_peers.iter().map(|name| &**name);
        object.texts("peers", names.iter().map(String::as_str).chain(unknown)).close();
    })
}

/// `bye`: this connection is about to end, for this reason; come back (if at all) after `retry_after_ms`.
#[must_use]
pub fn bye(reason: EndReason, action: ByeAction, retry_after_ms: u64) -> TextFrame {
    TextFrame::build(128, |out| {
        Object::frame(out, FrameKind::Bye)
            .text("reason", reason.as_str())
            .text("action", action.as_str())
            .number("retryAfterMs", retry_after_ms)
            .close();
    })
}
