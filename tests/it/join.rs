//! Coming in: the welcome, the roster, who is told of the newcomer, and what ends a connection that does not join.

use serde_json::{Value, json};

use crate::support::{TestPeer, TestServer};

/// The ids in a `joined` frame's roster.
fn roster(joined: &Value) -> Vec<String> {
    let mut ids: Vec<_> = joined["peers"].as_array().expect("peers").iter().map(|p| p["id"].to_string()).collect();
    ids.sort();
    ids
}

fn is_id(id: &Value) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    id.as_str().is_some_and(|id| id.len() == 32 && id.bytes().all(hex))
}

#[test]
fn the_first_frame_is_a_welcome_that_tells_the_limits() {
    let server = TestServer::set("limits.peers_per_room", 7).set("server.node", "node-a").start();
    let peer = server.connect();
    let welcome = peer.welcome.as_ref().unwrap();
    assert!(is_id(&welcome["session"]), "{}", welcome.text);
    assert_eq!(welcome["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(welcome["node"], "node-a");
    assert_eq!(welcome["features"], json!(["resume", "wait", "identity", "busy", "ice", "moderation", "report"]));
    assert_eq!(
        welcome["limits"],
        json!({"frameBytes": 65536, "queueBytes": 786_432, "queueFrames": 256, "busyPauseMs": 1000, "metaBytes": 4096, "roomNameBytes": 128,
            "peersPerRoom": 7, "recipients": 64, "jsonDepth": 32, "joinTimeoutMs": 10000,
            "resumeFrames": 512, "resumeBytes": 1_572_864, "resumeWindowMs": 30_000, "frameRate": 50, "frameBurst": 200,
            "byteRate": 131_072, "byteBurst": 1_048_576, "byteRatePerAddress": 8_388_608, "byteBurstPerAddress": 335_544_320,
            "reportIntervalMs": 5000, "reportEvents": 32})
    );
    assert_eq!(welcome["heartbeat"], json!({"intervalMs": 30000, "timeoutMs": 60000}));
}

#[test]
fn the_first_peer_of_a_room_is_alone_in_it() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let joined = alice.join_with_fields(&json!({"type": "join", "room": "blue", "id": "j-1"}));
    assert_eq!((&joined["re"], &joined["room"]), (&json!("j-1"), &json!("blue")));
    assert_eq!((&joined["peers"], &joined["capacity"]), (&json!([]), &json!(10)));
    assert!(is_id(&joined["self"]["id"]), "{}", joined.text);
    assert_ne!(joined["self"]["id"], alice.session(), "the private name is not the public one");
    assert!(joined["iceServers"].is_array(), "{}", joined.text);
    assert!(joined["self"].get("meta").is_none(), "none was given: {}", joined.text);
}

#[test]
fn a_reply_to_a_request_without_id_has_no_re() {
    let server = TestServer::start();
    let joined = server.join("blue").joined.unwrap();
    assert!(joined.json().get("re").is_none(), "{}", joined.text);
}

#[test]
fn a_newcomer_hears_who_is_there_and_they_hear_of_the_newcomer() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut carol = server.connect();
    let joined = carol.join("blue");
    let mut there = vec![json!(alice.id).to_string(), json!(bob.id).to_string()];
    there.sort();
    assert_eq!(roster(joined.json()), there);
    alice.receive_joined(&carol.id);
    bob.receive_joined(&carol.id);
    carol.receive_nothing();
}

#[test]
fn a_newcomer_is_polite_towards_those_there_and_they_are_not_towards_it() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    let mut bob = server.connect();
    let joined = bob.join("blue");
    assert_eq!(joined["peers"][0], json!({"id": alice.id, "polite": true}));
    assert_eq!(alice.receive_joined(&bob.id)["polite"], false);
}

#[test]
fn ten_peers_in_one_room_all_know_all_others() {
    let server = TestServer::start();
    let mut peers = server.join_all("mesh", 10);
    for (place, peer) in peers.iter_mut().enumerate() {
        let found = roster(peer.joined.as_ref().unwrap().json());
        assert_eq!(found.len(), place, "each is told of those before it, and has heard of those after it");
        peer.receive_nothing();
    }
}

