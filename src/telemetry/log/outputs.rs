//! The end of the chain of drains: standard output, and files where there are to be any.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use slog::{Drain, Level, Never, OwnedKVList, Record};

use super::{
    clock::{self, Clock},
    daily::DailyFile,
    line,
    retention::Retention,
    writer::Queue,
};
use crate::config;

/// What the files' names begin with.
const ALL: &str = "switchboard";
const ERRORS: &str = "switchboard-errors";

/// The log in files, beside that on standard output.
#[derive(Debug, Clone)]
pub(super) struct LogFiles {
    /// Their folder; made if missing.
    dir: PathBuf,
    /// Days of which all lines are kept, today included.
    keep_days: u32,
    /// Days of which the lines from `error` up, in files of their own, are kept.
    keep_error_days: u32,
    /// What all files together may take; `None`: as much as there is.
    max_bytes: Option<u64>,
    /// The folder's mode, if it is made.
    dir_mode: u32,
    /// The files' mode.
    file_mode: u32,
}

impl LogFiles {
    /// An empty `log.dir` means: no files.
    pub(super) fn configured(log: &config::Log) -> Option<Self> {
        (!log.dir.as_os_str().is_empty()).then(|| Self {
            dir: log.dir.clone(),
            keep_days: log.keep_days,
            keep_error_days: log.keep_error_days,
            max_bytes: log.bound(),
            dir_mode: log.folder_bits(),
            file_mode: log.file_bits(),
        })
    }
}

/// Makes a line of a record, once for all of them.
pub(in crate::telemetry) struct Outputs {
    out: Queue,
    files: Option<Files>,
}

/// Each with its own thread: a disk that hangs holds up neither the standard output nor an arbiter.
struct Files {
    all: Queue,
    errors: Queue,
}

impl Outputs {
    /// `values` are those of the root logger, for what an output has to say itself.
    pub(in crate::telemetry) fn start(
        files: Option<&LogFiles>,
        queue_lines: usize,
        values: &OwnedKVList,
    ) -> io::Result<Self> {
        let out = Queue::start(io::stdout(), queue_lines, values.clone())?;
        let files = files.map(|files| Files::start(files, queue_lines, values)).transpose()?;
        Ok(Self { out, files })
    }

    /// Waits until what is queued now has been written, at most that long. Says whether it was.
    pub(in crate::telemetry) fn flush(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let files = self.files.iter().flat_map(|files| [&files.all, &files.errors]);
        let left = || deadline.saturating_duration_since(Instant::now());
        // All of them, though one may be stuck.
        let stuck = [&self.out].into_iter().chain(files).filter(|queue| !queue.flush(left())).count();
        stuck == 0
    }
}

impl Drain for Outputs {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        line::format(record, values, |line| {
            if let Some(files) = &self.files {
                files.push(record.level(), line);
            }
            self.out.push(line);
        });
        Ok(())
    }
}

impl Files {
    fn start(files: &LogFiles, queue_lines: usize, values: &OwnedKVList) -> io::Result<Self> {
        let kept = vec![(ALL, files.keep_days), (ERRORS, files.keep_error_days)];
        let modes = (files.dir_mode, files.file_mode);
        let retention = Arc::new(Retention::new(files.dir.clone(), kept, modes, files.max_bytes));
        let dir = files.dir.display();
        let open = |name, keeper| {
            let with_dir = |error: io::Error| io::Error::new(error.kind(), format!("log.dir {dir}: {error}"));
            let clock = Clock::new(clock::now);
            let file =
                DailyFile::start(name, Arc::clone(&retention), keeper, clock, values.clone()).map_err(with_dir)?;
            Queue::start(file, queue_lines, values.clone())
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
