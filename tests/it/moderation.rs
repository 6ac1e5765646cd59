//! Members that moderate their room: who may, what becomes of who is kicked, banned and locked out, and what the others hear.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    moderators::answered_and_told,
    support::{Builder, PATIENCE, TestPeer, TestServer, eventually, tokens::Secrets, ws::Handshake},
    tokens::confirm,
};

const ADA: &str = "correct-horse-battery-staple-417";
const BOB: &str = "another-horse-battery-staple-418";
pub(crate) const ADMIN: [&str; 5] = ["join", "signal", "broadcast", "update", "admin"];

pub(crate) fn kick(field: &str, name: &Value) -> Value {
    json!({"type": "kick", "id": "k", field: name})
}

/// A peer of that user, in that room by a token, with those permissions and fields of its `join`.
#[track_caller]
pub(crate) fn join(server: &TestServer, secrets: &Secrets, user: &str, perms: &[&str], more: &Value) -> TestPeer {
    let mut peer = server.connect();
    peer.join_with_fields(&wish(secrets, user, perms, more));
    peer
}

pub(crate) fn wish(secrets: &Secrets, user: &str, perms: &[&str], more: &Value) -> Value {
    let token = secrets.token(&json!({"room": "blue", "sub": user, "perms": perms}));
    let mut join = json!({"type": "join", "id": "j", "room": "blue", "token": token});
    join.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    join
}

/// A server that asks for tokens, set up so, and Ada in the room, who may moderate it.
#[track_caller]
pub(crate) fn room_of_ada(set: impl FnOnce(Builder) -> Builder) -> (Secrets, TestServer, TestPeer) {
    let secrets = Secrets::new();
    let server = set(secrets.server("token")).start();
    let ada = join(&server, &secrets, "ada", &ADMIN, &json!({}));
    (secrets, server, ada)
}

/// Tries to join, and is refused with that code. The rest of the answer.
#[track_caller]
pub(crate) fn refused(peer: &mut TestPeer, join: &Value, code: &str) -> Value {
    peer.send_json(join);
    peer.receive_error(code).json().clone()
}

/// Behind a proxy, so that clients come from addresses of their own.
fn proxied(server: Builder) -> Builder {
    server.set("http.trusted_proxies", "127.0.0.1")
}

#[track_caller]
fn connect_from(server: &TestServer, address: &str) -> TestPeer {
    let handshake = Handshake::new().with("X-Forwarded-For", address);
    let (response, stream) = handshake.send_on(crate::support::http::dial(server.public));
    assert_eq!(response.status, 101, "{response:?}");
    let mut peer = TestPeer::on(stream);
    peer.receive("welcome");
    peer
}

#[test]
fn who_is_kicked_goes_with_a_word_and_for_good_and_only_who_may_kicks() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    let mut bob = join(&server, &secrets, "bob", &["join", "signal"], &json!({"resumable": true}));
    confirm(&mut bob);
    let mut carol = join(&server, &secrets, "carol", &["join"], &json!({}));
    let token = bob.joined.as_ref().expect("joined")["resume"]["token"].clone();
    ada.receive_joined(&bob.id);
    ada.receive_joined(&carol.id);
    bob.receive_joined(&carol.id);

    for frame in [kick("peer", &json!(ada.id)), json!({"type": "lock", "id": "k", "locked": true})] {
        bob.send_json(&frame);
        assert_eq!(bob.receive_error("permission_denied")["re"], "k");
    }
    ada.receive_nothing();

    let mut frame = kick("peer", &json!(bob.id));
    frame["reason"] = json!("Please come back\nwhen the exam is over.");
    ada.send_json(&frame);
    let bye = bob.receive_bye("kicked", 4501);
    assert_eq!((&bye["action"], &bye["message"]), (&json!("disconnect"), &frame["reason"]));
    let (first, second) = (ada.receive_any(), ada.receive_any());
    let kinds = [first.kind(), second.kind()];
    assert!(kinds.contains(&"kicked") && kinds.contains(&"peer_left"), "{kinds:?}");
    carol.receive_left(&bob.id, "kicked");

    let mut late = server.connect();
    late.send_json(
        &json!({"type": "join", "id": "r", "room": "blue", "attempt": 1, "resume": {"token": token, "ack": 0}}),
    );
    late.receive_error("session_not_found");
    late.join_with_fields(&wish(&secrets, "bob", &["join"], &json!({})));
    for (frame, code) in
        [(kick("peer", &json!(bob.id)), "peer_not_found"), (kick("user", &json!("bob2")), "peer_not_found")]
    {
        ada.receive_all();
        ada.send_json(&frame);
        assert_eq!(ada.receive_error(code)["re"], "k");
    }
    server.wait_for_metric("switchboard_kicks_total{by=\"member\"}", 1.0);
    server.wait_for_metric("switchboard_connections_closed_total{reason=\"kicked\"}", 1.0);
    server.wait_for_metric("switchboard_leaves_total{reason=\"kicked\"}", 1.0);
    let line = server.wait_for_log("a kick", |line| line.event() == "room_moderated");
    assert_eq!(
        (&line.json["act"], &line.json["by"], &line.json["peers"]),
        (&json!("kick"), &json!("member"), &json!(1))
    );
    assert!(!server.log().text().contains("exam"), "what a person said to another is in the log");
}

