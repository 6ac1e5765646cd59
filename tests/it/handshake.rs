//! RFC 6455 section 4: who is let in, and what those hear who are not.

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    TestPeer, TestServer,
    http::{self, Response},
    ws::{ACCEPT, Handshake, KEY, first, frame},
};

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The answer to a handshake.
fn answer(server: &TestServer, handshake: &Handshake) -> Response {
    handshake.send(server.public).0
}

#[test]
fn a_correct_handshake_is_answered_with_101_and_then_a_welcome() {
    let server = TestServer::start();
    let (response, stream) = Handshake::new().send(server.public);
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(response.needs("Sec-WebSocket-Accept"), ACCEPT);
    assert!(response.needs("Upgrade").eq_ignore_ascii_case("websocket"), "{response:?}");
    assert!(response.needs("Connection").eq_ignore_ascii_case("upgrade"), "{response:?}");
    assert_eq!(response.header(SUBPROTOCOL), None, "none was offered");
    assert_eq!(response.header("Sec-WebSocket-Extensions"), None, "none was offered");
    TestPeer::on(stream).receive("welcome");
}

#[test]
fn our_subprotocol_is_selected_wherever_it_stands_among_those_offered() {
    let server = TestServer::start();
    for offer in ["switchboard.v1", "chat, switchboard.v1", "switchboard.v1,chat"] {
        let response = answer(&server, &Handshake::new().with(SUBPROTOCOL, offer));
        assert_eq!((response.status, response.needs(SUBPROTOCOL)), (101, "switchboard.v1"), "{offer}");
    }
    let two_lines = Handshake::new().with(SUBPROTOCOL, "chat").and(SUBPROTOCOL, "switchboard.v1");
    let response = answer(&server, &two_lines);
    assert_eq!((response.status, response.needs(SUBPROTOCOL)), (101, "switchboard.v1"), "offered in a second line");
}

#[test]
fn a_client_that_offers_only_other_subprotocols_is_refused() {
    let server = TestServer::start();
    for offer in ["chat", "switchboard.v2", "switchboard.v10, mqtt"] {
        let error = answer(&server, &Handshake::new().with(SUBPROTOCOL, offer)).error(400, "unsupported_version");
        assert_eq!((&error["category"], &error["retryable"]), (&json!("WS_ERROR"), &json!(false)), "{offer}");
    }
}

#[test]
fn a_version_other_than_13_is_told_which_one_is_spoken() {
    let server = TestServer::start();
    for version in ["7", "8", "12", "14", "130", "thirteen"] {
        let response = answer(&server, &Handshake::new().with("Sec-WebSocket-Version", version));
        response.error(426, "bad_handshake");
        assert_eq!(response.needs("Sec-WebSocket-Version"), "13", "RFC 6455 section 4.4");
    }
}

#[test]
fn a_key_that_is_not_sixteen_bytes_in_base64_is_refused() {
    let server = TestServer::start();
    let without = answer(&server, &Handshake::new().without("Sec-WebSocket-Key"));
    without.error(400, "bad_handshake");
    for key in ["short", "", "dGhlIHNhbXBsZSBub25jZQ", "!!!lIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSBpcyBsb25n"] {
        answer(&server, &Handshake::new().with("Sec-WebSocket-Key", key)).error(400, "bad_handshake");
    }
}

#[test]
fn what_only_resembles_an_upgrade_is_refused() {
    let server = TestServer::start();
    let attempts = [
        ("another token", Handshake::new().with("Upgrade", "xwebsocketx")),
        ("a later version of it", Handshake::new().with("Upgrade", "websocket2")),
        ("no version", Handshake::new().without("Sec-WebSocket-Version")),
        ("no Upgrade", Handshake::new().without("Upgrade")),
        ("no Connection", Handshake::new().without("Connection")),
        ("Connection without upgrade", Handshake::new().with("Connection", "keep-alive")),
        ("HTTP/1.0", Handshake::new().request_line("GET /ws HTTP/1.0")),
        ("Connection: close", Handshake::new().with("Connection", "close")),
        ("two keys", Handshake::new().and("Sec-WebSocket-Key", KEY)),
        ("two versions", Handshake::new().and("Sec-WebSocket-Version", "13")),
        ("a body", Handshake::new().with("Content-Length", "5").followed_by(b"hello".to_vec())),
        ("POST", Handshake::new().request_line("POST /ws HTTP/1.1").with("Content-Length", "0")),
    ];
    for (what, handshake) in attempts {
        let response = answer(&server, &handshake);
        assert!([400, 404, 405, 426].contains(&response.status), "{what}: {response:?}");
        let code = response.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        assert!(["bad_handshake", "unsupported_version"].contains(&code.as_str()), "{what}: {response:?}");
        response.error(response.status, &code);
    }
}

