//! Join tokens: who is let in with which, what they may do then, and for how long.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::support::{TestPeer, TestServer, eventually, http, tokens::Secrets, ws::Handshake};

const DENIED: &str = "switchboard_join_rejections_total{code=\"unauthorized\"}";

pub(crate) fn join(room: &str, token: &str) -> Value {
    json!({"type": "join", "id": "j", "room": room, "token": token})
}

/// A peer in that room by a token with these claims beside the room.
#[track_caller]
fn join_with(server: &TestServer, secrets: &Secrets, more: Value) -> TestPeer {
    let mut claims = json!({"room": "blue"});
    let (Value::Object(claims_too), Value::Object(more)) = (&mut claims, more) else { panic!("objects") };
    claims_too.extend(more);
    let mut peer = server.connect();
    peer.join_with_fields(&join("blue", &secrets.token(&claims)));
    peer
}

/// Shows that its `joined` has arrived: from here on its session can be resumed.
#[track_caller]
pub(crate) fn confirm(peer: &mut TestPeer) {
    peer.send_json(&json!({"type": "ping", "ack": 0}));
    peer.receive("pong");
}

/// Tries to join, and says what the answer was.
#[track_caller]
pub(crate) fn refused(peer: &mut TestPeer, frame: &Value) -> (String, String) {
    peer.send_json(frame);
    let error = peer.receive("error");
    assert_eq!((&error["category"], &error["retryable"]), (&json!("AUTH"), &json!(false)), "{}", error.text);
    assert_eq!(error["re"], frame["id"], "{}", error.text);
    (error.text("code"), error.text("message"))
}

#[test]
fn nobody_joins_without_a_good_token_and_nobody_learns_which_rooms_there_are() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let mut ada = join_with(&server, &secrets, json!({}));
    let joined = ada.joined.clone().expect("joined");
    assert_eq!(joined["permissions"], json!(["join", "signal", "broadcast", "update"]));
    assert!(
        joined["expiresInMs"].as_u64().is_some_and(|left| left > 3_500_000 && left <= 3_600_000),
        "{}",
        joined.text
    );
    assert!(joined["self"].get("user").is_none(), "{}", joined.text);
    assert!(server.connect().welcome.expect("welcome")["features"].as_array().unwrap().contains(&json!("tokens")));

    let mut eve = server.connect();
    let for_red = secrets.token(&json!({"room": "red"}));
    for (token, code) in [
        (None, "unauthorized"),
        (Some("secret"), "unauthorized"),
        (Some(&*for_red), "permission_denied"),
        (Some(&*format!("{for_red}x")), "unauthorized"),
    ] {
        let ask = |room: &str| {
            let mut frame = json!({"type": "join", "id": "j", "room": room});
            if let Some(token) = token {
                frame["token"] = json!(token);
            }
            frame
        };
        let (there, not_there) = (refused(&mut eve, &ask("blue")), refused(&mut eve, &ask("green")));
        assert_eq!(there, not_there, "a room that is there, and one that is not");
        assert_eq!(there.0, code);
    }
    ada.receive_nothing();
    eve.join_with_fields(&join("red", &for_red));
    server.wait_for_metric(DENIED, 6.0);
    server.wait_for_metric("switchboard_tokens_total{outcome=\"not_permitted\"}", 2.0);
    server.wait_for_metric("switchboard_tokens_total{outcome=\"missing\"}", 2.0);
    server.wait_for_metric("switchboard_tokens_total{outcome=\"accepted\"}", 2.0);
    let line = server.wait_for_log("a denied token", |line| line.event() == "token_denied");
    assert_eq!(line.json["reason"], "missing", "{}", line.text);
    assert!(!server.log().text().contains(&for_red), "a token in the log");
}

#[test]
fn without_tokens_all_is_as_it_was_and_a_token_adds_to_it() {
    let secrets = Secrets::new();
    let server = secrets.server("open").start();
    let mut ada = server.join("blue");
    let joined = ada.joined.clone().expect("joined");
    assert!(
        joined.json().get("permissions").is_none() && joined.json().get("expiresInMs").is_none(),
        "{}",
        joined.text
    );
    let grace = join_with(&server, &secrets, json!({"perms": ["join", "signal", "admin"]}));
    assert_eq!(grace.joined.as_ref().expect("joined")["permissions"], json!(["join", "signal", "admin"]));
    ada.receive_joined(&grace.id);
    let mut eve = server.connect();
    assert_eq!(refused(&mut eve, &join("blue", "a.b.c")).0, "unauthorized", "a bad one is worse than none");
    eve.join("blue");
}