#[test]
fn a_parked_session_that_is_kicked_cannot_be_resumed_and_leaves_once() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    let mut bob = join(&server, &secrets, "bob", &["join"], &json!({"resumable": true}));
    confirm(&mut bob);
    let (id, token) = (bob.id.clone(), bob.joined.as_ref().expect("joined")["resume"]["token"].clone());
    ada.receive_joined(&id);
    bob.abort();
    assert_eq!(ada.receive("peer_away")["id"], id);
    ada.send_json(&kick("peer", &json!(id)));
    let kinds = [ada.receive_any(), ada.receive_any()];
    assert!(kinds.iter().any(|one| one.kind() == "peer_left" && one["reason"] == "kicked"), "{kinds:?}");
    let mut late = server.connect();
    late.send_json(
        &json!({"type": "join", "id": "r", "room": "blue", "attempt": 1, "resume": {"token": token, "ack": 0}}),
    );
    late.receive_error("session_not_found");
    server.wait_for_metric("switchboard_parked_sessions", 0.0);
    server.wait_for_metric("switchboard_peers", 1.0);
    ada.receive_nothing();
}

#[test]
fn a_ban_holds_by_person_by_user_and_by_address_until_it_is_over() {
    let secrets = Secrets::new();
    let server = proxied(secrets.server("token")).start();
    let ban = Duration::from_secs(3);
    let mut ada = connect_from(&server, "192.0.2.1");
    ada.join_with_fields(&wish(&secrets, "ada", &ADMIN, &json!({})));
    let mut bob = connect_from(&server, "2001:db8:1:2::1");
    bob.join_with_fields(&wish(&secrets, "bob", &["join"], &json!({"identity": BOB})));
    let mut frame = kick("peer", &json!(bob.id));
    frame["banMs"] = json!(3000);
    let since = Instant::now();
    ada.receive_joined(&bob.id);
    ada.send_json(&frame);
    bob.receive_bye("kicked", 4501);
    server.wait_for_metric("switchboard_bans", 1.0);
    assert!(server.scrape().value("switchboard_held_bytes{kind=\"bans\"}") > 50.0);
    let (carol, other) = (json!({"identity": ADA}), json!({}));
    for (address, user, more) in [
        ("192.0.2.2", "carol", &json!({"identity": BOB})),
        ("192.0.2.3", "bob", &carol),
        ("2001:db8:1:2:ffff::9", "carol", &other),
    ] {
        let mut peer = connect_from(&server, address);
        let error = refused(&mut peer, &wish(&secrets, user, &["join"], more), "banned");
        let left = error["retryAfterMs"].as_u64().expect("when it is over");
        assert!(left > 0 && left <= 3000, "{error}");
        assert_eq!((&error["category"], &error["retryable"]), (&json!("AUTH"), &json!(true)));
    }
    let mut free = connect_from(&server, "2001:db8:1:3::1");
    free.join_with_fields(&wish(&secrets, "carol", &["join"], &json!({"identity": ADA})));
    server.wait_for_metric("switchboard_join_rejections_total{code=\"banned\"}", 3.0);
    eventually("the ban is over", || {
        let mut again = connect_from(&server, "2001:db8:1:2::1");
        again.send_json(&wish(&secrets, "bob", &["join"], &json!({"identity": BOB})));
        let answer = again.receive_any();
        if answer.kind() == "joined" { Ok(()) } else { Err(answer.text) }
    });
    assert!(since.elapsed() >= ban, "it was over after {:?}", since.elapsed());
}

