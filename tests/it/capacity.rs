//! Caps: peers in a room, rooms on the server, connections; and that what is freed can be taken.

use serde_json::json;

use crate::support::{TestPeer, TestServer, eventually, ws::Handshake};

/// Asks for a seat until there is one: a seat is free when the server has seen its holder go.
#[track_caller]
fn join_when_free(peer: &mut TestPeer, room: &str) {
    eventually("a seat is free", || {
        peer.send_json(&json!({"type": "join", "room": room}));
        let (kind, _) = peer.receive_reply();
        if kind == "joined" { Ok(()) } else { Err(kind) }
    });
}

#[test]
fn a_full_room_says_so_and_stays_as_it_is() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut carol = server.connect();
    carol.send_json(&json!({"type": "join", "room": "blue", "id": "j"}));
    let error = carol.receive_error("room_full");
    assert_eq!(
        (&error["re"], &error["category"], &error["retryable"]),
        (&json!("j"), &json!("ROOM_FULL"), &json!(true))
    );
    alice.receive_nothing();
    bob.receive_nothing();
    assert_eq!(carol.join("red")["capacity"], 2, "another room has room");
}

#[test]
fn the_eleventh_peer_is_refused_by_default() {
    let server = TestServer::start();
    let _ten = server.join_all("mesh", 10);
    let mut eleventh = server.connect();
    eleventh.send_json(&json!({"type": "join", "room": "mesh"}));
    eleventh.receive_error("room_full");
}

#[test]
fn a_seat_freed_by_leaving_lets_the_next_one_in_at_once() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut carol = server.connect();
    for _ in 0..10 {
        bob.leave();
        alice.receive_left(&bob.id, "left");
        carol.join("blue");
        alice.receive_joined(&carol.id);
        std::mem::swap(&mut bob, &mut carol);
    }
}

#[test]
fn a_seat_is_freed_however_its_holder_goes() {
    let server = TestServer::set("limits.peers_per_room", 1).start();
    let endings: [fn(TestPeer); 4] = [
        TestPeer::close,
        TestPeer::abort,
        |peer| peer.hang_up(),
        |mut peer| {
            peer.leave();
            std::mem::forget(peer);
        },
    ];
    for end in endings {
        let mut holder = server.connect();
        join_when_free(&mut holder, "blue");
        end(holder);
        join_when_free(&mut server.connect(), "blue");
    }
}

#[test]
fn a_refused_joiner_that_hangs_up_frees_nobodys_seat() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let [mut alice, mut bob] = server.join_some("blue");
    let endings: [fn(TestPeer); 3] = [TestPeer::close, TestPeer::abort, |peer| peer.hang_up()];
    for end in endings {
        let mut refused = server.connect();
        refused.send_json(&json!({"type": "join", "room": "blue"}));
        refused.receive_error("room_full");
        end(refused);
    }
    server.wait_for_connections(2);
    let mut next = server.connect();
    next.send_json(&json!({"type": "join", "room": "blue"}));
    next.receive_error("room_full");
    alice.receive_nothing();
    bob.receive_nothing();
}

#[test]
fn a_refused_joiner_that_says_leave_frees_nobodys_seat() {
    let server = TestServer::set("limits.peers_per_room", 1).start();
    let mut alice = server.join("blue");
    let mut bob = server.connect();
    for _ in 0..3 {
        bob.send_json(&json!({"type": "join", "room": "blue"}));
        bob.receive_error("room_full");
        bob.send_json(&json!({"type": "leave"}));
        bob.receive_error("not_in_room");
    }
    alice.receive_nothing();
}

#[test]
fn many_at_once_fill_a_room_to_its_cap_and_no_further() {
    let server = TestServer::start();
    let mut peers: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.send_json(&json!({"type": "join", "room": "mesh"}));
    }
    let joined = peers.iter_mut().filter_map(|peer| Some(peer.receive_any()).filter(|reply| reply.kind() == "joined"));
    assert_eq!(joined.count(), 10);
}

#[test]
fn a_room_beyond_the_servers_limit_is_refused_until_another_one_ends() {
    let server = TestServer::set("limits.rooms", 2).start();
    let (mut alice, _bob) = (server.join("blue"), server.join("red"));
    let mut carol = server.connect();
    carol.send_json(&json!({"type": "join", "room": "green", "id": "j"}));
    let error = carol.receive_error("room_limit");
    assert_eq!((&error["re"], &error["category"]), (&json!("j"), &json!("ROOM_FULL")));
    alice.leave();
    join_when_free(&mut carol, "green");
    alice.send_json(&json!({"type": "join", "room": "blue"}));
    alice.receive_error("room_limit");
    alice.join("red");
}

#[test]
fn a_connection_beyond_the_cap_is_refused_with_503_until_another_one_ends() {
    let server = TestServer::set("server.max_connections", 2).start();
    let (alice, mut bob) = (server.connect(), server.join("blue"));
    let (refused, _) = Handshake::new().send(server.public);
    let error = refused.error(503, "over_capacity");
    assert_eq!((&error["category"], &error["retryable"]), (&serde_json::json!("ROOM_FULL"), &serde_json::json!(true)));
    let seconds: u64 = refused.needs("Retry-After").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| ms <= seconds * 1000), "{error}");
    bob.receive_nothing();
    alice.close();
    eventually("a connection is free", || match Handshake::new().send(server.public).0.status {
        101 => Ok(()),
        status => Err(status.to_string()),
    });
}

#[test]
fn connections_that_never_become_peers_are_counted_and_freed_too() {
    let server = TestServer::set("server.max_connections", 3).start();
    for _ in 0..10 {
        let peers: Vec<_> = (0..3).map(|_| server.connect()).collect();
        assert_eq!(Handshake::new().send(server.public).0.status, 503);
        peers.into_iter().for_each(TestPeer::abort);
        server.wait_for_connections(0);
    }
}

#[test]
fn a_refused_handshake_takes_no_connection_from_the_cap() {
    let server = TestServer::set("server.max_connections", 1).start();
    for _ in 0..5 {
        assert_eq!(Handshake::new().with("Sec-WebSocket-Key", "short").send(server.public).0.status, 400);
        assert_eq!(Handshake::new().request_line("GET /nowhere HTTP/1.1").send(server.public).0.status, 404);
    }
    server.connect();
}
