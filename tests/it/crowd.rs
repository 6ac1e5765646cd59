//! Many peers, some of which misbehave: the others do not notice.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Builder, PATIENCE, TestPeer, TestServer, eventually,
    http::{dial, dial_with_small_buffer},
    ws::{Handshake, first, frame},
};

/// Rooms of ten, in each of which one stops reading: 100 stalled readers among 1000 peers.
const ROOMS: usize = 100;
const PEERS_PER_ROOM: usize = 10;
/// What the relay between the others may take while that happens, in 99 of 100 cases.
const RELAY_P99: Duration = Duration::from_millis(50);
/// Messages timed before the stalled readers stall: what this machine can do.
const BASELINE_SAMPLES: usize = 500;

/// Connections that die at once.
const KILLED: usize = 10_000;
/// Descriptors that the test needs beside theirs.
const OTHER_DESCRIPTORS: u64 = 300;
/// What one connection in a room may cost, in KiB, kernel excluded.
const CONNECTION_KIB: u64 = 8;

fn server() -> Builder {
    TestServer::set("log.level", "info").set("server.max_connections", 2 * KILLED)
}

/// A room in which one peer fills another one's queue, and two talk.
struct Room {
    stalled: TestPeer,
    filler: TestPeer,
    speaker: TestPeer,
    listener: TestPeer,
    /// They are there, and hear who leaves.
    others: Vec<TestPeer>,
}

impl Room {
    #[track_caller]
    fn open(server: &TestServer, number: usize) -> Self {
        let name = format!("room-{number}");
        let stalled = server.join_slow(&name);
        let mut others: Vec<_> = (1..PEERS_PER_ROOM).map(|_| server.join(&name)).collect();
        let mut next = || others.pop().expect("enough peers");
        let (filler, mut speaker, mut listener) = (next(), next(), next());
        speaker.receive_all();
        listener.receive_all();
        Self { stalled, filler, speaker, listener, others }
    }
}

/// Times one message between two peers that hear nothing but what they are told, and of whoever leaves.
#[track_caller]
fn relay(speaker: &mut TestPeer, listener: &mut TestPeer) -> Duration {
    let sent = Instant::now();
    speaker.send_signal(&listener.id, &json!("x".repeat(1000)));
    listener.receive_at_last("signal");
    sent.elapsed()
}

fn p99(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() * 99 / 100]
}

/// Sends to all stalled peers, by turns, until all have been cut.
#[track_caller]
fn fill(mut stalled: Vec<(TestPeer, TestPeer)>) {
    let filling = json!("x".repeat(16_384));
    for _ in 0..400 {
        for (stalled, filler) in &mut stalled {
            filler.send_signal(&stalled.id, &filling);
        }
        stalled.retain_mut(|(_, filler)| !filler.receive_all().iter().any(|heard| heard.kind() == "peer_left"));
        if stalled.is_empty() {
            return;
        }
    }
    panic!("{} peers that read nothing were sent 6 MB each, and are still there", stalled.len());
}

#[test]
fn a_hundred_stalled_readers_among_a_thousand_peers_slow_nobody_down() {
    let server = server().start();
    let rooms: Vec<_> = thread::scope(|scope| {
        let opening: Vec<_> = (0..ROOMS)
            .map(|number| {
                scope.spawn({
                    let server = &server;
                    move || Room::open(server, number)
                })
            })
            .collect();
        opening.into_iter().map(|room| room.join().expect("a room")).collect()
    });
    let before = server.memory_kib("VmRSS");
    let (mut stalled, mut talkers) = (Vec::new(), Vec::new());
    for room in rooms {
        stalled.push((room.stalled, room.filler));
        talkers.push((room.speaker, room.listener, room.others));
    }
    let mut around = (0..talkers.len()).cycle();
    let mut sample = || {
        let (speaker, listener, _) = &mut talkers[around.next().expect("a room")];
        relay(speaker, listener)
    };
    let baseline = p99((0..BASELINE_SAMPLES).map(|_| sample()).collect());
    let done = AtomicBool::new(false);
    let samples: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| {
            fill(stalled);
            done.store(true, Ordering::Release);
        });
        std::iter::from_fn(|| (!done.load(Ordering::Acquire)).then(&mut sample)).collect()
    });
    let (count, found) = (samples.len(), p99(samples));
    let grown = server.memory_kib("VmHWM").saturating_sub(before);
    println!("relay p99 {found:?} over {count} messages, before {baseline:?}; {grown} KiB more at the peak");
    // On a machine that is busy with something else, both are worse.
    let allowed = RELAY_P99.max(baseline * 2);
    // Fewer would have no hundredth.
    assert!(count >= 100, "{count} messages");
    assert!(found < allowed, "p99 {found:?} over {count} messages; before {baseline:?}");
    // Each of the stalled may have its queue, all at the same time.
    assert!(grown < u64::try_from(ROOMS).unwrap() * 256 + (16 << 10), "{grown} KiB");
    let cut = r#"switchboard_connections_closed_total{reason="slow_consumer"}"#;
    server.wait_for_metric(cut, f64::from(u32::try_from(ROOMS).unwrap()));
}

#[test]
fn ten_thousand_connections_that_die_at_once_leave_nothing_behind() {
    let most = rlimit::increase_nofile_limit(u64::MAX).unwrap().saturating_sub(OTHER_DESCRIPTORS);
    let count = KILLED.min(usize::try_from(most).unwrap());
    if count < KILLED {
        eprintln!("only {count} connections: this process may open no more files");
    }
    let server = server().start();
    let mut neighbours = server.join_all("neighbours", 2);
    let before = server.memory_kib("VmRSS");
    let join = |number: usize| {
        let join = json!({"type": "join", "room": format!("room-{}", number / PEERS_PER_ROOM)}).to_string();
        Handshake::new().followed_by(frame(first::TEXT, join.as_bytes()))
    };
    let doomed: Vec<_> =
        (0..count).map(|number| TestPeer::open(dial_with_small_buffer(server.public), &join(number))).collect();
    let joined = u32::try_from(count + 2).unwrap();
    server.wait_for_metric("switchboard_peers", f64::from(joined));
    let cost = server.memory_kib("VmHWM").saturating_sub(before);
    let held = server.descriptors();
    let began = Instant::now();
    doomed.into_iter().for_each(TestPeer::abort);
    let [alice, bob] = &mut neighbours[..] else { unreachable!("two were asked for") };
    let mut slowest = Duration::ZERO;
    eventually("only the neighbours are there", || {
        slowest = slowest.max(relay(alice, bob));
        let scrape = server.scrape();
        let left = ["switchboard_peers", "switchboard_connections"].map(|name| scrape.value(name));
        if left == [2.0, 2.0] { Ok(()) } else { Err(format!("{left:?}")) }
    });
    println!(
        "{count} connections: {cost} KiB; gone after {:?}; the neighbours' slowest message {slowest:?}",
        began.elapsed()
    );
    eventually("their sockets are closed", || {
        let left = server.descriptors() + count;
        // The scrapes' own come and go.
        if left < held + 10 { Ok(()) } else { Err(format!("{left} of {held}")) }
    });
    let scrape = server.scrape();
    assert_eq!(scrape.value("switchboard_joins_total"), f64::from(joined));
    assert_eq!(scrape.sum("switchboard_leaves_total", ""), f64::from(joined - 2), "one leave for each join");
    assert!(cost < u64::from(joined) * CONNECTION_KIB, "{cost} KiB for {count} connections");
    assert!(slowest < PATIENCE / 2, "a message took {slowest:?}");
    dial(server.public);
}
