//! The folder of the log files: which of them are ours, how much they take, and what becomes of those of earlier days.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use time::Date;

use super::clock::Moment;
use crate::{
    files,
    telemetry::event::{emit::emit, table::Event},
    utc,
};

/// Ends of the names, plain and compressed.
const PLAIN: &str = ".jsonl";
const COMPRESSED: &str = ".jsonl.gz";
/// What is being compressed; left behind only by a process that was killed meanwhile.
const UNFINISHED: &str = ".part";
/// A full folder is looked into again no sooner: somebody may have made room.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The part of `log.max_bytes` that is left to the files of errors: a flood of other lines must not keep them out.
const FOR_ERRORS: u64 = 16;
/// The part of it that must be free before a file goes on that had to stop.
const FREE_AGAIN: u64 = 64;
/// The latest finished file is from one of the last days, or the clock may be wrong (or the server was away).
const CONTINUES: time::Duration = time::Duration::days(7);

/// Which files there are in a folder, and what they may take. Shared by their writers.
#[derive(Debug)]
pub(in crate::telemetry) struct Retention {
    /// The folder.
    pub(in crate::telemetry) dir: PathBuf,
    /// What names begin with, and the days they are kept, today included. The last one is that of errors.
    kept: Vec<(&'static str, u32)>,
    /// Of the folder, if it has to be made.
    pub(in crate::telemetry) dir_mode: u32,
    /// Of the files.
    pub(in crate::telemetry) file_mode: u32,
    /// What all of them together may take; `None`: as much as there is.
    max_bytes: Option<u64>,
    state: Mutex<Held>,
    /// Whether files of earlier days are being looked after.
    busy: AtomicBool,
}

/// What is known of the files.
#[derive(Debug, Default)]
struct Held {
    /// What they take; unknown until they are counted, and after some were compressed.
    bytes: Option<u64>,
    /// When there was no room, and nothing to remove.
    full: Option<Instant>,
    /// Those that are being written, by what their names begin with.
    open: BTreeMap<&'static str, PathBuf>,
}

/// One of our files.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    /// The place of its kind among those that are kept.
    kind: usize,
    day: Date,
    compressed: bool,
    bytes: u64,
}

/// There is no room for a line.
#[derive(Debug, thiserror::Error)]
#[error("the log files hold {held} bytes of {most} (log.max_bytes), and none of them is finished")]
pub(in crate::telemetry) struct Full {
    held: u64,
    most: u64,
}

impl Retention {
    /// Modes are those of the folder, if it has to be made, and of the files.
    pub(in crate::telemetry) fn new(
        dir: PathBuf,
        kept: Vec<(&'static str, u32)>,
        (dir_mode, file_mode): (u32, u32),
        max_bytes: Option<u64>,
    ) -> Self {
        Self { dir, kept, dir_mode, file_mode, max_bytes, state: Mutex::default(), busy: AtomicBool::default() }
    }

    /// The file of that day.
    pub(in crate::telemetry) fn path(&self, name: &str, day: Date) -> PathBuf {
        self.dir.join(format!("{name}-{}{PLAIN}", utc::day(day)))
    }

    /// The same, which is being written from now on.
    pub(in crate::telemetry) fn open(&self, name: &'static str, day: Date) -> PathBuf {
        let path = self.path(name, day);
        self.state().open.insert(name, path.clone());
        path
    }

    /// Takes room for so many bytes of a kind of file. If there is none, the oldest finished files go. Where there was none
    /// (`again`), some more than that must be free: a file is not to stop and go on line by line.
    ///
    /// # Errors
    /// [`Full`], or what the folder said when it was looked into.
    pub(in crate::telemetry) fn reserve(&self, name: &str, bytes: u64, again: bool) -> io::Result<()> {
        let Some(most) = self.max_bytes else { return Ok(()) };
        let errors = self.kept.last().is_some_and(|(last, _)| *last == name);
        let most = if errors { most } else { most - most / FOR_ERRORS };
        let needed = bytes + if again { most / FREE_AGAIN } else { 0 };
        let mut state = self.state();
        let mut removed = Vec::new();
        let fits = |bytes: Option<u64>| bytes.is_some_and(|held| held + needed <= most);
        if !fits(state.bytes) && state.full.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
            removed = self.make_room(&mut state, most.saturating_sub(needed))?;
            state.full = (!fits(state.bytes)).then(Instant::now);
        }
        let (fits, held) = (fits(state.bytes), state.bytes.unwrap_or(0));
        state.bytes = state.bytes.map(|held| held + if fits { bytes } else { 0 });
        drop(state);
        for Found { path, bytes, .. } in removed {
            emit(&Event::LogFileRemoved { file: &name_of(&path), bytes });
        }
        if fits { Ok(()) } else { Err(io::Error::new(io::ErrorKind::StorageFull, Full { held, most })) }
    }

