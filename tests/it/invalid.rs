//! Messages that are not ours: each is answered with what is wrong, and the connection goes on.

use serde_json::json;

use crate::support::{TestPeer, TestServer};

/// Says something wrong, hears why, and sees that nothing else has changed.
#[track_caller]
fn refused(peer: &mut TestPeer, text: &str, code: &str) {
    peer.send_text(text);
    let error = peer.receive_error(code);
    assert_eq!((&error["category"], &error["retryable"]), (&json!("INVALID_MESSAGE"), &json!(false)), "{text}");
    peer.receive_nothing();
}

#[test]
fn what_is_not_json_is_an_invalid_message() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let texts = [
        "",
        " ",
        "hello",
        "{",
        r#"{"type":"ping""#,
        r#"{"type":"ping"}}"#,
        r#"{"type":"ping"} {"type":"ping"}"#,
        "{'type':'ping'}",
        r#"{"type":"ping",}"#,
        r#"{type:"ping"}"#,
        "\u{feff}{\"type\":\"ping\"}",
        r#"{"type":"ping","t":01}"#,
        r#"{"type":"ping","t":NaN}"#,
        r#"{"type":"pi\x6eg"}"#,
        "{\"type\":\"pi\tng\"}",
        r#"{"type":"ping","id":"\ud83d"}"#,
    ];
    for text in texts {
        refused(&mut alice, text, "invalid_message");
    }
}

#[test]
fn what_is_not_an_object_with_a_type_is_an_invalid_message() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for text in ["null", "true", "7", "[]", r#""ping""#, r#"["ping"]"#, "{}", r#"{"id":"x"}"#] {
        refused(&mut alice, text, "invalid_message");
    }
    for kind in ["null", "7", "{}", "[\"ping\"]", "true"] {
        refused(&mut alice, &format!(r#"{{"type":{kind}}}"#), "invalid_message");
    }
}

#[test]
fn a_type_that_this_version_does_not_have_is_unknown() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for kind in ["offer", "Join", "JOIN", "join ", "", "welcome", "joined", "signal_", "resume", "bye"] {
        refused(&mut alice, &json!({"type": kind}).to_string(), "unknown_type");
    }
}

#[test]
fn a_reply_to_a_wrong_request_names_it_when_its_id_could_be_read() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_json(&json!({"type": "join", "room": 7, "id": "j-7"}));
    assert_eq!(alice.receive_error("invalid_message")["re"], "j-7");
    alice.send_json(&json!({"type": "nonsense", "id": "n-1"}));
    assert_eq!(alice.receive_error("unknown_type")["re"], "n-1");
}

#[test]
fn a_field_that_is_missing_or_of_the_wrong_type_is_an_invalid_message() {
    let server = TestServer::start();
    let mut alice = server.join("blue");
    let nobody = "0".repeat(32);
    let frames = [
        json!({"type": "join"}),
        json!({"type": "join", "room": null}),
        json!({"type": "join", "room": ["blue"]}),
        json!({"type": "join", "room": "red", "meta": "text"}),
        json!({"type": "join", "room": "red", "attempt": -1}),
        json!({"type": "join", "room": "red", "attempt": 1.5}),
        json!({"type": "join", "room": "red", "attempt": "1"}),
        json!({"type": "signal", "kind": "offer", "data": 1}),
        json!({"type": "signal", "to": nobody, "data": 1}),
        json!({"type": "signal", "to": nobody, "kind": "offer"}),
        json!({"type": "signal", "to": nobody, "kind": "bribe", "data": 1}),
        json!({"type": "signal", "to": nobody, "kind": null, "data": 1}),
        json!({"type": "signal", "to": 7, "kind": "offer", "data": 1}),
        json!({"type": "signal", "to": [], "kind": "offer", "data": 1}),
        json!({"type": "signal", "to": [7], "kind": "offer", "data": 1}),
        json!({"type": "signal", "to": [[nobody]], "kind": "offer", "data": 1}),
        json!({"type": "signal", "to": {"id": nobody}, "kind": "offer", "data": 1}),
        json!({"type": "update"}),
        json!({"type": "ping", "t": "now"}),
        json!({"type": "ping", "t": null}),
    ];
    for frame in frames {
        refused(&mut alice, &frame.to_string(), "invalid_message");
    }
}

#[test]
fn an_id_must_be_text_of_1_to_64_bytes() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for id in [json!(""), json!("x".repeat(65)), json!("é".repeat(33)), json!(7), json!(null), json!(["x"])] {
        refused(&mut alice, &json!({"type": "ping", "id": id}).to_string(), "invalid_message");
    }
    for id in ["x", &"x".repeat(64), &"é".repeat(32), "\"\\\u{1}\u{2028}"] {
        alice.send_json(&json!({"type": "ping", "id": id}));
        assert_eq!(alice.receive("pong")["re"], id);
    }
}

