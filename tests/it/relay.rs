//! Signals: to one, to some, to everybody; in order; byte for byte; and never out of the room.

use serde_json::{Value, json};

use crate::support::{Received, TestPeer, TestServer};

/// An offer as a browser makes it: what must never be found in a log.
fn offer() -> Value {
    json!({"type": "offer", "sdp": "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=ice-ufrag:Ab1+\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
        a=candidate:1 1 udp 2130706431 10.0.0.1 8998 typ host\r\n"})
}

fn numbers(heard: &[Received]) -> Vec<u64> {
    heard.iter().filter_map(|frame| frame["data"].as_u64()).collect()
}

#[test]
fn an_offer_its_answer_and_candidates_go_from_one_peer_to_the_other() {
    let server = TestServer::start();
    let [mut alice, mut bob, mut carol] = server.join_some("blue");
    let candidate = json!({"candidate": "candidate:1 1 udp 2122260223 192.168.1.5 49203 typ host", "sdpMid": "0"});
    for (kind, data) in [("offer", offer()), ("answer", offer()), ("candidate", candidate), ("app", json!("hello"))] {
        alice.send_json(&json!({"type": "signal", "to": bob.id, "kind": kind, "data": data}));
        let heard = bob.receive("signal");
        assert_eq!(heard.json(), &json!({"type": "signal", "from": alice.id, "kind": kind, "data": data}));
    }
    carol.receive_nothing();
    alice.receive_nothing();
}

#[test]
fn data_arrives_byte_for_byte() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let oddities = [
        r#"{ "a" :	[1 , 2,  3 ] , "a":"twice" }"#,
        r#""\u0041\/\ud83d\ude00 \b\f\n\r\t \u0000""#,
        "123456789012345678901234567890.000100e-400",
        "-0",
        "1E308",
        "null",
        "[]",
        "[ ]",
        "\"\u{2028} é 😀 \u{7f}\"",
        "{\n\n\"x\"\r\n:\ttrue\n}",
    ];
    for data in oddities {
        alice.send_text(&format!(r#"{{"type":"signal","to":"{}","kind":"app","data":{data}}}"#, bob.id));
        assert_eq!(bob.receive("signal").raw("data"), data);
    }
}

#[test]
fn data_may_come_before_the_other_fields() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    alice.send_text(&format!(r#"{{"data":{{"x":1}},"kind":"app","to":["{}"],"type":"signal"}}"#, bob.id));
    assert_eq!(bob.receive("signal").raw("data"), r#"{"x":1}"#);
}

#[test]
fn a_frame_of_exactly_the_limit_arrives() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let start = format!(r#"{{"type":"signal","to":"{}","kind":"app","data":""#, bob.id);
    let filling = "x".repeat(65_536 - start.len() - 2);
    alice.send_text(&format!("{start}{filling}\"}}"));
    assert_eq!(bob.receive("signal")["data"], filling);
}

#[test]
fn a_signal_to_a_list_reaches_those_named_and_nobody_else() {
    let server = TestServer::start();
    let [mut alice, mut bob, mut carol, mut dave] = server.join_some("blue");
    alice.send_json(&json!({"type": "signal", "to": [bob.id, dave.id], "kind": "app", "data": 1}));
    for receiver in [&mut bob, &mut dave] {
        assert_eq!(receiver.receive("signal")["from"], alice.id);
    }
    alice.receive_nothing();
    carol.receive_nothing();
}

#[test]
fn a_peer_named_twice_in_a_list_hears_the_signal_once() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    alice.send_json(&json!({"type": "signal", "to": [bob.id, bob.id], "kind": "app", "data": 1}));
    alice.receive_nothing();
    bob.receive("signal");
    bob.receive_nothing();
}

#[test]
fn a_signal_to_everybody_reaches_all_but_the_sender() {
    let server = TestServer::start();
    let mut peers = server.join_all("mesh", 10);
    let mut sender = peers.remove(4);
    sender.send_json(&json!({"type": "signal", "to": "*", "kind": "app", "data": offer()}));
    sender.receive_nothing();
    for peer in &mut peers {
        let heard = peer.receive("signal");
        assert_eq!((&heard["from"], &heard["data"]), (&json!(sender.id), &offer()));
        peer.receive_nothing();
    }
}

#[test]
fn a_signal_to_everybody_from_a_peer_that_is_alone_is_no_error() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    alice.send_json(&json!({"type": "signal", "to": "*", "kind": "app", "data": 1}));
    alice.receive_nothing();
}

#[test]
fn nobody_can_pretend_to_be_another_sender() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let forged = json!({"type": "signal", "to": bob.id, "from": bob.id, "kind": "app", "data": 1});
    alice.send_json(&forged);
    alice.receive_error("invalid_message");
    bob.receive_nothing();
}

#[test]
fn a_peer_outside_the_room_cannot_be_reached() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    let mut mallory = server.join("red");
    mallory.send_json(&json!({"type": "signal", "to": alice.id, "kind": "offer", "data": offer(), "id": "s-1"}));
    let error = mallory.receive_error("peer_not_found");
    assert_eq!((&error["re"], &error["category"]), (&json!("s-1"), &json!("PEER")));
    assert_eq!(error["peers"], json!([alice.id]), "{}", error.text);
    mallory.send_json(&json!({"type": "signal", "to": "*", "kind": "app", "data": 1}));
    mallory.receive_nothing();
    alice.receive_nothing();
}

#[test]
fn a_session_id_addresses_nobody() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    alice.send_signal(&bob.session(), &json!(1));
    alice.receive_error("peer_not_found");
    bob.receive_nothing();
}