#[test]
fn the_upgrade_token_and_header_names_have_no_case() {
    let server = TestServer::start();
    let handshake = Handshake::new().with("UPGRADE", "WebSocket").with("connection", "keep-alive, upgrade");
    assert_eq!(answer(&server, &handshake).status, 101);
}

#[test]
fn a_list_of_tokens_is_a_list() {
    let server = TestServer::start();
    for (name, value) in [
        ("Connection", "Upgrade, close"),
        ("Connection", "close, Upgrade"),
        ("Connection", "keep-alive,,\tupgrade ,"),
        ("Upgrade", "h2c, websocket"),
        ("Upgrade", "websocket , foo/1.0"),
        (SUBPROTOCOL, ",chat,,switchboard.v1\t,"),
    ] {
        let (response, stream) = Handshake::new().with(name, value).send(server.public);
        assert_eq!(response.status, 101, "{name}: {value}: {response:?}");
        TestPeer::on(stream).receive("welcome");
    }
    for name in ["Connection", "Upgrade"] {
        let other =
            Handshake::new().with(name, "foo").and(name, if name == "Upgrade" { "websocket" } else { "upgrade" });
        assert_eq!(answer(&server, &other).status, 101, "{name} in two lines");
    }
}

#[test]
fn an_upgrade_on_another_path_is_not_found() {
    let server = TestServer::start();
    for path in ["/", "/wss", "/ws/", "/ws/room", "/healthz", "/metrics", "//ws"] {
        let response = answer(&server, &Handshake::new().request_line(&format!("GET {path} HTTP/1.1")));
        assert_eq!(response.status, 404, "{path}: {response:?}");
        assert!(response.json()["error"]["code"].is_string(), "{path}: {response:?}");
    }
}

#[test]
fn a_room_in_the_query_is_a_hint_and_joins_nobody() {
    let server = TestServer::start();
    let handshake = Handshake::new().request_line("GET /ws?room=blue HTTP/1.1");
    let mut peer = TestPeer::open(http::dial(server.public), &handshake);
    peer.receive("welcome");
    peer.receive_nothing();
    assert_eq!(peer.join("blue")["room"], "blue");
}

#[test]
fn a_connection_that_named_its_room_may_join_no_other() {
    let server = TestServer::start();
    let handshake = Handshake::new().request_line("GET /ws?room=caf%C3%A9%20%E2%98%95 HTTP/1.1");
    let mut peer = TestPeer::open(http::dial(server.public), &handshake);
    peer.receive("welcome");
    peer.send_json(&json!({"type": "join", "room": "red"}));
    peer.receive_error("invalid_message");
    assert_eq!(peer.join("café ☕")["room"], "café ☕");
}

#[test]
fn a_hint_that_cannot_be_used_is_ignored_and_the_join_is_answered_in_words() {
    let server = TestServer::start();
    let long = "x".repeat(129);
    for hint in ["", "%00", "%", "%zz", "%ff", "a&room=b", &long] {
        let handshake = Handshake::new().request_line(&format!("GET /ws?room={hint} HTTP/1.1"));
        let mut peer = TestPeer::open(http::dial(server.public), &handshake);
        peer.receive("welcome");
        for name in ["", "\u{0}", &*long] {
            peer.send_json(&json!({"type": "join", "room": name}));
            peer.receive_error("invalid_message");
        }
        assert_eq!(peer.join("blue")["room"], "blue", "{hint:?}");
    }
}

#[test]
fn a_plus_in_a_hint_is_a_plus_and_may_have_been_a_space() {
    let server = TestServer::start();
    for (hint, room) in [("a+b", "a+b"), ("a+b", "a b"), ("a%2Bb", "a+b"), ("a%20b", "a b"), ("a%2bb+c", "a+b c")] {
        let handshake = Handshake::new().request_line(&format!("GET /ws?room={hint} HTTP/1.1"));
        let mut peer = TestPeer::open(http::dial(server.public), &handshake);
        peer.receive("welcome");
        assert_eq!(peer.join(room)["room"], room, "{hint}");
    }
}

#[test]
fn frames_that_come_in_one_piece_with_the_handshake_are_read() {
    let server = TestServer::start();
    let join = json!({"type": "join", "room": "blue", "id": "early"}).to_string();
    let handshake = Handshake::new().followed_by(frame(first::TEXT, join.as_bytes()));
    let mut peer = TestPeer::open(http::dial(server.public), &handshake);
    peer.receive("welcome");
    assert_eq!(peer.receive("joined")["re"], "early");
}

