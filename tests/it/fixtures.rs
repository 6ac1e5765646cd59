//! The documented frames (`tests/fixtures/protocol`), said to a real server and heard from one.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{Received, TestPeer, TestServer};

struct Fixture {
    name: String,
    json: Value,
}

/// The fixtures of one folder, by name.
fn fixtures(folder: &str) -> Vec<Fixture> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/protocol").join(folder);
    let files = fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let fixture = |path: PathBuf| {
        let json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        Fixture { name: format!("{folder}/{}", path.file_name().unwrap().to_string_lossy()), json }
    };
    assert!(!paths.is_empty(), "nothing in {}", path.display());
    paths.into_iter().map(fixture).collect()
}

#[test]
fn every_invalid_frame_is_answered_with_the_code_it_is_documented_with() {
    let server = TestServer::start();
    let [mut alice, mut witness] = server.join_some("blue");
    for Fixture { name, json } in fixtures("invalid") {
        let text = json["text"].as_str().map_or_else(|| json["frame"].to_string(), str::to_owned);
        alice.send_text(&text);
        let error = alice.receive("error");
        assert_eq!(error["code"], json["code"], "{name}: {}", error.text);
        assert_eq!(error["re"], json["id"], "{name}: {}", error.text);
    }
    witness.receive_nothing();
}

#[test]
fn every_documented_client_frame_is_understood() {
    let server = TestServer::start();
    for Fixture { name, json } in fixtures("client") {
        let mut alice = server.connect();
        alice.send_json(&json);
        for reply in alice.receive_all() {
            let code = reply["code"].as_str().unwrap_or_default();
            assert!(!["invalid_message", "unknown_type"].contains(&code), "{name}: {}", reply.text);
        }
    }
}

/// The names of a frame's fields, and of those of the objects in it that are not a client's own.
fn shape(json: &Value) -> BTreeSet<String> {
    let Value::Object(fields) = json else { return BTreeSet::new() };
    let nested = ["self", "limits", "heartbeat"];
    let inner = fields.iter().filter(|(name, _)| nested.contains(&name.as_str()));
    let inner = inner.flat_map(|(name, value)| shape(value).into_iter().map(move |field| format!("{name}.{field}")));
    fields.keys().cloned().chain(inner).collect()
}

/// Everything a server can be made to say in a short life.
fn conversation(server: &TestServer) -> Vec<Received> {
    let mut alice = server.connect();
    let mut said = vec![alice.welcome.clone().unwrap()];
    said.push(alice.join_with_fields(&json!({"type": "join", "room": "blue", "meta": {"n": 1}, "id": "1"})));
    let mut bob = server.connect();
    said.push(bob.join_with_fields(&json!({"type": "join", "room": "blue", "meta": {"n": 2}, "id": "1"})));
    bob.send_json(&json!({"type": "update", "meta": {"n": 3}, "id": "2"}));
    said.push(bob.receive("peer_updated"));
    for kind in ["offer", "answer", "candidate", "app"] {
        bob.send_json(&json!({"type": "signal", "to": alice.id, "kind": kind, "data": {}}));
    }
    bob.send_json(&json!({"type": "signal", "to": ["0".repeat(32)], "kind": "app", "data": 1, "id": "3"}));
    bob.send_json(&json!({"type": "ping", "id": "4", "t": 5}));
    bob.send_json(&json!({"type": "ping"}));
    bob.send_json(&json!({"type": "ice"}));
    bob.send_json(&json!({"type": "join", "room": "blue", "id": "6"}));
    bob.send_json(&json!({"type": "join", "room": "", "id": "8"}));
    said.extend(bob.receive_all());
    bob.send_json(&json!({"type": "leave", "id": "5"}));
    said.push(bob.receive("left"));
    said.extend(alice.receive_all());
    bob.send_json(&json!({"type": "join", "room": "blue", "resume": {"token": "x", "ack": 0}, "id": "9"}));
    said.push(bob.receive_error("session_not_found"));
    said.push(refusal(server, &mut bob));
    said.push(farewell(&mut alice));
    said
}

fn refusal(server: &TestServer, late: &mut TestPeer) -> Received {
    let _full = server.join_all("red", 2);
    late.send_json(&json!({"type": "join", "room": "red", "id": "7"}));
    late.receive_error("room_full")
}

fn farewell(peer: &mut TestPeer) -> Received {
    peer.send(&crate::support::ws::frame(crate::support::ws::first::BINARY, b"x"));
    peer.receive_at_last("bye")
}

#[test]
fn what_the_server_says_has_the_documented_fields() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let documented = fixtures("server");
    let shapes = |kind: &str| -> Vec<BTreeSet<String>> {
        documented.iter().filter(|one| one.json["type"] == kind).map(|one| shape(&one.json)).collect()
    };
    let texts = |code: &Value| -> Vec<&Value> {
        documented.iter().filter(|one| one.json["code"] == *code).map(|one| &one.json["message"]).collect()
    };
    for heard in conversation(&server) {
        let known = shapes(heard.kind());
        assert!(known.contains(&shape(heard.json())), "{} is none of {known:#?}", heard.text);
        let texts = if heard.kind() == "error" { texts(&heard["code"]) } else { Vec::new() };
        assert!(texts.is_empty() || texts.contains(&&heard["message"]), "{} says none of {texts:?}", heard.text);
    }
}
