//! The measure of a shutdown, kept for the next start to tell.
//!
//! A run takes the record of the one before when it starts: it is told once, and after a crash there is none. Several
//! servers may share the folder, so each has a file there for as long as it runs, locked: one that is there and not locked
//! is of a run that ended without a word, and a record found beside it may be older than that end.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use uuid::Uuid;

use crate::files;

/// The record's file: seconds, as text.
const RECORD: &str = "last-shutdown-seconds";
/// What is kept is for the server and its group: modes of the folder, if it is made here, and of the files.
const MODES: (u32, u32) = (0o750, 0o640);
/// How the files begin of runs that have not ended in order.
const RUNNING: &str = "running-";
/// What is longer is no record of ours.
const LONGEST: u64 = 32;
/// A drain lasts a day at most (`server.drain_deadline_ms`); what is said to have taken longer is no record of ours.
const MOST: Duration = Duration::from_secs(25 * 60 * 60);

/// This run's place in the folder. Dropping it says that the run is over.
#[derive(Debug)]
pub struct ShutdownRecord {
    dir: PathBuf,
    /// That this run goes on.
    running: Option<Running>,
}

/// The file that says that a run goes on. Its lock ends with the process, whatever ends that.
#[derive(Debug)]
struct Running {
    path: PathBuf,
    #[expect(dead_code, reason = "held for its lock")]
    locked: File,
}

/// What the run before has left.
#[derive(Debug, Default)]
pub struct Taken {
    /// The time that its shutdown took, if it ended in order.
    pub took: Option<Duration>,
    /// Why the record cannot be read, or none be kept here.
    pub problem: Option<io::Error>,
}

impl ShutdownRecord {
    /// Takes the record of the run before, and says in the folder that this one goes on.
    #[must_use]
    pub fn open(dir: &Path) -> (Self, Taken) {
        let mut record = Self { dir: dir.to_owned(), running: None };
        let found = record.take();
        let problem = record.mark().err();
        let taken = match found {
            Ok(took) => Taken { took, problem },
            Err(unread) => Taken { took: None, problem: problem.or(Some(unread)) },
        };
        (record, taken)
    }

    /// Keeps the time for the next start. The run is over.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn keep(self, took: Duration) -> io::Result<()> {
        files::make_folder(&self.dir, MODES.0)?;
        // Whole, or not at all.
        let part = self.dir.join(format!(".{RECORD}-{}", Uuid::new_v4()));
        files::write(&part, format!("{:.3}\n", took.as_secs_f64()).as_bytes(), MODES.1)?;
        fs::rename(part, self.dir.join(RECORD))
    }

    /// Reads the record and removes it. One that cannot be removed is not told: it would be told again after a crash.
    fn take(&self) -> io::Result<Option<Duration>> {
        let crashed = self.bury();
        let path = self.dir.join(RECORD);
        let read = match File::open(&path) {
            Ok(file) => read(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) }?;
        Ok(if crashed { None } else { Some(read?) })
    }

    /// Whether there are runs that ended without a word. They are forgotten with that.
    fn bury(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.dir) else { return false };
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let ours = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(RUNNING))
        };
        let mut crashed = false;
        for path in files.filter(ours) {
            // Whoever is alive has the lock. (Where there are no locks nobody is taken for dead.)
            let free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
            crashed |= free && fs::remove_file(&path).is_ok();
        }
        crashed
    }

    /// Makes the file of this run, locked before others can see it.
    fn mark(&mut self) -> io::Result<()> {
        files::make_folder(&self.dir, MODES.0)?;
        let id = Uuid::new_v4();
        let hidden = self.dir.join(format!(".{RUNNING}{id}"));
        let shown = self.dir.join(format!("{RUNNING}{id}"));
        let file = files::open(&hidden, OpenOptions::new().write(true), MODES.1)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        fs::rename(&hidden, &shown)?;
        self.running = Some(Running { path: shown, locked: file });
        Ok(())
    }
}

