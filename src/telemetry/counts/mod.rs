//! Counts: plain numbers per thread, under labels that the code lists, and the samples of errors that travel with them.
pub(super) mod buckets;
pub(super) mod error_samples;
mod http_counts;
pub(super) mod kinds;
pub(super) mod labels;
pub(super) mod local;
mod reports;
mod series;
pub(super) mod tally;

pub use buckets::{Buckets, CommandBuckets, RequestBuckets};
pub use error_samples::{ErrorSample, ErrorSamples, MAX_SAMPLES, SampleIds};
pub use http_counts::{HttpCount, HttpCounts};
pub use kinds::{
    HeldKind, IceKind, IceOutcome, IceTransport, LimitHit, Listener, MemoryStep, MeshRoom, ModerationAct, Moderator,
    OpsCall, OpsDenial, PairState, Reconnection, RedisConnection, RedisOperation, RedisStatus, Rejection, RelayOutcome,
    ReportDrop, Resync, SocketRefusal, StunOutcome, TokenOutcome, WebhookDrop, WebhookOutcome, method_label,
};
pub use labels::{Counts, Label};
pub use local::{TallyReceiver, send_tallies_to, take, tally};
pub use reports::{
    ArbiterReport, CensusReport, ClusterReport, HeldReport, IceReport, MemoryReport, MeshReport, WebhookReport,
};
pub use series::{LabelSpec, LabelValues, Reading, SeriesKind, Topic};
pub use tally::{Tally, TallySeries};
