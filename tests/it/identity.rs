//! Who comes again without a token: recognised by a secret, and given the seats of their own ghosts.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    PATIENCE, Received, TestPeer, TestServer, eventually, expect_eq,
    ws::{Ended, Frame},
};

/// What Ada's page keeps for the room.
const ADA: &str = "correct-horse-battery-staple-417";
const BOB: &str = "another-horse-battery-staple-418";

fn join(room: &str, identity: &str) -> Value {
    json!({"type": "join", "id": "j", "room": room, "resumable": true, "identity": identity})
}

fn join_instead(room: &str, identity: &str) -> Value {
    json!({"type": "join", "id": "j", "room": room, "identity": identity, "replace": true})
}

/// Of a peer that has shown that its token has arrived.
fn confirmed(peer: &mut TestPeer) -> String {
    peer.send_json(&json!({"type": "ping"}));
    peer.receive("pong");
    token(peer.joined.as_ref().expect("it has joined"))
}

fn token(joined: &Received) -> String {
    joined["resume"]["token"].as_str().expect("a token").to_owned()
}

fn resume(room: &str, token: &str) -> Value {
    json!({"type": "join", "id": "r", "room": room, "attempt": 1, "resume": {"token": token, "ack": 0}})
}

/// Loses its connection, and waits until the server knows.
fn lose(peer: TestPeer, witness: &mut TestPeer) -> String {
    let id = peer.id.clone();
    peer.abort();
    assert_eq!(witness.receive("peer_away")["id"], id);
    id
}

#[test]
fn a_page_that_is_reloaded_without_a_goodbye_gets_into_the_room_that_its_own_ghost_fills() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let mut ada = server.connect();
    let who = ada.join_with_fields(&join("blue", ADA))["self"]["who"].clone();
    assert_eq!(who.as_str().map(str::len), Some(32));
    let former = confirmed(&mut ada);
    let mut grace = server.join("blue");
    assert_eq!(grace.joined.as_ref().expect("joined")["peers"][0]["who"], who);
    let ghost = lose(ada, &mut grace);

    // Nobody else gets in, and nobody's seat is freed by trying: not by who has another secret, and not by who has what all see.
    let mut stranger = server.connect();
    let public = who.as_str().expect("text").to_owned();
    for refused in [join("blue", BOB), join("blue", &public), join_instead("blue", &public)] {
        stranger.send_json(&refused);
        stranger.receive_error("room_full");
    }
    stranger.join_with_fields(&join("red", ADA));
    grace.receive_nothing();

    let mut ada = server.connect();
    let joined = ada.join_with_fields(&join("blue", ADA));
    assert_eq!((&joined["self"]["who"], &joined["peers"][0]["id"]), (&who, &json!(grace.id)));
    assert!(joined["peers"].as_array().is_some_and(|peers| peers.len() == 1), "{}", joined.text);
    grace.receive_left(&ghost, "replaced");
    let came = grace.receive_joined(&ada.id);
    assert_eq!((&came["who"], &came["replaces"], &came["polite"]), (&who, &json!(ghost), &json!(false)));

    let mut late = server.connect();
    late.send_json(&resume("blue", &former));
    late.receive_error("session_not_found");
    grace.receive_nothing();
    ada.receive_nothing();
    server.wait_for_metric("switchboard_leaves_total{reason=\"replaced\"}", 1.0);
    server.wait_for_metric("switchboard_parked_sessions", 0.0);
    server.wait_for_metric("switchboard_peers", 3.0);
}

#[test]
fn a_ghost_that_nobody_has_replaced_can_be_resumed_and_is_who_it_was() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let mut ada = server.connect();
    let who = ada.join_with_fields(&join("blue", ADA))["self"]["who"].clone();
    let former = confirmed(&mut ada);
    let mut grace = server.join("blue");
    let id = lose(ada, &mut grace);
    let mut stranger = server.connect();
    stranger.send_json(&join("blue", BOB));
    stranger.receive_error("room_full");
    let mut ada = server.connect();
    // Whatever it says of itself beside its token.
    let mut back = resume("blue", &former);
    (back["identity"], back["replace"]) = (json!(BOB), json!(true));
    let joined = ada.join_with_fields(&back);
    assert_eq!((&joined["self"]["id"], &joined["self"]["who"]), (&json!(id), &who));
    assert_eq!(grace.receive("peer_back")["id"], id);
}

#[test]
fn two_tabs_are_two_peers_until_one_asks_to_replace() {
    let server = TestServer::start();
    let mut grace = server.join("blue");
    let [mut first, mut second] = [(); 2].map(|()| {
        let mut tab = server.connect();
        tab.join_with_fields(&join("blue", ADA));
        tab
    });
    let whos = [grace.receive_joined(&first.id), grace.receive_joined(&second.id)].map(|came| {
        assert!(came["replaces"].is_null(), "{}", came.text);
        came["who"].clone()
    });
    assert_eq!(whos[0], whos[1]);
    first.receive_joined(&second.id);

    let mut third = server.connect();
    let joined = third.join_with_fields(&join_instead("blue", ADA));
    assert_eq!(joined["peers"].as_array().map(Vec::len), Some(1), "{}", joined.text);
    for tab in [&mut first, &mut second] {
        let bye = tab.receive_bye("session_taken", 4500);
        assert_eq!(bye["action"], "disconnect");
    }
    for tab in [&first, &second] {
        grace.receive_left(&tab.id, "replaced");
    }
    assert_eq!(grace.receive_joined(&third.id)["replaces"], second.id, "the one that joined last");
    grace.receive_nothing();
    server.wait_for_metric("switchboard_connections_closed_total{reason=\"session_taken\"}", 2.0);
}

