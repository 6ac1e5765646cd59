//! Life in a room: news of each other, pings, leaving, coming back.

use serde_json::json;

use crate::support::TestServer;

#[test]
fn an_update_is_shown_to_the_others_and_confirmed_to_the_one_who_made_it() {
    let server = TestServer::start();
    let [mut alice, mut bob, mut carol] = server.join_some("blue");
    alice.send_text(r#"{"type":"update","id":"u-1","meta":{"muted" : true}}"#);
    let confirmed = alice.receive("peer_updated");
    assert_eq!((&confirmed["re"], &confirmed["id"]), (&json!("u-1"), &json!(alice.id)));
    for peer in [&mut bob, &mut carol] {
        let news = peer.receive("peer_updated");
        assert_eq!((&news["id"], news.raw("meta").as_str()), (&json!(alice.id), r#"{"muted" : true}"#));
        assert!(news.json().get("re").is_none(), "{}", news.text);
    }
}

#[test]
fn a_newcomer_sees_the_last_update_whole() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.join_with_fields(&json!({"type": "join", "room": "blue", "meta": {"name": "Al", "muted": false}}));
    alice.send_json(&json!({"type": "update", "meta": {"name": "Alice"}}));
    alice.receive("peer_updated");
    let joined = server.connect().join("blue");
    assert_eq!(joined["peers"][0]["meta"], json!({"name": "Alice"}), "it replaces, it does not merge");
}

#[test]
fn metadata_beyond_its_limits_is_refused_and_changes_nothing() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let long = json!({"x": "y".repeat(4096)});
    let deep: serde_json::Value =
        serde_json::from_str(&format!("{}1{}", r#"{"x":"#.repeat(40), "}".repeat(40))).unwrap();
    for meta in [long, deep, json!([1]), json!("text"), json!(null), json!(7)] {
        alice.send_json(&json!({"type": "update", "meta": meta, "id": "u"}));
        assert_eq!(alice.receive_error("invalid_message")["re"], "u");
    }
    bob.receive_nothing();
}

#[test]
fn metadata_of_exactly_the_limit_is_taken() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let meta = json!({"x": "y".repeat(4096 - r#"{"x":""}"#.len())});
    alice.send_json(&json!({"type": "update", "meta": meta}));
    assert_eq!(bob.receive("peer_updated")["meta"], meta);
}

#[test]
fn an_update_outside_a_room_is_not_in_room() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_json(&json!({"type": "update", "meta": {}, "id": "u"}));
    assert_eq!(alice.receive_error("not_in_room")["re"], "u");
}

#[test]
fn a_ping_is_answered_in_a_room_and_outside_with_its_t_as_it_was_written() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for t in ["0", "1723.25", "-1e3", "12345678901234567890123", "1.0"] {
        alice.send_text(&format!(r#"{{"type":"ping","t":{t},"id":"p"}}"#));
        let pong = alice.receive("pong");
        assert_eq!((pong.raw("t").as_str(), &pong["re"]), (t, &json!("p")));
    }
    alice.join("blue");
    alice.send_json(&json!({"type": "ping"}));
    let pong = alice.receive("pong");
    assert_eq!(pong.json(), &json!({"type": "pong"}), "nothing was asked");
}

#[test]
fn who_leaves_is_told_so_and_the_others_are_told_too() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    alice.send_json(&json!({"type": "leave", "id": "l-1"}));
    assert_eq!(alice.receive("left").json(), &json!({"type": "left", "re": "l-1", "room": "blue"}));
    bob.receive_left(&alice.id, "left");
    bob.send_signal(&alice.id, &json!(1));
    bob.receive_error("peer_not_found");
    alice.receive_nothing();
}

#[test]
fn leaving_without_being_in_a_room_is_not_in_room() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_json(&json!({"type": "leave", "id": "l"}));
    assert_eq!(alice.receive_error("not_in_room")["re"], "l");
    alice.join("blue");
    alice.leave();
    alice.send_json(&json!({"type": "leave"}));
    alice.receive_error("not_in_room");
}

#[test]
fn a_peer_that_has_left_can_come_back_and_keeps_its_name() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let name = alice.id.clone();
    for _ in 0..5 {
        alice.leave();
        bob.receive_left(&name, "left");
        alice.join("blue");
        bob.receive_joined(&name);
        assert_eq!(alice.id, name, "one name for the session's life");
    }
    bob.send_signal(&name, &json!("welcome back"));
    alice.receive("signal");
}

#[test]
fn leave_and_join_sent_in_one_breath_move_a_peer_to_another_room() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut carol = server.join("red");
    alice.send_json(&json!({"type": "leave"}));
    alice.send_json(&json!({"type": "join", "room": "red"}));
    alice.receive("left");
    assert_eq!(alice.receive("joined")["peers"][0]["id"], carol.id);
    bob.receive_left(&alice.id, "left");
    carol.receive_joined(&alice.id);
    bob.send_signal(&alice.id, &json!(1));
    bob.receive_error("peer_not_found");
    carol.send_signal(&alice.id, &json!(2));
    assert_eq!(alice.receive("signal")["data"], 2);
}

#[test]
fn nothing_of_a_peer_comes_after_the_news_that_it_left_or_before_the_news_that_it_came() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let name = bob.id.clone();
    for round in 0..50 {
        bob.send_signal(&alice.id, &json!(round));
        bob.send_signal(&alice.id, &json!(round));
        bob.send_json(&json!({"type": "leave"}));
        bob.send_json(&json!({"type": "join", "room": "blue"}));
        bob.receive("left");
        bob.receive("joined");
    }
    for round in 0..50 {
        for _ in 0..2 {
            assert_eq!(alice.receive("signal")["data"], round);
        }
        alice.receive_left(&name, "left");
        alice.receive_joined(&name);
    }
}

