//! Seats that are kept for clients that are away: whose they are, how many, which of them goes first; and that a session's
//! name alone is worth nothing.

use serde_json::{Value, json};

use crate::support::{Builder, TestPeer, TestServer, eventually, expect_eq, http, ws::Handshake};

const ADA: &str = "192.0.2.1";
const BOB: &str = "192.0.2.2";

/// A server behind a proxy on this machine: each client has the address that it says.
fn server() -> Builder {
    TestServer::set("http.trusted_proxies", "127.0.0.1").set("limits.handshake_burst", 10_000).any_pace()
}

#[track_caller]
fn connect(server: &TestServer, address: &str) -> TestPeer {
    let mut peer = TestPeer::open(http::dial(server.public), &Handshake::new().with("X-Forwarded-For", address));
    peer.welcome = Some(peer.receive("welcome"));
    peer
}

/// A peer whose client has shown that it has its token, and that token.
#[track_caller]
fn resumable(server: &TestServer, address: &str, room: &str) -> (TestPeer, String) {
    confirmed(connect(server, address), room)
}

#[track_caller]
fn confirmed(mut peer: TestPeer, room: &str) -> (TestPeer, String) {
    let joined = peer.join_with_fields(&json!({"type": "join", "room": room, "resumable": true}));
    let token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    peer.send_json(&json!({"type": "ping"}));
    peer.receive_at_last("pong");
    (peer, token)
}

fn resume(room: &str, token: &str) -> Value {
    json!({"type": "join", "id": "r", "room": room, "attempt": 1, "resume": {"token": token, "ack": 0}})
}

/// A token of that session that is not good.
fn guess(session: &str, number: usize) -> String {
    format!("{session}.{number:032x}")
}

/// Loses its connection, and waits until the server has seen it: so that one is away for longer than the next.
#[track_caller]
fn lose(server: &TestServer, peer: TestPeer, parked: f64) {
    peer.abort();
    server.wait_for_metric("switchboard_parked_sessions", parked);
}

/// Whether the session of that token can be resumed from there; the answer is what the server says.
#[track_caller]
fn comes_back(server: &TestServer, address: &str, room: &str, token: &str) -> TestPeer {
    let mut peer = connect(server, address);
    peer.join_with_fields(&resume(room, token));
    peer
}

#[track_caller]
fn is_gone(server: &TestServer, address: &str, room: &str, token: &str) {
    let mut peer = connect(server, address);
    peer.send_json(&resume(room, token));
    assert_eq!(peer.receive_error("session_not_found")["re"], "r");
}

fn hits(limit: &str) -> String {
    format!("switchboard_limit_hits_total{{limit=\"{limit}\"}}")
}

#[test]
fn one_address_cannot_fill_a_room_by_hanging_up() {
    let server = server().set("limits.peers_per_room", 4).start();
    let (first, first_token) = resumable(&server, ADA, "blue");
    let id = first.id.clone();
    let others: Vec<_> = (0..3).map(|_| resumable(&server, ADA, "blue")).collect();
    lose(&server, first, 1.0);
    let tokens: Vec<_> = others.into_iter().map(|(peer, token)| (peer.abort(), token).1).collect();
    server.wait_for_metric(&hits("parked_per_room"), 1.0);
    server.wait_for_metric("switchboard_parked_sessions", 3.0);
    let mut bob = connect(&server, BOB);
    let joined = bob.join("blue");
    let peers = joined["peers"].as_array().expect("a list");
    assert!(peers.iter().all(|peer| peer["away"]["until"].is_u64()), "{}", joined.text);
    assert!(peers.len() == 3 && peers.iter().all(|peer| peer["id"] != json!(id)), "the first is gone: {}", joined.text);
    is_gone(&server, ADA, "blue", &first_token);
    server.wait_for_log("who was given up", |line| {
        line.event() == "session_given_up" && line.says("limit", "parked_per_room")
    });
    for token in &tokens {
        connect(&server, ADA).join_with_fields(&resume("blue", token));
    }
}

