//! What the server says about itself: one [`Event`] is one log line and one count.
//!
//! Business code calls [`emit`] with an event, or on the hot path [`tally`] with a closure that adds to plain numbers.
//! Neither waits for anything: lines go into a bounded queue with a thread of its own behind it, counts stay on their
//! thread until [`flush`] hands them to the sink that the wiring installed. Nothing else in the server logs or counts.
//!
//! To add an event, add it to the table in `event.rs`, to `count.rs` what it counts, and to `repeat.rs` whether a client
//! may cause any number of it; the compiler asks for all three.
mod buckets;
mod clock;
mod count;
mod daily;
#[cfg(test)]
mod daily_tests;
#[cfg(test)]
pub(crate) mod drift;
mod error_samples;
mod event;
mod event_levels;
mod event_table;
mod fault;
mod field;
mod gather;
mod http_counts;
mod kinds;
mod labels;
mod line;
mod local;
mod log;
mod panics;
pub mod redaction;
#[cfg(test)]
mod reference;
mod repeat;
mod reports;
mod request_id;
mod retention;
#[cfg(test)]
mod samples;
mod source;
mod tally;
mod visible;
mod writer;

use std::sync::OnceLock;

pub use buckets::{Buckets, RequestBuckets};
pub use error_samples::{ErrorSample, ErrorSamples, MAX_SAMPLES, SampleIds};
pub use event::{EVENTS, Event};
pub use event_table::EventDoc;
pub use fault::{Fault, chain};
pub use field::Ids;
pub use gather::GatherRules;
pub use http_counts::{HttpCount, HttpCounts};
pub use kinds::{
    LimitHit, Listener, OpsDenial, Reconnection, Rejection, RelayOutcome, Severity, SocketRefusal, method_label,
};
pub use labels::{Counts, Label};
pub use line::parse_level;
pub use local::{flush, take, tally};
pub use log::{LogFiles, LogGuard, LogOptions, flush_logs, reopen_log_files, set_log_level, start_log};
pub use panics::install_panic_hook;
pub use reports::{ArbiterReport, CensusReport};
pub use request_id::RequestId;
pub use slog::Level;
pub use source::Source;
pub use tally::Tally;

/// Where tallies go: takes one, or gives it back when there is no room. Called from every thread that flushes.
pub type Sink = Box<dyn Fn(Box<Tally>) -> Result<(), Box<Tally>> + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();

/// Installs the sink, once per process; says `false`, and changes nothing, if there is one already. Before it,
/// counts stay on their threads.
pub fn install_sink(sink: Sink) -> bool {
    SINK.set(sink).is_ok()
}

/// Says and counts one event. Never waits; a line that finds the queue full is dropped and counted.
pub fn emit(event: &Event<'_>) {
    let fault = Fault::of(event);
    tally(|counts| count::count(event, fault.as_ref(), counts));
    log::write(event, fault.as_ref());
    if event.is_milestone() {
        flush();
    }
}