#[test]
fn a_browser_brings_its_token_as_a_subprotocol() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let connect = |token: &str| {
        let handshake = Handshake::new().with("Sec-WebSocket-Protocol", &format!("switchboard.v1, bearer.{token}"));
        let (response, stream) = handshake.send_on(http::dial(server.public));
        assert_eq!((response.status, response.header("sec-websocket-protocol")), (101, Some("switchboard.v1")));
        assert!(!format!("{response:?}").contains(token), "the token comes back");
        let mut peer = TestPeer::on(stream);
        peer.receive("welcome");
        peer
    };
    let good = secrets.token(&json!({"rooms": ["blue", "red"]}));
    let mut ada = connect(&good);
    ada.join("blue");
    ada.leave();
    ada.join("red");
    ada.leave();
    assert_eq!(refused(&mut ada, &json!({"type": "join", "id": "j", "room": "green"})).0, "permission_denied");
    assert_eq!(refused(&mut ada, &join("blue", "a.b.c")).0, "unauthorized", "the one in the frame counts");
    let mut eve = connect("a.b.c");
    assert_eq!(refused(&mut eve, &json!({"type": "join", "id": "j", "room": "blue"})).0, "unauthorized");
    eve.join_with_fields(&join("blue", &good));
}

#[test]
fn each_kind_of_frame_needs_its_permission() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let mut ada = join_with(&server, &secrets, json!({}));
    let app = |to: &str| json!({"type": "signal", "id": "j", "to": to, "kind": "app", "data": 1});
    let some = |to: &str| json!({"type": "signal", "id": "j", "to": [to], "kind": "app", "data": 1});
    let everyone = app("*");
    let update = json!({"type": "update", "id": "j", "meta": {"n": 1}});
    for (perms, allowed) in [
        (json!(["join"]), [false; 3]),
        (json!(["join", "signal"]), [true, false, false]),
        (json!(["join", "broadcast"]), [false, true, false]),
        (json!(["join", "update"]), [false, false, true]),
    ] {
        let mut bob = join_with(&server, &secrets, json!({"perms": perms}));
        ada.receive_joined(&bob.id);
        for (frame, allowed) in [
            (app(&ada.id), allowed[0]),
            (some(&ada.id), allowed[0]),
            (everyone.clone(), allowed[1]),
            (update.clone(), allowed[2]),
        ] {
            if allowed {
                bob.send_json(&frame);
                let kind = if frame["type"] == "update" { "peer_updated" } else { "signal" };
                ada.receive(kind);
                if kind == "peer_updated" {
                    bob.receive(kind);
                }
            } else {
                assert_eq!(refused(&mut bob, &frame).0, "permission_denied", "{frame}");
            }
        }
        ada.receive_nothing();
        bob.leave();
        ada.receive_left(&bob.id, "left");
    }
}

