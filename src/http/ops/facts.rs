//! What is known of the server from its start on.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Number;

use crate::config::Settings;

/// How long a session may last that a ticket lets in, unless that is said, and where no token may last so long, as long as one.
const TICKET_TTL: Duration = Duration::from_secs(3600);

/// What operators are told of the server.
#[derive(Debug)]
pub struct ServerFacts {
    /// Its name among others.
    pub(super) node: Option<String>,
    /// When it started, by both clocks.
    pub(super) started: (Instant, SystemTime),
    /// Every limit in force, as in `switchboard_limit`.
    pub(super) limits: BTreeMap<String, Number>,
    /// Bytes of a room's name, at most.
    pub(super) room_name_bytes: usize,
    /// How long a session may last that a ticket lets in, unless that is said.
    pub(super) ticket_ttl: Duration,
}

impl ServerFacts {
    /// Of a server with these settings, as they are in force, that starts now.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let limits = settings.exported().into_iter().filter_map(|(name, value)| Some((name, number(value)?)));
        Self {
            node: settings.server.node_name(),
            started: (Instant::now(), SystemTime::now()),
            limits: limits.collect(),
            room_name_bytes: settings.limits.room_name_bytes,
            ticket_ttl: TICKET_TTL.min(settings.auth.max_ttl_ms.get()),
        }
    }
}

/// Whole numbers without a fraction.
fn number(value: f64) -> Option<Number> {
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { value.to_string() };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn whole_limits_are_written_without_a_fraction() {
        let written = |value| number(value).map(|number| Value::from(number).to_string());
        assert_eq!(written(10_000.0).as_deref(), Some("10000"));
        assert_eq!(written(0.25).as_deref(), Some("0.25"));
        assert_eq!(written(f64::NAN), None);
    }
}
