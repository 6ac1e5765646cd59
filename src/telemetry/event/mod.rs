//! Events: what happened, what it concerns, which error is in it, and who hears of it.
mod background;
pub(super) mod causes;
pub(super) mod context;
mod counting;
mod define;
pub(super) mod emit;
pub(super) mod fault;
pub(super) mod field;
mod levels;
pub mod redaction;
pub(super) mod request_id;
#[cfg(test)]
pub(super) mod samples;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod table;

pub use causes::chain;
pub use context::Context;
pub use counting::{EventCounts, SampledErrors};
pub use define::EventDoc;
pub use emit::{Sinks, emit, flush, install_sinks};
pub use fault::Fault;
pub use request_id::RequestId;
pub use sink::Sink;
pub use source::Source;
pub use table::{EVENTS, Event};
