//! What dependencies log through the crates `log` and `tracing` (whose feature `log` is on) arrives as events of ours.
//! Not `slog-stdlog`: it logs to a scoped slog logger, past the list of sinks, the gatherer and the redaction.

use log::{LevelFilter, Log, Metadata, Record};
use slog::Level;

use crate::telemetry::event::{causes::presentable, emit::emit, table::Event};

struct Dependencies;

impl Log for Dependencies {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = record.args().to_string();
            emit(&Event::DependencyLog {
                level: level(record.level()),
                target: record.target(),
                text: &presentable(&text),
            });
        }
    }

    fn flush(&self) {}
}

/// From now on dependencies are heard, down to this level. Below it, and before, a log call of theirs costs one load.
pub(super) fn listen(down_to: Level) {
    // One per process, as the log is: later calls only change the level.
    let _ = log::set_logger(&Dependencies);
    log::set_max_level(match down_to {
        Level::Critical | Level::Error => LevelFilter::Error,
        Level::Warning => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
        Level::Trace => LevelFilter::Trace,
    });
}

fn level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warning,
        log::Level::Info => Level::Info,
        log::Level::Debug => Level::Debug,
        log::Level::Trace => Level::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_withheld_and_long_words_are_clipped() {
        assert_eq!(presentable("got authorization: Bearer abc"), "(withheld: contains a token)");
        assert!(presentable(&"x".repeat(5000)).len() < 2000);
    }
}
