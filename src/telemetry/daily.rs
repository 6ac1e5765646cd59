//! A log file per day, and what becomes of those of earlier days. Days are those of UTC, as the lines' times are.
//!
//! A file carries its day in its name from the start, so nothing is ever renamed under a reader, and after a restart
//! the names alone say what is to be compressed and what is to go.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use flate2::{Compression, write::GzEncoder};
use time::{Date, Duration, Month, OffsetDateTime};

use super::Event;

/// Ends of the names, plain and compressed.
const PLAIN: &str = ".jsonl";
const COMPRESSED: &str = ".jsonl.gz";
/// What is being compressed; left behind only by a process that was killed meanwhile.
const UNFINISHED: &str = ".part";

/// How often the files were to be opened anew.
static OPENINGS: AtomicUsize = AtomicUsize::new(0);

/// Each file is opened anew before its next line.
pub(super) fn open_anew() {
    OPENINGS.fetch_add(1, Ordering::Release);
}

/// Which files there are in the folder, and for how many days, today included.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    /// The folder.
    pub(super) dir: PathBuf,
    /// What names begin with, and the days they are kept.
    pub(super) kept: Vec<(&'static str, u32)>,
}

/// Writes to the day's file, and begins another when the day is over.
pub(super) struct DailyFile {
    dir: PathBuf,
    name: &'static str,
    /// Who looks after the files of earlier days. One writer of a folder does it for all.
    shelf: Option<Shelf>,
    today: Box<dyn Fn() -> Date + Send>,
    open: Option<(Date, File)>,
    /// How often all were to be opened anew when this one was.
    opening: usize,
    /// So that a full disk is told once and not for every line.
    failing: bool,
}

impl DailyFile {
    /// Opens today's file, so that a folder that cannot be written is found at the start.
    pub(super) fn start(
        dir: &Path,
        name: &'static str,
        shelf: Option<Shelf>,
        today: impl Fn() -> Date + Send + 'static,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let today = Box::new(today);
        let mut file = Self { dir: dir.to_owned(), name, shelf, today, open: None, opening: 0, failing: false };
        file.current()?;
        Ok(file)
    }

    fn current(&mut self) -> io::Result<&mut File> {
        let today = (self.today)();
        let opening = OPENINGS.load(Ordering::Acquire);
        let same = mem::replace(&mut self.opening, opening) == opening;
        let open = match self.open.take() {
            Some((day, file)) if day == today && same => (day, file),
            _ => (today, self.begin(today)?),
        };
        Ok(&mut self.open.insert(open).1)
    }

    fn begin(&self, day: Date) -> io::Result<File> {
        let path = self.dir.join(file_name(self.name, day, PLAIN));
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        end_torn_line(&mut file)?;
        if let Some(shelf) = self.shelf.clone() {
            let upkeep = move || shelf.tidy(day).unwrap_or_else(|error| tell(&error));
            thread::Builder::new().name("log-upkeep".into()).spawn(upkeep)?;
        }
        Ok(file)
    }
}

impl Write for DailyFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.current().and_then(|file| file.write(octets));
        match &written {
            Ok(_) => self.failing = false,
            Err(error) => {
                // Whatever was wrong with it, the next line gets a file that was opened anew.
                self.open = None;
                if !mem::replace(&mut self.failing, true) {
                    tell(error);
                }
            }
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shelf {
    /// Compresses what is older than yesterday (today's and yesterday's are what people look into, and a line that was
    /// on its way at midnight still finds its file), and removes what has been kept long enough.
    pub(super) fn tidy(&self, today: Date) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let Some((day, keep, compressed)) = self.recognize(&path) else { continue };
            if day <= today - Duration::days(i64::from(keep)) {
                fs::remove_file(&path)?;
            } else if !compressed && day < today - Duration::DAY {
                compress(&path)?;
            }
        }
        Ok(())
    }

    /// The day of one of our files, how many days it is kept, and whether it is compressed.
    fn recognize(&self, path: &Path) -> Option<(Date, u32, bool)> {
        let name = path.file_name()?.to_str()?;
        let (stem, compressed) = match name.strip_suffix(COMPRESSED) {
            Some(stem) => (stem, true),
            None => (name.strip_suffix(PLAIN)?, false),
        };
        self.kept.iter().find_map(|(name, keep)| {
            let day = stem.strip_prefix(name)?.strip_prefix('-').and_then(parse_day)?;
            Some((day, *keep, compressed))
        })
    }
}

/// Today, in UTC.
pub(super) fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

fn file_name(name: &str, day: Date, end: &str) -> String {
    format!("{name}-{:04}-{:02}-{:02}{end}", day.year(), u8::from(day.month()), day.day())
}

fn parse_day(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month = Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year, month, parts.next()?.parse().ok()?).ok()
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

