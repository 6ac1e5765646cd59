//! Sessions that change their sockets while something else happens.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[cfg(feature = "fault-injection")]
use crate::support::ws;
use crate::support::{
    TestPeer, TestServer, eventually, expect_eq, http,
    ws::{Handshake, first, frame},
};

/// A resumable peer whose token is good, and that token.
fn resumable(server: &TestServer, room: &str) -> (TestPeer, String) {
    let mut peer = server.connect();
    let joined = peer.join_with_fields(&json!({"type": "join", "room": room, "resumable": true, "meta": {"n": 0}}));
    let token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    peer.send_json(&json!({"type": "ping"}));
    peer.receive("pong");
    (peer, token)
}

fn resume(room: &str, token: &str, ack: u64) -> Value {
    json!({"type": "join", "room": room, "resume": {"token": token, "ack": ack}, "attempt": 1})
}

fn opened_and_closed(server: &TestServer) -> (f64, f64) {
    let scrape = server.scrape();
    let sum = |name| scrape.sum(name, "");
    (sum("switchboard_connections_opened_total"), sum("switchboard_connections_closed_total"))
}

#[test]
fn a_connection_that_comes_to_a_session_too_late_is_told_as_ended_like_any_other() {
    let server = TestServer::builder().any_pace().start();
    let rounds = 100_u32;
    for round in 0..rounds {
        // Where the leave comes too late the seat is kept for a while, so each has a room of its own.
        let room = format!("room-{round}");
        let (mut old, token) = resumable(&server, &room);
        let mut new = server.connect();
        // The session leaves its room while the socket is on its way to it, or before, or after.
        new.send_json(&resume(&room, &token, 0));
        old.send_json(&json!({"type": "leave"}));
        drop((old, new));
    }
    eventually("every connection that was opened was closed", || {
        expect_eq(&opened_and_closed(&server), &(f64::from(2 * rounds), f64::from(2 * rounds)))
    });
    assert_eq!(server.log().lines_where("connection_closed").len(), 200);
}

#[test]
fn a_socket_that_is_lost_while_it_is_replaced_costs_the_new_one_nothing() {
    let server = TestServer::builder().any_pace().start();
    for round in 0..120_u32 {
        let (old, token) = resumable(&server, "blue");
        let id = old.id.clone();
        let mut new = server.connect();
        new.send_json(&resume("blue", &token, 0));
        // At every step of the way from the one session to the other, over the rounds.
        let said = Instant::now();
        while said.elapsed() < Duration::from_micros(10) * (round % 60) {
            std::hint::spin_loop();
        }
        old.abort();
        let joined = new.receive("joined");
        assert_eq!((&joined["complete"], &joined["self"]["id"]), (&json!(true), &json!(id)), "round {round}");
        new.leave();
    }
}

/// Pings whose answers are more than the kernel takes from a server whose client does not read.
const PINGS: usize = 600;
/// As many as a number may have, and a double can hold.
const DIGITS: usize = 300;

#[test]
fn what_still_waits_on_a_connection_goes_along_with_it() {
    let server =
        TestServer::set("heartbeat.send_buffer_bytes", 4096).set("limits.queue_frames", 2 * PINGS).any_pace().start();
    let (ada, token) = resumable(&server, "blue");
    let id = ada.id.clone();
    ada.abort();
    let mut new = TestPeer::open(http::dial_with_small_buffer(server.public), &Handshake::new());
    // Answers that the kernel takes only in part, since nobody reads them yet.
    let long = format!("{{\"type\":\"ping\",\"t\":{}}}", "7".repeat(DIGITS));
    for _ in 0..PINGS {
        new.send(&frame(first::TEXT, long.as_bytes()));
    }
    new.send_json(&resume("blue", &token, 0));
    server.wait_for_metric("switchboard_reconnection_attempts_total{result=\"resumed\"}", 1.0);
    new.receive("welcome");
    for _ in 0..PINGS {
        assert_eq!(new.receive("pong").raw("t").len(), DIGITS);
    }
    assert_eq!(new.receive("joined")["self"]["id"], id);
    new.receive_nothing();
}

#[test]
fn a_resumed_peer_is_told_its_own_metadata() {
    let server = TestServer::start();
    let (mut ada, token) = resumable(&server, "blue");
    ada.send_json(&json!({"type": "update", "meta": {"n": 1}}));
    ada.receive("peer_updated");
    ada.abort();
    let mut ada = server.connect();
    let joined = ada.join_with_fields(&resume("blue", &token, 1));
    assert_eq!((&joined["complete"], &joined["self"]["meta"]), (&json!(true), &json!({"n": 1})));
}

#[test]
fn a_join_that_is_refused_changes_nothing_for_the_one_under_way() {
    let server = TestServer::start();
    let mut ada = server.connect();
    let first_join = json!({"type": "join", "id": "1", "room": "blue", "resumable": true}).to_string();
    let second_join = json!({"type": "join", "id": "2", "room": "blue"}).to_string();
    ada.send(&[frame(first::TEXT, first_join.as_bytes()), frame(first::TEXT, second_join.as_bytes())].concat());
    assert_eq!(ada.receive_error("already_joined")["re"], "2");
    let joined = ada.receive("joined");
    assert_eq!(joined["re"], "1");
    assert!(joined["resume"]["token"].is_string(), "{}", joined.text);
}