#[test]
fn what_a_peer_says_of_itself_is_shown_to_the_others_as_it_was_written() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_text(r#"{"type":"join","room":"blue","meta":{"name" : "Zo\u00eb", "n":1e2}}"#);
    let alice_joined = alice.receive("joined");
    alice.id = alice_joined["self"]["id"].as_str().unwrap().into();
    assert!(alice_joined.text.contains(r#""meta":{"name" : "Zo\u00eb", "n":1e2}"#), "{}", alice_joined.text);
    let mut bob = server.connect();
    let joined = bob.join_with_fields(&json!({"type": "join", "room": "blue", "meta": {"name": "Bob"}}));
    assert!(joined.raw("peers").contains(r#""meta":{"name" : "Zo\u00eb", "n":1e2}"#), "{}", joined.text);
    assert_eq!(alice.receive_joined(&bob.id)["meta"], json!({"name": "Bob"}));
}

#[test]
fn a_room_name_written_with_escapes_is_the_same_room() {
    let server = TestServer::start();
    let mut alice = server.join("café ☕");
    let mut bob = server.connect();
    bob.send_text(r#"{"type":"join","room":"caf\u00e9 \u2615"}"#);
    let joined = bob.receive("joined");
    assert_eq!(joined["room"], "café ☕");
    assert_eq!(joined["peers"][0]["id"], alice.id);
    alice.receive("peer_joined");
}

#[test]
fn keys_and_type_may_be_written_with_escapes_too() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_text(r#" { "\u0074ype" : "jo\u0069n" , "room" : "\u0062lue", "id": "\ud83d\ude00" } "#);
    let joined = alice.receive("joined");
    assert_eq!((&joined["room"], &joined["re"]), (&json!("blue"), &json!("😀")));
}

#[test]
fn rooms_with_other_names_know_nothing_of_each_other() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    let mut bob = server.connect();
    for name in ["Blue", "blue ", "blu", "blue\u{301}"] {
        assert_eq!(bob.join(name)["peers"], json!([]), "{name:?}");
        bob.leave();
    }
    alice.receive_nothing();
}

#[test]
fn who_is_in_a_room_cannot_join_again_and_stays_where_it_is() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    for room in ["blue", "red"] {
        alice.send_json(&json!({"type": "join", "room": room, "id": room}));
        let error = alice.receive_error("already_joined");
        assert_eq!((&error["re"], &error["category"]), (&json!(room), &json!("ROOM_STATE")));
    }
    bob.send_signal(&alice.id, &json!("still there?"));
    alice.receive("signal");
}

#[test]
fn two_joins_sent_at_once_give_one_seat() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_json(&json!({"type": "join", "room": "blue", "id": "first"}));
    alice.send_json(&json!({"type": "join", "room": "blue", "id": "second"}));
    let mut replies = [alice.receive_reply(), alice.receive_reply()];
    replies.sort();
    assert_eq!(replies, [("error".into(), "second".into()), ("joined".into(), "first".into())]);
    let joined = server.connect().join("blue");
    assert_eq!(roster(joined.json()).len(), 1, "{}", joined.text);
}

#[test]
fn the_bounds_of_a_room_name_are_kept() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for name in ["", "tab\there", "\u{7f}", "\u{85}", &"x".repeat(129), &"é".repeat(65)] {
        alice.send_json(&json!({"type": "join", "room": name}));
        alice.receive_error("invalid_message");
    }
    for name in ["x", &"x".repeat(128), &"é".repeat(64), "\"\\/<>"] {
        assert_eq!(alice.join(name)["room"], name);
        alice.leave();
    }
}

#[test]
fn a_connection_that_does_not_join_in_time_is_closed_with_4000() {
    let server = TestServer::set("limits.join_timeout_ms", 300).start();
    let mut idler = server.connect();
    let mut member = server.join("blue");
    let bye = idler.receive_bye("join_timeout", 4000);
    assert_eq!((&bye["action"], bye["retryAfterMs"].is_u64()), (&json!("reconnect"), true), "{}", bye.text);
    member.receive_nothing();
}

#[test]
fn talking_without_joining_does_not_hold_off_the_join_timeout() {
    let server = TestServer::set("limits.join_timeout_ms", 400).any_pace().start();
    let mut chatterbox = server.connect();
    let mut pongs = 0;
    let bye = loop {
        chatterbox.send_json(&json!({"type": "ping"}));
        let heard = chatterbox.receive_any();
        if heard.kind() != "pong" {
            break heard;
        }
        pongs += 1;
    };
    assert_eq!((&bye["type"], &bye["reason"]), (&json!("bye"), &json!("join_timeout")), "after {pongs} pongs");
}

#[test]
fn who_has_left_must_join_again_in_time() {
    let server = TestServer::set("limits.join_timeout_ms", 300).start();
    let mut alice: TestPeer = server.join("blue");
    alice.leave();
    alice.receive_bye("join_timeout", 4000);
}

#[test]
fn a_refused_joiner_stays_connected_and_may_try_again_until_the_join_timeout() {
    let server = TestServer::set("limits.peers_per_room", 1).set("limits.join_timeout_ms", 1500).start();
    let _alice = server.join("blue");
    let mut bob = server.connect();
    bob.send_json(&json!({"type": "join", "room": "blue"}));
    bob.receive_error("room_full");
    bob.send_json(&json!({"type": "join", "room": "blue"}));
    bob.receive_error("room_full");
    bob.receive_bye("join_timeout", 4000);
}