#[test]
fn moving_to_and_fro_in_one_breath_ends_where_the_last_join_says() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    for _ in 0..20 {
        for room in ["red", "blue"] {
            alice.send_json(&json!({"type": "leave"}));
            alice.send_json(&json!({"type": "join", "room": room}));
            alice.receive("left");
            assert_eq!(alice.receive("joined")["room"], room);
        }
    }
    let mut bob = server.connect();
    assert_eq!(bob.join("red")["peers"], json!([]));
    bob.leave();
    assert_eq!(bob.join("blue")["peers"][0]["id"], alice.id);
}

#[test]
fn who_leaves_on_the_way_in_has_been_in_and_has_left() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    let mut bob = server.connect();
    for _ in 0..20 {
        bob.send_json(&json!({"type": "join", "room": "blue"}));
        bob.send_json(&json!({"type": "leave", "id": "l"}));
        bob.receive("joined");
        assert_eq!(bob.receive("left")["re"], "l");
        let name = alice.receive("peer_joined").text("id");
        alice.receive_left(&name, "left");
    }
    alice.receive_nothing();
}

#[test]
fn a_peer_that_closes_its_socket_properly_has_left() {
    let server = TestServer::start();
    let [mut alice, bob] = server.join_some("blue");
    let name = bob.id.clone();
    bob.close();
    alice.receive_left(&name, "left");
}

#[test]
fn a_peer_whose_connection_breaks_is_disconnected() {
    let server = TestServer::start();
    let [mut alice, bob, carol] = server.join_some("blue");
    let (bob_id, carol_id) = (bob.id.clone(), carol.id.clone());
    bob.abort();
    alice.receive_left(&bob_id, "disconnected");
    carol.hang_up();
    alice.receive_left(&carol_id, "disconnected");
}

#[test]
fn a_room_that_everybody_has_left_is_gone_and_can_be_made_again() {
    let server = TestServer::set("limits.rooms", 1).start();
    for name in ["blue", "red", "blue"] {
        let mut alice = server.connect();
        assert_eq!(alice.join(name)["peers"], json!([]));
        alice.leave();
    }
    server.wait_for_metric("switchboard_rooms", 0.0);
}
