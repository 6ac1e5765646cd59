//! `[log]`: what is logged.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{kind::Kind, section::section};

section! {
    /// Logging: JSON lines on standard output, and in files where a folder is named for them.
    Log = "log" {
        /// Least important level that is logged.
        /// `info` has a line for each connection's start and end, and none for a relayed message.
        level: LogLevel = LogLevel::Info, Kind::Text {
            check: |text| LogLevel::parse(text).map(|level| level.as_str().to_owned()),
            allowed: "critical, error, warn (or warning), info, debug or trace",
        }, plain "LOG_LEVEL", live true;

        /// A message handled in more than this is logged as slow.
        /// 500 ms are a thousand times the usual: whatever takes that long wants looking at.
        slow_message_ms: u64 = 500, Kind::milliseconds(1).usual(10, 60_000);

        /// Lines that may wait for whoever reads the standard output, or for the disk; those beyond are dropped and counted.
        /// 8192 lines are some 3 MB: a reader that pauses must never stop the server.
        queue_lines: usize = 8192, Kind::count(1, 10_000_000, "lines");

        /// Folder for a file per day (UTC) of the same lines, and one of those from `error` up; made if missing. Empty: no files.
        /// Empty by default, because service managers and containers keep the standard output already.
        /// Needs no logrotate: files of finished days are compressed after a day and removed after the days below.
        dir: PathBuf = PathBuf::new(), Kind::Text { check: folder, allowed: "the path of a folder, or an empty text" };

        /// Days of which the files with all lines are kept, today included.
        /// 14 cover a holiday and the look back at what came before it.
        keep_days: u32 = 14, Kind::count(1, 3650, "days");

        /// Days of which the files with errors are kept, today included.
        /// 30, as they are small, and a fault that comes monthly shows twice.
        keep_error_days: u32 = 30, Kind::count(1, 3650, "days");
    }
}

impl Log {
    /// [`Self::slow_message_ms`].
    #[must_use]
    pub fn slow_message(&self) -> Duration {
        Duration::from_millis(self.slow_message_ms)
    }
}

fn folder(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A log level, from most to least important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// The server cannot go on.
    Critical,
    /// Something failed that should not.
    Error,
    /// Something wants looking at.
    Warn,
    /// The usual course of things.
    Info,
    /// For finding faults.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, from most to least important.
    pub const ALL: [Self; 6] = [Self::Critical, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word for it, which slog reads too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// Reads a level in any case, since `LOG_LEVEL=WARNING` is what half the world writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.trim().to_ascii_lowercase();
        let word = if word == "warning" { "warn" } else { &word };
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_in_any_case_and_slog_knows_the_word() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(&level.as_str().to_uppercase()), Some(level));
            let slogs: slog::Level = level.as_str().parse().unwrap();
            let name = if level == LogLevel::Warn { "WARN" } else { slogs.as_str() };
            assert_eq!(name, level.as_str().to_uppercase());
        }
        assert_eq!(LogLevel::parse("Warning"), Some(LogLevel::Warn));
        for bad in ["", "loud", "inf", "information", "1"] {
            assert_eq!(LogLevel::parse(bad), None, "{bad}");
        }
    }
}
