//! What `/errors` answers, as JSON.

use serde::Serialize;

/// All that `/errors` has. Times are RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorReport {
    /// When it was made.
    pub(super) at: String,
    /// All errors since the start.
    pub(super) total: BySeverity,
    /// Those of the last 24 hours, to a quarter of an hour.
    pub(super) last_24h: BySeverity,
    /// Kinds of errors seen since the start: `switchboard_error_fingerprints`.
    pub(super) fingerprints: usize,
    /// The latest errors by fingerprint, the latest group first.
    pub(super) groups: Vec<ErrorGroup>,
}

/// Errors by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct BySeverity {
    /// Clients' mistakes, caps that did their work.
    pub(super) low: u64,
    /// Clients cut off or turned away.
    pub(super) medium: u64,
    /// The server failed at something it promised.
    pub(super) high: u64,
    /// Needs a person now.
    pub(super) critical: u64,
}

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorGroup {
    /// What the log lines of these errors carry, too.
    pub(super) fingerprint: String,
    /// The code's category.
    pub(super) class: &'static str,
    /// The code.
    pub(super) code: &'static str,
    /// The severity.
    pub(super) severity: &'static str,
    /// What was attempted.
    pub(super) doing: &'static str,
    /// How many since the start.
    pub(super) count: u64,
    /// The first since the start.
    pub(super) first_seen: String,
    /// The latest.
    pub(super) last_seen: String,
    /// Examples, the latest first.
    pub(super) examples: Vec<ErrorExample>,
}

/// One case, standing for `count` of its kind that one thread saw within about a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorExample {
    /// When.
    pub(super) at: String,
    /// For how many it stands.
    pub(super) count: u64,
    /// The chain of causes, or what was wrong with a client's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    /// Whose request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    /// Whose session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_id: Option<String>,
    /// Which peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peer_id: Option<String>,
    /// Which room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<String>,
}