#[test]
fn more_bans_than_a_room_may_have_are_refused_and_nobody_goes() {
    let (secrets, server, mut ada) = room_of_ada(|server| server.set("limits.bans_per_room", 1));
    let mut bob = join(&server, &secrets, "bob", &["join"], &json!({}));
    ada.receive_joined(&bob.id);
    let mut frame = kick("user", &json!("carol"));
    frame["banMs"] = json!(60_000);
    ada.send_json(&frame);
    assert_eq!(ada.receive("kicked")["re"], "k");
    frame = kick("peer", &json!(bob.id));
    frame["banMs"] = json!(60_000);
    ada.send_json(&frame);
    let error = ada.receive_error("rate_limited");
    assert!(error["retryAfterMs"].as_u64().is_some_and(|left| left > 50_000 && left <= 60_000), "{}", error.text);
    bob.receive_nothing();
    let mut carol = server.connect();
    refused(&mut carol, &wish(&secrets, "carol", &["join"], &json!({})), "banned");
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"bans_per_room\"}", 1.0);
}

#[test]
fn a_person_is_kicked_with_all_its_tabs_and_everybody_lets_go_of_one_that_is_gone() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    let mut carol = join(&server, &secrets, "carol", &["join"], &json!({}));
    ada.receive_joined(&carol.id);
    let mut tabs = [(); 2].map(|()| join(&server, &secrets, "bob", &["join"], &json!({"identity": BOB})));
    let who = tabs[0].joined.as_ref().expect("joined")["self"]["who"].clone();
    for tab in &tabs {
        carol.receive_joined(&tab.id);
    }
    ada.receive_all();
    ada.send_json(&kick("who", &who));
    for tab in &mut tabs {
        assert_eq!(tab.receive_at_last("bye")["reason"], "kicked");
        tab.receive_close(4501);
    }
    for tab in &tabs {
        carol.receive_left(&tab.id, "kicked");
    }
    ada.receive_at_last("kicked");
    ada.receive_all();
    ada.send_json(&kick("who", &who));
    // Who asks may have kept a peer connection for that person's return, too.
    let mut heard = [ada.receive("kicked"), ada.receive("kicked")];
    heard.sort_by_key(|one| one.json().get("re").is_none());
    let [reply, told] = heard;
    assert_eq!((&reply["re"], reply.json().get("who")), (&json!("k"), None));
    for told in [told, carol.receive("kicked")] {
        assert_eq!((&told["who"], told.json().get("re")), (&who, None));
    }
    ada.receive_nothing();
}

#[test]
fn a_locked_room_lets_in_resumes_and_who_left_a_ghost_and_is_waited_for_by_all_others() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    let both = json!({"resumable": true, "identity": BOB});
    let mut bob = join(&server, &secrets, "bob", &["join"], &both);
    confirm(&mut bob);
    ada.receive_joined(&bob.id);
    ada.send_json(&json!({"type": "lock", "id": "l", "locked": true}));
    answered_and_told(&mut ada, true);
    let told = bob.receive("room_state");
    assert_eq!((told.json().get("re"), &told["locked"]), (None, &json!(true)));
    server.wait_for_metric("switchboard_locked_rooms", 1.0);

    let mut carol = server.connect();
    let error = refused(&mut carol, &wish(&secrets, "carol", &["join"], &json!({"identity": ADA})), "room_locked");
    assert_eq!((&error["retryAfterMs"], &error["category"]), (&json!(5000), &json!("ROOM_STATE")));

    // Bob's line drops, and he resumes; drops again, and he comes as himself.
    let token = bob.joined.as_ref().expect("joined")["resume"]["token"].clone();
    let id = bob.id.clone();
    bob.abort();
    assert_eq!(ada.receive("peer_away")["id"], id);
    let mut bob = server.connect();
    let resume = json!({"type": "join", "id": "r", "room": "blue", "attempt": 1, "resume": {"token": token, "ack": 1}});
    let joined = bob.join_with_fields(&resume);
    assert_eq!((&joined["complete"], joined.json().get("locked")), (&json!(true), None), "as before");
    bob.send_json(&json!({"type": "ping", "ack": 1}));
    bob.receive("pong");
    assert_eq!(ada.receive("peer_back")["id"], id);
    bob.abort();
    assert_eq!(ada.receive("peer_away")["id"], id);
    let mut bob = server.connect();
    let joined = bob.join_with_fields(&wish(&secrets, "bob", &["join"], &both));
    assert_eq!(joined["locked"], true, "{}", joined.text);
    ada.receive_left(&id, "replaced");
    assert_eq!(ada.receive_joined(&bob.id)["replaces"], id);

    ada.send_json(&json!({"type": "lock", "id": "l", "locked": false}));
    answered_and_told(&mut ada, false);
    assert_eq!(bob.receive("room_state")["locked"], false);
    let joined = carol.join_with_fields(&wish(&secrets, "carol", &["join"], &json!({"identity": ADA})));
    assert!(joined.json().get("locked").is_none(), "{}", joined.text);
}

