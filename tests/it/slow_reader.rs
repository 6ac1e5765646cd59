//! Peers that do not read what is sent to them: they are ended in time, cost little, and nobody else notices.

use std::time::Instant;

use serde_json::json;

use crate::support::{
    Builder, PATIENCE, TestPeer, TestServer,
    ws::{Ended, close_payload, first, frame},
};

/// What the kernel and the server may hold for one peer that does not read, in bytes, with room to spare: a send
/// buffer of twice 96 KiB, a small receive buffer, a sender's share of 768 KiB.
const GENEROUS: usize = 4 << 20;

/// A server that finds out soon who is slow.
fn quick_server() -> Builder {
    TestServer::set("limits.slow_ms", 300).set("limits.busy_pause_ms", 50).any_pace()
}

/// Sends `size` bytes to one peer, or to `"*"`.
fn send_filling(from: &mut TestPeer, to: &str, size: usize) {
    from.send_signal(to, &json!("x".repeat(size)));
}

/// Sends to `slow` in pieces of `size` bytes until `from` hears that it has left; says why, and how much it took.
#[track_caller]
fn fill_until_gone(from: &mut TestPeer, slow: &str, size: usize) -> (String, usize) {
    let (mut sent, until) = (0, Instant::now() + PATIENCE);
    while Instant::now() < until {
        send_filling(from, slow, size);
        let heard = from.receive_all();
        if let Some(left) = heard.iter().find(|heard| heard.kind() == "peer_left") {
            assert_eq!(left["id"], slow, "{}", left.text);
            return (left.text("reason"), sent);
        }
        // What is refused costs nothing.
        sent += if heard.iter().any(|heard| heard.kind() == "error") { 0 } else { size };
    }
    panic!("{sent} bytes were sent to a peer that reads nothing, and it is still there");
}

#[test]
fn a_peer_that_stops_reading_is_gone_before_it_costs_much() {
    let server = quick_server().start();
    let slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    let (reason, sent) = fill_until_gone(&mut alice, &slow.id, 16_384);
    assert_eq!(reason, "slow_consumer");
    assert!(sent <= GENEROUS, "{sent} bytes");
    server.wait_for_log("why it was ended", |line| {
        line.says("session_id", &slow.session()) && line.says("reason", "slow_consumer")
    });
    server.wait_for_metric(r#"switchboard_connections_closed_total{reason="slow_consumer"}"#, 1.0);
}

#[test]
fn a_peer_that_was_too_slow_is_reset_and_finds_whole_frames_until_then() {
    let server = quick_server().start();
    let mut slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    fill_until_gone(&mut alice, &slow.id, 16_384);
    let end = loop {
        if let Err(end) = slow.next(PATIENCE) {
            break end;
        }
    };
    assert!(matches!(end, Ended::Reset | Ended::Fin), "{end:?}");
}

#[test]
fn nobody_else_notices_a_peer_that_stops_reading() {
    let server = quick_server().start();
    let slow = server.join_slow("blue");
    let [mut sender, mut bob, mut carol] = server.join_some("blue");
    let mut other_room = server.join_all("red", 2);
    let (mut sent, mut gone, until) = (0_u32, false, Instant::now() + PATIENCE);
    while !gone {
        assert!(Instant::now() < until, "the slow one is still there");
        send_filling(&mut sender, "*", 16_384);
        sent += 1;
        sender.receive_all();
        for peer in [&mut bob, &mut carol] {
            let heard = peer.receive_all();
            assert_eq!(heard.iter().filter(|frame| frame.kind() == "signal").count(), 1, "round {sent}");
            gone |= heard.iter().any(|frame| frame.kind() == "peer_left" && frame["id"] == slow.id);
        }
        other_room.iter_mut().for_each(TestPeer::receive_nothing);
    }
}

#[test]
fn a_flood_at_a_peer_that_does_not_read_costs_a_bounded_amount_of_memory() {
    let server = TestServer::builder().any_pace().start();
    let slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    alice.receive_nothing();
    let before = server.memory_kib("VmHWM");
    for _ in 0..20 {
        for _ in 0..50 {
            send_filling(&mut alice, &slow.id, 65_000);
        }
        alice.receive_all();
    }
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 16 << 10, "{grown} KiB more for 65 MB sent to a peer that reads nothing");
}

