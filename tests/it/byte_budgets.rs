//! What one connection, and all of one address, may send in bytes.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Received, TestPeer, TestServer, eventually, http,
    ws::{Handshake, first, frame},
};

/// Signals that flood: each as long as this.
const LONG: usize = 10_000;

/// `count` signals of [`LONG`] bytes, numbered.
fn long_signals(to: &str, count: usize) -> Vec<u8> {
    let filling = "x".repeat(LONG);
    let signal = |number| json!({"type": "signal", "to": to, "kind": "app", "data": [number, filling]}).to_string();
    (0..count).flat_map(|number| frame(first::TEXT, signal(number).as_bytes())).collect()
}

/// Hears as many of them, in order.
#[track_caller]
fn receive_signals(peer: &mut TestPeer, count: usize) {
    for number in 0..count {
        assert_eq!(peer.receive("signal")["data"][0], number);
    }
}

/// A peer of that address, behind a proxy on this machine.
#[track_caller]
fn connect_as(server: &TestServer, client: &str) -> TestPeer {
    let mut peer = TestPeer::open(http::dial(server.public), &Handshake::new().with("X-Forwarded-For", client));
    peer.receive("welcome");
    peer
}

/// Two peers of that address, in a room of their own.
#[track_caller]
fn pair_of(server: &TestServer, client: &str, room: &str) -> [TestPeer; 2] {
    let [mut alice, mut bob] = [connect_as(server, client), connect_as(server, client)];
    alice.join(room);
    bob.join(room);
    alice.receive_joined(&bob.id);
    [alice, bob]
}

/// What it was told, none of which answers a request.
#[track_caller]
fn complaints(heard: &[Received], about: &str) -> usize {
    for error in heard {
        assert_eq!((error.kind(), &error["code"], error.json().get("re")), ("error", &json!("rate_limited"), None));
        assert!(error.text("message").contains(about), "{}", error.text);
        assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{}", error.text);
    }
    heard.len()
}

fn hits(limit: &str) -> String {
    format!("switchboard_limit_hits_total{{limit=\"{limit}\"}}")
}

/// Waits until so many spells are counted. There may be more: one ends whenever nothing is there to be read.
#[track_caller]
fn has_hits(server: &TestServer, limit: &str, least: f64) {
    eventually("spells are counted", || match server.scrape().find(&hits(limit)) {
        Some(count) if count >= least => Ok(()),
        count => Err(format!("{limit}: {count:?}")),
    });
}

#[test]
fn bytes_beyond_the_burst_are_read_at_the_rate_with_nothing_lost() {
    let server = TestServer::set("limits.byte_rate", 200_000).set("limits.byte_burst", 200_000).start();
    let [mut alice, mut bob] = server.join_some("blue");
    let began = Instant::now();
    alice.send(&long_signals(&bob.id, 60));
    receive_signals(&mut bob, 60);
    // Of 600 kB a burst passes, and what one read may take beyond it.
    assert!(began.elapsed() >= Duration::from_millis(1600), "{:?}", began.elapsed());
    let told = complaints(&alice.receive_all(), "byteRate:");
    assert!((1..=began.elapsed().as_secs() + 1).contains(&(told as u64)), "told {told} times in {:?}", began.elapsed());
    has_hits(&server, "byte_rate", 1.0);
}

#[test]
fn who_sends_too_many_bytes_without_a_pause_is_closed_with_4002() {
    let server = TestServer::set("limits.byte_rate", 50_000)
        .set("limits.byte_burst", 70_000)
        .set("limits.flood_timeout_ms", 600)
        .start();
    let [mut flooder, mut witness] = server.join_some("blue");
    // Blocks when the kernel's buffers are full, until the server ends it.
    let _ = flooder.try_send(&long_signals(&witness.id, 40));
    assert_eq!(flooder.receive_at_last("bye")["reason"], "rate_limited");
    flooder.receive_close(4002);
    witness.receive_at_last("peer_left");
}

#[test]
fn a_session_that_comes_back_has_the_budget_that_it_had() {
    let server = TestServer::set("limits.byte_rate", 1024).set("limits.byte_burst", 100_000).start();
    let mut bob = server.join("blue");
    let mut alice = server.connect();
    let joined = alice.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    let token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    bob.receive_joined(&alice.id);
    alice.send(&long_signals(&bob.id, 12));
    has_hits(&server, "byte_rate", 1.0);
    alice.abort();
    let mut alice = server.connect();
    alice.send_json(&json!({"type": "ping"}));
    alice.receive("pong");
    alice
        .join_with_fields(&json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 0}, "attempt": 1}));
    alice.send_json(&json!({"type": "ping"}));
    assert_eq!(alice.receive_any()["code"], "rate_limited", "of the old connection");
    complaints(&[alice.receive_error("rate_limited")], "byteRate:");
}

