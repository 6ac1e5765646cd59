//! The log's files, and what operators, their tools and their machine's clock do to them while the server runs.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use crate::support::{Builder, TestServer, eventually, eventually_within, temp_dir};

/// By then a change of the folder is noticed.
const NOTICED: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// On what Debian calls its architecture; `scripts/install-test-tools.sh` installs it.
const LIBFAKETIME: &str = "faketime/libfaketime.so.1";

/// A server that logs into a folder below that one.
fn server(home: &Arc<TempDir>) -> Builder {
    TestServer::set("log.dir", folder(home).display())
}

fn folder(home: &Arc<TempDir>) -> PathBuf {
    home.path().join("log")
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Names in the folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The name of a file of so many days ago.
fn name(kind: &str, days: u32, end: &str) -> String {
    let then = switchboard::utc::Rfc3339(SystemTime::now() - days * DAY).to_string();
    format!("{kind}-{}{end}", &then[..10])
}

/// The file of all lines, which is being written.
fn today(folder: &Path) -> PathBuf {
    folder.join(name("switchboard", 0, ".jsonl"))
}

/// Makes the server log, until that text is in the file.
#[track_caller]
fn written(server: &TestServer, file: &Path, room: &str) {
    let mut peer = server.join(room);
    peer.leave();
    peer.close();
    eventually_within(NOTICED, &format!("{room} is in {}", file.display()), || {
        let text = fs::read_to_string(file).map_err(|e| e.to_string())?;
        if text.contains(room) { Ok(()) } else { Err(text) }
    });
}

#[test]
fn the_log_is_for_the_servers_group_and_the_state_for_the_server_alone_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let home = temp_dir();
        let state = temp_dir();
        let mut server = TestServer::builder()
            .set("log.dir", folder(&home).display())
            .set("state.dir", state.path().join("below").display())
            .after(&format!("umask {umask}"))
            .start();
        written(&server, &today(&folder(&home)), "blue");
        assert_eq!(mode(folder(&home)), 0o750, "umask {umask}");
        for name in names(&folder(&home)) {
            assert_eq!(mode(folder(&home).join(&name)), 0o640, "{name}, umask {umask}");
        }
        server.terminate();
        assert!(server.wait_exit(crate::support::PATIENCE).success());
        assert_eq!(mode(state.path().join("below")), 0o700, "umask {umask}");
        assert_eq!(mode(state.path().join("below/last-shutdown-seconds")), 0o640, "umask {umask}");
    }
}

#[test]
fn an_operators_modes_are_kept_and_files_of_a_former_release_are_narrowed() {
    let home = temp_dir();
    let logs = folder(&home);
    fs::create_dir(&logs).unwrap();
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o755)).unwrap();
    let old = logs.join(name("switchboard", 3, ".jsonl.gz"));
    for file in [&today(&logs), &old] {
        fs::write(file, "{}\n").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let server = server(&home).start();
    written(&server, &today(&logs), "blue");
    assert_eq!((mode(&logs), mode(today(&logs))), (0o755, 0o640), "the folder is theirs, the files are ours");
    eventually("the old file, too", || if mode(&old) == 0o640 { Ok(()) } else { Err(format!("{:o}", mode(&old))) });
    drop(server);

    let home = temp_dir();
    let server = self::server(&home).set("log.dir_mode", "2770").set("log.file_mode", "0600").start();
    written(&server, &today(&folder(&home)), "blue");
    assert_eq!((mode(folder(&home)), mode(today(&folder(&home)))), (0o2770, 0o600));
}

