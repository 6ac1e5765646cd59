//! What the server says about itself: one [`Event`] is one log line and one count.
//!
//! Business code calls [`emit`] with an event, or on the hot path [`tally`] with a closure that adds to plain numbers.
//! Neither waits for anything. An event goes to a list of [`Sink`]s that the wiring installs: `event/` has what there is to
//! tell, `counts/` what is counted on each thread until [`flush`] hands it on, `log/` the lines. Nothing else in the server
//! logs or counts. Imports run `log` to `event` to `counts`.
//!
//! To add an event, add it to the table in `event/table.rs`, to `event/counting.rs` what it counts, and to `log/repeat.rs`
//! whether a client may cause any number of it; the compiler asks for all three.
mod counts;
#[cfg(test)]
pub(crate) mod drift;
mod event;
mod log;
mod panics;

pub use counts::{
    ArbiterReport, Buckets, CensusReport, ClusterReport, CommandBuckets, Counts, ErrorSample, ErrorSamples, HeldKind,
    HeldReport, HttpCount, HttpCounts, IceKind, IceOutcome, IceReport, IceTransport, Label, LabelSpec, LabelValues,
    LimitHit, Listener, MAX_SAMPLES, MemoryReport, MemoryStep, MeshReport, MeshRoom, ModerationAct, Moderator, OpsCall,
    OpsDenial, PairState, Reading, Reconnection, RedisConnection, RedisOperation, RedisStatus, Rejection, RelayOutcome,
    ReportDrop, RequestBuckets, Resync, SampleIds, SeriesKind, SocketRefusal, StunOutcome, Tally, TallyReceiver,
    TallySeries, TokenOutcome, Topic, WebhookDrop, WebhookOutcome, WebhookReport, method_label, send_tallies_to, take,
    tally,
};
pub use event::{
    Context, EVENTS, Event, EventCounts, EventDoc, Fault, RequestId, SampledErrors, Sink, Sinks, Source, chain, emit,
    flush, install_sinks, redaction,
};
pub use log::{LogGuard, LogOptions, LogSink, flush_logs, log_level, reopen_log_files, set_log_level, start_log};
pub use panics::install_panic_hook;
