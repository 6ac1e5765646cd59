//! An event as a record of slog, which is what drains know.

use slog::{BorrowedKV, KV, Record, RecordLocation, RecordStatic, Serializer};

use crate::telemetry::{
    counts::labels::Label,
    event::{fault::Fault, table::Event},
};

/// No line says where it comes from: its event does.
pub(in crate::telemetry) const HERE: RecordLocation =
    RecordLocation { file: file!(), line: line!(), column: column!(), function: "", module: module_path!() };

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
    fn serialize(&self, _: &Record<'_>, out: &mut dyn Serializer) -> slog::Result {
        self.event.fields(out)?;
        self.fault.map_or(Ok(()), |fault| error(fault, out))
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