#[test]
fn all_connections_of_an_address_have_one_budget_and_who_waits_for_the_others_is_not_ended() {
    let server = TestServer::set("http.trusted_proxies", "127.0.0.1")
        .set("limits.byte_rate_per_address", 200_000)
        .set("limits.byte_burst_per_address", 200_000)
        .set("limits.flood_timeout_ms", 300)
        .start();
    let mut pairs = ["blue", "red"].map(|room| pair_of(&server, "192.0.2.1", room));
    let mut other = pair_of(&server, "192.0.2.2", "green");
    let began = Instant::now();
    for [alice, bob] in &mut pairs {
        alice.send(&long_signals(&bob.id, 40));
    }
    let [alice, bob] = &mut other;
    alice.send(&long_signals(&bob.id, 10));
    receive_signals(bob, 10);
    assert_eq!(alice.receive_all().len(), 0, "of another address");
    for [_, bob] in &mut pairs {
        receive_signals(bob, 40);
    }
    // Of 800 kB a burst passes, and what each connection may read before its address knows.
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());
    for [alice, _] in &mut pairs {
        let told = complaints(&alice.receive_all(), "byteRatePerAddress");
        assert!(told as u64 <= began.elapsed().as_secs() + 1, "told {told} times in {:?}", began.elapsed());
    }
    has_hits(&server, "byte_rate_per_address", 2.0);
    assert_eq!(server.scrape().find(&hits("byte_rate")).unwrap_or(0.0), 0.0);
}

#[test]
fn what_a_client_sends_counts_for_the_address_that_it_came_back_from() {
    let server = TestServer::set("http.trusted_proxies", "127.0.0.1")
        .set("limits.byte_rate_per_address", 1024)
        .set("limits.byte_burst_per_address", 100_000)
        .start();
    let mut bob = connect_as(&server, "192.0.2.9");
    let mut alice = connect_as(&server, "192.0.2.1");
    bob.join("blue");
    let joined = alice.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    let token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    bob.receive_joined(&alice.id);
    // Who has not shown that it knows of its token is not waited for.
    alice.send_json(&json!({"type": "ping", "ack": 0}));
    alice.receive("pong");
    alice.abort();
    let mut alice = connect_as(&server, "192.0.2.2");
    alice
        .join_with_fields(&json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 0}, "attempt": 1}));
    alice.send(&long_signals(&bob.id, 12));
    has_hits(&server, "byte_rate_per_address", 1.0);
    let [mut before, mut now] = ["192.0.2.1", "192.0.2.2"].map(|client| connect_as(&server, client));
    // More than is read before the address is charged.
    let silent = frame(first::PONG, &[0; 125]).repeat(160);
    before.send(&silent);
    before.receive_nothing();
    before.receive_nothing();
    now.send(&silent);
    now.send_json(&json!({"type": "ping"}));
    let mut heard = now.receive_any();
    if heard.kind() == "pong" {
        // It came in one piece with what was charged.
        now.send_json(&json!({"type": "ping"}));
        heard = now.receive_any();
    }
    complaints(&[heard], "byteRatePerAddress");
}

#[test]
fn a_mesh_of_ten_with_the_longest_offers_never_meets_a_budget() {
    let server = TestServer::set("limits.exempt_loopback", false).start();
    let mut peers = server.join_all("blue", 10);
    let mut last = peers.pop().expect("ten");
    let signal = |to: &str, kind: &str, data: String| {
        frame(first::TEXT, json!({"type": "signal", "to": to, "kind": kind, "data": data}).to_string().as_bytes())
    };
    let offers = peers.iter().flat_map(|peer| signal(&peer.id, "offer", "o".repeat(65_400)));
    let candidates = (0..10).flat_map(|_| peers.iter().map(|peer| peer.id.clone()).collect::<Vec<_>>());
    let candidates = candidates.flat_map(|id| signal(&id, "candidate", "c".repeat(250)));
    last.send(&offers.chain(candidates).collect::<Vec<_>>());
    for peer in &mut peers {
        assert!((0..11).all(|_| peer.receive("signal")["from"] == last.id.as_str()));
    }
    assert_eq!(last.receive_all().len(), 0);
    assert_eq!(server.scrape().sum("switchboard_limit_hits_total", ""), 0.0);
}