#[test]
fn a_leave_on_the_way_into_a_full_room_is_answered() {
    let server = TestServer::set("limits.peers_per_room", 1).start();
    let _ada = server.join("blue");
    let mut bob = server.connect();
    let join = json!({"type": "join", "id": "1", "room": "blue"}).to_string();
    let leave = json!({"type": "leave", "id": "2"}).to_string();
    bob.send(&[frame(first::TEXT, join.as_bytes()), frame(first::TEXT, leave.as_bytes())].concat());
    assert_eq!(bob.receive_error("room_full")["re"], "1");
    assert_eq!(bob.receive_error("not_in_room")["re"], "2");
}

#[test]
fn after_a_leave_a_refused_join_still_leaves_the_whole_time_to_join() {
    let server = TestServer::set("limits.peers_per_room", 2)
        .set("limits.join_timeout_ms", 3_500)
        .set("limits.resume_window_ms", 1_000)
        .start();
    let mut ada = server.join("blue");
    let (bob, _) = resumable(&server, "red");
    let mut carol = server.join("red");
    // So long that a connection which came now is closed.
    server.connect().receive_bye("join_timeout", 4000);
    ada.leave();
    ada.send_json(&json!({"type": "join", "room": "red"}));
    ada.receive_error("room_full");
    // A sweep or two later, and long before its time is up.
    let id = bob.id.clone();
    bob.abort();
    carol.receive("peer_away");
    carol.receive_left(&id, "timeout");
    ada.join("red");
}

/// Of connections that are in no room, those on another thread than the room's, which hangs for a while.
#[cfg(feature = "fault-injection")]
fn elsewhere(server: &TestServer, mut peers: Vec<TestPeer>) -> Vec<TestPeer> {
    stall(server, "blue", Duration::from_secs(2));
    for peer in &mut peers {
        peer.send_json(&json!({"type": "ping"}));
    }
    // A quarter of the time for which the room hangs; whoever was answered meanwhile is read off at once.
    let soon = Instant::now() + Duration::from_millis(500);
    let answered = |peer: &mut TestPeer| {
        let left = soon.saturating_duration_since(Instant::now());
        peer.next(left.max(Duration::from_millis(5))).is_ok()
    };
    peers.into_iter().filter_map(|mut peer| answered(&mut peer).then_some(peer)).collect()
}

/// Has the room's thread hang, and waits until it does: its message may be handled after much that came to that thread later.
#[cfg(feature = "fault-injection")]
fn stall(server: &TestServer, room: &str, time: Duration) {
    let path = format!("GET /ws?room={room} HTTP/1.1");
    let mut on_its_thread = TestPeer::open(http::dial(server.public), &Handshake::new().request_line(&path));
    on_its_thread.receive("welcome");
    let ms = time.as_millis();
    let head = format!(
        "POST /fault/room-stall?room={room}&ms={ms} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(http::exchange(server.ops, &head).status, 202);
    let ends = Instant::now() + time;
    loop {
        assert!(Instant::now() < ends, "the room's thread answers although it was told to hang");
        on_its_thread.send_json(&json!({"type": "ping"}));
        match on_its_thread.next(time / 8) {
            Ok(_) => {}
            Err(ws::Ended::Silence) => return,
            Err(end) => panic!("{end:?} instead of silence"),
        }
    }
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_session_that_is_parked_while_it_waits_for_its_whole_room_ends_with_its_window() {
    // The room hangs for longer than a client may be silent, which is long enough for a busy machine, the window is over later, and
    // nobody ends the server for it.
    let hangs = Duration::from_secs(8);
    let server = TestServer::set("limits.resume_frames", 5)
        .set("limits.resume_window_ms", hangs.as_millis())
        .set("limits.busy_pause_ms", 50)
        .set("heartbeat.interval_ms", 2000)
        .set("watchdog.silent_ms", 20_000)
        .set("watchdog.exit_ms", 30_000)
        .any_pace()
        .start();
    let mut host = server.join("blue");
    let peers = (0..12).map(|_| server.connect()).collect();
    let mut peers = elsewhere(&server, peers);
    host.receive_nothing();
    assert!(peers.len() >= 3, "only {} connections are not on the room's thread", peers.len());
    let (mut ada, mut grace, mut new) = (peers.remove(0), peers.remove(0), peers.remove(0));
    let joined = ada.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    ada.send_json(&json!({"type": "ping"}));
    ada.receive("pong");
    grace.join("blue");
    let (id, token) = (ada.id.clone(), joined["resume"]["token"].as_str().expect("a token").to_owned());
    ada.abort();
    grace.receive("peer_away");
    // More than is kept: the resume cannot be complete, and needs the room, which hangs.
    for n in 0..10 {
        grace.send_json(&json!({"type": "update", "meta": {"n": n}}));
    }
    (0..10).for_each(|_| drop(grace.receive("peer_updated")));
    stall(&server, "blue", hangs);
    new.send_json(&resume("blue", &token, 0));
    // More than can wait for the room to answer is refused, and ends nobody. What ends the connection is its silence.
    new.answers_pings = false;
    std::thread::spawn(move || while !matches!(host.next(hangs), Err(ws::Ended::Fin | ws::Ended::Reset)) {});
    let signal = json!({"type": "signal", "to": id, "kind": "app", "data": null}).to_string();
    grace.send(&frame(first::TEXT, signal.as_bytes()).repeat(1000));
    let until = Instant::now() + hangs;
    let bye = loop {
        assert!(grace.receive_all().iter().all(|heard| heard["code"] == "peer_busy"));
        match new.next(Duration::from_millis(20)) {
            Err(ws::Ended::Silence) if Instant::now() < until => {}
            end => break end,
        }
    };
    assert!(matches!(&bye, Ok(ws::Frame::Text(text)) if text.contains("ping_timeout")), "{bye:?} instead of the end");
    grace.receive("peer_back");
    grace.receive("peer_away");
    grace.receive_left(&id, "timeout");
}
