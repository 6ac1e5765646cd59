//! The folder of what outlives a process: one process has it at a time, and what is left there is private and whole.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, TryLockError as TryMutexError,
        atomic::{AtomicU8, Ordering},
    },
};

use super::codec::{Encoded, RecordError};
use crate::files;

/// The record's file.
const RECORD: &str = "sessions";
/// The same while it is written. One process has the folder, so one name is enough, and a leftover is overwritten.
const PART: &str = ".sessions-part";
/// Locked as long as a process has the folder. It stays: a lock on a file that was removed would be nobody's.
const LOCK: &str = "lock";
/// Modes of the folder, if it is made here, and of its files: what is in them is private.
const MODES: (u32, u32) = (0o700, 0o600);
/// Rights of others.
const OTHERS: u32 = 0o077;

/// Why the folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another process has it: two that shared it would take each other's sessions.
    #[error("another process uses the folder")]
    InUse,
    /// It cannot be made, or not be written.
    #[error("the folder cannot be used: {0}")]
    Unusable(#[from] io::Error),
    /// Somebody else could put a file there, or take one away.
    #[error("the folder is {0}; whoever can write there could put sessions there")]
    NotPrivate(&'static str),
}

/// The folder, held until the last clone of this is dropped.
#[derive(Debug, Clone)]
pub struct StateDir {
    dir: PathBuf,
    #[expect(dead_code, reason = "held for its lock, which ends with the process, whatever ends that")]
    lock: Arc<File>,
    /// Locked while a record is written: two writers would write into one file. One whose disk stalls keeps it.
    writing: Arc<Mutex<()>>,
}

/// Whether a record that is being written may still be left for the next process. Whoever waits for it gives up after a time, and
/// goes on as if there were none: then there must be none, however late the disk is. Clones are one permit.
#[derive(Debug, Clone, Default)]
pub struct Permit(Arc<AtomicU8>);

impl Permit {
    const OPEN: u8 = 0;
    const USED: u8 = 1;
    const WITHDRAWN: u8 = 2;

    /// The record is not to be left any more. `false`: its file is being put in its place, or is there.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.turn_to(Self::WITHDRAWN)
    }

    fn use_up(&self) -> bool {
        self.turn_to(Self::USED)
    }

    /// Only the first of both gets its way. No lock: a disk may stall in the rename, too, and nobody is to wait for that.
    fn turn_to(&self, state: u8) -> bool {
        self.0.compare_exchange(Self::OPEN, state, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl StateDir {
    /// Takes the folder, which is made if it is missing.
    ///
    /// # Errors
    /// [`StateDirError`]: only [`StateDirError::InUse`] says that the server must not start.
    pub fn open(dir: &Path) -> Result<Self, StateDirError> {
        files::make_folder(dir, MODES.0)?;
        let lock = files::open(&dir.join(LOCK), OpenOptions::new().write(true), MODES.1)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateDirError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // After the lock: that somebody else has it is an error, and the rest is not.
        let (found, me) = (fs::metadata(dir)?, user());
        if found.uid() != me && found.uid() != 0 {
            return Err(StateDirError::NotPrivate("another user's"));
        }
        if found.permissions().mode() & 0o022 != 0 {
            return Err(StateDirError::NotPrivate("writable for other users"));
        }
        Ok(Self { dir: dir.to_owned(), lock: Arc::new(lock), writing: Arc::default() })
    }

    /// Takes what the process before has left, of at most so many bytes; it is gone from the folder then, whether it can be
    /// read or not. `None`: nothing.
    ///
    /// # Errors
    /// It is there and not to be trusted, or cannot be read, or cannot be removed.
    pub fn take(&self, most: u64) -> Result<Option<Vec<u8>>, RecordError> {
        let _ = fs::remove_file(self.dir.join(PART));
        let path = self.dir.join(RECORD);
        // A link is not followed: it would lead to a file that somebody else chose. Nor is a pipe waited for.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
                // A second start is to find nothing, and neither is this one.
                let _ = fs::remove_file(&path);
                return Err(if is_link { RecordError::NotPrivate("a link") } else { error.into() });
            }
        };
        let found = file.metadata()?;
        if found.is_dir() {
            let _ = fs::remove_dir(&path);
            return Err(RecordError::NotPrivate("a folder"));
        }
        // Before anything of it is used: whatever happens from here on, it is used once.
        fs::remove_file(&path)?;
        if !found.is_file() {
            return Err(RecordError::NotPrivate("no plain file"));
        }
        if found.uid() != user() {
            return Err(RecordError::NotPrivate("another user's"));
        }
        if found.permissions().mode() & OTHERS != 0 {
            return Err(RecordError::NotPrivate("open to other users"));
        }
        if found.len() > most {
            return Err(RecordError::TooLarge { found: found.len(), most });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
        Read::take(&mut file, most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Leaves that for the next process: whole, or not at all. As long as the disk takes.
    ///
    /// # Errors
    /// It cannot be written, another record is still being written, or the permit was withdrawn meanwhile. What was there before
    /// is still there then.
    pub fn keep(&self, encoded: &Encoded, permit: &Permit) -> io::Result<()> {
        let _writing = match self.writing.try_lock() {
            Ok(writing) => writing,
            // Whoever panicked has left a part, which is overwritten.
            Err(TryMutexError::Poisoned(writing)) => writing.into_inner(),
            Err(TryMutexError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another record is still being written"));
            }
        };
        let part = self.dir.join(PART);
        let written = self.write(&part, encoded, permit);
        if written.is_err() {
            // It would only take room.
            let _ = fs::remove_file(&part);
        }
        written
    }

    fn write(&self, part: &Path, encoded: &Encoded, permit: &Permit) -> io::Result<()> {
        let file = files::open(part, OpenOptions::new().write(true).truncate(true), MODES.1)?;
        let mut writer = BufWriter::with_capacity(1 << 18, file);
        encoded.write_to(&mut writer)?;
        writer.flush()?;
        if !permit.use_up() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody waits for the record any more"));
        }
        fs::rename(part, self.dir.join(RECORD))
    }
}

/// The user that this process acts as.
fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}
