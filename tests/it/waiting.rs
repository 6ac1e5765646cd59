//! Connections that are in no room: who may wait for a seat, for how long, and how many.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    PATIENCE, TestPeer, TestServer, eventually_within, http,
    ws::{Ended, Handshake},
};

const JOIN_WAIT: &str = "switchboard_limit_hits_total{limit=\"join_wait\"}";

/// Tries to join, is refused, and waits as long as it is told. Nothing is heard meanwhile.
#[track_caller]
fn wait_as_told(peer: &mut TestPeer, room: &str) -> Duration {
    peer.send_json(&json!({"type": "join", "room": room, "id": "j"}));
    let error = peer.receive_error("room_full");
    assert_eq!((&error["re"], &error["retryable"]), (&json!("j"), &json!(true)), "{}", error.text);
    let wait = Duration::from_millis(error["retryAfterMs"].as_u64().expect("when to try again"));
    assert_eq!(peer.next(wait), Err(Ended::Silence), "the server does not wait");
    wait
}

#[test]
fn a_client_that_tries_again_when_it_may_waits_on_its_connection_and_gets_the_seat() {
    // Much shorter than what a client is told to wait.
    let server = TestServer::set("limits.peers_per_room", 1).set("limits.join_timeout_ms", 1000).start();
    let alice = server.join("blue");
    let mut bob = server.connect();
    assert_eq!(wait_as_told(&mut bob, "blue"), Duration::from_secs(5));
    bob.send_json(&json!({"type": "join", "room": "blue"}));
    assert_eq!(bob.receive_error("room_full")["retryAfterMs"], 5000);
    alice.close();
    eventually_within(PATIENCE, "the seat is free", || {
        bob.send_json(&json!({"type": "join", "room": "blue"}));
        let heard = bob.receive_any();
        if heard.kind() == "joined" { Ok(()) } else { Err(heard.text) }
    });
}

#[test]
fn a_client_that_asks_on_and_on_or_only_pings_is_closed_when_its_time_to_join_is_up() {
    let server = TestServer::set("limits.peers_per_room", 1).set("limits.join_timeout_ms", 500).any_pace().start();
    let _alice = server.join("blue");
    for frame in [json!({"type": "join", "room": "blue"}), json!({"type": "ping"})] {
        let mut bob = server.connect();
        let bye = loop {
            bob.send_json(&frame);
            let heard = bob.receive_any();
            if heard.kind() == "bye" {
                break heard;
            }
        };
        assert_eq!((&bye["reason"], &bye["action"]), (&json!("join_timeout"), &json!("reconnect")), "{}", bye.text);
    }
    assert_eq!(server.scrape().find(JOIN_WAIT), Some(0.0), "that is no limit on patience");
}

#[test]
fn nobody_is_in_no_room_for_longer_than_may_be_in_all() {
    let server = TestServer::set("limits.peers_per_room", 1).set("limits.join_wait_ms", 1500).start();
    let _alice = server.join("blue");
    let began = Instant::now();
    let mut bob = server.connect();
    bob.send_json(&json!({"type": "join", "room": "blue"}));
    bob.receive_error("room_full");
    let bye = bob.receive_bye("join_timeout", 4000);
    assert_eq!(bye["action"], "reconnect");
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    server.wait_for_metric(JOIN_WAIT, 1.0);
}

#[test]
fn a_stay_in_a_room_begins_the_wait_anew() {
    let server = TestServer::set("limits.join_wait_ms", 2500).start();
    let mut bob = server.join("blue");
    assert_eq!(bob.next(Duration::from_secs(3)), Err(Ended::Silence), "who is in a room does not wait");
    bob.leave();
    let left = Instant::now();
    bob.receive_bye("join_timeout", 4000);
    assert!(left.elapsed() >= Duration::from_millis(2400), "{:?}", left.elapsed());
}

