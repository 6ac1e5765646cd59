//! Who fills a queue pays for it: no room mate can throw a peer out, and whoever sends more than may wait is slowed and told.

use std::{sync::Barrier, thread, time::Instant};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Received, TestPeer, TestServer};

/// Numbers in order, with so much beside each.
fn burst(peer: &mut TestPeer, to: &Value, frames: usize, bytes: usize) {
    let filling = "x".repeat(bytes);
    for number in 0..frames {
        peer.send_json(&json!({"type": "signal", "to": to, "kind": "app", "data": {"n": number, "x": filling}}));
    }
}

/// Hears so many signals; those of each peer must be numbered in order.
#[track_caller]
fn receive_in_order(peer: &mut TestPeer, signals: usize) {
    let mut next = std::collections::HashMap::new();
    for _ in 0..signals {
        let heard = peer.receive_at_last("signal");
        let number = next.entry(heard.text("from")).or_insert(0_u64);
        assert_eq!(heard["data"]["n"], *number, "from {}", heard["from"]);
        *number += 1;
    }
}

#[test]
fn a_burst_of_long_messages_ends_nobody_and_arrives() {
    let server = TestServer::builder().any_pace().start();
    let mut all = server.join_all("blue", 10);
    let mut flooder = all.pop().expect("ten");
    thread::scope(|scope| {
        for peer in &mut all {
            scope.spawn(|| receive_in_order(peer, 16));
        }
        burst(&mut flooder, &json!("*"), 16, 60_000);
    });
    assert!(flooder.receive_all().is_empty(), "nobody left, and nothing was refused");
}

#[test]
fn small_messages_of_eight_at_once_end_nobody_and_arrive() {
    let server = TestServer::builder().any_pace().start();
    let mut all = server.join_all("blue", 9);
    let mut victim = all.pop().expect("nine");
    let to = json!(victim.id);
    thread::scope(|scope| {
        for peer in &mut all {
            scope.spawn(|| burst(peer, &to, 200, 10));
        }
        receive_in_order(&mut victim, 8 * 200);
    });
    for peer in &mut all {
        assert!(peer.receive_all().iter().all(|heard| heard.kind() == "peer_joined"));
    }
}

