//! The operator's API: what it shows, what it changes, and what it tells of that.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    PATIENCE, TestServer, eventually, expect_eq, http, http::Response, temp_dir, tokens::Secrets, ws::Handshake,
};

#[track_caller]
pub(crate) fn get(server: &TestServer, path: &str) -> Value {
    let answer = server.ops_get(&format!("/admin/v1/{path}"));
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[track_caller]
pub(crate) fn send(server: &TestServer, method: &str, path: &str, body: &Value) -> Response {
    let (ops, body) = (server.ops, body.to_string());
    let head = format!("{method} /admin/v1/{path} HTTP/1.1\r\nHost: {ops}\r\nContent-Type: application/json\r\n");
    http::exchange(ops, &format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
}

#[track_caller]
pub(crate) fn post(server: &TestServer, path: &str, body: &Value) -> Response {
    send(server, "POST", path, body)
}

fn names(rooms: &Value) -> Vec<&str> {
    rooms["rooms"].as_array().expect("rooms").iter().map(|room| room["name"].as_str().expect("a name")).collect()
}

#[test]
fn rooms_are_listed_in_pages_by_prefix_and_by_size() {
    let server = TestServer::start();
    let _peers: Vec<_> = ["b", "a/1", "a/2", "a/2"].iter().map(|room| server.join(room)).collect();
    let all = get(&server, "rooms");
    assert_eq!((names(&all), &all["next"]), (vec!["a/1", "a/2", "b"], &json!(null)), "{all}");
    let second = &all["rooms"][1];
    assert_eq!((&second["peers"], &second["away"]), (&json!(2), &json!(0)), "{all}");
    assert!(crate::support::is_utc_time(second["since"].as_str().expect("since")), "{all}");

    let page = get(&server, "rooms?limit=2");
    assert_eq!((names(&page), &page["next"]), (vec!["a/1", "a/2"], &json!("a/2")));
    assert_eq!(names(&get(&server, "rooms?limit=2&cursor=a%2F2")), ["b"]);
    assert_eq!(names(&get(&server, "rooms?prefix=a%2F&minPeers=2")), ["a/2"]);
    assert_eq!(names(&get(&server, "rooms?prefix=nothing")), Vec::<&str>::new());
    for wrong in
        ["rooms?limit=0", "rooms?limit=1001", "rooms?limit=x", "rooms?minPeers=-1", "rooms?size=2", "peers?who=ada"]
    {
        server.ops_get(&format!("/admin/v1/{wrong}")).error(400, "invalid_query");
    }
    let line = server.wait_for_log("the first look", |line| line.event() == "operator_call");
    assert!(line.says("call", "rooms") && line.json["status"] == 200, "{}", line.text);
    server.wait_for_metric("switchboard_ops_calls_total{call=\"rooms\"}", 10.0);
}

#[test]
fn one_room_is_shown_with_who_is_in_it() {
    let secrets = Secrets::new();
    let server = secrets.server("open").start();
    let mut ada = server.connect();
    let identity = "correct-horse-battery-staple-417";
    let token = secrets.token(&json!({"room": "team-standup", "sub": "ada@example.org"}));
    ada.join_with_fields(&json!({
        "type": "join", "id": "j", "room": "team-standup", "resumable": true, "identity": identity, "token": token
    }));
    ada.send_json(&json!({"type": "ping"}));
    ada.receive("pong");
    let bob = server.join("team-standup");
    let room = get(&server, "rooms/team-standup");
    let [first, second] = &room["members"].as_array().expect("members")[..] else { panic!("{room}") };
    assert_eq!((&first["id"], &second["id"]), (&json!(ada.id), &json!(bob.id)), "in joining order: {room}");
    assert_eq!((&first["who"], &second["who"]), (&json!("af4ed5336492ea0680adb40e68cbdf0b"), &json!(null)));
    assert_eq!(
        (&first["user"], &second["user"]),
        (&json!("ada@example.org"), &json!(null)),
        "though nobody is shown it"
    );
    assert_eq!((&first["session"], &first["away"]), (&json!(ada.session()), &json!(false)));
    assert!(!room.to_string().contains("127.0.0.1"), "addresses are in the log alone: {room}");

    let found = |query: &str| get(&server, &format!("peers?{query}"))["peers"].as_array().expect("peers").len();
    assert_eq!(found("user=ada%40example.org"), 1);
    assert_eq!(found("who=af4ed5336492ea0680adb40e68cbdf0b&room=team-standup"), 1);
    assert_eq!((found("room=team-standup"), found("room=team"), found("user=ada")), (2, 0, 0));
    ada.abort();
    eventually("she is away", || expect_eq(&get(&server, "rooms/team-standup")["away"], &json!(1)));
    assert_eq!(get(&server, "rooms/team-standup")["members"][0]["away"], true);

    server.ops_get("/admin/v1/rooms/nowhere").error(404, "room_not_found");
    let line = server.wait_for_log("the look into the room", |line| {
        line.event() == "operator_call" && line.says("call", "room") && line.says("room", "team-standup")
    });
    assert!(line.json["remote"].as_str().is_some_and(|remote| remote.starts_with("127.0.0.1")), "{}", line.text);
    assert!(!server.log().text().contains("ada@example.org"), "a user is in the log");
}

#[test]
fn a_room_is_asked_for_by_any_name_it_may_have() {
    let server = TestServer::start();
    for (room, path) in
        [("a/b", "a%2Fb"), ("50%", "50%25"), ("Zürich", "Z%C3%BCrich"), ("a+b c", "a+b%20c"), ("?x", "%3Fx")]
    {
        let _peer = server.join(room);
        assert_eq!(get(&server, &format!("rooms/{path}"))["name"], room);
    }
}

#[test]
fn it_says_which_server_it_is_and_what_it_is_held_to() {
    let server = TestServer::set("server.node", "blue-1").set("limits.peers_per_room", 7).start();
    eventually("it is ready", || expect_eq(&get(&server, "version")["phase"], &json!("ready")));
    let version = get(&server, "version");
    assert_eq!(
        (&version["version"], &version["node"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!("blue-1")),
        "{version}"
    );
    assert_eq!((&version["protocol"], &version["phase"]), (&json!("switchboard.v1"), &json!("ready")));
    let limits = get(&server, "limits");
    assert_eq!(limits["limits"]["peers_per_room"], json!(7), "{limits}");
    let scrape = server.scrape();
    for (name, value) in limits["limits"].as_object().expect("limits") {
        assert_eq!(value.as_f64(), scrape.find(&format!("switchboard_limit{{name=\"{name}\"}}")), "{name}");
    }
}

#[test]
fn the_level_of_the_log_is_set_while_it_runs_and_told_of() {
    let server = TestServer::set("log.level", "info").start();
    assert_eq!(get(&server, "log-level"), json!({"level": "info"}));
    let answer = send(&server, "PUT", "log-level", &json!({"level": "debug"}));
    assert_eq!((answer.status, answer.json()), (200, json!({"level": "debug"})));
    server.wait_for_log("the change", |line| {
        line.event() == "log_level_set" && line.says("from", "info") && line.says("to", "debug")
    });
    server.get("/healthz");
    server.wait_for_log("a line at debug", |line| line.event() == "http_served");
    assert_eq!(send(&server, "PUT", "log-level", &json!({"level": "error"})).status, 200);
    server.wait_for_log("told before it falls silent", |line| {
        line.event() == "log_level_set" && line.says("to", "error")
    });
    for wrong in [json!({"level": "loud"}), json!({}), json!({"level": "info", "for": 3}), json!(["info"])] {
        send(&server, "PUT", "log-level", &wrong).error(400, "invalid_body");
    }
    assert_eq!(get(&server, "log-level"), json!({"level": "error"}));
    let refused = send(&server, "DELETE", "log-level", &json!({}));
    refused.error(405, "method_not_allowed");
    assert_eq!(refused.needs("Allow"), "GET, HEAD, PUT");
}

#[test]
fn a_reload_by_request_does_what_the_signal_does() {
    let dir = temp_dir();
    let file = dir.path().join("switchboard.toml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("http.allowed_origins = [\"same\"]\n");
    let server = TestServer::builder().arg("--config").arg(&file).start();
    write("http.allowed_origins = [\"https://a.example\"]\nlimits.rooms = 17\n");
    let answer = post(&server, "reload", &json!({}));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"changed": ["http.allowed_origins"], "restart": ["limits.rooms"]}))
    );
    server.wait_for_log("the reload", |line| {
        line.event() == "config_reloaded" && line.says("changed", "http.allowed_origins")
    });
    let from = |origin: &str| Handshake::new().with("Origin", origin).send(server.public).0.status;
    assert_eq!((from("https://a.example"), from("https://b.example")), (101, 403));
    write("http.allowed_origins = 3\n");
    let error = post(&server, "reload", &json!({})).error(422, "config_not_sound");
    assert!(error["message"].as_str().unwrap().contains("http.allowed_origins"), "{error}");
    server.wait_for_log("the failure", |line| line.event() == "config_not_reloaded");
    assert_eq!(from("https://a.example"), 101, "nothing has changed");
}

