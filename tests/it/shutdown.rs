//! Going away: told to everybody, spread over time, within the deadline, and measured.

use std::{
    net::SocketAddr,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Builder, Line, PATIENCE, TestPeer, TestServer, eventually, http, temp_dir, ws::Handshake};

const DRAIN: Duration = Duration::from_secs(2);

fn draining() -> Builder {
    TestServer::set("server.drain_ms", DRAIN.as_millis()).set("server.drain_deadline_ms", 6000)
}

/// What one peer saw of the end.
struct Seen {
    place: Duration,
    told: Duration,
    closed: Duration,
}

/// Listens in a thread until the server has closed this peer; times run from `since`.
fn watch(mut peer: TestPeer, since: Instant) -> JoinHandle<Seen> {
    thread::spawn(move || {
        let bye = peer.receive_at_last("bye");
        let told = since.elapsed();
        assert_eq!((&bye["reason"], &bye["action"]), (&json!("server_draining"), &json!("reconnect")), "{}", bye.text);
        let place = Duration::from_millis(bye["retryAfterMs"].as_u64().expect("retryAfterMs"));
        loop {
            match peer.next(PATIENCE) {
                Ok(crate::support::ws::Frame::Close(code, _)) => {
                    assert_eq!(code, Some(1012));
                    return Seen { place, told, closed: since.elapsed() };
                }
                Ok(_) => {}
                Err(end) => panic!("ended by {end:?} before its close frame"),
            }
        }
    })
}

/// Asks for readiness until the server says it is going away.
#[track_caller]
fn wait_until_draining(public: SocketAddr) {
    eventually("readyz says no", || match http::get(public, "/readyz", &[]).status {
        503 => Ok(()),
        status => Err(status.to_string()),
    });
}

/// Hears everybody's `bye`, and sorts them by their place in the spread: the last to be closed comes last. (Each thread
/// spreads its own, so that several may be the first.)
#[track_caller]
fn by_place(peers: Vec<TestPeer>) -> Vec<TestPeer> {
    let place =
        |mut peer: TestPeer| (peer.receive_at_last("bye")["retryAfterMs"].as_u64().expect("retryAfterMs"), peer);
    let mut peers: Vec<_> = peers.into_iter().map(place).collect();
    peers.sort_by_key(|(place, _)| *place);
    peers.into_iter().map(|(_, peer)| peer).collect()
}

#[test]
fn with_nobody_connected_it_ends_at_once() {
    let mut server = TestServer::start();
    let since = Instant::now();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}, though nobody was there", since.elapsed());
}

