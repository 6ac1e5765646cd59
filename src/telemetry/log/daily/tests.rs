//! The log files, with a clock that the test sets and a folder that others put their hands on.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use tempfile::TempDir;
use time::Date;

use super::DailyFile;
use crate::{
    telemetry::log::{
        clock::{Moment, tests::Hands},
        retention::Retention,
        writer::Output,
    },
    utc,
};

const DAY: Duration = Duration::from_secs(86_400);
const YEARS: Duration = Duration::from_secs(60 * 365 * 86_400);
/// The day on which [`Hands`] begins.
const TODAY: &str = "all-2026-02-28.jsonl";

/// A folder that goes with the test.
struct Folder {
    dir: PathBuf,
    _home: TempDir,
}

impl Folder {
    fn with(files: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let dir = home.path().join("log");
        fs::create_dir(&dir).expect("a folder");
        let folder = Self { dir, _home: home };
        for file in files {
            fs::write(folder.dir.join(file), format!("{file}\n")).expect("a file");
        }
        folder
    }

    fn names(&self) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let mut names: Vec<_> = fs::read_dir(&self.dir).expect("the folder").map(name).collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).expect(name)
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.dir.join(name)).expect(name).permissions().mode() & 0o777
    }

    fn retention(&self, max_bytes: Option<u64>) -> Arc<Retention> {
        let kept = vec![("all", 14), ("all-errors", 30)];
        Arc::new(Retention::new(self.dir.clone(), kept, (0o750, 0o640), max_bytes))
    }

    /// The file of all lines.
    fn file(&self, hands: &Hands) -> DailyFile {
        DailyFile::start("all", self.retention(None), false, hands.clock(), slog::OwnedKV(()).into()).expect("a file")
    }
}

fn day(text: &str) -> Date {
    utc::parse_day(text).expect("a day")
}

#[track_caller]
fn write_line(file: &mut DailyFile, line: &str) {
    file.write_all(format!("{line}\n").as_bytes()).expect("written");
}

/// Lets time pass, as the writer's thread sees it.
fn pass(file: &mut DailyFile, hands: &Hands, time: Duration) {
    let step = Duration::from_secs(300);
    let mut left = time;
    while !left.is_zero() {
        hands.run(left.min(step));
        left = left.saturating_sub(step);
        file.tend();
    }
}

#[test]
fn a_day_has_its_file_and_a_line_goes_into_the_one_of_the_day_it_is_written() {
    let (folder, hands) = (Folder::with(&[]), Hands::new());
    let mut file = folder.file(&hands);
    write_line(&mut file, "one");
    pass(&mut file, &hands, DAY / 2);
    write_line(&mut file, "two");
    write_line(&mut file, "three");
    assert_eq!(folder.text(TODAY), "one\n");
    assert_eq!(folder.text("all-2026-03-01.jsonl"), "two\nthree\n");
}

#[test]
fn a_restart_goes_on_in_the_days_file_and_after_half_a_line_in_a_new_one() {
    let (folder, hands) = (Folder::with(&[]), Hands::new());
    fs::write(folder.dir.join(TODAY), "whole\nha").expect("a file");
    for line in ["next", "last"] {
        write_line(&mut folder.file(&hands), line);
    }
    assert_eq!(folder.text(TODAY), "whole\nha\nnext\nlast\n");
}

#[test]
fn a_clock_that_jumps_and_comes_back_moves_nothing() {
    let forward = |wall| wall + YEARS;
    let backward = |wall| wall - YEARS / 2;
    for jump in [&forward as &dyn Fn(_) -> _, &backward] {
        let (folder, hands) = (Folder::with(&["all-2026-02-27.jsonl", "all-2026-02-26.jsonl.gz"]), Hands::new());
        let mut file = DailyFile::start("all", folder.retention(None), true, hands.clock(), slog::OwnedKV(()).into())
            .expect("a file");
        pass(&mut file, &hands, 2 * DAY / 24);
        let (before, mut here) = (folder.names(), None);
        hands.jump(|wall| {
            here = Some(wall);
            jump(wall)
        });
        write_line(&mut file, "during");
        hands.run(Duration::from_secs(2));
        file.tend();
        hands.jump(|_| here.expect("a time") + Duration::from_secs(2));
        write_line(&mut file, "after");
        assert_eq!(folder.names(), before);
        assert_eq!(folder.text(TODAY), "during\nafter\n");
    }
}