#[test]
fn an_upgrade_from_an_origin_that_is_not_allowed_is_forbidden() {
    let server = TestServer::set("http.allowed_origins", "https://meet.example,https://other.example:8443").start();
    for origin in ["https://evil.example", "https://meet.example.evil.example", "http://meet.example", "null"] {
        let error = answer(&server, &Handshake::new().with("Origin", origin)).error(403, "origin_denied");
        assert_eq!(error["category"], "AUTH", "{origin}");
        // Both hosts, and what to do, are told to who wrote the page and to who reads the log.
        let words = error["message"].as_str().unwrap_or_default();
        assert!(words.contains(&format!("\"{origin}\"")) && words.contains("asks for localhost"), "{words}");
        server.wait_for_log("the refusal", |line| line.event() == "handshake_refused" && line.says("cause", words));
    }
    server.wait_for_metric("switchboard_handshakes_refused_total{code=\"origin_denied\"}", 4.0);
    for origin in ["https://meet.example", "https://other.example:8443"] {
        assert_eq!(answer(&server, &Handshake::new().with("Origin", origin)).status, 101, "{origin}");
    }
}

#[test]
fn a_flood_of_refused_pages_is_a_few_lines() {
    let server = TestServer::set("log.gather_ms", 60_000).start();
    for number in 0..60 {
        let page = Handshake::new().with("Origin", &format!("https://{number}.evil.example"));
        answer(&server, &page).error(403, "origin_denied");
    }
    server.wait_for_metric("switchboard_handshakes_refused_total{code=\"origin_denied\"}", 60.0);
    let lines = server.log().lines_where("handshake_refused").len();
    assert!((1..=25).contains(&lines), "{lines}");
}

#[test]
fn entries_of_the_list_may_stand_for_many_origins() {
    let server = TestServer::set("http.allowed_origins", "https://*.meet.example,file://,null").start();
    let status = |origin: &str| answer(&server, &Handshake::new().with("Origin", origin)).status;
    for origin in ["https://a.meet.example", "https://a.b.meet.example", "file://", "null"] {
        assert_eq!(status(origin), 101, "{origin}");
    }
    for origin in ["https://meet.example", "https://a.meet.example:8443", "http://localhost", "https://xmeet.example"] {
        assert_eq!(status(origin), 403, "{origin}");
    }
}

#[test]
fn where_only_pages_are_let_in_a_program_must_say_that_it_is_one() {
    let server = TestServer::set("http.require_origin", true).start();
    let error = answer(&server, &Handshake::new()).error(403, "origin_denied");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("http.require_origin")), "{error}");
    assert_eq!(answer(&server, &Handshake::new().with("Origin", "http://localhost")).status, 101);
}

#[test]
fn a_program_that_sends_no_origin_is_let_in_since_only_browsers_can_be_tricked() {
    let server = TestServer::set("http.allowed_origins", "https://meet.example").start();
    assert_eq!(answer(&server, &Handshake::new()).status, 101);
}

#[test]
fn a_sane_request_id_is_given_back_and_another_is_made_anew() {
    let server = TestServer::start();
    let sane = answer(&server, &Handshake::new().with("X-Request-Id", "proxy-7.abc_DEF"));
    assert_eq!(sane.needs("X-Request-Id"), "proxy-7.abc_DEF");
    for insane in ["", "two words", "<script>", &"x".repeat(1000), "quote\"and\\"] {
        let made = answer(&server, &Handshake::new().with("X-Request-Id", insane));
        let id = made.needs("X-Request-Id");
        assert!(id != insane && id.len() >= 16, "{insane:?} became {id:?}");
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{id:?}");
    }
}

#[test]
fn two_peers_on_an_ordinary_client_library_exchange_an_offer() {
    let server = TestServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let talk = async {
        let url = format!("ws://{}/ws", server.public);
        let (mut alice, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        let (mut bob, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        let alice_id = library_join(&mut alice).await;
        let _bob_id = library_join(&mut bob).await;
        let offer = json!({"type": "signal", "to": alice_id, "kind": "offer", "data": {"sdp": "v=0"}});
        bob.send(Message::text(offer.to_string())).await.unwrap();
        library_receive(&mut alice, "peer_joined").await;
        assert_eq!(library_receive(&mut alice, "signal").await["data"], json!({"sdp": "v=0"}));
    };
    runtime.block_on(async { tokio::time::timeout(crate::support::PATIENCE, talk).await.expect("in time") });
}

type LibraryPeer = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn library_join(peer: &mut LibraryPeer) -> String {
    library_receive(peer, "welcome").await;
    peer.send(Message::text(r#"{"type":"join","room":"blue"}"#)).await.unwrap();
    library_receive(peer, "joined").await["self"]["id"].as_str().unwrap().to_owned()
}

async fn library_receive(peer: &mut LibraryPeer, kind: &str) -> serde_json::Value {
    let message = peer.next().await.expect("a message").expect("a sound one");
    let json: serde_json::Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    assert_eq!(json["type"], kind, "{json}");
    json
}
