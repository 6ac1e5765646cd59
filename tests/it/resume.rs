//! Sessions that outlive their socket.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    PATIENCE, TestPeer, TestServer,
    ws::{close_payload, first, frame},
};

/// A peer that may be resumed, and the token of its session. It has shown that its `joined` arrived.
fn resumable(server: &TestServer, room: &str) -> (TestPeer, String) {
    let mut peer = server.connect();
    let joined = peer.join_with_fields(&json!({"type": "join", "room": room, "resumable": true}));
    assert!(joined["resume"]["windowMs"].is_u64(), "{}", joined.json());
    peer.send_json(&json!({"type": "ping", "ack": 0}));
    assert_eq!(peer.receive("pong")["ack"], 0);
    let token = token(joined.json());
    (peer, token)
}

fn token(joined: &Value) -> String {
    joined["resume"]["token"].as_str().expect("a token").to_owned()
}

/// Comes back on a new connection.
fn resume(server: &TestServer, room: &str, token: &str, ack: u64) -> (TestPeer, Value) {
    let mut peer = server.connect();
    let resume = json!({"type": "join", "room": room, "resume": {"token": token, "ack": ack}, "attempt": 1});
    let joined = peer.join_with_fields(&resume).json().clone();
    (peer, joined)
}

fn receive_of(witness: &mut TestPeer, kind: &str, who: &str) -> Value {
    let heard = witness.receive(kind).json().clone();
    assert_eq!(heard["id"], who, "{heard}");
    heard
}

#[test]
fn a_lost_socket_costs_nothing_that_was_said_meanwhile() {
    let server = TestServer::start();
    let (ada, token) = resumable(&server, "blue");
    let mut grace = server.join("blue");
    let id = ada.id.clone();
    ada.abort();
    assert!(receive_of(&mut grace, "peer_away", &id)["until"].is_u64());
    for n in 0..20 {
        grace.send_signal(&id, &json!(n));
    }
    grace.receive_nothing();
    // Ada never heard that Grace came: that was frame 1.
    let (mut ada, joined) = resume(&server, "blue", &token, 0);
    assert_eq!((&joined["complete"], &joined["ack"], &joined["self"]["id"]), (&json!(true), &json!(0), &json!(id)));
    assert!(joined.get("peers").is_none(), "{joined}");
    ada.receive_joined(&grace.id);
    for n in 0..20 {
        assert_eq!(ada.receive("signal")["data"], n);
    }
    receive_of(&mut grace, "peer_back", &id);
    ada.send_signal(&grace.id, &json!("back"));
    assert_eq!(grace.receive("signal")["data"], "back");
    server.wait_for_metric("switchboard_reconnection_attempts_total{result=\"resumed\"}", 1.0);
    server.wait_for_connections(2);
}

#[test]
fn what_was_acknowledged_is_not_said_again() {
    let server = TestServer::start();
    let (mut ada, token) = resumable(&server, "blue");
    let mut grace = server.join("blue");
    ada.receive_joined(&grace.id);
    ada.send_signal(&grace.id, &json!("once"));
    grace.receive("signal");
    ada.send_json(&json!({"type": "ping", "ack": 1}));
    assert_eq!(ada.receive("pong")["ack"], 1);
    let id = ada.id.clone();
    ada.abort();
    receive_of(&mut grace, "peer_away", &id);
    let (mut ada, joined) = resume(&server, "blue", &token, 1);
    assert_eq!((&joined["complete"], &joined["ack"]), (&json!(true), &json!(1)));
    ada.receive_nothing();
}

