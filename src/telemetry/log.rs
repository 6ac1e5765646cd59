//! The process's log: level, queue, writer.

use std::{io, sync::OnceLock, time::Duration};

use slog::Level;

use super::{Event, Fault, line, writer::Queue};

struct Log {
    level: Level,
    queue: Queue,
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

/// Starts the log to standard output, once per process; later calls change nothing. `queue_lines` is how many lines
/// may wait for a slow reader before lines are dropped. Before it, events are only counted.
///
/// # Errors
/// The writer's thread could not be started.
pub fn start_log(level: Level, queue_lines: usize) -> io::Result<LogGuard> {
    if LOG.get().is_none() {
        let queue = Queue::start(io::stdout(), queue_lines)?;
        // Two callers at once: the loser's thread ends with its queue.
        let _ = LOG.set(Log { level, queue });
    }
    Ok(LogGuard(()))
}

/// Waits until what is queued now has been written, at most that long. Says whether it was.
pub fn flush_logs(at_most: Duration) -> bool {
    LOG.get().is_none_or(|log| log.queue.flush(at_most))
}

/// Whether there is a log to write to.
pub(super) fn is_started() -> bool {
    LOG.get().is_some()
}

/// Formats and queues one line, if its level is on.
pub(super) fn write(event: &Event<'_>, fault: Option<&Fault<'_>>) {
    let Some(log) = LOG.get() else { return };
    if event.level().is_at_least(log.level)
        && let Some(line) = line::format(event, fault)
    {
        log.queue.push(line);
    }
}