/// Nine honest peers that all have much to say at once: nothing is refused and nobody is ended.
fn nine_honest_peers(workers: usize) {
    let server = TestServer::set("server.workers", workers).any_pace().start();
    let mut all = server.join_all("blue", 9);
    let ready = Barrier::new(9);
    thread::scope(|scope| {
        for peer in &mut all {
            scope.spawn(|| {
                peer.receive_all();
                ready.wait();
                let writer = peer.second_half();
                thread::scope(|both| {
                    both.spawn(move || burst_on(writer, 200, 2_000));
                    receive_in_order(peer, 8 * 200);
                });
            });
        }
    });
    for peer in &mut all {
        assert!(peer.receive_all().is_empty(), "nothing was refused, and nobody left");
    }
    assert_eq!(server.scrape().value(r#"switchboard_relays_total{outcome="busy"}"#), 0.0);
}

fn burst_on(mut writer: TestPeer, frames: usize, bytes: usize) {
    burst(&mut writer, &json!("*"), frames, bytes);
}

#[test]
fn nine_honest_peers_that_send_two_hundred_frames_at_once_lose_nothing_on_one_thread() {
    nine_honest_peers(1);
}

#[test]
fn nine_honest_peers_that_send_two_hundred_frames_at_once_lose_nothing_on_two_threads() {
    nine_honest_peers(2);
}

/// Sends until a receiver is too busy for it; the refusal.
#[track_caller]
fn send_until_busy(from: &mut TestPeer, to: &Value) -> Received {
    let filling = "x".repeat(20_000);
    for number in 0..500 {
        from.send_json(
            &json!({"type": "signal", "id": "s", "to": to, "kind": "app", "data": {"n": number, "x": filling}}),
        );
        if let Some(error) = from.receive_all().into_iter().find(|heard| heard.kind() == "error") {
            return error;
        }
    }
    panic!("10 MB are sent to a peer that reads nothing, and none was refused");
}

#[test]
fn a_peer_that_never_reads_is_refused_for_alone_and_ended_when_it_was_slow_for_long() {
    let server = TestServer::set("limits.busy_pause_ms", 100).set("limits.slow_ms", 1500).any_pace().start();
    let deaf = server.join_slow("blue");
    let [mut flooder, mut bob] = server.join_some("blue");
    let error = send_until_busy(&mut flooder, &json!("*"));
    assert_eq!((&error["code"], &error["re"], &error["peers"]), (&json!("peer_busy"), &json!("s"), &json!([deaf.id])));
    assert_eq!((&error["category"], &error["retryable"]), (&json!("RATE_LIMITED"), &json!(true)));
    assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0), "{}", error.text);
    // The other had all of them, and a quiet one's share of the busy one is free.
    let heard = bob.receive_all();
    assert!(heard.iter().any(|heard| heard["data"]["n"].is_u64()));
    bob.send_signal(&deaf.id, &json!("from a quiet one"));
    bob.receive_nothing();
    // It is refused at once from now on: there was no room since.
    flooder.send_signal(&deaf.id, &json!("x".repeat(20_000)));
    let heard = flooder.receive_all();
    assert!(heard.iter().any(|heard| heard["code"] == "peer_busy"), "{heard:?}");
    let left = bob.receive_at_last("peer_left");
    assert_eq!((&left["id"], &left["reason"]), (&json!(deaf.id), &json!("slow_consumer")));
    server.wait_for_metric(r#"switchboard_connections_closed_total{reason="slow_consumer"}"#, 1.0);
    assert!(server.scrape().value(r#"switchboard_relays_total{outcome="busy"}"#) >= 2.0);
    assert!(server.scrape().value("switchboard_busy_pauses_total") >= 1.0);
}

#[test]
fn a_peer_that_leaves_while_a_message_waits_for_it_is_not_found() {
    let server = TestServer::set("limits.busy_pause_ms", 10_000).set("limits.slow_ms", 60_000).any_pace().start();
    let deaf = server.join_slow("blue");
    let mut flooder = server.join("blue");
    burst(&mut flooder, &json!(deaf.id), 40, 50_000);
    server.wait_for_metric_from("switchboard_busy_pauses_total", 1.0);
    let id = deaf.id.clone();
    deaf.abort();
    let heard = flooder.receive_all();
    let refused = heard.iter().find(|heard| heard.kind() == "error").expect("it is told");
    assert_eq!((&refused["code"], &refused["peers"]), (&json!("peer_not_found"), &json!([id])));
}

#[test]
fn a_sender_that_is_ended_while_its_message_waits_leaves_nothing_behind() {
    let server = TestServer::set("limits.busy_pause_ms", 10_000).set("limits.slow_ms", 60_000).any_pace().start();
    let mut slow = server.join_slow("blue");
    let [mut flooder, mut bob] = server.join_some("blue");
    burst(&mut flooder, &json!(slow.id), 40, 50_000);
    server.wait_for_metric_from("switchboard_busy_pauses_total", 1.0);
    let id = flooder.id.clone();
    flooder.abort();
    // Its end is found when it is read again: its receiver reads.
    let deadline = Instant::now() + PATIENCE;
    let mut left = false;
    while !left {
        assert!(Instant::now() < deadline, "the flooder is still there");
        left = slow.receive_any()["id"] == id.as_str();
        left &= slow.receive_any().kind() != "signal";
    }
    bob.receive_at_last("peer_left");
}

/// A peer that may be resumed, and its token.
fn resumable(server: &TestServer) -> (TestPeer, Value) {
    let mut peer = server.connect();
    let joined = peer.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    peer.send_json(&json!({"type": "ping", "ack": 0}));
    peer.receive("pong");
    (peer, joined["resume"]["token"].clone())
}

#[test]
fn who_fills_the_share_of_an_absent_peer_is_told_and_what_the_others_sent_is_complete() {
    let server = TestServer::builder().any_pace().start();
    let (ada, token) = resumable(&server);
    let [mut flooder, mut bob] = server.join_some("blue");
    let id = ada.id.clone();
    ada.abort();
    bob.receive_at_last("peer_away");
    let error = send_until_busy(&mut flooder, &json!([id]));
    assert_eq!((&error["code"], &error["peers"]), (&json!("peer_busy"), &json!([id])));
    burst(&mut bob, &json!(id), 5, 10_000);
    bob.receive_nothing();
    let mut ada = server.connect();
    let resume = json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 0}, "attempt": 1});
    let joined = ada.join_with_fields(&resume);
    assert_eq!(joined["complete"], true, "{}", joined.text);
    let mut of_bob = 0;
    while of_bob < 5 {
        let heard = ada.receive_at_last("signal");
        if heard["from"] == bob.id.as_str() {
            assert_eq!(heard["data"]["n"], of_bob);
            of_bob += 1;
        }
    }
    // What it sends now has room again.
    flooder.send_signal(&id, &json!("welcome back"));
    assert_eq!(ada.receive_at_last("signal")["data"], "welcome back");
}

#[test]
fn a_peer_that_reads_late_finds_everything_in_order() {
    let server = TestServer::set("limits.busy_pause_ms", 10_000).set("limits.slow_ms", 60_000).any_pace().start();
    let mut slow = server.join_slow("blue");
    let mut flooder = server.join("blue");
    let to = json!(slow.id);
    thread::scope(|scope| {
        scope.spawn(|| burst(&mut flooder, &to, 60, 50_000));
        server.wait_for_metric_from("switchboard_busy_pauses_total", 1.0);
        receive_in_order(&mut slow, 60);
    });
    assert!(flooder.receive_all().is_empty(), "nothing was refused");
}

#[test]
fn updates_wait_for_a_peer_that_has_too_much_waiting_and_end_nobody() {
    let server = TestServer::set("limits.busy_pause_ms", 100).set("limits.slow_ms", 60_000).any_pace().start();
    let deaf = server.join_slow("blue");
    let [mut flooder, mut bob] = server.join_some("blue");
    let _ = send_until_busy(&mut flooder, &json!(deaf.id));
    let meta = json!({"name": "y".repeat(4000)});
    let mut refused = 0;
    for _ in 0..400 {
        bob.send_json(&json!({"type": "update", "id": "u", "meta": meta}));
        let heard = bob.receive_all();
        assert!(heard.iter().all(|heard| heard.kind() != "peer_left"), "an update ended somebody");
        refused += heard.iter().filter(|heard| heard["code"] == "peer_busy").count();
    }
    assert!(refused > 0, "1.6 MB of news for a peer that reads nothing");
}