#[test]
fn a_lock_outlives_its_room() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    ada.send_json(&json!({"type": "lock", "locked": true}));
    ada.receive("room_state");
    ada.receive("room_state");
    ada.leave();
    refused(&mut ada, &wish(&secrets, "ada", &ADMIN, &json!({})), "room_locked");
    server.wait_for_metric("switchboard_rooms", 0.0);
    server.wait_for_metric("switchboard_locked_rooms", 1.0);
}

#[test]
fn without_a_token_nobody_moderates() {
    let server = TestServer::start();
    let mut ada = server.join("blue");
    let bob = server.join("blue");
    ada.receive_joined(&bob.id);
    for frame in [kick("peer", &json!(bob.id)), json!({"type": "lock", "id": "k", "locked": true})] {
        ada.send_json(&frame);
        ada.receive_error("permission_denied");
    }
    let mut outside = server.connect();
    outside.send_json(&kick("peer", &json!(bob.id)));
    outside.receive_error("not_in_room");
}

#[test]
fn an_address_that_rooms_refuse_too_often_has_to_wait_and_others_do_not() {
    let secrets = Secrets::new();
    let server = proxied(secrets.server("open")).set("limits.refused_joins_per_minute", 3).start();
    let mut ada = connect_from(&server, "192.0.2.1");
    ada.join_with_fields(&wish(&secrets, "ada", &ADMIN, &json!({})));
    ada.send_json(&json!({"type": "lock", "locked": true}));
    ada.receive("room_state");
    let mut eve = connect_from(&server, "192.0.2.2");
    for _ in 0..3 {
        refused(&mut eve, &json!({"type": "join", "id": "j", "room": "blue"}), "room_locked");
    }
    for room in ["blue", "green"] {
        let error = refused(&mut eve, &json!({"type": "join", "id": "j", "room": room}), "rate_limited");
        assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait >= 5000), "{error}");
    }
    connect_from(&server, "192.0.2.3").join("green");
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"refused_joins_per_minute\"}", 2.0);
}

/// More at once than may wait for their answers: the rest is told so, and each is answered once.
#[test]
fn kicks_are_answered_in_order() {
    let (_secrets, _server, mut ada) = room_of_ada(Builder::any_pace);
    let frames: Vec<_> = (0..40).map(|n| json!({"type": "lock", "id": n.to_string(), "locked": n % 2 == 0})).collect();
    for frame in &frames {
        ada.send_json(frame);
    }
    let deadline = Instant::now() + PATIENCE;
    let mut answered: Vec<u32> = Vec::new();
    let mut done = Vec::new();
    while answered.len() < frames.len() {
        assert!(Instant::now() < deadline, "answered: {answered:?}");
        let answer = ada.receive_any();
        // What all are told comes in between.
        let Some(re) = answer.json().get("re").and_then(Value::as_str) else { continue };
        let re: u32 = re.parse().expect("a number");
        answered.push(re);
        match answer.kind() {
            "room_state" => done.push(re),
            "error" => assert_eq!(answer["code"], "rate_limited"),
            other => panic!("{other}"),
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..40).collect::<Vec<_>>());
    assert!(done.len() >= 8 && done.is_sorted(), "{done:?}");
}