impl Drop for ShutdownRecord {
    fn drop(&mut self) {
        if let Some(Running { path, .. }) = &self.running {
            // What cannot be removed is taken for a crash: the next start tells no time then.
            let _ = fs::remove_file(path);
        }
    }
}

fn read(file: File) -> io::Result<Duration> {
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let seconds = text.trim().parse().ok();
    let took = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).filter(|took| *took <= MOST);
    took.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{RECORD} holds no number of seconds")))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const TOOK: Duration = Duration::from_millis(1_234);

    /// A folder that is not there yet, and goes with the test.
    struct Folder {
        dir: PathBuf,
        _home: TempDir,
    }

    impl Folder {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            Self { dir: home.path().join("state"), _home: home }
        }

        fn start(&self) -> (ShutdownRecord, Option<Duration>) {
            let (record, taken) = ShutdownRecord::open(&self.dir);
            assert!(taken.problem.is_none(), "{taken:?}");
            (record, taken.took)
        }

        fn files(&self) -> usize {
            fs::read_dir(&self.dir).unwrap().count()
        }
    }

    /// As the kernel does it when a process is killed: the lock is gone, the file stays.
    fn kill(mut record: ShutdownRecord) {
        record.running = None;
    }

    #[test]
    fn the_record_survives_to_the_next_start_and_no_further() {
        let folder = Folder::new();
        let (first, told) = folder.start();
        assert_eq!(told, None);
        first.keep(TOOK).unwrap();
        let (second, told) = folder.start();
        assert_eq!(told, Some(TOOK));
        kill(second);
        let (third, told) = folder.start();
        assert_eq!(told, None, "the second crashed");
        third.keep(TOOK).unwrap();
        assert_eq!(folder.files(), 1, "nothing but the record is left");
        assert_eq!(folder.start().1, Some(TOOK), "and it is as before");
    }

    #[test]
    fn a_run_that_did_not_begin_leaves_nothing() {
        let folder = Folder::new();
        drop(folder.start());
        assert_eq!((folder.files(), folder.start().1), (0, None));
    }

    #[test]
    fn of_two_that_share_a_folder_a_crash_of_either_hides_what_the_other_left() {
        let folder = Folder::new();
        let (blue, green) = (folder.start().0, folder.start().0);
        blue.keep(TOOK).unwrap();
        let (blue, told) = folder.start();
        assert_eq!(told, Some(TOOK), "green lives, and is no crash");
        blue.keep(TOOK).unwrap();
        kill(green);
        let (_green, told) = folder.start();
        assert_eq!(told, None, "green crashed after the record was written, for all that is known");
    }

    #[test]
    fn what_is_no_record_is_told_once_and_removed() {
        let folder = Folder::new();
        let large = "1".repeat(10_000_000);
        for text in ["", "soon", "-1", "NaN", "inf", "1e300", "90001", &large] {
            fs::create_dir_all(&folder.dir).unwrap();
            fs::write(folder.dir.join(RECORD), text).unwrap();
            let (_record, taken) = ShutdownRecord::open(&folder.dir);
            assert!(taken.took.is_none() && taken.problem.is_some(), "{text:.20}: {taken:?}");
            assert!(!folder.dir.join(RECORD).exists(), "{text:.20}");
        }
        fs::create_dir(folder.dir.join(RECORD)).unwrap();
        assert!(ShutdownRecord::open(&folder.dir).1.problem.is_some());
        assert_eq!(folder.start().1, None);
    }

    #[test]
    fn a_folder_that_cannot_be_is_a_problem_and_no_failure() {
        let folder = Folder::new();
        fs::write(&folder.dir, "a file").unwrap();
        let (record, taken) = ShutdownRecord::open(&folder.dir.join("state"));
        assert!(taken.took.is_none() && taken.problem.is_some());
        assert!(record.keep(TOOK).is_err());
    }
}
