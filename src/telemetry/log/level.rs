//! Levels: `config::LogLevel` is what operators write, slog's what lines and drains know.

use slog::Level;

use crate::config::LogLevel;

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Critical => Self::Critical,
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warning,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}

/// The level's name in lines: a full word in lower case.
pub(super) fn word(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_a_line_is_read_as_the_level_it_names() {
        for &level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(word(level.into())), Some(level));
        }
    }
}