#[test]
fn a_clock_that_was_set_is_followed_once_it_has_run_for_a_while() {
    let (folder, hands) = (Folder::with(&[]), Hands::new());
    let mut file = folder.file(&hands);
    hands.jump(|wall| wall - 5 * DAY);
    write_line(&mut file, "one");
    pass(&mut file, &hands, Duration::from_secs(60));
    write_line(&mut file, "two");
    assert_eq!((folder.text(TODAY), folder.text("all-2026-02-23.jsonl")), ("one\n".into(), "two\n".into()));
}

#[test]
fn what_others_do_to_the_file_costs_no_line() {
    let (folder, hands) = (Folder::with(&[]), Hands::new());
    let mut file = folder.file(&hands);
    let path = folder.dir.join(TODAY);
    write_line(&mut file, "one");
    fs::remove_file(&path).expect("removed");
    write_line(&mut file, "two");
    assert_eq!(folder.text(TODAY), "two\n");
    fs::rename(&path, folder.dir.join("rotated")).expect("renamed");
    write_line(&mut file, "three");
    assert_eq!((folder.text("rotated"), folder.text(TODAY)), ("two\n".into(), "three\n".into()));
    fs::write(&path, "").expect("emptied, as by copytruncate");
    write_line(&mut file, "four");
    assert_eq!(folder.text(TODAY), "four\n");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "another\n").expect("replaced");
    write_line(&mut file, "five");
    assert_eq!(folder.text(TODAY), "another\nfive\n");
    assert_eq!(folder.mode(TODAY), 0o640);
    fs::remove_dir_all(&folder.dir).expect("removed");
    write_line(&mut file, "six");
    assert_eq!((folder.text(TODAY), folder.mode("")), ("six\n".into(), 0o750));
    fs::rename(&folder.dir, folder.dir.with_extension("old")).expect("renamed");
    fs::create_dir(&folder.dir).expect("replaced");
    write_line(&mut file, "seven");
    assert_eq!(folder.text(TODAY), "seven\n");
    fs::remove_dir_all(folder.dir.with_extension("old")).expect("removed");
}

#[test]
fn nobody_needs_to_write_for_a_file_that_is_gone_to_be_noticed() {
    let (folder, hands) = (Folder::with(&[]), Hands::new());
    let mut file = folder.file(&hands);
    fs::remove_file(folder.dir.join(TODAY)).expect("removed");
    file.tend();
    assert_eq!(folder.names(), [TODAY]);
}

#[test]
fn a_folder_that_cannot_be_written_loses_lines_until_it_can() {
    let (folder, hands) = (Folder::with(&[]), Hands::new());
    let mut file = folder.file(&hands);
    fs::remove_dir_all(&folder.dir).expect("removed");
    fs::write(&folder.dir, "a file in its place").expect("a file");
    for _ in 0..3 {
        assert!(file.write_all(b"lost\n").is_err());
    }
    fs::remove_file(&folder.dir).expect("removed");
    write_line(&mut file, "kept");
    assert_eq!(folder.text(TODAY), "kept\n");
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
    folder.retention(None).tidy(Moment::at_start(day("2026-03-31"))).expect("tidied");
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
    let packed = File::open(folder.dir.join("all-2026-03-29.jsonl.gz")).expect("a file");
    GzDecoder::new(packed).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, "all-2026-03-29.jsonl\n");
    for name in folder.names() {
        assert_eq!(folder.mode(&name), 0o640, "{name}");
    }
}

