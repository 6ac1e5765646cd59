//! The process's log: level, queue, writer.

use std::{
    io,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use slog::Level;

use super::{
    Event, Fault,
    daily::{self, DailyFile, Shelf},
    line,
    writer::Queue,
};

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
}

struct Log {
    /// The least important that is written, as slog counts them. It may change while the log is in use.
    level: AtomicUsize,
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

/// Starts the log to standard output, and to `files`, once per process; later calls change nothing. `queue_lines` is how
/// many lines may wait for a slow reader, or for the disk, before lines are dropped. Before it, events are only counted.
///
/// # Errors
/// A writer's thread could not be started, or a file not be opened.
pub fn start_log(level: Level, queue_lines: usize, files: Option<&LogFiles>) -> io::Result<LogGuard> {
    if LOG.get().is_none() {
        let out = Queue::start(io::stdout(), queue_lines)?;
        let files = files.map(|files| Files::start(files, queue_lines)).transpose()?;
        // Two callers at once: the loser's threads end with its queues.
        let _ = LOG.set(Log { level: AtomicUsize::new(level.as_usize()), out, files });
    }
    Ok(LogGuard(()))
}

/// From now on lines down to this level are written.
pub fn set_log_level(level: Level) {
    if let Some(log) = LOG.get() {
        log.level.store(level.as_usize(), Ordering::Relaxed);
    }
}

/// Has the log's files opened anew before the next line of each: somebody may have moved them.
pub fn reopen_log_files() {
    daily::open_anew();
}

/// Waits until what is queued now has been written, at most that long. Says whether it was.
pub fn flush_logs(at_most: Duration) -> bool {
    LOG.get().is_none_or(|log| log.flush(at_most))
}

/// Whether there is a log to write to.
pub(super) fn is_started() -> bool {
    LOG.get().is_some()
}

/// Formats and queues one line, if its level is on.
pub(super) fn write(event: &Event<'_>, fault: Option<&Fault<'_>>) {
    let Some(log) = LOG.get() else { return };
    let level = event.level();
    if level.as_usize() <= log.level.load(Ordering::Relaxed) {
        line::format(event, fault, |line| {
            if let Some(files) = &log.files {
                files.push(level, line);
            }
            log.out.push(line);
        });
    }
}

impl Log {
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
        let LogFiles { dir, keep_days, keep_error_days } = files;
        let open = |name, shelf| {
            let said = |error: io::Error| io::Error::new(error.kind(), format!("log.dir {}: {error}", dir.display()));
            let file = DailyFile::start(dir, name, shelf, daily::today).map_err(said)?;
            Queue::start(file, queue_lines)
        };
        let shelf = Shelf { dir: dir.clone(), kept: vec![(ALL, *keep_days), (ERRORS, *keep_error_days)] };
        Ok(Self { all: open(ALL, Some(shelf))?, errors: open(ERRORS, None)? })
    }

    fn push(&self, level: Level, line: &[u8]) {
        self.all.push(line);
        if level.is_at_least(Level::Error) {
            self.errors.push(line);
        }
    }
}