#[test]
fn several_ghosts_go_in_one_step_and_the_room_of_nobody_else_goes_on() {
    let server = TestServer::start();
    for _ in 0..3 {
        let mut tab = server.connect();
        tab.join_with_fields(&join("blue", ADA));
        confirmed(&mut tab);
        // Each is a ghost before the next comes, so each replaces one.
        tab.abort();
        server.wait_for_metric("switchboard_parked_sessions", 1.0);
    }
    let mut ada = server.connect();
    assert_eq!(ada.join_with_fields(&join("blue", ADA))["peers"], json!([]));
    server.wait_for_metric("switchboard_leaves_total{reason=\"replaced\"}", 3.0);
    server.wait_for_metric("switchboard_peers", 1.0);
    assert_eq!(server.scrape().sum("switchboard_rooms_opened_total", ""), 1.0, "it has never been empty");
}

/// Whether a client that came back is in its room still; it is known to be, or to have heard otherwise, at last.
fn is_inside(peer: &mut TestPeer, expected: bool) -> bool {
    peer.send_json(&json!({"type": "ping", "id": "inside"}));
    loop {
        match peer.next(PATIENCE) {
            Ok(Frame::Text(text)) if text.contains("\"session_not_found\"") => return false,
            // What was on its way is answered, even by a session that has not read yet that it is over.
            Ok(Frame::Text(text)) if text.contains("\"inside\"") && expected => return true,
            Ok(Frame::Text(_)) => {}
            Ok(Frame::Close(..)) | Err(Ended::Fin | Ended::Reset) => return false,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn of_a_ghost_that_comes_back_while_its_place_is_taken_nobody_believes_what_the_server_does_not() {
    let server = TestServer::set("limits.connections_per_address", 10_000).any_pace().start();
    let mut kept = Vec::new();
    for round in 0..60_u32 {
        let room = format!("room-{round}");
        let mut ada = server.connect();
        ada.join_with_fields(&join(&room, ADA));
        let token = confirmed(&mut ada);
        let mut grace = server.join(&room);
        let ghost = lose(ada, &mut grace);
        let (mut back, mut again) = (server.connect(), server.connect());
        let (first, second) = if round % 2 == 0 { (&mut back, &mut again) } else { (&mut again, &mut back) };
        let (resumes, joins) = (resume(&room, &token), join(&room, ADA));
        first.send_json(if round % 2 == 0 { &resumes } else { &joins });
        let said = Instant::now();
        while said.elapsed() < Duration::from_micros(15) * (round / 2) {
            std::hint::spin_loop();
        }
        second.send_json(if round % 2 == 0 { &joins } else { &resumes });
        let joined = again.receive("joined");
        again.id = joined["self"]["id"].as_str().expect("an id").to_owned();
        let has_ghost = joined["peers"].as_array().expect("a list").iter().any(|peer| peer["id"] == ghost);
        kept.push((ghost, has_ghost, back, again, grace));
    }
    let mut here = 0;
    for (ghost, has_ghost, back, again, grace) in &mut kept {
        assert_eq!(is_inside(back, *has_ghost), *has_ghost, "who came back is told the same as {}", again.id);
        let left = grace.receive_all().iter().any(|heard| heard.kind() == "peer_left" && heard["id"] == *ghost);
        assert_eq!(*has_ghost, !left, "and so is the witness of {ghost}");
        again.receive_all();
        here += usize::from(*has_ghost);
    }
    let peers = u32::try_from(2 * kept.len() + here).expect("few");
    eventually("every seat is somebody's", || {
        expect_eq(&server.scrape().sum("switchboard_peers", ""), &f64::from(peers))?;
        expect_eq(&server.scrape().sum("switchboard_parked_sessions", ""), &0.0)
    });
}

#[test]
fn an_identity_is_in_no_log_and_no_metric() {
    let server = TestServer::set("log.level", "trace").start();
    let mut ada = server.connect();
    ada.join_with_fields(&join("blue", ADA));
    let mut again = server.connect();
    again.join_with_fields(&join_instead("blue", ADA));
    ada.receive_bye("session_taken", 4500);
    for bad in [json!({"type": "join", "room": "blue", "identity": format!("{ADA} ")}), json!({"identity": ADA})] {
        again.send_json(&bad);
        again.receive_error("invalid_message");
    }
    let half = format!("{{\"type\":\"join\",\"room\":\"blue\",\"identity\":\"{ADA}");
    again.send_text(&half);
    again.receive_error("invalid_message");
    again.close();
    server.wait_for_log("the end", |line| line.event() == "connection_closed" && line.says("reason", "client_closed"));
    assert!(server.log().lines().iter().all(|line| !line.text.contains("horse")));
    assert!(!server.ops_get("/metrics").body.contains("horse"));
}