#[test]
fn an_interrupt_from_the_keyboard_does_the_same() {
    let mut server = TestServer::start();
    server.signal("INT");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn every_peer_is_told_joined_or_not_and_closed_with_1012_each_at_its_own_time() {
    let mut server = draining().start();
    let joined = server.join_all("blue", 10);
    let idle = (0..10).map(|_| server.connect());
    let since = Instant::now();
    let watches: Vec<_> = joined.into_iter().chain(idle).map(|peer| watch(peer, since)).collect();
    server.terminate();
    let seen: Vec<Seen> = watches.into_iter().map(|watch| watch.join().expect("a peer's view")).collect();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    for one in &seen {
        assert!(one.place <= DRAIN, "{:?}", one.place);
        let waited = one.closed.checked_sub(one.told).unwrap();
        assert!(waited + Duration::from_millis(300) >= one.place, "{waited:?} for {:?}", one.place);
    }
    assert_spread(&seen);
}

/// Twenty peers over two seconds: they do not all come back in the same moment.
fn assert_spread(seen: &[Seen]) {
    let mut moments: Vec<_> = seen.iter().map(|one| one.place.as_millis() / 200).collect();
    moments.sort_unstable();
    moments.dedup();
    assert!(moments.len() >= 5, "closed in these fifths of a second only: {moments:?}");
    let last = seen.iter().map(|one| one.closed).max().unwrap();
    assert!(last < DRAIN + Duration::from_secs(3), "the last one was closed after {last:?}");
}

#[test]
fn while_it_drains_probes_are_answered_and_upgrades_refused() {
    let server = draining().set("server.drain_ms", 20_000).set("server.drain_deadline_ms", 30_000).start();
    let _peers = server.join_all("blue", 6);
    server.terminate();
    wait_until_draining(server.public);
    assert_eq!(server.get("/healthz").status, 200);
    assert!(server.get("/health").json()["status"].is_string());
    let (refused, _) = Handshake::new().send(server.public);
    let error = refused.error(503, "server_draining");
    assert_eq!(error["retryable"], true);
    assert!(refused.needs("Retry-After").parse::<u64>().is_ok(), "{refused:?}");
    server.wait_for_metric("switchboard_draining", 1.0);
    server.wait_for_metric("switchboard_ready", 0.0);
}

#[test]
fn peers_talk_on_until_they_are_closed() {
    let server = draining().start();
    let peers = server.join_all("blue", 6);
    server.terminate();
    let [.., alice, bob] = &mut by_place(peers)[..] else { unreachable!("there are six") };
    alice.send_signal(&bob.id, &json!("see you"));
    assert_eq!(bob.receive_at_last("signal")["data"], "see you");
}

#[test]
fn who_leaves_its_room_while_it_drains_is_closed_at_its_place_all_the_same() {
    let server = draining().start();
    let mut peers = server.join_all("blue", 2);
    server.terminate();
    for peer in &mut peers {
        peer.receive_at_last("bye");
        peer.send_json(&json!({"type": "leave"}));
    }
    for peer in &mut peers {
        peer.receive_all_until_close(1012);
    }
}

#[test]
fn the_others_hear_why_a_peer_has_left() {
    let server = draining().set("server.drain_ms", 5000).start();
    let peers = server.join_all("blue", 6);
    server.terminate();
    let mut peers = by_place(peers);
    assert_eq!(peers.pop().unwrap().receive_at_last("peer_left")["reason"], "server_draining");
}

#[test]
fn a_join_while_draining_is_refused() {
    let server = draining().start();
    let peers = (0..6).map(|_| server.connect()).collect();
    server.terminate();
    let mut late = by_place(peers).pop().unwrap();
    late.send_json(&json!({"type": "join", "room": "blue", "id": "late"}));
    let reply = late.receive_any();
    assert_eq!(reply["re"], "late", "{}", reply.text);
    assert_eq!(reply["code"], "server_draining", "{}", reply.text);
}

#[test]
fn when_the_last_peer_goes_it_does_not_wait_for_the_drain_time() {
    let mut server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let peers = server.join_all("blue", 3);
    server.terminate();
    for mut peer in peers {
        peer.receive_at_last("bye");
        peer.abort();
    }
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn peers_that_do_not_read_or_answer_do_not_hold_it_up() {
    let mut server = draining().set("server.drain_ms", 500).set("server.drain_deadline_ms", 1500).start();
    let mut deaf = server.join_slow("blue");
    deaf.answers_pings = false;
    let mut alice = server.join("blue");
    for _ in 0..12 {
        alice.send_signal(&deaf.id, &json!("x".repeat(30_000)));
    }
    alice.receive_all();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn the_time_it_took_is_logged_and_told_by_the_next_start() {
    let mut first = draining().set("server.drain_ms", 300).start();
    assert_eq!(first.scrape().find("switchboard_last_shutdown_duration_seconds"), None, "there was none before");
    let peer = first.join("blue");
    let since = Instant::now();
    first.terminate();
    watch(peer, since).join().unwrap();
    assert_eq!(first.wait_exit(PATIENCE).code(), Some(0));
    let took = since.elapsed().as_secs_f64();
    let second = TestServer::builder().state(first.state()).start();
    let told = second.scrape().find("switchboard_last_shutdown_duration_seconds").expect("the last one's time");
    assert!(told > 0.0 && told <= took, "{told} s, and {took} s from outside");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_one_warning_and_no_failure() {
    let file = temp_dir();
    let path = file.path().join("a file, no directory");
    std::fs::write(&path, "").unwrap();
    let mut server = TestServer::set("state.dir", path.join("state").display()).start();
    server.join("blue").close();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    let warnings: Vec<_> = server.log().lines().into_iter().filter(|line| line.says("level", "warning")).collect();
    let events: Vec<_> = warnings.iter().map(Line::event).filter(|event| event.starts_with("shutdown")).collect();
    assert_eq!(events, ["shutdown_record_failed"], "{warnings:#?}");
}

#[test]
fn a_second_signal_does_not_hurt() {
    let mut server = draining().start();
    let peers = server.join_all("blue", 6);
    server.terminate();
    wait_until_draining(server.public);
    server.terminate();
    let watches: Vec<_> = peers.into_iter().map(|peer| watch(peer, Instant::now())).collect();
    for watch in watches {
        watch.join().expect("an orderly end");
    }
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

/// The places that these are told, in milliseconds, sorted.
#[track_caller]
fn places(peers: &mut [TestPeer]) -> Vec<u64> {
    let place = |peer: &mut TestPeer| peer.receive_at_last("bye")["retryAfterMs"].as_u64().expect("retryAfterMs");
    let mut places: Vec<_> = peers.iter_mut().map(place).collect();
    places.sort_unstable();
    places
}

#[test]
fn peers_who_are_all_on_one_thread_are_spread_over_all_of_the_time() {
    let server = draining().set("server.workers", 4).set("limits.peers_per_room", 20).start();
    // The handshake that names the room brings them to that room's thread.
    let handshake = Handshake::new().request_line("GET /ws?room=blue HTTP/1.1");
    let join = |_| {
        let mut peer = TestPeer::open(http::dial(server.public), &handshake);
        peer.receive("welcome");
        peer.join("blue");
        peer
    };
    let mut peers: Vec<_> = (0..20).map(join).collect();
    server.terminate();
    let even: Vec<u64> = (0..20).map(|nth| 200 + nth * 90).collect();
    assert_eq!(places(&mut peers), even);
}

#[test]
fn those_who_are_away_take_no_place_among_those_who_come_back() {
    let server = draining().start();
    for nth in 0..10 {
        let mut away = server.connect();
        away.join_with_fields(&json!({"type": "join", "room": format!("red {nth}"), "resumable": true}));
        away.receive_nothing();
        away.abort();
    }
    server.wait_for_metric("switchboard_parked_sessions", 10.0);
    let mut peers = server.join_all("blue", 10);
    server.terminate();
    let even: Vec<u64> = (0..10).map(|nth| 200 + nth * 180).collect();
    assert_eq!(places(&mut peers), even);
}

#[test]
fn who_is_away_when_the_server_goes_leaves_once_and_holds_nobody_up() {
    let mut server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let mut ids = Vec::new();
    for room in ["blue", "red", "green"] {
        let mut away = server.connect();
        away.join_with_fields(&json!({"type": "join", "room": room, "resumable": true}));
        away.receive_nothing();
        ids.push(away.id.clone());
        away.abort();
    }
    server.wait_for_metric("switchboard_parked_sessions", 3.0);
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    server.wait_for_log("the last line", |line| line.event() == "server_stopped");
    for event in ["peer_left", "connection_closed"] {
        let reason = if event == "peer_left" { "server_draining" } else { "disconnected" };
        for id in &ids {
            let lines = server.log().lines_where(event);
            let lines: Vec<_> = lines.iter().filter(|line| line.says("peer_id", id)).collect();
            assert!(lines.len() == 1 && lines[0].says("reason", reason), "{event}: {lines:#?}");
        }
    }
}