#[test]
fn its_room_hears_that_a_seat_is_given_up_as_that_its_time_is_over() {
    let server = server().set("limits.parked_per_room", 1).start();
    let mut bob = connect(&server, BOB);
    bob.join("blue");
    let (first, _) = resumable(&server, ADA, "blue");
    bob.receive_joined(&first.id);
    let (second, _) = resumable(&server, ADA, "blue");
    bob.receive_joined(&second.id);
    let ids = [first.id.clone(), second.id.clone()];
    first.abort();
    assert_eq!(bob.receive("peer_away")["id"], ids[0]);
    second.abort();
    // Two sessions end something at the same time: their news come in either order.
    let mut news = [bob.receive_any(), bob.receive_any()];
    news.sort_by_key(|heard| heard.kind().to_owned());
    assert_eq!((news[0].kind(), &news[0]["id"]), ("peer_away", &json!(ids[1])), "{}", news[0].text);
    assert_eq!((news[1].kind(), &news[1]["id"]), ("peer_left", &json!(ids[0])), "{}", news[1].text);
    assert_eq!(news[1]["reason"], "timeout");
    bob.receive_nothing();
}

#[test]
fn when_too_many_are_parked_the_longest_absent_of_the_address_that_holds_most_goes() {
    let server = server().set("limits.parked_sessions", 3).start();
    let (bob, bobs) = resumable(&server, BOB, "bob");
    lose(&server, bob, 1.0);
    let mut adas = Vec::new();
    for number in 0..2 {
        let (peer, token) = resumable(&server, ADA, &format!("ada {number}"));
        lose(&server, peer, f64::from(number + 2));
        adas.push(token);
    }
    let (third, token) = resumable(&server, ADA, "ada 2");
    let (connected, _) = resumable(&server, ADA, "ada 3");
    third.abort();
    server.wait_for_metric(&hits("parked_sessions"), 1.0);
    adas.push(token);
    is_gone(&server, ADA, "ada 0", &adas[0]);
    comes_back(&server, BOB, "bob", &bobs);
    for (number, token) in adas.iter().enumerate().skip(1) {
        comes_back(&server, ADA, &format!("ada {number}"), token);
    }
    let mut connected = connected;
    connected.receive_nothing();
}

#[test]
fn ghosts_of_one_address_keep_nobody_else_out() {
    const GHOSTS: usize = 12;
    let server = server()
        .set("limits.connections_per_address", 4)
        .set("limits.rooms", GHOSTS - 2)
        .set("limits.resume_window_ms", 60_000)
        .start();
    // Three times as many as the address may have, one after the other, all of them gone again; more than there may be rooms.
    for number in 0..GHOSTS {
        resumable(&server, ADA, &format!("ghost {number}")).0.abort();
        eventually("its connection is gone", || {
            expect_eq(&server.log().lines_where("session_parked").len(), &(number + 1))
        });
    }
    eventually("the address holds no more than its share", || {
        let parked = server.scrape().find("switchboard_parked_sessions").unwrap_or_default();
        let connections = server.scrape().find("switchboard_connections").unwrap_or_default();
        if parked <= 4.0 && connections == 0.0 { Ok(()) } else { Err(format!("{parked} parked, {connections}")) }
    });
    for room in ["one", "two"] {
        let mut bob = connect(&server, BOB);
        bob.join(room);
    }
}

#[test]
fn a_line_that_drops_costs_an_address_that_is_full_not_one_seat() {
    const SCHOOL: usize = 6;
    let server = server()
        .set("limits.connections_per_address", SCHOOL)
        .set("limits.peers_per_room", SCHOOL + 1)
        .set("limits.resume_window_ms", 60_000)
        .start();
    let class: Vec<_> = (0..SCHOOL).map(|_| resumable(&server, ADA, "class")).collect();
    let (peers, tokens): (Vec<_>, Vec<_>) = class.into_iter().unzip();
    peers.into_iter().for_each(TestPeer::abort);
    server.wait_for_metric("switchboard_parked_sessions", 6.0);
    // All connections are there before the first of them says what it is for.
    let mut back: Vec<_> = (0..SCHOOL / 2).map(|_| connect(&server, ADA)).collect();
    for (peer, token) in back.iter_mut().zip(&tokens) {
        peer.join_with_fields(&resume("class", token));
    }
    for token in &tokens[SCHOOL / 2..] {
        back.push(comes_back(&server, ADA, "class", token));
    }
    assert_eq!(server.scrape().sum(&hits("connections_per_address"), ""), 0.0);
    server.wait_for_metric("switchboard_parked_sessions", 0.0);
    connect(&server, BOB).join("class");
}