/// In a file beside it that takes its place when it is whole. What is compressed already stays as it is.
fn compress(path: &Path) -> io::Result<()> {
    let whole = path.with_extension(&COMPRESSED[1..]);
    if whole.exists() {
        return Ok(());
    }
    let part = whole.with_extension(format!("gz{UNFINISHED}"));
    let mut out = GzEncoder::new(File::create(&part)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut out)?;
    out.finish()?.sync_all()?;
    fs::rename(&part, &whole)?;
    fs::remove_file(path)
}

fn tell(error: &io::Error) {
    super::emit(&Event::LogFileFailed { error });
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use flate2::read::GzDecoder;

    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let dir = std::env::temp_dir().join(format!("switchboard-log-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&dir).expect("a folder");
            Self(dir)
        }

        fn with(files: &[&str]) -> Self {
            let folder = Self::new();
            for file in files {
                fs::write(folder.0.join(file), format!("{file}\n")).expect("a file");
            }
            folder
        }

        fn names(&self) -> Vec<String> {
            let name =
                |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string().expect("UTF-8");
            let mut names: Vec<_> = fs::read_dir(&self.0).expect("the folder").map(name).collect();
            names.sort();
            names
        }

        fn text(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).expect(name)
        }

        fn shelf(&self) -> Shelf {
            Shelf { dir: self.0.clone(), kept: vec![("all", 14), ("all-errors", 30)] }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A test that failed has more to say than this.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn day(text: &str) -> Date {
        parse_day(text).expect("a day")
    }

    #[test]
    fn a_day_has_its_file_and_a_line_goes_into_the_one_of_the_day_it_is_written() {
        let folder = Folder::new();
        let clock = Arc::new(Mutex::new(day("2026-02-28")));
        let theirs = Arc::clone(&clock);
        let mut file =
            DailyFile::start(&folder.0, "all", None, move || *theirs.lock().expect("a clock")).expect("a file");
        file.write_all(b"one\n").expect("written");
        *clock.lock().expect("a clock") = day("2026-03-01");
        file.write_all(b"two\n").expect("written");
        file.write_all(b"three\n").expect("written");
        assert_eq!(folder.text("all-2026-02-28.jsonl"), "one\n");
        assert_eq!(folder.text("all-2026-03-01.jsonl"), "two\nthree\n");
    }

    #[test]
    fn a_restart_goes_on_in_the_days_file_and_after_half_a_line_in_a_new_one() {
        let folder = Folder::with(&[]);
        fs::write(folder.0.join("all-2026-02-28.jsonl"), "whole\nha").expect("a file");
        for line in ["next\n", "last\n"] {
            let mut file = DailyFile::start(&folder.0, "all", None, || day("2026-02-28")).expect("a file");
            file.write_all(line.as_bytes()).expect("written");
        }
        assert_eq!(folder.text("all-2026-02-28.jsonl"), "whole\nha\nnext\nlast\n");
    }

    #[test]
    fn old_files_are_compressed_whole_and_each_kind_is_kept_for_its_own_time() {
        let folder = Folder::with(&[
            "all-2026-03-31.jsonl",
            "all-2026-03-30.jsonl",
            "all-2026-03-29.jsonl",
            "all-2026-03-18.jsonl.gz",
            "all-2026-03-17.jsonl.gz",
            "all-2026-03-16.jsonl",
            "all-errors-2026-03-17.jsonl",
            "all-errors-2026-03-02.jsonl.gz",
            "all-errors-2026-03-01.jsonl.gz",
        ]);
        folder.shelf().tidy(day("2026-03-31")).expect("tidied");
        let expected = [
            "all-2026-03-18.jsonl.gz",
            "all-2026-03-29.jsonl.gz",
            "all-2026-03-30.jsonl",
            "all-2026-03-31.jsonl",
            "all-errors-2026-03-02.jsonl.gz",
            "all-errors-2026-03-17.jsonl.gz",
        ];
        assert_eq!(folder.names(), expected);
        let mut text = String::new();
        let packed = File::open(folder.0.join("all-2026-03-29.jsonl.gz")).expect("a file");
        GzDecoder::new(packed).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, "all-2026-03-29.jsonl\n");
    }

    #[test]
    fn other_peoples_files_and_what_is_compressed_already_stay_as_they_are() {
        let others = [
            "all-2020-01-01.jsonl.bak",
            "all-2020-13-01.jsonl",
            "all-notes.jsonl",
            "ball-2020-01-01.jsonl",
            "nginx-2020-01-01.jsonl.gz",
        ];
        let folder = Folder::with(&others);
        fs::write(folder.0.join("all-2026-03-20.jsonl"), "plain").expect("a file");
        fs::write(folder.0.join("all-2026-03-20.jsonl.gz"), "packed").expect("a file");
        folder.shelf().tidy(day("2026-03-31")).expect("tidied");
        assert_eq!(folder.names().len(), others.len() + 2);
        assert_eq!(folder.text("all-2026-03-20.jsonl.gz"), "packed");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_at_the_start() {
        let folder = Folder::with(&["file"]);
        assert!(DailyFile::start(&folder.0.join("file"), "all", None, today).is_err());
    }
}