#[test]
fn files_that_others_remove_rename_replace_or_empty_are_opened_anew_and_that_is_told() {
    type Deed = (&'static str, fn(&Path));
    let deeds: [Deed; 6] = [
        ("removed or renamed", |logs| fs::remove_file(today(logs)).unwrap()),
        ("removed or renamed", |logs| fs::rename(today(logs), logs.join("switchboard.log.1")).unwrap()),
        ("removed or renamed", |logs| fs::remove_dir_all(logs).unwrap()),
        ("emptied", |logs| fs::write(today(logs), "").unwrap()),
        ("another file in its place", |logs| {
            fs::remove_file(today(logs)).unwrap();
            fs::write(today(logs), "{}\n").unwrap();
        }),
        ("removed or renamed", |logs| {
            fs::rename(logs, logs.with_extension("old")).unwrap();
            fs::create_dir(logs).unwrap();
        }),
    ];
    let home = temp_dir();
    let (logs, server) = (folder(&home), server(&home).start());
    for (n, (found, deed)) in deeds.into_iter().enumerate() {
        let before = server.log().lines_where("log_file_reopened").len();
        written(&server, &today(&logs), &format!("before-{n}"));
        deed(&logs);
        written(&server, &today(&logs), &format!("after-{n}"));
        assert_eq!(mode(today(&logs)), 0o640);
        eventually("it is told", || {
            let told: Vec<_> = server.log().lines_where("log_file_reopened").into_iter().skip(before).collect();
            if told.iter().any(|line| line.says("found", found)) { Ok(()) } else { Err(format!("{n}: {told:?}")) }
        });
    }
    assert_eq!(server.scrape().value("switchboard_log_lines_dropped_total"), 0.0, "no line was lost");
}

#[test]
fn a_file_that_is_gone_is_there_again_though_nobody_writes() {
    let home = temp_dir();
    let (logs, server) = (folder(&home), server(&home).start());
    written(&server, &today(&logs), "blue");
    for name in names(&logs) {
        fs::remove_file(logs.join(name)).unwrap();
    }
    eventually_within(NOTICED, "both files are there again", || {
        let names = names(&logs);
        if names.len() == 2 { Ok(()) } else { Err(format!("{names:?}")) }
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_told_counted_and_left_behind() {
    let home = temp_dir();
    let (logs, server) = (folder(&home), server(&home).start());
    written(&server, &today(&logs), "before");
    fs::remove_dir_all(&logs).unwrap();
    fs::write(&logs, "a file in its place").unwrap();
    server.join("lost").close();
    let failed = server.wait_for_log("it is told", |line| line.event() == "log_file_failed");
    assert!(failed.says("level", "warning") && failed.json["cause"].is_string(), "{}", failed.text);
    eventually("the lost lines are counted", || {
        let lost = server.scrape().value("switchboard_log_lines_dropped_total");
        if lost > 0.0 { Ok(()) } else { Err(lost.to_string()) }
    });
    fs::remove_file(&logs).unwrap();
    written(&server, &today(&logs), "after");
    let restored = server.wait_for_log("that it works again", |line| {
        line.event() == "log_file_restored" && line.json["lines"].as_u64().is_some_and(|lines| lines > 0)
    });
    assert!(restored.json["file"].as_str().unwrap().starts_with("switchboard"), "{}", restored.text);
}

#[test]
fn the_folder_is_bounded_the_oldest_goes_first_and_then_the_days_file_stops() {
    let home = temp_dir();
    let logs = folder(&home);
    fs::create_dir(&logs).unwrap();
    let old = [(5, "switchboard-errors", ".jsonl.gz"), (4, "switchboard", ".jsonl.gz"), (1, "switchboard", ".jsonl")];
    let old = old.map(|(days, kind, end)| logs.join(name(kind, days, end)));
    for file in &old {
        fs::write(file, [b'x'; 10_000]).unwrap();
    }
    fs::write(logs.join("somebody-elses"), "x".repeat(100_000)).unwrap();
    let most = 40_000;
    let server = server(&home).set("log.max_bytes", most).start();
    let held = || {
        let ours = names(&logs).into_iter().filter(|name| name.starts_with("switchboard"));
        ours.map(|name| fs::metadata(logs.join(name)).map_or(0, |file| file.len())).sum::<u64>()
    };
    let mut seen = Vec::new();
    eventually_within(NOTICED, "the day's file stops", || {
        let mut peer = server.join("blue");
        peer.leave();
        peer.close();
        assert!(held() <= most + 1_000, "{} of {most} bytes", held());
        seen.push(old.iter().filter(|file| file.exists()).count());
        let told = !server.log().lines_where("log_file_failed").is_empty();
        if told { Ok(()) } else { Err(format!("{} bytes", held())) }
    });
    seen.dedup();
    assert!(seen.is_sorted_by(|a, b| a >= b) && seen.ends_with(&[0]), "{seen:?}");
    let removed: Vec<_> =
        server.log().lines_where("log_file_removed").iter().map(|line| line.json["file"].to_string()).collect();
    let expected = old.map(|file| format!("{:?}", file.file_name().unwrap().to_str().unwrap()));
    assert_eq!(removed, expected, "the oldest first");
    assert!(today(&logs).exists() && logs.join("somebody-elses").exists());
    let text = fs::read_to_string(today(&logs)).unwrap();
    let end: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(end["event"], "log_file_failed", "the last line says why there is no other");
    assert!(end["cause"].as_str().unwrap().contains("log.max_bytes"), "{end}");
    eventually("what is missing is counted", || {
        server.join("blue").close();
        let lost = server.scrape().value("switchboard_log_lines_dropped_total");
        if lost > 0.0 { Ok(()) } else { Err(lost.to_string()) }
    });
}

/// The wall clock of a server, which a file sets: an offset in seconds.
struct FakeTime(PathBuf);

impl FakeTime {
    fn new(home: &Arc<TempDir>) -> Self {
        let clock = Self(home.path().join("clock"));
        clock.set(0);
        clock
    }

    fn set(&self, seconds: i64) {
        // Replaced in one step: it is read at any time.
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, &self.0).unwrap();
    }

    fn on(&self, server: Builder) -> Builder {
        let library = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join(LIBFAKETIME));
        let library = library.into_iter().find(|path| path.exists());
        let library = library.expect("libfaketime is missing: run scripts/install-test-tools.sh");
        server
            .env("LD_PRELOAD", library.to_str().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", self.0.to_str().unwrap())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1")
    }
}

#[test]
fn a_wall_clock_that_jumps_by_years_and_back_removes_no_file_and_moves_no_line() {
    const YEARS: i64 = 60 * 365 * 86_400;
    let home = temp_dir();
    let logs = folder(&home);
    fs::create_dir(&logs).unwrap();
    for (days, end) in [(1, ".jsonl"), (2, ".jsonl.gz"), (10, ".jsonl.gz")] {
        fs::write(logs.join(name("switchboard", days, end)), "{}\n").unwrap();
    }
    let clock = FakeTime::new(&home);
    let server = clock.on(server(&home)).start();
    written(&server, &today(&logs), "before");
    let before = names(&logs);
    for (n, offset) in [YEARS, -YEARS / 3].into_iter().enumerate() {
        clock.set(offset);
        // The lines themselves say that the clock has jumped.
        let room = format!("during-{n}");
        written(&server, &today(&logs), &room);
        let line = server
            .wait_for_log("a line of another year", |line| line.event() == "peer_joined" && line.says("room", &room));
        let here = switchboard::utc::Rfc3339(SystemTime::now()).to_string();
        assert_ne!(&line.json["ts"].as_str().unwrap()[..4], &here[..4], "the clock has not jumped");
        eventually("it has looked at the clock for two seconds", {
            let began = std::time::Instant::now();
            move || if began.elapsed() > Duration::from_secs(2) { Ok(()) } else { Err(String::new()) }
        });
        clock.set(0);
        written(&server, &today(&logs), &format!("after-{n}"));
        assert_eq!(names(&logs), before);
    }
}

#[test]
fn a_server_that_starts_with_a_wrong_clock_removes_nothing_either() {
    let home = temp_dir();
    let logs = folder(&home);
    fs::create_dir(&logs).unwrap();
    let old = [1, 2, 10].map(|days| logs.join(name("switchboard", days, ".jsonl.gz")));
    for file in &old {
        fs::write(file, "{}\n").unwrap();
    }
    let clock = FakeTime::new(&home);
    clock.set(60 * 365 * 86_400);
    let server = clock.on(server(&home)).start();
    // Twice the time after which a day that follows from the files is believed.
    let began = std::time::Instant::now();
    eventually_within(NOTICED, "it has had its time", || {
        server.join("blue").close();
        if began.elapsed() > Duration::from_secs(20) { Ok(()) } else { Err(String::new()) }
    });
    assert!(old.iter().all(|file| file.exists()), "{:?}", names(&logs));
}