#[test]
fn a_day_that_nothing_but_the_clock_speaks_for_removes_nothing_and_never_the_latest() {
    let files = ["all-2026-03-29.jsonl.gz", "all-2026-03-30.jsonl.gz", "all-errors-2026-03-30.jsonl.gz"];
    let folder = Folder::with(&files);
    folder.retention(None).tidy(Moment::at_start(day("2086-03-31"))).expect("tidied");
    assert_eq!(folder.names(), files);
    folder.retention(None).tidy(Moment::even(day("2086-03-31"))).expect("tidied");
    assert_eq!(folder.names(), files[1..], "after an hour it is believed, but for the latest of each kind");
}

#[test]
fn what_is_being_written_is_neither_compressed_nor_removed() {
    let (folder, hands) = (Folder::with(&["all-2026-03-01.jsonl", "all-2026-03-02.jsonl"]), Hands::new());
    let retention = folder.retention(Some(1));
    let mut file = DailyFile::start("all", Arc::clone(&retention), false, hands.clock(), slog::OwnedKV(()).into())
        .expect("a file");
    retention.tidy(Moment::even(day("2086-03-31"))).expect("tidied");
    assert!(folder.names().contains(&TODAY.to_owned()), "{:?}", folder.names());
    assert!(file.write_all(b"line\n").is_err());
    assert_eq!(folder.names(), [TODAY]);
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
    fs::write(folder.dir.join("all-2026-03-20.jsonl"), "plain").expect("a file");
    fs::write(folder.dir.join("all-2026-03-20.jsonl.gz"), "packed").expect("a file");
    folder.retention(Some(1)).tidy(Moment::even(day("2026-03-31"))).expect("tidied");
    assert_eq!(folder.names().len(), others.len() + 2);
    assert_eq!(folder.text("all-2026-03-20.jsonl.gz"), "packed");
}

#[test]
fn the_oldest_finished_files_make_room_and_then_the_days_file_stops_and_says_so() {
    let old = ["all-2026-02-20.jsonl.gz", "all-errors-2026-02-20.jsonl", "all-2026-02-21.jsonl"];
    let (folder, hands) = (Folder::with(&old), Hands::new());
    for name in old {
        fs::write(folder.dir.join(name), [b'x'; 1000]).expect("a file");
    }
    let retention = folder.retention(Some(16_000));
    let mut file = DailyFile::start("all", Arc::clone(&retention), false, hands.clock(), slog::OwnedKV(()).into())
        .expect("a file");
    let mut errors =
        DailyFile::start("all-errors", retention, false, hands.clock(), slog::OwnedKV(()).into()).expect("a file");
    let line = "x".repeat(99);
    let mut written = 0;
    let mut left = Vec::new();
    while file.write_all(format!("{line}\n").as_bytes()).is_ok() {
        written += 1;
        left.push(folder.names().len());
        assert!(written < 1000, "it has no bound");
    }
    left.dedup();
    assert_eq!(left, [5, 4, 3, 2], "one after the other");
    assert_eq!(written, 150, "all but a sixteenth, which is for errors");
    let last: serde_json::Value =
        serde_json::from_str(folder.text(TODAY).lines().last().expect("lines")).expect("JSON");
    assert_eq!((&last["event"], &last["lines"]), (&"log_file_failed".into(), &1.into()));
    write_line(&mut errors, "an error");
    // With some room it goes on.
    fs::write(folder.dir.join(TODAY), "x\n").expect("emptied");
    let deadline = Instant::now() + Duration::from_secs(20);
    while file.write_all(b"again\n").is_err() {
        assert!(Instant::now() < deadline, "room is not found");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(folder.text(TODAY), "x\nagain\n");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_at_the_start() {
    let (folder, hands) = (Folder::with(&["file"]), Hands::new());
    let mut retention = Arc::into_inner(folder.retention(None)).expect("the only one");
    retention.dir = folder.dir.join("file");
    assert!(DailyFile::start("all", Arc::new(retention), false, hands.clock(), slog::OwnedKV(()).into()).is_err());
}