#[test]
fn many_small_frames_jam_a_peer_as_few_large_ones_do() {
    let server = quick_server().set("limits.queue_bytes", 64 << 20).start();
    let slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    let (reason, sent) = fill_until_gone(&mut alice, &slow.id, 1024);
    assert_eq!(reason, "slow_consumer");
    assert!(sent <= GENEROUS, "{sent} bytes in frames of 1 KiB, when 256 may wait");
}

/// Sends so much that the socket is jammed, though far less than may be queued.
fn jam(from: &mut TestPeer, slow: &TestPeer) {
    for _ in 0..40 {
        send_filling(from, &slow.id, 50_000);
    }
}

/// Hears that the jammed peer has left, and why. Signals that come too late for it are refused before.
#[track_caller]
fn receive_gone(peer: &mut TestPeer, slow: &str, reason: &str) {
    let left = peer.receive_at_last("peer_left");
    assert_eq!((&left["id"], &left["reason"]), (&json!(slow), &json!(reason)), "{}", left.text);
}

fn patient_server() -> Builder {
    TestServer::set("limits.queue_bytes", 64 << 20).any_pace().set("limits.queue_frames", 4096)
}

#[test]
fn a_peer_that_was_slow_for_a_while_finds_everything_in_order() {
    let server = patient_server().start();
    let mut slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    slow.receive("peer_joined");
    for number in 0..200 {
        alice.send_signal(&slow.id, &json!({"number": number, "filling": "x".repeat(10_000)}));
    }
    alice.receive_nothing();
    for number in 0..200 {
        assert_eq!(slow.receive("signal")["data"]["number"], number);
    }
    slow.receive_nothing();
}

#[test]
fn a_jammed_peer_is_still_heard() {
    let server = patient_server().start();
    let mut slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    jam(&mut alice, &slow);
    alice.receive_nothing();
    slow.send_signal(&alice.id, &json!("I am listening, only slowly"));
    assert_eq!(alice.receive("signal")["from"], slow.id);
}

#[test]
fn the_heartbeat_of_a_jammed_peer_goes_on() {
    let server = patient_server().set("heartbeat.interval_ms", 1000).start();
    let slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    jam(&mut alice, &slow);
    receive_gone(&mut alice, &slow.id, "timeout");
}

#[test]
fn a_peer_that_stalls_below_the_limit_is_ended_by_the_kernel() {
    let server = patient_server().set("heartbeat.tcp_user_timeout_ms", 1000).start();
    let slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    jam(&mut alice, &slow);
    receive_gone(&mut alice, &slow.id, "disconnected");
}

#[test]
fn a_jammed_peer_that_hangs_up_is_gone_at_once() {
    let server = patient_server().start();
    let slow = server.join_slow("blue");
    let name = slow.id.clone();
    let mut alice = server.join("blue");
    jam(&mut alice, &slow);
    alice.receive_nothing();
    slow.abort();
    alice.receive_left(&name, "disconnected");
}

#[test]
fn a_jammed_peer_that_closes_in_the_proper_way_has_left() {
    let server = patient_server().start();
    let mut slow = server.join_slow("blue");
    let mut alice = server.join("blue");
    jam(&mut alice, &slow);
    alice.receive_nothing();
    slow.send(&frame(first::CLOSE, &close_payload(1000, "")));
    alice.receive_left(&slow.id, "left");
}

#[test]
fn who_asks_and_asks_without_reading_the_answers_is_a_slow_reader_too() {
    let server = TestServer::builder().any_pace().start();
    let mut alice = server.join("blue");
    let mut deaf = server.join_slow("blue");
    alice.receive_joined(&deaf.id);
    let questions =
        frame(first::TEXT, br#"{"type":"ping","id":"are you there? are you there? are you there?"}"#).repeat(100);
    let before = server.memory_kib("VmHWM");
    // The server resets the connection before all of them are sent.
    let _ = (0..2000).try_for_each(|_| deaf.try_send(&questions));
    alice.receive_left(&deaf.id, "slow_consumer");
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 16 << 10, "{grown} KiB more");
}
