//! The process among others: signals, a second reading of its configuration, what it leaves behind, and its memory.

use std::{
    fs, io::Write, os::unix::process::ExitStatusExt, path::Path, process::Command, sync::mpsc, thread, time::Duration,
};

use serde_json::json;

use crate::support::{
    Line, PATIENCE, TestPeer, TestServer, eventually, eventually_within, expect_eq,
    http::{self, Response},
    program, temp_dir,
    ws::{Frame, Handshake, first, frame},
};

/// The last shutdown's time, as the next start tells it.
const LAST: &str = "switchboard_last_shutdown_duration_seconds";

/// The signals that would end a process and mean nothing to this one.
const MEANINGLESS: [&str; 12] =
    ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "TRAP", "XCPU", "XFSZ", "PWR", "RTMIN", "RTMAX"];

#[track_caller]
fn still_talk([alice, bob]: &mut [TestPeer; 2]) {
    alice.send_signal(&bob.id, &json!("are you there?"));
    bob.receive("signal");
}

#[test]
fn a_signal_that_means_nothing_is_a_line_and_no_death() {
    let server = TestServer::start();
    let mut peers = server.join_some("blue");
    for name in MEANINGLESS {
        server.signal(name);
        let told = match name {
            "RTMIN" => "SIGRTMIN+0".to_owned(),
            "RTMAX" => "SIGRTMIN+30".to_owned(),
            other => format!("SIG{other}"),
        };
        let line = server.wait_for_log(name, |line| line.event() == "signal_ignored" && line.says("signal", &told));
        assert!(line.says("level", "warning"), "{}", line.text);
    }
    still_talk(&mut peers);
}

#[test]
fn a_signal_without_end_is_told_of_now_and_then() {
    let server = TestServer::start();
    for _ in 0..100 {
        server.signal("USR1");
    }
    server.signal("USR2");
    server.wait_for_log("the last one", |line| line.says("signal", "SIGUSR2"));
    let told = server.log().lines_where("signal_ignored").len();
    // Once a second, on a machine that may need long for a hundred shells.
    assert!((2..50).contains(&told), "{told} lines");
}

#[test]
fn a_process_that_is_stopped_and_goes_on_has_lost_nobody() {
    let server = TestServer::builder().in_own_group().start();
    let mut peers = server.join_some("blue");
    for stop in ["TSTP", "STOP"] {
        server.signal(stop);
        eventually("it stands", || {
            let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
            if status.contains("State:\tT") { Ok(()) } else { Err(status) }
        });
        server.signal("CONT");
        still_talk(&mut peers);
    }
}

#[test]
fn a_quit_drains_and_a_second_signal_is_told() {
    let mut server = TestServer::set("server.drain_ms", 3000).set("server.drain_deadline_ms", 9000).start();
    let mut peer = server.join("blue");
    let _others = server.join_all("red", 4);
    server.signal("QUIT");
    peer.receive_at_last("bye");
    for again in ["TERM", "QUIT"] {
        server.signal(again);
        server.wait_for_log(again, |line| {
            line.event() == "signal_ignored" && line.says("signal", &format!("SIG{again}"))
        });
    }
    server.signal("HUP");
    server.wait_for_log("the reload", |line| line.event() == "config_reloaded");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(server.log().lines_where("drain_started")[0].says("by", "SIGQUIT"));
}

