//! The process's log: a root logger of slog, what stands before it, and what it logs through.
//!
//! ```text
//! event -> level -> Gather -> record -> root Logger -> Outputs: a line of JSON -> queues -> writers' threads
//! ```
//!
//! The bridge for what dependencies log emits events, too: they go the same way.

mod clock;
mod daily;
mod dependencies;
mod gather;
mod level;
mod line;
mod outputs;
mod record;
#[cfg(test)]
mod reference;
mod repeat;
mod retention;
mod visible;
mod windows;
mod writer;

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use slog::{KV, Level, Logger, Never, OwnedKV, OwnedKVList, Record, SendSyncRefUnwindSafeDrain, Serializer};

use self::{
    gather::Gather,
    outputs::{LogFiles, Outputs},
    windows::GatherRules,
};
use super::event::{Event, Fault, Sink};
use crate::config::{LogLevel, Settings};

/// What is logged, and where to.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The least important level that is.
    level: LogLevel,
    /// The server's name, for every line.
    node: Option<String>,
    /// Lines that may wait for a slow reader, or for the disk, before lines are dropped.
    queue_lines: usize,
    /// How lines are gathered that clients cause any number of; `None`: not at all.
    gather: Option<GatherRules>,
    /// Files beside standard output.
    files: Option<LogFiles>,
}

impl From<&Settings> for LogOptions {
    fn from(settings: &Settings) -> Self {
        let log = &settings.log;
        Self {
            level: log.level,
            node: settings.server.node_name(),
            queue_lines: log.queue_lines,
            gather: GatherRules::configured(log),
            files: LogFiles::configured(log),
        }
    }
}

struct Log<D = Outputs> {
    /// The least important that is written, as slog counts them. It may change while the log is in use.
    level: AtomicUsize,
    /// What the root logger logs for.
    gather: Gather,
    /// What it logs through.
    outputs: Arc<D>,
}

/// The server's name, if it has one: in every line.
struct Node(Option<String>);

impl KV for Node {
    fn serialize(&self, _: &Record<'_>, out: &mut dyn Serializer) -> slog::Result {
        self.0.as_ref().map_or(Ok(()), |node| out.emit_str("node", node))
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

/// How long the end of the process waits for a reader of standard output.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// Writes out what is queued when it is dropped; keep it in `main`.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct LogGuard(());

impl Drop for LogGuard {
    fn drop(&mut self) {
        flush_logs(LAST_FLUSH);
    }
}

/// Starts the log to standard output, and to files where there are to be any, once per process; later calls change
/// nothing. Before it, events are only counted.
///
/// # Errors
/// A writer's thread could not be started, or a file not be opened.
pub fn start_log(options: &LogOptions) -> io::Result<LogGuard> {
    if LOG.get().is_none() {
        dependencies::listen(options.level.into());
        // Two callers at once: the loser's threads end with its queues.
        let _ = LOG.set(Log::start(options)?);
    }
    Ok(LogGuard(()))
}

/// From now on lines down to this level are written.
pub fn set_log_level(level: LogLevel) {
    if let Some(log) = LOG.get() {
        log.set_level(level);
        dependencies::listen(level.into());
    }
}

/// Down to which level lines are written now; where there is no log, as by default.
#[must_use]
pub fn log_level() -> LogLevel {
    LOG.get().and_then(Log::level).unwrap_or(LogLevel::Info)
}

/// Has the log's files opened anew before the next line of each: somebody may have moved them.
pub fn reopen_log_files() {
    daily::open_anew();
}

/// Waits until what is queued now, or gathered so far, has been written, at most that long. Says whether it was.
pub fn flush_logs(at_most: Duration) -> bool {
    LOG.get().is_none_or(|log| {
        log.finish();
        log.outputs.flush(at_most)
    })
}

/// Whether there is a log to write to.
pub(in crate::telemetry) fn is_started() -> bool {
    LOG.get().is_some()
}

/// The log, as one of those that hear of events.
#[derive(Debug)]
pub struct LogSink;

impl Sink for LogSink {
    fn take(&self, event: &Event<'_>, fault: Option<&Fault<'_>>) {
        let Some(log) = LOG.get() else { return };
        if matches!(event, Event::ServerStopped { .. }) {
            // It is the last line.
            log.finish();
        }
        log.take(event, fault);
    }

    /// Tells of lines whose time to be gathered is over.
    fn flush(&self) {
        if let Some(log) = LOG.get() {
            log.gather.sweep(Instant::now());
        }
    }
}

impl Log {
    fn start(options: &LogOptions) -> io::Result<Self> {
        let values = OwnedKVList::from(OwnedKV(Node(options.node.clone())));
        let outputs = Outputs::start(options.files.as_ref(), options.queue_lines, &values)?;
        Ok(Self::through(outputs, options))
    }
}

impl<D: SendSyncRefUnwindSafeDrain<Ok = (), Err = Never> + 'static> Log<D> {
    fn through(outputs: D, options: &LogOptions) -> Self {
        let outputs = Arc::new(outputs);
        let root = Logger::root(Arc::clone(&outputs), OwnedKV(Node(options.node.clone())));
        let level = AtomicUsize::new(Level::from(options.level).as_usize());
        Self { level, gather: Gather::new(options.gather, root), outputs }
    }

    fn take(&self, event: &Event<'_>, fault: Option<&Fault<'_>>) {
        if event.level().as_usize() <= self.level.load(Ordering::Relaxed) {
            self.gather.take(event, fault, Instant::now());
        }
    }

    fn level(&self) -> Option<LogLevel> {
        let now = self.level.load(Ordering::Relaxed);
        LogLevel::ALL.iter().copied().find(|level| Level::from(*level).as_usize() == now)
    }

    fn set_level(&self, level: LogLevel) {
        self.level.store(Level::from(level).as_usize(), Ordering::Relaxed);
    }

    fn finish(&self) {
        self.gather.finish(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use slog::Drain;

    use super::*;

    /// Keeps the lines that reach it.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Drain for Kept {
        type Ok = ();
        type Err = Never;

        fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
            line::format(record, values, |line| {
                self.0.lock().expect("no panic").push_str(&String::from_utf8_lossy(line));
            });
            Ok(())
        }
    }

    #[test]
    fn a_line_names_the_node_behind_the_event_and_is_written_at_its_level_only() {
        let kept = Kept::default();
        let node = Some("eu-1".to_owned());
        let options = LogOptions { level: LogLevel::Warn, node, queue_lines: 0, gather: None, files: None };
        let log = Log::through(kept.clone(), &options);
        log.take(&Event::LogFileRestored { file: "a", lines: 1 }, None);
        log.take(&Event::ConfigWarning { what: "b" }, None);
        assert_eq!(log.level(), Some(LogLevel::Warn));
        log.set_level(LogLevel::Info);
        log.take(&Event::LogFileRestored { file: "c", lines: 2 }, None);
        let text = kept.0.lock().expect("no panic").clone();
        // Without the time.
        let lines: Vec<&str> = text.lines().map(|line| &line[r#"{"ts":"2026-01-01T12:00:10.123Z","#.len()..]).collect();
        assert_eq!(
            lines,
            [
                r#""level":"warning","msg":"configuration warning","event":"config_warning","node":"eu-1","what":"b"}"#,
                r#""level":"info","msg":"log file restored","event":"log_file_restored","node":"eu-1","file":"c","lines":2}"#,
            ]
        );
    }
}
