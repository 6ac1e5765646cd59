//! How the table of events (`event.rs`) becomes a type, its log lines and its reference.

use slog::Level;

/// What the reference (`docs/logging.md`) says about an event.
#[derive(Debug, Clone, Copy)]
pub struct EventDoc {
    /// The value of `event`.
    pub key: &'static str,
    /// The level, where it does not depend on the case.
    pub level: Level,
    /// The value of `msg`.
    pub message: &'static str,
    /// When it happens.
    pub help: &'static str,
    /// The fields of its own.
    pub fields: &'static [&'static str],
}

/// Field `took` is written under its own name, `took["took_ms"]` under that one, `code[""]` not at all: what makes an
/// error (class, code, severity, cause, fingerprint) is written from its [`Fault`](super::fault::Fault).
macro_rules! events {
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    ($($(#[doc = $doc:literal])+ $name:ident = $key:literal, $level:ident, $message:literal {
        $($(#[doc = $fdoc:literal])* $field:ident $([$fkey:literal])?: $type:ty,)*
    })+) => {
        /// Something worth a log line and a count.
        #[derive(Debug, Clone, Copy)]
        #[expect(missing_docs, reason = "of fields whose name says it all")]
        pub enum Event<'a> {
            $($(#[doc = $doc])+ $name { $($(#[doc = $fdoc])* $field: $type,)* },)+
        }

        impl Event<'_> {
            /// The word that names the event in logs.
            #[must_use]
            pub fn key(&self) -> &'static str {
                match self { $(Self::$name { .. } => $key,)+ }
            }

            /// The constant message.
            #[must_use]
            pub fn message(&self) -> &'static str {
                match self { $(Self::$name { .. } => $message,)+ }
            }

            pub(in crate::telemetry) fn usual_level(&self) -> Level {
                match self { $(Self::$name { .. } => Level::$level,)+ }
            }

            /// The request, session, peer and room that it concerns.
            #[must_use]
            pub fn context(&self) -> Context<'_> {
                match self {
                    $(Self::$name { $($field,)* } => None$(.or(Field::context($field)))*.unwrap_or_default(),)+
                }
            }

            pub(in crate::telemetry) fn fields(&self, out: &mut dyn Serializer) -> slog::Result {
                match self {
                    $(Self::$name { $($field,)* } => {
                        $(Field::emit($field, events!(@key $field $($fkey)?), out)?;)*
                    })+
                }
                Ok(())
            }
        }

        /// Every event, for the reference.
        pub const EVENTS: &[EventDoc] = &[$(EventDoc {
            key: $key,
            level: Level::$level,
            message: $message,
            help: concat!($($doc),+),
            fields: &[$(events!(@key $field $($fkey)?),)*],
        },)+];
    };
}
pub(in crate::telemetry) use events;
