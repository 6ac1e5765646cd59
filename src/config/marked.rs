//! What others are told of the settings: the keys that are marked for `/metrics` and for `welcome` where they are declared.

use super::{
    report,
    section::{Exported, Key},
    settings::{Settings, keys},
};

/// Under this name `/metrics` has [`super::Heartbeat::ping_timeout`], which follows from two keys.
const PING_TIMEOUT: &str = "ping_timeout_seconds";

impl Settings {
    /// The limits for `switchboard_limit`, by name; durations in seconds, as Prometheus has them.
    #[must_use]
    pub fn exported(&self) -> Vec<(String, f64)> {
        let values = report::values(self);
        let marked = keys().filter_map(|key| {
            let value = report::value(&values, key).as_u64()?;
            Some((exported_name(key)?, if key.kind.is_duration() { seconds(value) } else { gauge(value) }))
        });
        let ping_timeout = (PING_TIMEOUT.to_owned(), self.heartbeat.ping_timeout().get().as_secs_f64());
        marked.chain([ping_timeout]).collect()
    }

    /// What clients are held to and need to know, for `welcome.limits`: by the keys' names as the protocol spells them.
    #[must_use]
    pub fn in_welcome(&self) -> Vec<(String, u64)> {
        let values = report::values(self);
        let keys = keys().filter(|key| key.in_welcome);
        keys.filter_map(|key| Some((camel_case(key.name), report::value(&values, key).as_u64()?))).collect()
    }
}

/// The key's name in `switchboard_limit`, if it is there.
pub(super) fn exported_name(key: &Key) -> Option<String> {
    let name = match key.exported? {
        Exported::Alone => key.name.to_owned(),
        Exported::WithSection => format!("{}_{}", key.section, key.name),
    };
    Some(name.strip_suffix("_ms").map_or(name.clone(), |name| format!("{name}_seconds")))
}

/// The name as the protocol spells it: `frame_bytes` is `frameBytes`.
pub(super) fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        let (initial, rest) = word.split_at(1);
        text += &initial.to_ascii_uppercase();
        text + rest
    })
}

fn seconds(milliseconds: u64) -> f64 {
    super::Milliseconds(milliseconds).get().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats, and no limit comes near 2^53")]
fn gauge(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::kind::Kind;

    #[test]
    fn whatever_is_marked_is_a_number_and_has_a_name_of_its_own() {
        let marked = keys().filter(|key| key.exported.is_some() || key.in_welcome);
        assert!(marked.into_iter().all(|key| matches!(key.kind, Kind::Integer { .. })));
        let exported = Settings::default().exported();
        let mut names: Vec<_> = exported.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), exported.len());
        assert_eq!(
            exported.len(),
            keys().filter(|key| key.exported.is_some()).count() + 1,
            "and what follows from two"
        );
    }

    #[test]
    fn names_are_those_that_dashboards_and_clients_know() {
        let (exported, in_welcome) = (Settings::default().exported(), Settings::default().in_welcome());
        for (name, value) in [
            ("max_connections", 10_000.0),
            ("request_timeout_seconds", 5.0),
            ("heartbeat_interval_seconds", 30.0),
            ("ping_timeout_seconds", 60.0),
            ("log_burst_lines", 100.0),
            ("token_failures_per_minute", 10.0),
        ] {
            assert!(exported.contains(&(name.to_owned(), value)), "{name}: {exported:?}");
        }
        for (name, value) in [("frameBytes", 65_536), ("joinTimeoutMs", 10_000), ("recipients", 64)] {
            assert!(in_welcome.contains(&(name.to_owned(), value)), "{name}: {in_welcome:?}");
        }
    }
}