#[test]
fn whoever_missed_too_much_gets_the_whole_room_and_counts_anew() {
    let server = TestServer::set("limits.resume_frames", 5).any_pace().start();
    let mut first = server.join("blue");
    let (mut ada, token) = resumable(&server, "blue");
    let id = ada.id.clone();
    first.receive_joined(&id);
    let last = server.join("blue");
    ada.receive_joined(&last.id);
    ada.abort();
    assert_eq!(first.receive("peer_joined")["id"], last.id);
    receive_of(&mut first, "peer_away", &id);
    // Signals would be refused for it; what happens in the room is not.
    for n in 0..10 {
        first.send_json(&json!({"type": "update", "meta": {"n": n}}));
    }
    (0..10).for_each(|_| drop(first.receive("peer_updated")));
    let (mut ada, joined) = resume(&server, "blue", &token, 1);
    assert_eq!(joined["complete"], false, "{joined}");
    let polite = |who: &str| {
        let peers = joined["peers"].as_array().expect("peers");
        peers.iter().find(|peer| peer["id"] == who).expect("is there")["polite"].clone()
    };
    assert_eq!((polite(&first.id), polite(&last.id)), (json!(true), json!(false)), "politeness stays as it was");
    receive_of(&mut first, "peer_back", &id);
    first.send_signal(&id, &json!("new"));
    assert_eq!(ada.receive("signal")["data"], "new");
    ada.send_json(&json!({"type": "ping", "ack": 1}));
    assert_eq!(ada.receive("pong")["ack"], 0);
}

#[test]
fn a_seat_is_kept_for_the_window_and_no_longer() {
    let server = TestServer::set("limits.resume_window_ms", 300).start();
    let (ada, token) = resumable(&server, "blue");
    let mut grace = server.join("blue");
    let id = ada.id.clone();
    ada.abort();
    receive_of(&mut grace, "peer_away", &id);
    grace.receive_left(&id, "timeout");
    let mut late = server.connect();
    late.send_json(&json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 0}}));
    late.receive_error("session_not_found");
    late.join("blue");
    grace.receive_joined(&late.id);
    server.wait_for_metric("switchboard_leaves_total{reason=\"timeout\"}", 1.0);
    server.wait_for_metric("switchboard_reconnection_attempts_total{result=\"not_found\"}", 1.0);
}

#[test]
fn a_newcomer_is_told_who_is_away() {
    let server = TestServer::start();
    let (ada, _) = resumable(&server, "blue");
    let mut grace = server.join("blue");
    let id = ada.id.clone();
    ada.abort();
    receive_of(&mut grace, "peer_away", &id);
    server.wait_for_metric("switchboard_parked_sessions", 1.0);
    server.wait_for_metric("switchboard_joined_connections", 1.0);
    let carol = server.join("blue");
    let joined = carol.joined.as_ref().expect("joined").json().clone();
    let peers = joined["peers"].as_array().expect("peers");
    let away: Vec<_> = peers.iter().filter(|peer| peer["away"]["until"].is_u64()).map(|peer| &peer["id"]).collect();
    assert_eq!(away, [&json!(id)], "{joined}");
}

#[test]
fn a_socket_that_is_still_there_is_told_that_it_was_replaced() {
    let server = TestServer::start();
    let (mut old, token) = resumable(&server, "blue");
    let mut grace = server.join("blue");
    old.receive_joined(&grace.id);
    let (mut new, joined) = resume(&server, "blue", &token, 1);
    assert_eq!(joined["complete"], true);
    old.receive_bye("session_taken", 4500);
    new.send_signal(&grace.id, &json!("here"));
    assert_eq!(grace.receive("signal")["data"], "here", "the room heard of nothing before");
}

#[test]
fn only_the_latest_token_is_good_once_it_was_proven() {
    let server = TestServer::start();
    let (ada, first_token) = resumable(&server, "blue");
    ada.abort();
    // The answer is lost: the former token is good again.
    let (lost, _) = resume(&server, "blue", &first_token, 0);
    lost.abort();
    let (mut ada, joined) = resume(&server, "blue", &first_token, 0);
    ada.send_json(&json!({"type": "ping"}));
    ada.receive("pong");
    let mut thief = server.connect();
    thief.send_json(&json!({"type": "join", "room": "blue", "resume": {"token": first_token, "ack": 0}}));
    thief.receive_error("session_not_found");
    thief.send_json(&json!({"type": "join", "room": "red", "resume": {"token": token(&joined), "ack": 0}}));
    thief.receive_error("session_not_found");
    thief.send_json(&json!({"type": "join", "room": "blue", "resume": {"token": token(&joined), "ack": 7}}));
    thief.receive_error("invalid_message");
    ada.receive_nothing();
}