    /// Counts what there is, and removes the oldest finished files until no more than `most` is left of it.
    fn make_room(&self, state: &mut Held, most: u64) -> io::Result<Vec<Found>> {
        let mut files = self.files()?;
        let mut held = files.iter().map(|file| file.bytes).sum();
        files.retain(|file| !state.open.values().any(|open| *open == file.path));
        files.sort_by(|a, b| (a.day, a.kind, &a.path).cmp(&(b.day, b.kind, &b.path)));
        let mut removed = Vec::new();
        for file in files {
            if held <= most {
                break;
            }
            remove(&file.path)?;
            held -= file.bytes;
            removed.push(file);
        }
        state.bytes = Some(held);
        Ok(removed)
    }

    /// Looks after the files of earlier days, in a thread of its own: a day's file may take a minute to compress.
    pub(in crate::telemetry) fn tend(self: &Arc<Self>, now: Moment) -> io::Result<()> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let folder = Arc::clone(self);
        let tidy = move || {
            if let Err(error) = folder.tidy(now) {
                emit(&Event::LogFileFailed { file: &folder.dir.to_string_lossy(), error: &error, lines: 0 });
            }
            folder.busy.store(false, Ordering::Release);
        };
        let started = thread::Builder::new().name("log-upkeep".into()).spawn(tidy);
        started.map(drop).inspect_err(|_| self.busy.store(false, Ordering::Release))
    }

    /// Compresses what is older than yesterday (today's and yesterday's are what people look into, and a line that was
    /// on its way at midnight still finds its file), and removes what has been kept long enough: never on one look at the
    /// clock, never what is being written, and never the latest finished file of its kind.
    pub(in crate::telemetry) fn tidy(&self, now: Moment) -> io::Result<()> {
        let open: Vec<PathBuf> = self.state().open.values().cloned().collect();
        let files: Vec<Found> = self.files()?.into_iter().filter(|file| !open.contains(&file.path)).collect();
        let past = || files.iter().map(|file| file.day).filter(|day| *day <= now.day);
        let continues = past().max().is_some_and(|latest| now.day - latest <= CONTINUES);
        let sure = now.is_sure(continues);
        for file in &files {
            let keep = time::Duration::days(self.kept[file.kind].1.into());
            let latest = files.iter().filter(|other| other.kind == file.kind).all(|other| other.day <= file.day);
            if sure && !latest && now.day - file.day >= keep {
                remove(&file.path)?;
            } else if !file.compressed && now.day - file.day > time::Duration::DAY {
                self.compress(&file.path)?;
            } else {
                files::narrow(&file.path, self.file_mode);
            }
        }
        // They are counted anew at the next line.
        self.state().bytes = None;
        Ok(())
    }

    /// Our files in the folder.
    fn files(&self) -> io::Result<Vec<Found>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Some((kind, day, compressed)) = self.recognize(&path) else { continue };
            match fs::metadata(&path) {
                Ok(file) if file.is_file() => files.push(Found { path, kind, day, compressed, bytes: file.len() }),
                // Removed meanwhile, or no file of ours whatever it is called.
                _ => {}
            }
        }
        Ok(files)
    }

    /// Kind and day of one of our files, and whether it is compressed.
    fn recognize(&self, path: &Path) -> Option<(usize, Date, bool)> {
        let name = path.file_name()?.to_str()?;
        let (stem, compressed) = match name.strip_suffix(COMPRESSED) {
            Some(stem) => (stem, true),
            None => (name.strip_suffix(PLAIN)?, false),
        };
        self.kept.iter().enumerate().find_map(|(kind, (name, _))| {
            let day = stem.strip_prefix(name)?.strip_prefix('-').and_then(|day| utc::parse_day(day).ok())?;
            Some((kind, day, compressed))
        })
    }

    /// In a file beside it that takes its place when it is whole. What is compressed already stays as it is.
    fn compress(&self, path: &Path) -> io::Result<()> {
        let whole = path.with_extension(&COMPRESSED[1..]);
        if whole.exists() {
            return Ok(());
        }
        let part = whole.with_extension(format!("gz{UNFINISHED}"));
        let out = files::open(&part, OpenOptions::new().write(true).truncate(true), self.file_mode)?;
        let mut out = GzEncoder::new(out, Compression::default());
        io::copy(&mut File::open(path)?, &mut out)?;
        out.finish()?.sync_all()?;
        fs::rename(&part, &whole)?;
        remove(path)
    }

    fn state(&self) -> MutexGuard<'_, Held> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody else may have been quicker.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The last part of a path, for the log.
pub(in crate::telemetry) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