#[test]
fn a_signal_to_oneself_is_to_nobody() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    let me = alice.id.clone();
    alice.send_signal(&me, &json!(1));
    alice.receive_error("peer_not_found");
}

#[test]
fn a_list_with_unknown_peers_reaches_the_others_and_one_error_names_the_unknown() {
    let server = TestServer::start();
    let [mut alice, mut bob, mut carol] = server.join_some("blue");
    let (nobody, stranger) = ("0".repeat(32), server.join("red").id);
    let to = json!([nobody, bob.id, stranger, carol.id]);
    alice.send_json(&json!({"type": "signal", "to": to, "kind": "app", "data": 1, "id": "s"}));
    let error = alice.receive_error("peer_not_found");
    assert_eq!((&error["re"], &error["peers"]), (&json!("s"), &json!([nobody, stranger])));
    alice.receive_nothing();
    bob.receive("signal");
    carol.receive("signal");
}

#[test]
fn a_signal_before_joining_is_not_in_room() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for to in [json!("*"), json!("0".repeat(32)), json!(["0".repeat(32)])] {
        alice.send_json(&json!({"type": "signal", "to": to, "kind": "app", "data": 1, "id": "s"}));
        let error = alice.receive_error("not_in_room");
        assert_eq!((&error["re"], &error["category"]), (&json!("s"), &json!("ROOM_STATE")));
    }
}

#[test]
fn a_thousand_signals_arrive_in_the_order_they_were_sent() {
    let server = TestServer::builder().any_pace().start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut heard = Vec::new();
    for batch in 0..10 {
        for number in 0..100 {
            alice.send_signal(&bob.id, &json!(batch * 100 + number));
        }
        for _ in 0..100 {
            heard.push(bob.receive("signal"));
        }
    }
    assert_eq!(numbers(&heard), (0..1000).collect::<Vec<_>>());
}

#[test]
fn what_goes_to_one_and_what_goes_to_all_keep_their_order_too() {
    let server = TestServer::start();
    let [mut alice, mut bob, mut carol] = server.join_some("blue");
    for number in 0..60 {
        let to = if number % 2 == 0 { json!("*") } else { json!(bob.id) };
        alice.send_json(&json!({"type": "signal", "to": to, "kind": "app", "data": number}));
    }
    alice.receive_nothing();
    assert_eq!(numbers(&bob.receive_all()), (0..60).collect::<Vec<_>>());
    assert_eq!(numbers(&carol.receive_all()), (0..60).step_by(2).collect::<Vec<_>>());
}

#[test]
fn the_last_signal_of_a_peer_that_leaves_comes_before_the_news_of_it() {
    let server = TestServer::start();
    for round in 0..20 {
        let [mut alice, mut bob] = server.join_some(&format!("room {round}"));
        bob.send_signal(&alice.id, &json!("farewell"));
        bob.close();
        assert_eq!(alice.receive("signal")["data"], "farewell");
        assert_eq!(alice.receive("peer_left")["reason"], "left");
    }
}

#[test]
fn an_offer_sent_at_once_on_hearing_of_a_newcomer_reaches_it_after_its_joined() {
    let server = TestServer::start();
    for round in 0..20 {
        let room = format!("room {round}");
        let mut alice = server.join(&room);
        let mut bob: TestPeer = server.connect();
        bob.send_json(&json!({"type": "join", "room": room}));
        let newcomer = alice.receive("peer_joined").text("id");
        alice.send_signal(&newcomer, &json!("offer"));
        bob.receive("joined");
        assert_eq!(bob.receive("signal")["from"], alice.id);
    }
}
