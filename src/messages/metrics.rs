//! Messages to the metrics actor. Handled in `metrics/actor.rs`.

use actix::Message;
use serde::Serialize;

use super::supervisor::Census;
use crate::telemetry::{CensusReport, Tally};

/// From every arbiter's shared tick, may be refused (the tally is kept and merged into the next): what was counted on
/// one thread since the last one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Record(pub Box<Tally>);

/// From the ops listener, a request: the registry in Prometheus text format 0.0.4.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<String, prometheus::Error>")]
pub struct Scrape;

/// From the ops listener, a request: the latest errors, grouped.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "ErrorReport")]
pub struct TakeErrors;

/// The answer to [`TakeErrors`]; to be sent as JSON. Times are RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// When it was made.
    pub at: String,
    /// All errors since the start.
    pub total: BySeverity,
    /// Those of the last 24 hours, to a quarter of an hour.
    pub last_24h: BySeverity,
    /// Kinds of errors seen since the start: `switchboard_error_fingerprints`.
    pub fingerprints: usize,
    /// The latest errors by fingerprint, the latest group first.
    pub groups: Vec<ErrorGroup>,
}

/// Errors by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BySeverity {
    /// Clients' mistakes, caps that did their work.
    pub low: u64,
    /// Clients cut off or turned away.
    pub medium: u64,
    /// The server failed at something it promised.
    pub high: u64,
    /// Needs a person now.
    pub critical: u64,
}

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorGroup {
    /// What the log lines of these errors carry, too.
    pub fingerprint: String,
    /// The code's category.
    pub class: &'static str,
    /// The code.
    pub code: &'static str,
    /// The severity.
    pub severity: &'static str,
    /// What was attempted.
    pub doing: &'static str,
    /// How many since the start.
    pub count: u64,
    /// The first since the start.
    pub first_seen: String,
    /// The latest.
    pub last_seen: String,
    /// Examples, the latest first.
    pub examples: Vec<ErrorExample>,
}

/// One case, standing for `count` of its kind that one thread saw within about a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorExample {
    /// When.
    pub at: String,
    /// For how many it stands.
    pub count: u64,
    /// The chain of causes, or what was wrong with a client's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Whose request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whose session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Which peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<String>,
    /// Which room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
}

impl From<Census> for CensusReport {
    /// The census as it is now: how the supervisor puts it into its thread's tally.
    fn from(census: Census) -> Self {
        Self {
            at: std::time::SystemTime::now(),
            rooms: census.rooms,
            peers: census.peers,
            joins_per_minute: census.joins_per_minute,
            leaves_per_minute: census.leaves_per_minute,
            occupancy: census.occupancy,
        }
    }
}
