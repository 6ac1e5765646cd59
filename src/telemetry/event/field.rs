//! How the facts of an event become JSON.

use std::{error::Error, net::SocketAddr, time::Duration};

use slog::Serializer;

use super::{causes::chain, request_id::RequestId, source::Source};
use crate::{
    protocol::{EndReason, ErrorCode, LeaveReason, PeerId, RoomName, SessionId},
    telemetry::counts::{
        kinds::{Listener, OpsDenial, Reconnection, Rejection, Severity, SocketRefusal},
        labels::Label,
    },
};

/// Whom an event concerns. What is not known is not written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ids<'a> {
    /// The HTTP request, or the one that a connection began with: `request_id`.
    pub request: Option<&'a RequestId>,
    /// `session_id`
    pub session: Option<SessionId>,
    /// `peer_id`
    pub peer: Option<PeerId>,
    /// `room`
    pub room: Option<&'a RoomName>,
    /// Where its client is. Not in the event's own line (`connection_opened` has it); what a client repeats is gathered by it.
    pub source: Option<Source>,
}

/// A fact that can be written under a key. The empty key means: not here.
pub(in crate::telemetry) trait Field {
    fn emit(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        if key.is_empty() { Ok(()) } else { self.write(key, out) }
    }

    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result;
}

impl Field for Ids<'_> {
    fn write(&self, _: &'static str, out: &mut dyn Serializer) -> slog::Result {
        if let Some(request) = self.request {
            request.text(|request| out.emit_str("request_id", request))?;
        }
        if let Some(session) = self.session {
            out.emit_str("session_id", session.encode(&mut [0; SessionId::TEXT_BYTES]))?;
        }
        if let Some(peer) = self.peer {
            out.emit_str("peer_id", peer.encode(&mut [0; PeerId::TEXT_BYTES]))?;
        }
        if let Some(room) = self.room {
            out.emit_str("room", room.as_str())?;
        }
        Ok(())
    }
}

impl Field for &str {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_str(key, self)
    }
}

impl Field for &RoomName {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_str(key, self.as_str())
    }
}

impl Field for SocketAddr {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        // Of a client behind a proxy the port is mostly unknown.
        match self.port() {
            0 => out.emit_arguments(key, &format_args!("{}", self.ip())),
            _ => out.emit_arguments(key, &format_args!("{self}")),
        }
    }
}

impl Field for Source {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_arguments(key, &format_args!("{self}"))
    }
}

impl<F: Field> Field for Option<F> {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        self.as_ref().map_or(Ok(()), |value| value.write(key, out))
    }
}

impl Field for Duration {
    /// In milliseconds, to the microsecond.
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_f64(key, (self.as_secs_f64() * 1e6).round() / 1e3)
    }
}

impl Field for usize {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_usize(key, *self)
    }
}

impl Field for u16 {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_u16(key, *self)
    }
}

impl Field for u32 {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_u32(key, *self)
    }
}

impl Field for u64 {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_u64(key, *self)
    }
}

impl Field for &(dyn Error + 'static) {
    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        out.emit_str(key, &chain(*self))
    }
}

macro_rules! labels_are_fields {
    ($($label:ty),+) => {
        $(impl Field for $label {
            fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
                out.emit_str(key, self.label())
            }
        })+
    };
}
labels_are_fields!(
    EndReason,
    LeaveReason,
    ErrorCode,
    Listener,
    OpsDenial,
    Reconnection,
    Rejection,
    Severity,
    SocketRefusal
);
