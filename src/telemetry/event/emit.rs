//! Events on their way to the sinks.

use std::sync::OnceLock;

use super::{
    counting::{EventCounts, SampledErrors},
    fault::Fault,
    sink::Sink,
    table::Event,
};

/// Those that hear of events, in this order.
pub type Sinks = Vec<Box<dyn Sink>>;

static SINKS: OnceLock<Sinks> = OnceLock::new();

/// Of a process that installs none, events are only counted.
static COUNTED: [&dyn Sink; 2] = [&EventCounts, &SampledErrors];

/// Installs the sinks, once per process; says `false`, and changes nothing, if there are some already. One that is off is
/// not among them, and costs nothing.
pub fn install_sinks(sinks: Sinks) -> bool {
    SINKS.set(sinks).is_ok()
}

fn each(notify: impl FnMut(&dyn Sink)) {
    match SINKS.get() {
        Some(sinks) => sinks.iter().map(|sink| &**sink).for_each(notify),
        None => COUNTED.into_iter().for_each(notify),
    }
}

/// Hands one event to every sink. Never waits.
pub fn emit(event: &Event<'_>) {
    let fault = Fault::of(event);
    each(|sink| sink.take(event, fault.as_ref()));
    if event.is_milestone() {
        flush();
    }
}

/// Has every sink hand on what it gathered. To be called by every arbiter's tick; threads without one flush with the
/// events of the server's own life.
pub fn flush() {
    each(|sink| sink.flush());
}
