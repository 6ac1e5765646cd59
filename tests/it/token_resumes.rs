//! Join tokens on a resume: none is needed, the one in the frame renews, and that of the handshake waits for a later join.

use serde_json::{Value, json};

use crate::{
    support::{TestPeer, http, tokens::Secrets, ws::Handshake},
    tokens::{confirm, join, refused},
};

#[test]
fn a_resume_needs_no_token_and_renews_with_one() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let mut frame = join("blue", &secrets.token(&json!({"room": "blue", "sub": "ada"})));
    frame["resumable"] = json!(true);
    let mut ada = server.connect();
    let mut resume = ada.join_with_fields(&frame)["resume"]["token"].clone();
    let by = |resume: &Value| json!({"type": "join", "id": "r", "room": "blue", "resume": {"token": resume, "ack": 0}});
    confirm(&mut ada);
    ada.abort();
    let mut ada = server.connect();
    let joined = ada.join_with_fields(&by(&resume));
    assert_eq!(joined["permissions"], json!(["join", "signal", "broadcast", "update"]));
    resume = joined["resume"]["token"].clone();
    confirm(&mut ada);
    ada.abort();
    let mut other = server.connect();
    for (claims, code) in [
        (json!({"room": "blue", "sub": "eve"}), "permission_denied"),
        (json!({"room": "red", "sub": "ada"}), "permission_denied"),
    ] {
        let mut frame = by(&resume);
        frame["token"] = json!(secrets.token(&claims));
        assert_eq!(refused(&mut other, &frame).0, code, "{claims}");
    }
    let mut frame = by(&resume);
    frame["token"] = json!(secrets.token(&json!({"room": "blue", "sub": "ada", "perms": ["join", "signal"]})));
    let joined = other.join_with_fields(&frame);
    assert_eq!((&joined["complete"], &joined["permissions"]), (&json!(true), &json!(["join", "signal"])));
    assert_eq!(refused(&mut other, &json!({"type": "update", "id": "u", "meta": {}})).0, "permission_denied");
}

#[test]
fn a_resume_looks_at_no_token_of_its_handshake_and_later_joins_do() {
    let secrets = Secrets::new();
    let server = secrets.server("token").start();
    let claims = json!({"rooms": ["blue", "red"], "sub": "ada"});
    let mut frame = join("blue", &secrets.token(&claims));
    frame["resumable"] = json!(true);
    let by = |resume: &Value| json!({"type": "join", "id": "r", "room": "blue", "resume": {"token": resume, "ack": 0}});
    let usual = json!(["join", "signal", "broadcast", "update"]);
    let (good, long) = (secrets.token_by("first", &claims, 600), 3_000_000);
    // What the handshake brings, what the resume does, what the session may do then, and whether it comes into a room anew.
    for (bearer, renewal, permissions, seconds, enters) in [
        ("a.b.c".to_owned(), None, &usual, long, Err("unauthorized")),
        (secrets.token(&json!({"room": "red"})), None, &usual, long, Ok("red")),
        (secrets.token(&json!({"room": "blue", "sub": "eve"})), None, &usual, long, Ok("blue")),
        (good.clone(), None, &usual, long, Ok("red")),
        (good, Some(json!({"room": "blue", "sub": "ada", "perms": ["join"]})), &json!(["join"]), long, Ok("blue")),
    ] {
        let mut ada = server.connect();
        let resume = ada.join_with_fields(&frame)["resume"]["token"].clone();
        confirm(&mut ada);
        ada.abort();
        let handshake = Handshake::new().with("Sec-WebSocket-Protocol", &format!("switchboard.v1, bearer.{bearer}"));
        let mut ada = TestPeer::on(handshake.send_on(http::dial(server.public)).1);
        ada.receive("welcome");
        let mut back = by(&resume);
        if let Some(claims) = &renewal {
            back["token"] = json!(secrets.token(claims));
        }
        let joined = ada.join_with_fields(&back);
        assert_eq!(&joined["permissions"], permissions, "{bearer} {renewal:?}");
        assert!(joined["expiresInMs"].as_u64().is_some_and(|left| left > seconds), "{}", joined.text);
        ada.leave();
        match enters {
            Ok(room) => drop(ada.join(room)),
            Err(code) => {
                assert_eq!(refused(&mut ada, &json!({"type": "join", "id": "j", "room": "blue"})).0, code);
            }
        }
    }
}

#[test]
fn a_good_token_of_somebody_else_counts_as_a_failure_of_its_address_and_not_as_accepted() {
    let secrets = Secrets::new();
    let server =
        secrets.server("token").set("limits.exempt_loopback", false).set("auth.failures_per_minute", 4).start();
    let mut frame = join("blue", &secrets.token(&json!({"room": "blue", "sub": "ada"})));
    frame["resumable"] = json!(true);
    let mut ada = server.connect();
    let resume = ada.join_with_fields(&frame)["resume"]["token"].clone();
    confirm(&mut ada);
    let eves = secrets.token(&json!({"room": "blue", "sub": "eve"}));
    for _ in 0..2 {
        let renew = json!({"type": "update", "id": "u", "token": eves});
        assert_eq!(refused(&mut ada, &renew).0, "permission_denied");
    }
    let mut eve = server.connect();
    let mut back = join("blue", &eves);
    back["resume"] = json!({"token": resume, "ack": 0});
    for _ in 0..2 {
        assert_eq!(refused(&mut eve, &back).0, "permission_denied");
    }
    eve.send_json(&back);
    eve.receive_error("rate_limited");
    for (outcome, count) in [("accepted", 1.0), ("not_permitted", 4.0), ("too_many", 1.0)] {
        server.wait_for_metric(&format!("switchboard_tokens_total{{outcome=\"{outcome}\"}}"), count);
    }
}