#[test]
fn the_token_says_who_somebody_is_and_the_client_cannot_say_otherwise() {
    let secrets = Secrets::new();
    let server = secrets.server("token").set("auth.show_user", true).set("limits.meta_bytes", 64).start();
    let mut ada = join_with(&server, &secrets, json!({"sub": "ada@example.org"}));
    assert_eq!(ada.joined.as_ref().expect("joined")["self"]["user"], "ada@example.org");
    let mut bob = server.connect();
    let token = secrets.token(&json!({"room": "blue", "sub": "bob", "meta": {"role": "guest"}, "cap": 3}));
    let mut frame = join("blue", &token);
    frame["meta"] = json!({"role": "host", "name": "Bob"});
    let joined = bob.join_with_fields(&frame);
    assert_eq!(joined["self"]["meta"], json!({"role": "guest", "name": "Bob"}));
    assert_eq!((&joined["capacity"], &joined["peers"][0]["user"]), (&json!(3), &json!("ada@example.org")));
    let seen = ada.receive("peer_joined");
    assert_eq!((&seen["user"], &seen["meta"]), (&json!("bob"), &json!({"role": "guest", "name": "Bob"})));
    bob.send_text(r#"{"type":"update","id":"u","meta":{"r\u006fle":"host","n":1}}"#);
    assert_eq!(bob.receive("peer_updated")["meta"], json!({"role": "guest", "n": 1}));
    assert_eq!(ada.receive("peer_updated")["meta"], json!({"role": "guest", "n": 1}));
    bob.send_json(&json!({"type": "update", "id": "u", "meta": {"name": "x".repeat(45)}}));
    assert_eq!(bob.receive_error("invalid_message")["re"], "u", "too long with the token's");
}

#[test]
fn a_cap_holds_for_who_brings_it() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let _ada = join_with(&server, &secrets, json!({}));
    let _bob = join_with(&server, &secrets, json!({"cap": 2}));
    let mut eve = server.connect();
    eve.send_json(&join("blue", &secrets.token(&json!({"room": "blue", "cap": 2}))));
    assert_eq!(eve.receive_error("room_full")["retryAfterMs"], 5000);
    join_with(&server, &secrets, json!({"cap": 100}));
}

#[test]
fn a_session_ends_with_its_token_whether_its_client_is_there_or_not() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let mut ada = join_with(&server, &secrets, json!({}));
    let short = secrets.token_by("first", &json!({"room": "blue"}), 4);
    let mut bob = server.connect();
    bob.join_with_fields(&join("blue", &short));
    ada.receive_joined(&bob.id);
    let mut cleo = server.connect();
    let mut frame = join("blue", &short);
    frame["resumable"] = json!(true);
    let joined = cleo.join_with_fields(&frame);
    confirm(&mut cleo);
    ada.receive_joined(&cleo.id);
    bob.receive_joined(&cleo.id);
    let (away, resume) = (cleo.id.clone(), joined["resume"]["token"].clone());
    cleo.abort();
    let until = ada.receive("peer_away")["until"].as_u64().expect("a time");
    bob.receive("peer_away");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    assert!(u128::from(until) < now + 5000, "nobody comes back after the grant's end");
    let bye = bob.receive_at_last("bye");
    assert_eq!((&bye["reason"], &bye["action"]), (&json!("token_expired"), &json!("disconnect")), "{}", bye.text);
    bob.receive_close(4502);
    let mut left: Vec<_> =
        (0..2).map(|_| ada.receive("peer_left")).map(|left| (left.text("id"), left.text("reason"))).collect();
    left.sort();
    let mut gone = vec![(bob.id.clone(), "token_expired".to_owned()), (away, "token_expired".to_owned())];
    gone.sort();
    assert_eq!(left, gone);
    let mut late = server.connect();
    late.send_json(&json!({"type": "join", "room": "blue", "resume": {"token": resume, "ack": 0}}));
    late.receive_error("session_not_found");
    server.wait_for_metric("switchboard_leaves_total{reason=\"token_expired\"}", 2.0);
}

#[test]
fn a_client_is_told_before_its_time_is_over_and_renews_it() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let claims = json!({"room": "blue", "sub": "ada", "perms": ["join", "update"]});
    let mut ada = server.connect();
    ada.join_with_fields(&join("blue", &secrets.token_by("first", &claims, 63)));
    let told = ada.receive("permissions");
    assert!(told["expiresInMs"].as_u64().is_some_and(|left| left <= 60_000 && left > 50_000), "{}", told.text);
    assert!(told.json().get("re").is_none(), "{}", told.text);

    let renew = |claims: &Value| json!({"type": "update", "id": "u", "token": secrets.token(claims)});
    for (claims, code) in [
        (json!({"room": "blue", "sub": "eve"}), "permission_denied"),
        (json!({"room": "blue"}), "permission_denied"),
        (json!({"room": "red", "sub": "ada"}), "permission_denied"),
    ] {
        assert_eq!(refused(&mut ada, &renew(&claims)).0, code, "{claims}");
    }
    assert_eq!(refused(&mut ada, &json!({"type": "update", "id": "u", "token": "x"})).0, "unauthorized");
    ada.send_json(&renew(&json!({"room_prefix": "bl", "sub": "ada", "perms": ["join", "broadcast"]})));
    let renewed = ada.receive("permissions");
    assert_eq!((&renewed["re"], &renewed["permissions"]), (&json!("u"), &json!(["join", "broadcast"])));
    assert!(renewed["expiresInMs"].as_u64().is_some_and(|left| left > 3_500_000), "{}", renewed.text);
    assert_eq!(refused(&mut ada, &json!({"type": "update", "id": "u", "meta": {}})).0, "permission_denied");
    let mut both = renew(&json!({"room": "blue", "sub": "ada", "meta": {"role": "host"}}));
    both["meta"] = json!({"role": "x", "n": 1});
    ada.send_json(&both);
    assert!(ada.receive("permissions").json().get("re").is_none());
    let updated = ada.receive("peer_updated");
    assert_eq!((&updated["re"], &updated["meta"]), (&json!("u"), &json!({"n": 1, "role": "host"})));
}

