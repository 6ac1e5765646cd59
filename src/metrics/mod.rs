//! The metrics actor: aggregates everything that was ever counted for the Prometheus registry.
//!
//! - **Owns** the totals (one [`crate::telemetry::Tally`] that all others are merged into), the latest absolute values
//!   from their owners, the journal of errors.
//! - **Receives** `Record` from every thread that counts.
//! - **Sends** nothing by itself. Whoever scrapes reads what it has aggregated ([`Exposition`]) and asks it nothing.
//! - **Never** is asked by anybody that a client waits for. It lives on a thread of its own, with the operator's listener,
//!   so that neither does a scrape pause relaying, nor a flood of frames a scrape.
//!
//! To add a series that is one number of the tally, declare both in `telemetry/counts/tally.rs`; one that is made of several, in
//! [`catalog`]. The reference (`docs/metrics.md`) follows with
//! `UPDATE_DOCS=1 cargo test --lib reference`.
mod actor;
pub mod catalog;
mod collector;
mod exposition;
mod journal;
mod peak;
#[cfg(test)]
mod reference;
mod report;
mod state;

pub use actor::sink;
pub use exposition::Exposition;
pub use state::{BuildInfo, Facts, MetricsState};