#[test]
fn those_in_no_room_hold_half_of_the_server_and_who_has_waited_longest_goes() {
    let server = TestServer::set("server.max_connections", 6).start();
    let mut member = server.join("blue");
    let mut waiting: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let _fourth = server.connect();
    let bye = waiting.remove(0).receive_bye("join_timeout", 4000);
    assert_eq!(bye["action"], "reconnect", "{}", bye.text);
    server.wait_for_metric(JOIN_WAIT, 1.0);
    waiting.iter_mut().for_each(TestPeer::receive_nothing);
    member.receive_nothing();
    // Who is in a room makes place among those that wait, and who leaves it takes one.
    waiting[0].join("red");
    let _fifth = server.connect();
    waiting[1].receive_nothing();
    waiting[0].leave();
    waiting.remove(1).receive_bye("join_timeout", 4000);
}

#[test]
fn those_of_one_address_hold_half_of_its_share() {
    let server = TestServer::set("http.trusted_proxies", "127.0.0.1").set("limits.connections_per_address", 4).start();
    let connect = |address: &str| {
        let mut peer = TestPeer::open(http::dial(server.public), &Handshake::new().with("X-Forwarded-For", address));
        peer.receive("welcome");
        peer
    };
    let mut other = connect("192.0.2.2");
    let (mut first, mut second) = (connect("192.0.2.1"), connect("192.0.2.1"));
    let mut third = connect("192.0.2.1");
    first.receive_bye("join_timeout", 4000);
    for peer in [&mut other, &mut second, &mut third] {
        peer.receive_nothing();
    }
}

#[test]
fn a_server_that_goes_says_when_a_client_may_come_again() {
    let server = TestServer::set("server.drain_ms", 4000).set("server.drain_deadline_ms", 8000).start();
    let mut peers: Vec<_> = (0..2).map(|_| server.connect()).collect();
    server.terminate();
    let place = |peer: &mut TestPeer| peer.receive("bye")["retryAfterMs"].as_u64().expect("its place");
    let places: Vec<_> = peers.iter_mut().map(place).collect();
    // The other one may be closed before it could ask.
    let last = usize::from(places[1] > places[0]);
    let (place, peer) = (places[last], &mut peers[last]);
    peer.send_json(&json!({"type": "join", "room": "blue", "id": "j"}));
    let error = peer.receive_error("server_draining");
    let wait = error["retryAfterMs"].as_u64().expect("when");
    assert!(wait <= place && error["re"] == "j", "closed after {place} ms: {}", error.text);
    let began = Instant::now();
    peer.receive_close(1012);
    assert!(began.elapsed() + Duration::from_millis(500) >= Duration::from_millis(wait), "closed sooner than said");
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_room_that_dies_while_somebody_resumes_into_it_is_answered_for() {
    let mut server = TestServer::set("limits.resume_frames", 5).any_pace().start();
    server.forgive_panics();
    let fault = |what: &str| {
        let head =
            format!("POST /fault/{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(http::exchange(server.ops, &head).status, 202, "{what}");
    };
    let mut grace = server.join("blue");
    let mut ada = server.connect();
    let joined = ada.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    let token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    ada.send_json(&json!({"type": "ping"}));
    ada.receive("pong");
    grace.receive_joined(&ada.id);
    ada.abort();
    grace.receive("peer_away");
    // More than is kept: the resume needs the whole room.
    for n in 0..10 {
        grace.send_json(&json!({"type": "update", "meta": {"n": n}}));
    }
    (0..10).for_each(|_| drop(grace.receive("peer_updated")));
    let mut ada = server.connect();
    // The room handles neither of them before the fault that comes first.
    fault("room-panic?room=blue");
    ada.send_json(&json!({"type": "join", "id": "r", "room": "blue", "resume": {"token": token, "ack": 0}}));
    let error = ada.receive("error");
    assert_eq!(error["re"], "r", "{}", error.text);
    let code = error.text("code");
    // Or the room was gone, and the session with it, before anybody asked.
    assert!(["room_closed", "session_not_found"].contains(&code.as_str()), "{}", error.text);
    if code == "room_closed" {
        assert_eq!(error["retryable"], true);
        ada.receive("room_closed");
    }
    grace.receive("room_closed");
    ada.join("blue");
}