#[test]
fn an_address_that_shows_too_many_bad_tokens_waits_and_the_next_one_does_not() {
    let secrets = Secrets::new();
    let server =
        secrets.server("token").set("limits.exempt_loopback", false).set("auth.failures_per_minute", 3).start();
    let mut eve = server.connect();
    for _ in 0..3 {
        assert_eq!(refused(&mut eve, &join("blue", "a.b.c")).0, "unauthorized");
    }
    for token in ["a.b.c", &secrets.token(&json!({"room": "blue"}))] {
        eve.send_json(&join("blue", token));
        let error = eve.receive_error("rate_limited");
        assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0 && wait <= 20_000), "{}", error.text);
    }
    let mut elsewhere = TestPeer::open(http::dial_from(Ipv4Addr::new(127, 0, 0, 2), server.public), &Handshake::new());
    elsewhere.receive("welcome");
    elsewhere.join_with_fields(&join("blue", &secrets.token(&json!({"room": "blue"}))));
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"auth_failures\"}", 2.0);
}

/// Without a token, and with a grant that is for another room.
#[test]
fn who_comes_without_the_token_that_is_asked_for_is_counted_as_with_a_bad_one() {
    let secrets = Secrets::new();
    let server =
        secrets.server("token").set("limits.exempt_loopback", false).set("auth.failures_per_minute", 3).start();
    let plain = |room: &str| json!({"type": "join", "id": "j", "room": room});
    let bearer = format!("switchboard.v1, bearer.{}", secrets.token(&json!({"room": "blue"})));
    let handshake = Handshake::new().with("Sec-WebSocket-Protocol", &bearer);
    let mut ada = TestPeer::open(http::dial(server.public), &handshake);
    ada.receive("welcome");
    ada.join("blue");
    ada.leave();
    assert_eq!(refused(&mut ada, &plain("red")).0, "permission_denied");
    let mut eve = server.connect();
    for _ in 0..2 {
        assert_eq!(refused(&mut eve, &plain("blue")).0, "unauthorized");
    }
    for (peer, room) in [(&mut eve, "blue"), (&mut ada, "red")] {
        peer.send_json(&plain(room));
        let error = peer.receive_error("rate_limited");
        assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0 && wait <= 20_000), "{}", error.text);
    }
    ada.join("blue");
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"auth_failures\"}", 2.0);
}

#[test]
fn a_server_that_lets_anybody_in_says_so_where_anybody_can_come() {
    let secrets = Secrets::new();
    let anybody = |server: &TestServer| {
        eventually("the server is ready", || {
            let ready = !server.log().lines_where("server_ready").is_empty();
            if ready { Ok(()) } else { Err(server.log().text()) }
        });
        let lines = server.log().lines_where("config_warning");
        lines.iter().filter(|line| line.text.contains("ANYBODY")).count()
    };
    let public = |mode: &str| secrets.server(mode).set("server.host", "0.0.0.0").start();
    assert_eq!([anybody(&public("open")), anybody(&public("token"))], [1, 0]);
    assert_eq!(anybody(&secrets.server("open").start()), 0, "on loopback nobody comes");
}
