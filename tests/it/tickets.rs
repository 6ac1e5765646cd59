//! Tickets: issued to operators, and good for one connection.

use serde_json::{Value, json};

use crate::{
    ops_api::post,
    support::{TestPeer, TestServer, eventually, expect_eq, http, tokens::Secrets, ws::Handshake},
    tokens::{confirm, join, refused},
};

/// A peer whose handshake shows that ticket.
#[track_caller]
fn bearing(server: &TestServer, ticket: &str) -> TestPeer {
    let protocols = format!("switchboard.v1, bearer.{ticket}");
    let mut peer =
        TestPeer::open(http::dial(server.public), &Handshake::new().with("Sec-WebSocket-Protocol", &protocols));
    peer.receive("welcome");
    peer
}

fn plain(room: &str) -> Value {
    json!({"type": "join", "id": "j", "room": room})
}

/// One for a session that is over before the ticket would be, by now.
#[track_caller]
fn expired(server: &TestServer) -> String {
    let answer = post(server, "tickets", &json!({"room": "blue", "ttlMs": 50}));
    assert_eq!((answer.status, &answer.json()["expiresInMs"]), (201, &json!(50)), "{answer:?}");
    let made = std::time::Instant::now();
    eventually("its time is over", || expect_eq(&(made.elapsed().as_millis() > 50), &true));
    answer.json()["ticket"].as_str().expect("a ticket").to_owned()
}

/// A ticket that grants this.
#[track_caller]
fn ticket(server: &TestServer, order: &Value) -> String {
    let answer = post(server, "tickets", order);
    assert_eq!((answer.status, &answer.json()["expiresInMs"]), (201, &json!(60_000)), "{answer:?}");
    answer.json()["ticket"].as_str().expect("a ticket").to_owned()
}

#[test]
fn a_ticket_lets_one_connection_in_with_all_that_it_grants() {
    let secrets = Secrets::new();
    let server = secrets.server("token").set("auth.show_user", true).start();
    let order = json!({
        "room": "blue", "user": "ada", "perms": ["join", "signal"], "cap": 2, "meta": {"role": "guest"}, "ttlMs": 600_000
    });
    let good_once = ticket(&server, &order);
    assert_eq!(server.scrape().find("switchboard_tickets"), Some(1.0));
    let mut ada = server.connect();
    let mut frame = join("blue", &good_once);
    frame["meta"] = json!({"role": "host", "name": "Ada"});
    let joined = ada.join_with_fields(&frame);
    assert_eq!(server.scrape().find("switchboard_tickets"), Some(0.0), "it is used up");
    assert_eq!(joined["permissions"], json!(["join", "signal"]), "{}", joined.text);
    assert!(joined["expiresInMs"].as_u64().is_some_and(|left| left > 500_000 && left <= 600_000), "{}", joined.text);
    assert_eq!((&joined["capacity"], &joined["self"]["user"]), (&json!(2), &json!("ada")), "{}", joined.text);
    assert_eq!(joined["self"]["meta"], json!({"role": "guest", "name": "Ada"}), "{}", joined.text);

    let mut eve = server.connect();
    let (code, message) = refused(&mut eve, &join("blue", &good_once));
    assert_eq!(code, "unauthorized");
    assert!(message.contains("ticket"), "{message}");
    assert_eq!(refused(&mut eve, &join("blue", "ticket.AAAAAAAAAAAAAAAAAAAAAA")).0, "unauthorized");
    server.wait_for_metric("switchboard_tokens_total{outcome=\"ticket\"}", 2.0);
    server.wait_for_metric("switchboard_tokens_total{outcome=\"accepted\"}", 1.0);
    server.wait_for_metric("switchboard_ops_calls_total{call=\"tickets\"}", 1.0);
    assert!(!server.log().text().contains(good_once.as_str()), "a ticket is in the log");
}

