//! Letters to the metrics actor. Handled in `metrics/actor.rs`.

use actix::Message;

use crate::telemetry::Tally;

/// From every arbiter's shared tick, may be refused (the tally is kept and merged into the next): what was counted on
/// one thread since the last one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Record(pub Box<Tally>);

/// From the ops listener, a request: the registry in Prometheus text format 0.0.4.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<String, prometheus::Error>")]
pub struct Scrape;