#[test]
fn who_is_away_yields_to_who_comes_of_the_same_address() {
    let server = server().set("limits.connections_per_address", 2).start();
    let (first, first_token) = resumable(&server, ADA, "blue");
    let (second, second_token) = resumable(&server, ADA, "red");
    lose(&server, first, 1.0);
    lose(&server, second, 2.0);
    let mut newcomer = connect(&server, ADA);
    newcomer.join("green");
    server.wait_for_metric(&hits("connections_per_address"), 1.0);
    // On one connection: the address may have no third.
    let mut peer = connect(&server, ADA);
    peer.send_json(&resume("blue", &first_token));
    peer.receive_error("session_not_found");
    peer.join_with_fields(&resume("red", &second_token));
    peer.receive_nothing();
    newcomer.receive_nothing();
}

#[test]
fn a_good_token_is_taken_however_many_bad_ones_were_tried() {
    let server = server().set("limits.resume_secrets", 2).start();
    let (victim, token) = resumable(&server, ADA, "blue");
    let session = victim.session();
    let mut stranger = connect(&server, BOB);
    for number in 0..50 {
        stranger.send_json(&resume("blue", &guess(&session, number)));
        let error = stranger.receive("error");
        let limited = number >= 2;
        assert_eq!(error["code"], if limited { "rate_limited" } else { "session_not_found" }, "{}", error.text);
        assert_eq!((&error["re"], error["retryAfterMs"].is_u64()), (&json!("r"), limited), "{}", error.text);
    }
    server.wait_for_metric(&hits("resume_secrets"), 48.0);
    // From the stranger's own address, and with the connection still there.
    let mut back = comes_back(&server, BOB, "blue", &token);
    assert_eq!(back.joined.as_ref().expect("joined")["complete"], true);
    back.receive_nothing();
    is_gone(&server, BOB, "blue", &guess(&"0".repeat(32), 0));
}

/// More strangers than a mailbox holds messages, which all ask while the session's thread does nothing; and room mates
/// whose messages would not find a place there.
#[cfg(feature = "fault-injection")]
#[test]
fn a_sessions_name_alone_does_not_end_it() {
    const STRANGERS: usize = 440;
    let server = server().set("server.workers", 4).start();
    let mut mates: Vec<_> = (0..5).map(|_| connect(&server, BOB)).collect();
    for mate in &mut mates {
        mate.join("blue");
    }
    // On the thread of its room, which is to stall.
    let here = Handshake::new().request_line("GET /ws?room=blue HTTP/1.1").with("X-Forwarded-For", ADA);
    let mut victim = TestPeer::open(http::dial(server.public), &here);
    victim.welcome = Some(victim.receive("welcome"));
    let (mut victim, token) = confirmed(victim, "blue");
    let session = victim.session();
    for mate in &mut mates {
        mate.receive_all();
    }
    let mut strangers: Vec<_> = (0..STRANGERS).map(|_| connect(&server, "192.0.2.66")).collect();
    let stall = "POST /fault/room-stall?room=blue HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(http::exchange(server.ops, stall).status, 202);
    for (number, stranger) in strangers.iter_mut().enumerate() {
        stranger.send_json(&resume("blue", &guess(&session, number)));
    }
    for mate in &mut mates {
        mate.send_signal(&victim.id, &json!("are you there?"));
    }
    for stranger in &mut strangers {
        let heard = stranger.receive("error");
        assert!(["session_not_found", "rate_limited"].contains(&heard.text("code").as_str()), "{}", heard.text);
    }
    for _ in &mates {
        victim.receive("signal");
    }
    victim.receive_nothing();
    let mut bob = mates.remove(0);
    bob.receive_nothing();
    eventually("the strangers are counted", || {
        let hit = server.scrape().find(&hits("resume_secrets")).unwrap_or_default();
        // 60 at once, and one a second since.
        if hit >= 360.0 { Ok(()) } else { Err(format!("{hit} of {STRANGERS}")) }
    });
    let id = victim.id.clone();
    victim.abort();
    assert_eq!(bob.receive("peer_away")["id"], id);
    comes_back(&server, ADA, "blue", &token);
    assert_eq!(bob.receive("peer_back")["id"], id);
}
