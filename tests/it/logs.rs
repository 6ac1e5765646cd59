//! The log: one line for each event, with the ids of those it concerns, and nothing that peers said.
//! (That every line is JSON and gives nothing away is seen to under every test: see `support::drain`.)

use serde_json::json;

use crate::support::{Line, TestPeer, TestServer, http, ws::Handshake};

/// The one line of that event in which the session is named.
#[track_caller]
fn only_line(server: &TestServer, event: &str, session: &str) -> Line {
    let is_it = |line: &Line| line.event() == event && line.says("session_id", session);
    server.wait_for_log(event, is_it);
    let mut lines: Vec<_> = server.log().lines().into_iter().filter(is_it).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.remove(0)
}

#[test]
fn a_peers_whole_stay_is_four_lines_that_name_it() {
    let server = TestServer::start();
    let handshake = Handshake::new().with("X-Request-Id", "request-of-alice");
    let mut alice = TestPeer::open(http::dial(server.public), &handshake);
    let session = alice.receive("welcome").text("session");
    alice.join("blue");
    let peer = alice.id.clone();
    alice.leave();
    alice.close();
    let opened = only_line(&server, "connection_opened", &session);
    let joined = only_line(&server, "peer_joined", &session);
    let left = only_line(&server, "peer_left", &session);
    let closed = only_line(&server, "connection_closed", &session);
    for line in [&opened, &joined, &left, &closed] {
        assert!(line.says("request_id", "request-of-alice"), "{}", line.text);
    }
    for line in [&joined, &left] {
        assert!(line.says("peer_id", &peer) && line.says("room", "blue"), "{}", line.text);
    }
    assert!(left.says("reason", "left") && closed.says("reason", "client_closed"), "{}\n{}", left.text, closed.text);
    assert!(closed.says("peer_id", &peer), "{}", closed.text);
    // join, leave and a close frame; welcome, joined and what answers the leave.
    assert_eq!((&closed.json["frames_in"], &closed.json["frames_out"]), (&3.into(), &3.into()), "{}", closed.text);
}

#[test]
fn a_connection_is_logged_with_its_address() {
    let server = TestServer::start();
    let alice = server.connect();
    let opened = only_line(&server, "connection_opened", &alice.session());
    assert!(opened.says("remote", &alice.address().to_string()), "{}", opened.text);
}

#[test]
fn a_refused_handshake_is_one_line_with_code_and_request_id() {
    let server = TestServer::start();
    Handshake::new().with("Sec-WebSocket-Version", "8").with("X-Request-Id", "old-client").send(server.public);
    let refused = server.wait_for_log("the refusal", |line| line.event() == "handshake_refused");
    assert!(refused.says("request_id", "old-client") && refused.says("code", "bad_handshake"), "{}", refused.text);
    assert_eq!(refused.json["status"], 426);
}

#[test]
fn an_error_has_class_code_severity_and_a_fingerprint_that_groups_equal_ones() {
    let server = TestServer::start();
    let (mut alice, mut bob) = (server.connect(), server.connect());
    for peer in [&mut alice, &mut bob] {
        peer.send_text("nonsense");
        peer.receive_error("invalid_message");
    }
    alice.send_json(&json!({"type": "leave"}));
    alice.receive_error("not_in_room");
    let lines = [&alice, &bob].map(|peer| {
        server.wait_for_log("the refusal", |line| {
            line.says("code", "invalid_message") && line.says("session_id", &peer.session())
        })
    });
    let other = server.wait_for_log("the other refusal", |line| line.says("code", "not_in_room"));
    assert!(lines[0].says("class", "INVALID_MESSAGE") && lines[0].says("severity", "low"), "{}", lines[0].text);
    assert_eq!(lines[0].json["fingerprint"], lines[1].json["fingerprint"]);
    assert_ne!(lines[0].json["fingerprint"], other.json["fingerprint"]);
    assert!(lines[0].json["fingerprint"].is_string(), "{}", lines[0].text);
}

