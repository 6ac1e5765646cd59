//! The script, with its constants: the one place where they are.

use std::time::Duration;

use super::wire::FORMAT;
use crate::cluster::moderation::BANS;

/// Its parts, in this order: each uses what stands before it.
const PARTS: [&str; 6] = [
    include_str!("script/rooms.lua"),
    include_str!("script/changes.lua"),
    include_str!("script/questions.lua"),
    include_str!("script/recovery.lua"),
    include_str!("script/leases.lua"),
    include_str!("script/dispatch.lua"),
];
/// Streams go this long after their last entry: what they hold is nobody's business any more.
const LOG_FOR: Duration = Duration::from_secs(60);
/// Bans and lock of a room that nobody is in are kept this long, as those of a server that is alone.
const KEEP_RULES_FOR: Duration = Duration::from_secs(600);
/// The lease of a node that is gone for this long is forgotten.
const FORGET_LEASES_AFTER: Duration = Duration::from_secs(86_400);

/// What the script needs to know. The same on all nodes.
#[derive(Debug, Clone)]
pub(super) struct ScriptConfig {
    /// `cluster.prefix`
    pub(super) prefix: String,
    /// For so long nodes assert what they have after a loss of data, in milliseconds.
    pub(super) assert_ms: u64,
    /// `cluster.log_entries`
    pub(super) log_entries: usize,
    /// `cluster.log_bytes`
    pub(super) log_bytes: usize,
}

/// The text for Redis.
pub(super) fn script(config: &ScriptConfig) -> String {
    let values = [
        ("prefix", config.prefix.clone()),
        ("format", FORMAT.to_owned()),
        ("assert_ms", config.assert_ms.to_string()),
        ("keep_ms", KEEP_RULES_FOR.as_millis().to_string()),
        ("log_ms", LOG_FOR.as_millis().to_string()),
        ("log_entries", config.log_entries.to_string()),
        ("log_bytes", config.log_bytes.to_string()),
        ("bans", BANS.to_string()),
        ("forget_ms", FORGET_LEASES_AFTER.as_millis().to_string()),
    ];
    values.iter().fold(PARTS.concat(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

/// The channel of a room, and of its log.
pub(super) fn channel(prefix: &str, room: &str) -> String {
    format!("{prefix}:log:{room}")
}

/// The channel on which other nodes say something to one, past the log.
pub(super) fn node_channel(prefix: &str, node: &str) -> String {
    format!("{prefix}:node:{node}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_has_its_value() {
        let config = ScriptConfig { prefix: "a-b".to_owned(), assert_ms: 10, log_entries: 20, log_bytes: 30 };
        let text = script(&config);
        assert!(!text.contains("${"), "{text}");
        assert!(
            text.contains("local P = 'a-b:'")
                && text.contains("local LOG_ENTRIES, LOG_BYTES, BANS, FORGET_MS = 20, 30,")
        );
    }
}
