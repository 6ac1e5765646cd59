//! A log file per day. Days are those of UTC, as the lines' times are.
//!
//! A file carries its day in its name from the start, so nothing is ever renamed under a reader, and after a restart
//! the names alone say what is to be compressed and what is to go. What others do to the file meanwhile (logrotate, `rm`,
//! a full disk) is noticed at the next write.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use slog::OwnedKVList;
use time::Date;

use super::{
    clock::{Clock, Moment},
    line, record,
    retention::{Full, Retention, name_of},
    writer::Output,
};
use crate::{
    files,
    telemetry::event::{emit::emit, table::Event},
};

/// How often it is told again that a file cannot be written.
const REPORT_AGAIN: Duration = Duration::from_secs(60);

/// How often the files were to be opened anew.
static OPENINGS: AtomicUsize = AtomicUsize::new(0);

/// Each file is opened anew before its next line.
pub(in crate::telemetry) fn open_anew() {
    OPENINGS.fetch_add(1, Ordering::Release);
}

/// Writes to the day's file, and begins another when the day is over.
pub(in crate::telemetry) struct DailyFile {
    name: &'static str,
    retention: Arc<Retention>,
    /// Whether it looks after the files of earlier days. One writer of a folder does it for all: when it is due.
    keeper: Option<Instant>,
    clock: Clock,
    day: Date,
    open: Option<Open>,
    /// How often all were to be opened anew when this one was.
    opening: usize,
    failing: Option<Failing>,
    /// Those of every line.
    values: OwnedKVList,
}

/// The file that is being written.
struct Open {
    file: File,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// What is in it, as far as it was written here.
    bytes: u64,
}

/// A file that cannot be written.
struct Failing {
    reported: Instant,
    /// Lines that are missing.
    lines: u64,
}

impl DailyFile {
    /// Opens today's file, so that a folder that cannot be written is found at the start.
    pub(in crate::telemetry) fn start(
        name: &'static str,
        retention: Arc<Retention>,
        keeper: bool,
        mut clock: Clock,
        values: OwnedKVList,
    ) -> io::Result<Self> {
        let day = clock.look().day;
        let keeper = keeper.then(Instant::now);
        let mut file = Self { name, retention, keeper, clock, day, open: None, opening: 0, failing: None, values };
        file.current()?;
        Ok(file)
    }

    /// The file of the day, in its place.
    fn current(&mut self) -> io::Result<&mut Open> {
        let now = self.clock.look();
        // A clock that has just jumped may jump back: until that is known, lines stay together.
        if now.day != self.day && now.is_settled() {
            (self.day, self.open) = (now.day, None);
            self.keeper = self.keeper.map(|_| Instant::now());
        }
        let opening = OPENINGS.load(Ordering::Acquire);
        if mem::replace(&mut self.opening, opening) != opening {
            self.open = None;
        }
        let found = self.open.as_mut().and_then(Open::changed);
        let open = match self.open.take() {
            Some(open) if found.is_none() => open,
            _ => self.begin()?,
        };
        if let Some(found) = found {
            emit(&Event::LogFileReopened { file: &name_of(&open.path), found });
        }
        Ok(self.open.insert(open))
    }

    fn begin(&self) -> io::Result<Open> {
        let path = self.retention.open(self.name, self.day);
        files::make_folder(&self.retention.dir, self.retention.dir_mode)?;
        let mut file = files::open(&path, OpenOptions::new().read(true).append(true), self.retention.file_mode)?;
        end_torn_line(&mut file)?;
        let found = file.metadata()?;
        Ok(Open { file, path, identity: (found.dev(), found.ino()), bytes: found.len() })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (folder, name, failing) = (Arc::clone(&self.retention), self.name, self.failing.is_some());
        let open = self.current()?;
        folder.reserve(name, bytes.len() as u64, failing)?;
        let written = open.file.write(bytes)?;
        open.bytes += written as u64;
        Ok(written)
    }

    /// Tells at once, and each minute, that lines are missing.
    fn fail(&mut self, error: &io::Error, bytes: &[u8]) {
        let full = error.get_ref().and_then(|inner| inner.downcast_ref::<Full>()).is_some();
        if !full {
            // Whatever was wrong with it, the next line gets a file that was opened anew.
            self.open = None;
        }
        let lost = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        let first = self.failing.is_none();
        let failing = self.failing.get_or_insert_with(|| Failing { reported: Instant::now(), lines: 0 });
        failing.lines += lost;
        if !first && failing.reported.elapsed() < REPORT_AGAIN {
            return;
        }
        failing.reported = Instant::now();
        let file = name_of(&self.retention.path(self.name, self.day));
        let event = Event::LogFileFailed { file: &file, error, lines: failing.lines };
        if let (true, true, Some(open)) = (full, first, &mut self.open) {
            // Its last line says why there is none behind it. Should that fail, it is told elsewhere.
            let write_last = |line: &[u8]| {
                let _ = open.file.write_all(line);
                open.bytes += line.len() as u64;
            };
            record::of(&event, None, |record| line::format(record, &self.values, write_last));
        }
        emit(&event);
    }

    fn succeed(&mut self) {
        if let (Some(Failing { lines, .. }), Some(open)) = (self.failing.take(), &self.open) {
            emit(&Event::LogFileRestored { file: &name_of(&open.path), lines });
        }
    }

    /// Looks after the files of earlier days when that is due.
    fn keep(&mut self, now: Moment) -> io::Result<()> {
        if self.keeper.is_some_and(|due| due <= Instant::now()) {
            self.keeper = Some(Instant::now() + now.look_again());
            self.retention.tend(now)?;
        }
        Ok(())
    }
}

impl Write for DailyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.append(bytes);
        match &written {
            Ok(_) => self.succeed(),
            Err(error) => self.fail(error, bytes),
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for DailyFile {
    /// Nobody needs to wait for the next line to find the file in its place.
    fn tend(&mut self) {
        let now = self.clock.look();
        if let Err(error) = self.current().map(drop).and_then(|()| self.keep(now)) {
            self.fail(&error, b"");
        }
    }
}

impl Open {
    /// What became of the file, if others did something to it.
    fn changed(&mut self) -> Option<&'static str> {
        match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) != self.identity => Some("another file in its place"),
            Ok(found) if found.len() < self.bytes => Some("emptied"),
            Ok(found) => {
                self.bytes = found.len();
                None
            }
            // What cannot be looked at, because the folder may not be entered any more, can still be written.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            Err(_) => Some("removed or renamed"),
        }
    }
}

/// A process that was killed, or a full disk, may have left half a line; what follows it begins a new one.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

#[cfg(test)]
mod tests;