#[test]
fn a_field_that_is_there_twice_is_an_invalid_message() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let texts = [
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping","id":"a","id":"b"}"#,
        r#"{"type":"ping","id":"a","\u0069d":"b"}"#,
        r#"{"type":"ping","t":1,"t":1}"#,
        r#"{"type":"join","room":"blue","room":"red"}"#,
        r#"{"type":"join","room":"blue","meta":{},"meta":{}}"#,
        r#"{"type":"signal","to":"*","to":"*","kind":"app","data":1}"#,
        r#"{"type":"signal","to":"*","kind":"app","data":1,"data":2}"#,
    ];
    for text in texts {
        refused(&mut alice, text, "invalid_message");
    }
}

#[test]
fn a_field_that_the_type_does_not_have_is_an_invalid_message() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let frames = [
        json!({"type": "ping", "room": "blue"}),
        json!({"type": "ping", "T": 1}),
        json!({"type": "leave", "room": "blue"}),
        json!({"type": "leave", "token": "secret"}),
        json!({"type": "join", "room": "blue", "resume": {}}),
        json!({"type": "leave", "resumable": true}),
        json!({"type": "update", "meta": {}, "ack": 1}),
        json!({"type": "join", "room": "blue", "": 1}),
        json!({"type": "update", "meta": {}, "data": 1}),
        json!({"type": "signal", "to": "*", "kind": "app", "data": 1, "session": "x"}),
    ];
    for frame in frames {
        refused(&mut alice, &frame.to_string(), "invalid_message");
    }
}

#[test]
fn data_that_is_nested_too_deep_or_is_not_json_reaches_nobody() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let data = [
        nested(33),
        nested(30_000),
        format!("{}1{}", r#"{"x":"#.repeat(33), "}".repeat(33)),
        "[".repeat(20),
        "[1,]".into(),
        "{\"a\"}".into(),
        "\"open".into(),
        "01".into(),
        "nul".into(),
        "\"\\u12\"".into(),
    ];
    for data in data {
        refused(&mut alice, &format!(r#"{{"type":"signal","to":"*","kind":"app","data":{data}}}"#), "invalid_message");
    }
    bob.receive_nothing();
    let allowed = nested(32);
    alice.send_text(&format!(r#"{{"type":"signal","to":"*","kind":"app","data":{allowed}}}"#));
    assert_eq!(bob.receive("signal").raw("data"), allowed, "as deep as the limit says");
}

#[test]
fn a_list_longer_than_the_limit_is_an_invalid_message() {
    let server = TestServer::set("limits.recipients", 3).start();
    let mut alice = server.join("blue");
    let list = |count: usize| -> Vec<String> { (0..count).map(|n| format!("{n:032x}")).collect() };
    alice.send_json(&json!({"type": "signal", "to": list(4), "kind": "app", "data": 1}));
    alice.receive_error("invalid_message");
    alice.send_json(&json!({"type": "signal", "to": list(3), "kind": "app", "data": 1}));
    assert_eq!(alice.receive_error("peer_not_found")["peers"], json!(list(3)));
}

#[test]
fn an_address_that_is_no_peer_id_is_nobodys_or_invalid_but_never_delivered() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    let addresses =
        [bob.id.to_uppercase(), format!(" {}", bob.id), format!("{}\0", bob.id), "**".into(), String::new()];
    for to in addresses {
        alice.send_json(&json!({"type": "signal", "to": to, "kind": "app", "data": 1}));
        let error = alice.receive("error");
        assert!(["peer_not_found", "invalid_message"].contains(&error["code"].as_str().unwrap()), "{}", error.text);
    }
    bob.receive_nothing();
}

#[test]
fn a_wrong_message_in_a_room_is_nobody_elses_business() {
    let server = TestServer::start();
    let [mut alice, mut bob] = server.join_some("blue");
    for _ in 0..50 {
        refused(&mut alice, "nonsense", "invalid_message");
    }
    bob.receive_nothing();
    alice.send_signal(&bob.id, &json!("sense"));
    bob.receive("signal");
}

#[test]
fn an_error_gives_back_nothing_of_what_was_said() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send_text(r#"{"type":"join","room":"blue","hunter2":"hunter3"}"#);
    let error = alice.receive_error("invalid_message");
    assert!(!error.text.contains("hunter3"), "{}", error.text);
}