#[test]
fn it_is_shown_in_the_handshake_as_well() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let ticket = ticket(&server, &json!({"rooms": ["blue", "red"]}));
    let (mut first, mut second) = (bearing(&server, &ticket), bearing(&server, &ticket));
    first.join("blue");
    first.leave();
    first.join("red");
    first.leave();
    first.join_with_fields(&join("blue", &ticket));
    first.send_json(&json!({"type": "update", "id": "u", "token": ticket}));
    assert_eq!(first.receive("permissions")["re"], "u");
    assert_eq!(refused(&mut second, &json!({"type": "join", "id": "j", "room": "blue"})).0, "unauthorized");
}

#[test]
fn who_is_told_to_wait_shows_it_again_on_the_same_connection() {
    let secrets = Secrets::new();
    let server = secrets.server("open").set("limits.peers_per_room", 1).start();
    let resident = server.join("blue");
    let ticket = ticket(&server, &json!({"roomPrefix": "bl"}));
    let mut ada = server.connect();
    let frame = join("blue", &ticket);
    ada.send_json(&frame);
    ada.receive_error("room_full");
    assert_eq!(refused(&mut server.connect(), &frame).0, "unauthorized", "it is hers");
    resident.close();
    eventually("she is let in", || {
        ada.send_json(&frame);
        let reply = ada.receive_any();
        expect_eq(&reply["type"], &json!("joined"))
    });
}

#[test]
fn one_whose_grant_is_over_lets_nobody_in_however_it_is_shown() {
    let server = TestServer::start();
    assert_eq!(refused(&mut server.connect(), &join("blue", &expired(&server))).0, "token_expired");
    assert_eq!(refused(&mut bearing(&server, &expired(&server)), &plain("blue")).0, "token_expired");

    let mut ada = server.connect();
    let mut frame = plain("blue");
    frame["resumable"] = json!(true);
    let resume = ada.join_with_fields(&frame)["resume"]["token"].clone();
    confirm(&mut ada);
    let update = json!({"type": "update", "id": "u", "meta": {"name": "Ada"}, "token": expired(&server)});
    assert_eq!(refused(&mut ada, &update).0, "token_expired");
    ada.receive_nothing();
    ada.abort();
    let mut back = server.connect();
    let mut frame = json!({"type": "join", "id": "r", "room": "blue", "resume": {"token": resume, "ack": 0}});
    frame["token"] = json!(expired(&server));
    assert_eq!(refused(&mut back, &frame).0, "token_expired");
    frame.as_object_mut().expect("an object").remove("token");
    let joined = back.join_with_fields(&frame);
    assert!(joined.json().get("expiresInMs").is_none(), "nothing has changed: {}", joined.text);
    server.wait_for_metric("switchboard_tokens_total{outcome=\"expired\"}", 4.0);
}

/// Its grant ends while its connection waits for a seat.
#[test]
fn one_that_is_shown_again_ends_as_well() {
    let server = TestServer::set("limits.peers_per_room", 1).start();
    let _resident = server.join("blue");
    let answer = post(&server, "tickets", &json!({"room": "blue", "ttlMs": 1500}));
    let mut ada = server.connect();
    let frame = join("blue", answer.json()["ticket"].as_str().expect("a ticket"));
    ada.send_json(&frame);
    ada.receive_error("room_full");
    eventually("its time is over", || {
        ada.send_json(&frame);
        expect_eq(&ada.receive("error")["code"], &json!("token_expired"))
    });
}

#[test]
fn who_cannot_resume_by_it_joins_by_it() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let ticket = ticket(&server, &json!({"room": "blue", "user": "ada"}));
    let mut ada = server.connect();
    let nobody = format!("{0}.{0}", "0".repeat(32));
    let mut frame = json!({"type": "join", "id": "r", "room": "blue", "resume": {"token": nobody, "ack": 0}});
    frame["token"] = json!(ticket);
    ada.send_json(&frame);
    ada.receive_error("session_not_found");
    assert_eq!(refused(&mut server.connect(), &join("blue", &ticket)).0, "unauthorized", "it is hers");
    ada.join_with_fields(&join("blue", &ticket));
}