#[test]
fn a_drain_is_taken_back_as_long_as_nobody_was_disconnected() {
    // The first is closed after six seconds.
    let mut server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut idle = server.connect();
    post(&server, "undrain", &json!({})).error(409, "not_draining");
    assert_eq!(post(&server, "drain", &json!({})).status, 202);
    for peer in [&mut alice, &mut bob, &mut idle] {
        let place = peer.receive_at_last("bye")["retryAfterMs"].as_u64().expect("retryAfterMs");
        assert!(place >= 6000, "{place}");
    }
    assert_eq!(get(&server, "version")["phase"], "draining");
    let answer = post(&server, "undrain", &json!({}));
    assert_eq!((answer.status, &answer.json()["connections"]), (200, &json!(3)), "{answer:?}");
    assert_eq!(server.get("/readyz").status, 200, "before the answer");
    let line = server.wait_for_log("that it goes on", |line| line.event() == "drain_withdrawn");
    assert_eq!(line.json["connections"], 3, "{}", line.text);
    server.wait_for_metric("switchboard_draining", 0.0);
    server.wait_for_metric("switchboard_ready", 1.0);

    alice.send_signal(&bob.id, &json!("still here"));
    assert_eq!(bob.receive_at_last("signal")["data"], "still here");
    eventually("who was in no room may join", || {
        idle.send_json(&json!({"type": "join", "room": "blue", "id": "late"}));
        let reply = idle.receive_any();
        expect_eq(&reply["type"], &json!("joined"))
    });
    server.join("green").close();
    post(&server, "undrain", &json!({})).error(409, "not_draining");

    // And another one goes through.
    assert_eq!(post(&server, "drain", &json!({})).json()["status"], "draining");
    for peer in [&mut alice, &mut bob, &mut idle] {
        peer.receive_at_last("bye");
        peer.hang_up();
    }
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert_eq!(server.log().lines_where("drain_started").len(), 2);
}