#[test]
fn nothing_that_a_peer_says_is_in_the_log() {
    const MARK: &str = "xyzzy-plugh-hunter2";
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.join_with_fields(&json!({"type": "join", "room": "blue", "meta": {"name": MARK}, "id": MARK}));
    let mut bob = server.join("blue");
    alice.receive_joined(&bob.id);
    for frame in [
        json!({"type": "signal", "to": bob.id, "kind": "offer", "data": {"type": "offer", "sdp": MARK}}),
        json!({"type": "update", "meta": {"x": MARK}}),
        json!({"type": "signal", "to": "*", "kind": MARK, "data": MARK}),
        json!({"type": MARK}),
        json!({"type": "ping", MARK: MARK}),
        json!({"type": "join", "room": [MARK]}),
        json!({"type": "signal", "to": MARK, "kind": "app", "data": 1}),
    ] {
        alice.send_json(&frame);
    }
    alice.send_text(&format!("{{\"token\":\"{MARK}\""));
    bob.receive("signal");
    bob.receive("peer_updated");
    alice.receive_all();
    let session = alice.session();
    alice.close();
    only_line(&server, "connection_closed", &session);
    assert!(!server.log().text().contains(MARK), "{}", server.log().text());
}

#[test]
fn a_room_name_cannot_forge_a_log_line() {
    let server = TestServer::start();
    let name = "\",\"event\":\"server_stopped\",\"x\":\"\u{2028}{}";
    let alice = server.join(name);
    let line = only_line(&server, "peer_joined", &alice.session());
    assert!(line.says("room", name), "{}", line.text);
}

#[test]
fn what_hides_in_a_room_name_or_turns_it_around_is_escaped_in_the_log() {
    let server = TestServer::start();
    let name = "a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{e0041}f\u{2029}é";
    let alice = server.join(name);
    let line = only_line(&server, "peer_joined", &alice.session());
    assert!(line.says("room", name), "whoever reads the JSON has it as it was: {}", line.text);
    assert!(line.text.contains(r"a\u202eb\u2066c\u200bd\ufeffe\udb40\udc41f\u2029é"), "{}", line.text);
}

#[test]
fn every_line_names_the_server_unless_it_has_no_name() {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for (node, named) in [(None, Some(host.trim())), (Some("blue"), Some("blue")), (Some(""), None)] {
        let server = match node {
            Some(node) => TestServer::set("server.node", node).start(),
            None => TestServer::start(),
        };
        let mut alice = server.connect();
        assert_eq!(alice.welcome.as_ref().unwrap().json().get("node").and_then(|node| node.as_str()), named);
        alice.join("blue");
        for line in server.log().lines() {
            assert_eq!(line.json.get("node").and_then(|node| node.as_str()), named, "{}", line.text);
        }
    }
}

#[test]
fn log_level_decides_what_is_written() {
    for (level, written) in [("debug", true), ("info", false)] {
        let server = TestServer::builder().unset("SWITCHBOARD__LOG__LEVEL").env("LOG_LEVEL", level).start();
        let mut alice = server.connect();
        alice.send_text("nonsense");
        alice.receive_error("invalid_message");
        let session = alice.session();
        alice.close();
        only_line(&server, "connection_closed", &session);
        assert_eq!(!server.log().lines_where("frame_refused").is_empty(), written, "at level {level}");
    }
}

#[test]
fn the_servers_own_life_is_in_the_log() {
    let mut server = TestServer::start();
    server.wait_for_log("it is ready", |line| line.event() == "server_ready");
    server.terminate();
    assert!(server.wait_exit(crate::support::PATIENCE).success());
    let line = server.wait_for_log("it has stopped", |line| line.event() == "server_stopped");
    assert!(line.json["took_ms"].is_number(), "{}", line.text);
    server.wait_for_log("it drained", |line| line.event() == "drain_started");
}

#[test]
fn every_line_about_a_request_names_it() {
    let server = TestServer::start();
    http::get(server.public, "/health", &[("X-Request-Id", "a-probe")]);
    Handshake::new().with("X-Request-Id", "an-upgrade").send(server.public);
    Handshake::new().with("X-Request-Id", "a-refusal").without("Sec-WebSocket-Key").send(server.public);
    for id in ["a-probe", "an-upgrade", "a-refusal"] {
        let line = server.wait_for_log(id, |line| line.event() == "http_served" && line.says("request_id", id));
        assert!(line.json["took_ms"].is_number() && line.json["status"].is_number(), "{}", line.text);
    }
}
