//! The process's log: level, queue, writer.

mod clock;
mod daily;
#[cfg(test)]
mod daily_tests;
mod dependencies;
mod gather;
mod level;
mod line;
#[cfg(test)]
mod reference;
mod repeat;
mod retention;
mod visible;
mod writer;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use slog::Level;

pub use self::gather::GatherRules;
use self::{
    clock::Clock,
    daily::DailyFile,
    gather::{Gathered, Gatherer},
    retention::Retention,
    writer::Queue,
};
use super::{
    counts::tally,
    event::{Event, Fault, Sink},
};
use crate::config::LogLevel;

/// What the files' names begin with.
const ALL: &str = "switchboard";
const ERRORS: &str = "switchboard-errors";

/// The log in files, beside that on standard output.
#[derive(Debug, Clone)]
pub struct LogFiles {
    /// Their folder; made if missing.
    pub dir: PathBuf,
    /// Days of which all lines are kept, today included.
    pub keep_days: u32,
    /// Days of which the lines from `error` up, in files of their own, are kept.
    pub keep_error_days: u32,
    /// What all files together may take; `None`: as much as there is.
    pub max_bytes: Option<u64>,
    /// The folder's mode, if it is made.
    pub dir_mode: u32,
    /// The files' mode.
    pub file_mode: u32,
}

/// What is logged, and where to.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The least important level that is.
    pub level: LogLevel,
    /// The server's name, for every line.
    pub node: Option<String>,
    /// Lines that may wait for a slow reader, or for the disk, before lines are dropped.
    pub queue_lines: usize,
    /// How lines are gathered that clients cause any number of; `None`: not at all.
    pub gather: Option<GatherRules>,
    /// Files beside standard output.
    pub files: Option<LogFiles>,
}

struct Log {
    /// The least important that is written, as slog counts them. It may change while the log is in use.
    level: AtomicUsize,
    gatherer: Option<Gatherer>,
    out: Queue,
    files: Option<Files>,
}

/// Each with its own thread: a disk that hangs holds up neither the standard output nor an arbiter.
struct Files {
    all: Queue,
    errors: Queue,
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
        line::name_node(options.node.as_deref());
        let out = Queue::start(io::stdout(), options.queue_lines)?;
        let files = options.files.as_ref().map(|files| Files::start(files, options.queue_lines)).transpose()?;
        // Two callers at once: the loser's threads end with its queues.
        let level = AtomicUsize::new(Level::from(options.level).as_usize());
        let _ = LOG.set(Log { level, gatherer: options.gather.map(Gatherer::new), out, files });
    }
    Ok(LogGuard(()))
}

/// From now on lines down to this level are written.
pub fn set_log_level(level: LogLevel) {
    if let Some(log) = LOG.get() {
        log.level.store(Level::from(level).as_usize(), Ordering::Relaxed);
        dependencies::listen(level.into());
    }
}

/// Has the log's files opened anew before the next line of each: somebody may have moved them.
pub fn reopen_log_files() {
    daily::open_anew();
}

/// Waits until what is queued now, or gathered so far, has been written, at most that long. Says whether it was.
pub fn flush_logs(at_most: Duration) -> bool {
    LOG.get().is_none_or(|log| {
        log.finish();
        log.flush(at_most)
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
        write(event, fault);
    }

    /// Tells of lines whose time to be gathered is over.
    fn flush(&self) {
        if let Some(log) = LOG.get()
            && let Some(gatherer) = &log.gatherer
        {
            gatherer.sweep(Instant::now(), |gathered| log.tell(gathered));
        }
    }
}

/// Formats and queues one line, if its level is on and it is not gathered.
fn write(event: &Event<'_>, fault: Option<&Fault<'_>>) {
    let Some(log) = LOG.get() else { return };
    let level = event.level();
    if level.as_usize() > log.level.load(Ordering::Relaxed) {
        return;
    }
    if matches!(event, Event::ServerStopped { .. }) {
        // It is the last line.
        log.finish();
    }
    if log.admits(event, fault) {
        line::format(event, fault, |line| log.put(level, line));
    } else {
        tally(|t| t.log_lines_gathered += 1);
    }
}

impl Log {
    fn admits(&self, event: &Event<'_>, fault: Option<&Fault<'_>>) -> bool {
        let Some(gatherer) = &self.gatherer else { return true };
        let Some(repeat) = repeat::of(event) else { return true };
        gatherer.admits(event, fault, &repeat, Instant::now(), |gathered| self.tell(gathered))
    }

    fn tell(&self, gathered: &Gathered) {
        line::format_gathered(gathered, |line| self.put(gathered.level, line));
    }

    fn finish(&self) {
        if let Some(gatherer) = &self.gatherer {
            gatherer.finish(Instant::now(), |gathered| self.tell(gathered));
        }
    }

    fn put(&self, level: Level, line: &[u8]) {
        if let Some(files) = &self.files {
            files.push(level, line);
        }
        self.out.push(line);
    }

    fn flush(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let files = self.files.iter().flat_map(|files| [&files.all, &files.errors]);
        let left = || deadline.saturating_duration_since(Instant::now());
        // All of them, though one may be stuck.
        let stuck = [&self.out].into_iter().chain(files).filter(|queue| !queue.flush(left())).count();
        stuck == 0
    }
}

impl Files {
    fn start(files: &LogFiles, queue_lines: usize) -> io::Result<Self> {
        let retention = Arc::new(Retention {
            dir: files.dir.clone(),
            kept: vec![(ALL, files.keep_days), (ERRORS, files.keep_error_days)],
            dir_mode: files.dir_mode,
            file_mode: files.file_mode,
            max_bytes: files.max_bytes,
            state: Mutex::default(),
            busy: AtomicBool::default(),
        });
        let dir = files.dir.display();
        let open = |name, keeper| {
            let said = |error: io::Error| io::Error::new(error.kind(), format!("log.dir {dir}: {error}"));
            let file = DailyFile::start(name, Arc::clone(&retention), keeper, Clock::new(clock::now)).map_err(said)?;
            Queue::start(file, queue_lines)
        };
        Ok(Self { all: open(ALL, true)?, errors: open(ERRORS, false)? })
    }

    fn push(&self, level: Level, line: &[u8]) {
        self.all.push(line);
        if level.is_at_least(Level::Error) {
            self.errors.push(line);
        }
    }
}