#[test]
fn an_interrupt_after_any_call_to_go_ends_the_waiting() {
    let mut server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let mut peers = server.join_all("blue", 5);
    server.terminate();
    peers[0].receive_at_last("bye");
    server.signal("INT");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn an_abort_ends_it_at_once_after_a_line() {
    let mut server = TestServer::builder().after("ulimit -c 0").start();
    server.signal("ABRT");
    assert_eq!(server.wait_exit(PATIENCE).signal(), Some(6));
    let line = server.log().lines_where("aborted").pop().expect("a line");
    assert!(line.says("level", "critical") && line.says("signal", "SIGABRT"), "{}", line.text);
}

#[test]
fn a_log_file_that_grows_beyond_the_limit_of_files_is_told_and_no_death() {
    let dir = temp_dir();
    // In blocks of 512 bytes.
    let server = TestServer::set("log.dir", dir.path().display()).after("ulimit -f 4").start();
    let mut peers = server.join_some("blue");
    let failed = || server.log().lines_where("log_file_failed").pop();
    eventually("the file is full", || {
        server.get("/health");
        failed().ok_or_else(|| "no line".to_owned())
    });
    still_talk(&mut peers);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for argument in ["--check-config", "--help", "--version"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program().arg(argument).stdout(writer).output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.as_slice()),
            (Some(0), b"".as_slice()),
            "{argument} {output:?}"
        );
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// Sends SIGHUP, and waits for the line that says what came of it.
#[track_caller]
fn reload(server: &TestServer) -> Line {
    let lines = |server: &TestServer| {
        let lines = server.log().lines();
        lines
            .into_iter()
            .filter(|line| line.event().starts_with("config_") && line.event().ends_with("reloaded"))
            .collect::<Vec<_>>()
    };
    let before = lines(server).len();
    server.signal("HUP");
    eventually("what came of the reload", || lines(server).get(before).cloned().ok_or_else(|| "nothing".to_owned()))
}

#[test]
fn a_hangup_reads_the_configuration_again_and_drops_nobody() {
    let dir = temp_dir();
    let path = dir.path().join("switchboard.toml");
    write(&path, "[http]\nallowed_origins = [\"https://old.example\"]\n");
    let server = TestServer::builder().unset("SWITCHBOARD__LOG__LEVEL").arg("--config").arg(&path).start();
    let mut peers = server.join_some("blue");
    let from = |origin: &str| Handshake::new().with("Origin", origin).send(server.public).0.status;
    assert_eq!((from("https://old.example"), from("https://new.example")), (101, 403));
    assert!(reload(&server).says("changed", ""), "nothing is different");

    write(
        &path,
        "[http]\nallowed_origins = [\"https://new.example\"]\n[log]\nlevel = \"debug\"\n[limits]\nrooms = 7\n",
    );
    let line = reload(&server);
    assert!(line.says("changed", "http.allowed_origins, log.level"), "{}", line.text);
    assert!(line.says("restart", "limits.rooms"), "{}", line.text);
    assert_eq!((from("https://old.example"), from("https://new.example")), (403, 101));
    server.get("/health");
    server.wait_for_log("a line at debug level", |line| line.event() == "http_served");

    write(&path, "[limits]\nrooms = \"many\"\n[http]\nallowed_origins = [\"*\"]\n");
    let line = reload(&server);
    assert_eq!(line.event(), "config_not_reloaded");
    assert!(line.text.contains("limits.rooms") && line.text.contains("many"), "{}", line.text);
    assert_eq!(from("https://other.example"), 403, "nothing of it is in effect");
    still_talk(&mut peers);
}

#[test]
fn a_reload_waits_for_a_slow_file_and_nobody_waits_for_the_reload() {
    let dir = temp_dir();
    let path = dir.path().join("token");
    write(&path, "the-first-token-of-all\n");
    let server = TestServer::set("ops.token_file", path.display()).start();
    let mut peers = server.join_some("blue");
    // Whoever opens a pipe to read waits for its writer, and the other way round.
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    server.signal("HUP");
    let (opened, waiting) = mpsc::channel();
    thread::spawn(move || opened.send(fs::OpenOptions::new().write(true).open(path)));
    let mut file = waiting.recv_timeout(PATIENCE).expect("the server reads the file").unwrap();
    still_talk(&mut peers);
    server.join("green").leave();
    server.join_all("green", 2);
    assert!(server.log().lines_where("config_reloaded").is_empty(), "it has read nothing so far");
    file.write_all(b"the-second-token-of-all\n").unwrap();
    drop(file);
    let told = server.wait_for_log("it has read it", |line| line.event() == "config_reloaded");
    assert!(told.says("changed", "ops.token_file"), "{}", told.text);
}

#[test]
fn a_hangup_takes_another_token_and_keeps_the_old_one_if_there_is_none() {
    let dir = temp_dir();
    let path = dir.path().join("token");
    write(&path, "the-first-token-of-all\n");
    let mut server = TestServer::set("ops.token_file", path.display()).start();
    let ask = |token: &str| -> Response {
        let request = format!(
            "POST /admin/drain HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            server.ops
        );
        http::exchange(server.ops, &request)
    };
    assert_eq!(ask("the-second-token-of-all").status, 401);
    fs::remove_file(&path).unwrap();
    let line = reload(&server);
    assert!(line.event() == "config_not_reloaded" && line.text.contains("ops.token_file"), "{}", line.text);
    write(&path, "the-second-token-of-all\n");
    let line = reload(&server);
    assert!(line.says("changed", "ops.token_file") && !line.text.contains("second"), "{}", line.text);
    assert_eq!(ask("the-first-token-of-all").status, 401);
    assert_eq!(ask("the-second-token-of-all").status, 202);
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn a_hangup_opens_the_logs_files_anew() {
    let dir = temp_dir();
    let server = TestServer::set("log.dir", dir.path().display()).start();
    let files = || -> Vec<_> {
        let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect()
    };
    let today = files().into_iter().find(|path| !path.to_str().unwrap().contains("errors")).expect("today's file");
    let moved = dir.path().join("moved-away");
    fs::rename(&today, &moved).unwrap();
    reload(&server);
    server.get("/health");
    eventually("the new file has lines", || {
        let text = fs::read_to_string(&today).unwrap_or_default();
        if text.contains("config_reloaded") { Ok(()) } else { Err(text) }
    });
    assert!(!fs::read_to_string(&moved).unwrap().contains("config_reloaded"));
}

#[test]
fn after_a_crash_no_shutdown_is_told() {
    let mut first = TestServer::start();
    first.terminate();
    assert_eq!(first.wait_exit(PATIENCE).code(), Some(0));
    let again = || TestServer::builder().state(first.state()).start();
    let mut second = again();
    assert!(second.scrape().find(LAST).is_some(), "the first one's");
    second.wait_for_log("it is told", |line| line.event() == "previous_shutdown");
    second.signal("KILL");
    second.wait_exit(PATIENCE);
    let mut third = again();
    assert_eq!(third.scrape().find(LAST), None, "the second one crashed");
    third.terminate();
    assert_eq!(third.wait_exit(PATIENCE).code(), Some(0));
    assert!(again().scrape().find(LAST).is_some(), "the third one's");
}

#[test]
fn a_crash_beside_a_server_that_drains_tells_no_shutdown_either() {
    let mut blue = TestServer::start();
    let mut green = TestServer::builder().state(blue.state()).start();
    blue.terminate();
    assert_eq!(blue.wait_exit(PATIENCE).code(), Some(0));
    green.signal("KILL");
    green.wait_exit(PATIENCE);
    assert_eq!(TestServer::builder().state(blue.state()).start().scrape().find(LAST), None);
}

#[test]
fn a_record_that_is_none_is_one_warning() {
    for text in ["", "soon", "-3", "1e99"] {
        let state = temp_dir();
        write(&state.path().join("last-shutdown-seconds"), text);
        let server = TestServer::builder().state(&state).start();
        server.wait_for_log("the warning", |line| line.event() == "shutdown_record_failed");
        assert_eq!(server.scrape().find(LAST), None, "{text}");
    }
}

#[test]
fn health_counts_who_has_just_joined_and_who_has_just_left() {
    // No check is run but the first.
    let server = TestServer::set("health.interval_ms", 3_600_000).start();
    let figures = || {
        let health = server.get("/health").json();
        ["activeConnections", "activeRooms", "activePeers", "joinsPerMinute"].map(|name| health[name].clone())
    };
    for round in 1..=5 {
        let blue = server.join("blue");
        assert_eq!(figures(), [json!(1), json!(1), json!(1), json!(2 * round - 1)]);
        let red = server.join("red");
        assert_eq!(figures(), [json!(2), json!(2), json!(2), json!(2 * round)]);
        blue.close();
        red.abort();
        eventually("nobody is here", || expect_eq(&figures()[..3].to_vec(), &vec![json!(0); 3]));
    }
}

/// Memory that was needed once is given back while nothing happens: within 30 s, and twice that for a machine that is busy
/// with something else.
#[test]
fn memory_is_given_back_after_a_flood_while_the_server_is_idle() {
    // So many that what they hold is more than the process with the files that it maps: the debug build alone is near 30 MB.
    const PEERS: usize = 800;
    let server = TestServer::set("limits.queue_bytes", 1_000_000).any_pace().start();
    server.join_all("warm", 10).into_iter().for_each(TestPeer::close);
    server.wait_for_connections(0);
    let before = server.memory_kib("VmRSS");
    // Each has sent most of a message: as much as may wait here.
    let most = frame(first::TEXT_BEGINS, &vec![b'x'; 60_000]);
    let flood: Vec<_> = (0..PEERS).map(|_| server.connect()).collect();
    let flood: Vec<_> = flood
        .into_iter()
        .map(|mut peer| {
            peer.send(&[most.clone(), frame(first::PING, b"read?")].concat());
            assert_eq!(peer.next(PATIENCE), Ok(Frame::Pong(b"read?".to_vec())));
            peer
        })
        .collect();
    let during = server.memory_kib("VmRSS");
    assert!(during > 2 * before, "no flood: {before} KiB, then {during} KiB");
    flood.into_iter().for_each(TestPeer::abort);
    server.wait_for_connections(0);
    let after = eventually_within(Duration::from_secs(60), "memory is given back", || {
        let now = server.memory_kib("VmRSS");
        if 2 * now <= 3 * before { Ok(now) } else { Err(format!("{before} KiB before, {during} during, {now} now")) }
    });
    println!("{before} KiB before, {during} KiB during, {after} KiB after");
}
