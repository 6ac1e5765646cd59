//! The metrics actor: owns the Prometheus registry and everything that was ever counted.
//!
//! - **Owns** the totals (one [`crate::telemetry::Tally`] that all others are merged into), the latest absolute values
//!   from their owners, the journal of errors, the registry.
//! - **Receives** `Record` from every thread that counts, `Scrape` and `TakeErrors` from the ops listener.
//! - **Sends** nothing by itself.
//! - **Never** is asked by anybody that a client waits for. It lives on a thread of its own, so that a scrape does not
//!   pause relaying.
//!
//! To add a series that is one number of the tally, declare both in `telemetry/counts/tally.rs`; one that is made of several, in
//! [`catalog`]. The reference (`docs/metrics.md`) follows with
//! `UPDATE_DOCS=1 cargo test --lib reference`.
mod actor;
pub mod catalog;
mod collector;
mod journal;
mod peak;
#[cfg(test)]
mod reference;
mod report;
mod state;

pub use actor::{MetricsActor, sink};
pub use state::{BuildInfo, Facts, MetricsState};