#[test]
fn who_resumes_with_it_shows_it_again_after_that() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let [first, second] = [(); 2].map(|()| ticket(&server, &json!({"room": "blue", "user": "ada"})));
    let mut frame = join("blue", &first);
    frame["resumable"] = json!(true);
    let mut ada = server.connect();
    let resume = ada.join_with_fields(&frame)["resume"]["token"].clone();
    confirm(&mut ada);
    ada.abort();
    let mut ada = server.connect();
    let mut frame = json!({"type": "join", "id": "r", "room": "blue", "resume": {"token": resume, "ack": 0}});
    frame["token"] = json!(second);
    ada.join_with_fields(&frame);
    ada.leave();
    ada.join_with_fields(&join("blue", &second));
}

#[test]
fn an_update_by_it_keeps_it_for_this_connection_and_one_of_somebody_else_is_not_used_up() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let mut ada = server.connect();
    ada.join_with_fields(&join("blue", &secrets.token(&json!({"room": "blue", "sub": "ada"}))));
    let update = |ticket: &str| json!({"type": "update", "id": "u", "token": ticket});
    let bobs = ticket(&server, &json!({"room": "blue", "user": "bob"}));
    assert_eq!(refused(&mut ada, &update(&bobs)).0, "permission_denied");
    let mut bob = server.connect();
    bob.join_with_fields(&join("blue", &bobs));
    ada.receive_joined(&bob.id);
    let hers = ticket(&server, &json!({"room": "blue", "user": "ada", "ttlMs": 600_000}));
    for _ in 0..2 {
        ada.send_json(&update(&hers));
        let told = ada.receive("permissions");
        assert!(told["expiresInMs"].as_u64().is_some_and(|left| left <= 600_000), "{}", told.text);
    }
    assert_eq!(refused(&mut server.connect(), &join("blue", &hers)).0, "unauthorized", "it is hers");
    ada.leave();
    ada.join_with_fields(&join("blue", &hers));
}

#[test]
fn it_works_without_any_key_and_is_not_used_up_by_the_wrong_room() {
    let server = TestServer::start();
    let ticket = ticket(&server, &json!({"room": "blue", "perms": ["join"]}));
    let mut ada = server.connect();
    assert_eq!(refused(&mut ada, &join("red", &ticket)).0, "permission_denied");
    ada.join_with_fields(&join("blue", &ticket));
    ada.send_json(&json!({"type": "update", "id": "u", "meta": {}}));
    ada.receive_error("permission_denied");
}

#[test]
fn an_order_that_makes_no_sense_is_refused_and_so_is_one_too_many() {
    let server = TestServer::set("auth.tickets", 2).start();
    for wrong in [
        json!({}),
        json!({"room": "a", "roomPrefix": "b"}),
        json!({"room": "a", "cap": 0}),
        json!({"room": "a", "perms": ["signal"]}),
        json!({"room": "a", "user": ""}),
        json!({"room": "a", "ttlMs": 0}),
        json!({"room": "a", "ttlMs": 86_500_000}),
        json!({"room": "a", "ttlMs": u64::MAX}),
    ] {
        post(&server, "tickets", &wrong).error(422, "invalid_ticket");
    }
    for wrong in [json!({"room": 3}), json!({"room": "a", "sub": "ada"}), json!({"room": "a", "meta": 3}), json!([])] {
        post(&server, "tickets", &wrong).error(400, "invalid_body");
    }
    let first = ticket(&server, &json!({"room": "a"}));
    ticket(&server, &json!({"room": "a"}));
    let refused = post(&server, "tickets", &json!({"room": "a"}));
    let error = refused.error(503, "too_many_tickets");
    assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait <= 60_000) && error["retryable"] == true, "{error}");
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"tickets\"}", 1.0);
    server.connect().join_with_fields(&join("a", &first));
    ticket(&server, &json!({"room": "a"}));
}
