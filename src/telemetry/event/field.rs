//! How the facts of an event become JSON.

use std::{error::Error, net::SocketAddr, time::Duration};

use slog::{Level, Serializer};

use super::{causes::chain, context::Context, source::Source};
use crate::{
    protocol::{EndReason, ErrorCode, LeaveReason, RoomName, Severity},
    telemetry::counts::{
        kinds::{
            Listener, ModerationAct, Moderator, OpsCall, OpsDenial, Reconnection, Rejection, SocketRefusal,
            TokenOutcome, WebhookOutcome,
        },
        labels::Label,
    },
};

/// A fact that can be written under a key. The empty key means: not here.
pub(in crate::telemetry) trait Field {
    fn emit(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result {
        if key.is_empty() { Ok(()) } else { self.write(key, out) }
    }

    fn write(&self, key: &'static str, out: &mut dyn Serializer) -> slog::Result;

    /// What the event concerns, if that is what this says.
    fn context(&self) -> Option<Context<'_>> {
        None
    }
}

/// Under keys of its own.
impl Field for Context<'_> {
    fn write(&self, _: &'static str, out: &mut dyn Serializer) -> slog::Result {
        self.serialize(out)
    }

    fn context(&self) -> Option<Context<'_>> {
        Some(*self)
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

/// The line's own, see `Event::level`.
impl Field for Level {
    fn write(&self, _: &'static str, _: &mut dyn Serializer) -> slog::Result {
        Ok(())
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
    OpsCall,
    ModerationAct,
    Moderator,
    OpsDenial,
    TokenOutcome,
    Reconnection,
    Rejection,
    Severity,
    SocketRefusal,
    WebhookOutcome
);