#[test]
fn a_client_that_is_away_while_a_drain_is_taken_back_finds_its_seat() {
    let server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let mut bob = server.join("blue");
    let mut ada = server.connect();
    let joined = ada.join_with_fields(&json!({"type": "join", "id": "j", "room": "blue", "resumable": true}));
    bob.receive_joined(&ada.id);
    ada.send_json(&json!({"type": "ping"}));
    ada.receive("pong");
    ada.abort();
    bob.receive("peer_away");
    assert_eq!(post(&server, "drain", &json!({})).status, 202);
    bob.receive_at_last("bye");
    assert_eq!(post(&server, "undrain", &json!({})).status, 200);
    server.wait_for_log("that it goes on", |line| line.event() == "drain_withdrawn");
    let mut back = server.connect();
    back.send_json(&json!({
        "type": "join", "id": "r", "room": "blue", "attempt": 1, "resume": {"token": joined["resume"]["token"], "ack": 0}
    }));
    assert_eq!(back.receive("joined")["complete"], true);
    bob.receive("peer_back");
}

#[test]
fn once_the_drain_has_closed_a_connection_it_goes_on() {
    let mut server = TestServer::set("server.drain_ms", 8000).set("server.drain_deadline_ms", 9000).start();
    let [mut first, mut second] = server.join_some("blue");
    assert_eq!(post(&server, "drain", &json!({})).status, 202);
    let place = |peer: &mut crate::support::TestPeer| peer.receive_at_last("bye")["retryAfterMs"].as_u64().unwrap();
    if place(&mut first) > place(&mut second) {
        std::mem::swap(&mut first, &mut second);
    }
    first.receive_all_until_close(1012);
    post(&server, "undrain", &json!({})).error(409, "drain_closing");
    assert_eq!(server.get("/readyz").status, 503);
    second.receive_all_until_close(1012);
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn everything_below_admin_asks_for_the_token_and_reading_does_where_it_is_protected() {
    let dir = temp_dir();
    let file = dir.path().join("token");
    fs::write(&file, "correct-horse-battery-staple\n").unwrap();
    let authorization = [("Authorization", "Bearer correct-horse-battery-staple")];
    for protects in [false, true] {
        let server = TestServer::set("ops.token_file", file.display()).set("ops.protect_reads", protects).start();
        for path in ["/admin/v1/rooms", "/admin/v1/version", "/admin/v1/openapi.json", "/admin/v1/rooms/x"] {
            http::get(server.ops, path, &[]).error(401, "unauthorized");
            assert!([200, 404].contains(&http::get(server.ops, path, &authorization).status), "{path}");
        }
        post(&server, "drain", &json!({})).error(401, "unauthorized");
        for path in ["/", "/app.js", "/style.css"] {
            assert_eq!(http::get(server.ops, path, &[]).status, 200, "{path} tells nothing of this server");
        }
        for path in ["/metrics", "/errors", "/health", "/healthz", "/readyz"] {
            let open = http::get(server.ops, path, &[]).status;
            assert_eq!(open, if protects { 401 } else { 200 }, "{path}");
            assert_eq!(http::get(server.ops, path, &authorization).status, 200, "{path}");
        }
        assert_eq!(server.get("/readyz").status, 200, "nothing has begun, and the public side asks for nothing");
        let calls = server.log().lines_where("operator_call");
        assert!(calls.iter().all(|line| line.json["status"] != 401), "what was refused is no call: {calls:#?}");
    }
}
