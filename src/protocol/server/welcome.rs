//! `welcome`, of which all but the session's name is the same for all connections, and so is written once.

use super::{
    frames::{FrameKind, PreparedWelcome},
    object::Object,
};
use crate::protocol::{frame::TextFrame, ids::SessionId};

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
    pub heartbeat: WelcomeHeartbeat,
}

/// When the server pings and when it gives up, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WelcomeHeartbeat {
    /// Silence after which a WebSocket ping is sent.
    pub interval_ms: u64,
    /// Silence after which the connection is closed.
    pub timeout_ms: u64,
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
    pub(super) fn to(&self, session: SessionId) -> TextFrame {
        let (before, after) = &self.around;
        TextFrame::build(before.len() + SessionId::TEXT_BYTES + after.len(), |out| {
            out.extend_from_slice(before);
            out.extend_from_slice(session.encode(&mut [0; SessionId::TEXT_BYTES]).as_bytes());
            out.extend_from_slice(after);
        })
    }
}
