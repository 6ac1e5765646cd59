//! Peers that say nothing: asked, waited for, ended.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{PATIENCE, TestPeer, TestServer, eventually, ws::Ended};

const INTERVAL: Duration = Duration::from_millis(500);

fn server() -> TestServer {
    TestServer::set("heartbeat.interval_ms", INTERVAL.as_millis()).any_pace().start()
}

#[test]
fn a_silent_peer_is_pinged_then_told_and_closed_with_4001() {
    let server = server();
    let mut witness = server.join("blue");
    // It answers pings while it listens.
    let watch = thread::spawn(move || (witness.receive("peer_joined").text("id"), witness.receive("peer_left")));
    let since = Instant::now();
    let mut silent = server.connect();
    silent.answers_pings = false;
    silent.join("blue");
    let bye = silent.receive_bye("ping_timeout", 4001);
    assert!(silent.pings >= 1, "it was asked before");
    assert!(since.elapsed() >= INTERVAL, "after {:?}", since.elapsed());
    assert_eq!((&bye["action"], bye["retryAfterMs"].is_u64()), (&json!("reconnect"), true), "{}", bye.text);
    let (joined, left) = watch.join().expect("the witness");
    assert_eq!((&joined, &left["id"], &left["reason"]), (&silent.id, &json!(silent.id), &json!("timeout")));
}

#[test]
fn the_welcome_tells_the_heartbeat() {
    let server = server();
    assert_eq!(server.connect().welcome.unwrap()["heartbeat"], json!({"intervalMs": 500, "timeoutMs": 1000}));
}

#[test]
fn a_peer_that_answers_pings_stays() {
    let server = server();
    let mut alice = server.join("blue");
    let quiet_for = Instant::now();
    let end = alice.next(INTERVAL * 6);
    assert_eq!(end, Err(Ended::Silence), "after {:?}", quiet_for.elapsed());
    assert!(alice.pings >= 2, "{} pings", alice.pings);
    alice.receive_nothing();
}

#[test]
fn whatever_a_peer_sends_is_a_sign_of_life() {
    let server = server();
    let mut alice = server.join("blue");
    alice.answers_pings = false;
    let until = Instant::now() + INTERVAL * 6;
    while Instant::now() < until {
        alice.receive_nothing();
    }
}

#[test]
fn the_heartbeat_begins_before_joining() {
    let server = server();
    let mut idler = server.connect();
    idler.answers_pings = false;
    idler.receive_bye("ping_timeout", 4001);
}

#[test]
fn only_the_silent_ones_are_ended() {
    let server = server();
    let mut talkers = server.join_all("blue", 3);
    let mut silent: Vec<TestPeer> = (0..3).map(|_| server.connect()).collect();
    for peer in &mut silent {
        peer.answers_pings = false;
    }
    let until = Instant::now() + PATIENCE;
    while !silent.is_empty() {
        assert!(Instant::now() < until, "{} silent peers are still there", silent.len());
        talkers.iter_mut().for_each(TestPeer::receive_nothing);
        silent.retain_mut(|peer| !matches!(peer.next(Duration::from_millis(20)), Err(Ended::Fin | Ended::Reset)));
    }
    talkers.iter_mut().for_each(TestPeer::receive_nothing);
}

#[test]
fn the_connection_timeout_bounds_the_silence_below_two_intervals() {
    let server = TestServer::set("heartbeat.interval_ms", 900).set("heartbeat.connection_timeout_ms", 1000).start();
    let mut silent = server.connect();
    assert_eq!(silent.welcome.as_ref().unwrap()["heartbeat"]["timeoutMs"], 1000);
    silent.answers_pings = false;
    silent.receive_bye("ping_timeout", 4001);
}

#[test]
fn a_process_that_was_stopped_for_longer_than_any_silence_ends_nobody() {
    let interval = Duration::from_secs(2);
    let server = TestServer::set("heartbeat.interval_ms", interval.as_millis()).any_pace().start();
    let mut peers = server.join_some::<3>("blue");
    server.signal("STOP");
    let stopped = Instant::now();
    eventually("the silence has lasted longer than the timeout", || {
        if stopped.elapsed() > interval * 3 { Ok(()) } else { Err(format!("{:?}", stopped.elapsed())) }
    });
    server.signal("CONT");
    let until = Instant::now() + interval * 2;
    while Instant::now() < until {
        for peer in &mut peers {
            // It answers pings, and says nothing else.
            assert_eq!(peer.next(Duration::from_millis(20)), Err(Ended::Silence));
        }
    }
    assert!(peers.iter().all(|peer| peer.pings > 0), "they were asked whether they are there");
    assert!(!server.log().lines_where("tick_late").is_empty(), "the sweep noticed");
}
