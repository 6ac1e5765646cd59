//! An event as a record of slog, which is what drains know.

use std::{error::Error, fmt};

use slog::{BorrowedKV, KV, Record, RecordLocation, RecordStatic, Serializer};

use super::repeat::{self, Repeat};
use crate::telemetry::{
    counts::labels::Label,
    event::{fault::Fault, table::Event},
};

/// No line says where it comes from: its event does.
pub(in crate::telemetry) const HERE: RecordLocation =
    RecordLocation { file: file!(), line: line!(), column: column!(), function: "", module: module_path!() };

/// Who serializes a record's facts into a record of this tag hears, instead of them, how such records repeat.
const HOW_IT_REPEATS: &str = "how it repeats";

/// How records like this one repeat, and what they have in common.
#[derive(Debug, Clone)]
pub(in crate::telemetry) struct Repeated {
    pub(in crate::telemetry) event: &'static str,
    pub(in crate::telemetry) message: &'static str,
    pub(in crate::telemetry) repeat: Repeat,
    /// The error in them, without the cause, which varies.
    pub(in crate::telemetry) fault: Option<Fault<'static>>,
}

/// The event's own keys. Its name is the record's tag.
struct Facts<'a, 'e> {
    event: &'a Event<'e>,
    fault: Option<&'a Fault<'e>>,
}

/// Lends out the record of an event.
pub(in crate::telemetry) fn of<T>(
    event: &Event<'_>,
    fault: Option<&Fault<'_>>,
    lend: impl FnOnce(&Record<'_>) -> T,
) -> T {
    let facts = RecordStatic { location: &HERE, tag: event.key(), level: event.level() };
    lend(&Record::new(&facts, &format_args!("{}", event.message()), BorrowedKV(&Facts { event, fault })))
}

impl KV for Facts<'_, '_> {
    fn serialize(&self, record: &Record<'_>, out: &mut dyn Serializer) -> slog::Result {
        if record.tag() == HOW_IT_REPEATS {
            return self.repeated().map_or(Ok(()), |repeated| out.emit_error(HOW_IT_REPEATS, &repeated));
        }
        self.event.fields(out)?;
        self.fault.map_or(Ok(()), |fault| error(fault, out))
    }
}

impl Facts<'_, '_> {
    fn repeated(&self) -> Option<Repeated> {
        let (event, message) = (self.event.key(), self.event.message());
        let repeat = repeat::of(self.event)?;
        Some(Repeated { event, message, repeat, fault: self.fault.map(Fault::without_cause) })
    }
}

pub(in crate::telemetry) fn error(fault: &Fault<'_>, out: &mut dyn Serializer) -> slog::Result {
    out.emit_str("class", fault.code.category().as_str())?;
    out.emit_str("code", fault.code.as_str())?;
    out.emit_str("severity", fault.severity.label())?;
    out.emit_str("doing", fault.doing)?;
    if let Some(cause) = &fault.cause {
        out.emit_str("cause", cause)?;
    }
    out.emit_arguments("fingerprint", &format_args!("{:016x}", fault.fingerprint))
}

/// An error only for slog: of what a record says, errors alone reach a drain as values with a type, and not as text.
impl Error for Repeated {}

impl fmt::Display for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HOW_IT_REPEATS)
    }
}

impl Repeated {
    /// Asks a record. `None`: it is never gathered.
    pub(in crate::telemetry) fn by(record: &Record<'_>) -> Option<Self> {
        let mut answer = Answer(None);
        let question = RecordStatic { location: &HERE, tag: HOW_IT_REPEATS, level: record.level() };
        // The answer takes whatever it is told.
        let _ = record.kv().serialize(&Record::new(&question, &format_args!(""), BorrowedKV(&())), &mut answer);
        answer.0
    }
}

struct Answer(Option<Repeated>);

impl Serializer for Answer {
    fn emit_arguments(&mut self, _: slog::Key, _: &fmt::Arguments<'_>) -> slog::Result {
        Ok(())
    }

    fn emit_error(&mut self, _: slog::Key, error: &(dyn Error + 'static)) -> slog::Result {
        self.0 = error.downcast_ref().cloned();
        Ok(())
    }
}