#[test]
fn whoever_says_goodbye_or_never_showed_its_token_is_gone_at_once() {
    let server = TestServer::start();
    let mut grace = server.join("blue");
    for goodbye in [Some(1000), Some(1001), None] {
        let (mut ada, _) = resumable(&server, "blue");
        grace.receive_joined(&ada.id);
        let payload = goodbye.map_or_else(Vec::new, |code| close_payload(code, ""));
        ada.send(&frame(first::CLOSE, &payload));
        grace.receive_left(&ada.id, "left");
    }
    let mut unproven = server.connect();
    unproven.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    let id = unproven.id.clone();
    grace.receive_joined(&id);
    unproven.abort();
    grace.receive_left(&id, "disconnected");
}

#[test]
fn a_close_frame_in_trouble_parks() {
    let server = TestServer::start();
    let mut grace = server.join("blue");
    let (mut ada, token) = resumable(&server, "blue");
    grace.receive_joined(&ada.id);
    ada.send(&frame(first::CLOSE, &close_payload(4321, "tunnel")));
    ada.receive_close(4321);
    receive_of(&mut grace, "peer_away", &ada.id);
    let (_ada, joined) = resume(&server, "blue", &token, 0);
    assert_eq!(joined["complete"], true);
    receive_of(&mut grace, "peer_back", &ada.id);
}

#[test]
fn a_session_is_found_from_every_arbiter() {
    let server = TestServer::set("server.workers", 3).start();
    let (mut ada, mut token) = resumable(&server, "blue");
    let id = ada.id.clone();
    for round in 0..6 {
        ada.abort();
        let (peer, joined) = resume(&server, "blue", &token, 0);
        assert_eq!((&joined["complete"], &joined["self"]["id"]), (&json!(true), &json!(id)), "round {round}");
        (ada, token) = (peer, self::token(&joined));
        ada.send_json(&json!({"type": "ping"}));
        ada.receive("pong");
    }
    server.wait_for_connections(1);
    server.wait_for_metric("switchboard_peers", 1.0);
    server.wait_for_metric("switchboard_parked_sessions", 0.0);
}

#[test]
fn a_peer_that_was_cut_for_slowness_resumes_completely() {
    let server = TestServer::set("limits.slow_ms", 300).set("limits.busy_pause_ms", 50).any_pace().start();
    let mut grace = server.join("blue");
    let (ada, token) = resumable(&server, "blue");
    let id = ada.id.clone();
    grace.receive_joined(&id);
    // Ada reads nothing from here on. What the kernels take between them is not acknowledged either, and stays kept.
    let (mut said, mut away) = (0, false);
    let until = Instant::now() + PATIENCE;
    while !away {
        grace.send_signal(&id, &json!({"n": said, "padding": "x".repeat(1_000)}));
        let heard = grace.receive_all();
        said += u32::from(heard.iter().all(|heard| heard["code"] != "peer_busy"));
        away = heard.iter().any(|heard| heard.kind() == "peer_away");
        assert!(Instant::now() < until, "a reader that reads nothing is never cut");
    }
    let (mut ada, joined) = resume(&server, "blue", &token, 0);
    if joined["complete"] == true {
        for n in 0..said {
            assert_eq!(ada.receive("signal")["data"]["n"], n);
        }
    } else {
        // With what stands around its padding, a frame has fewer than 1 150 bytes.
        assert!(said > 512 || said * 1_150 > 1_572_864, "{said} frames fit what is kept");
    }
}
