//! A server that is killed, and one that takes its place.

use serde_json::json;

use crate::support::{
    PATIENCE, TestPeer, TestServer, eventually, ports,
    ws::{Ended, Frame},
};

/// Hears until the connection ends: without a close frame, since nobody was there to send one.
#[track_caller]
fn receive_the_end(peer: &mut TestPeer) {
    loop {
        match peer.next(PATIENCE) {
            Ok(Frame::Text(_)) => {}
            Err(Ended::Fin | Ended::Reset) => return,
            other => panic!("waited for the end, heard {other:?}"),
        }
    }
}

#[test]
fn a_server_that_is_killed_and_started_again_has_no_ghosts() {
    let port = ports::reserve();
    let builder = || TestServer::set("server.port", port).set("limits.peers_per_room", 3);
    let mut first = builder().start();
    let (join, resumable) =
        (json!({"type": "join", "room": "blue"}), json!({"type": "join", "room": "blue", "resumable": true}));
    let mut peers: Vec<_> = [&join, &resumable, &resumable]
        .map(|join| {
            let mut peer = first.connect();
            peer.join_with_fields(join);
            peer.receive_nothing();
            peer
        })
        .into();
    first.signal("KILL");
    assert_eq!(first.wait_exit(PATIENCE).code(), None, "a signal ended it");
    peers.iter_mut().for_each(receive_the_end);
    let second = builder().state(first.state()).start();
    assert_eq!(second.public.port(), port);
    let tokens = peers.iter().map(|peer| peer.joined.as_ref().expect("joined")["resume"]["token"].clone());
    let mut back: Vec<TestPeer> = Vec::new();
    for token in tokens {
        let mut peer = second.connect();
        if token.is_string() {
            peer.send_json(
                &json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 0}, "attempt": 1}),
            );
            peer.receive_error("session_not_found");
        }
        let joined = peer.join_with_fields(&json!({"type": "join", "room": "blue", "attempt": 1}));
        assert_eq!(joined["peers"].as_array().map(Vec::len), Some(back.len()), "only who is there: {}", joined.text);
        for other in &mut back {
            other.receive_joined(&peer.id);
        }
        back.push(peer);
    }
    eventually("the figures are right", || {
        let scrape = second.scrape();
        let found = ["connections", "peers", "rooms", "parked_sessions", "joins_total"]
            .map(|name| scrape.value(&format!("switchboard_{name}")));
        let lost = scrape.sum("switchboard_leaves_total", "") + scrape.sum("switchboard_connections_closed_total", "");
        let back = ["joined", "not_found"]
            .map(|result| scrape.value(&format!("switchboard_reconnection_attempts_total{{result=\"{result}\"}}")));
        let right = found == [3.0, 3.0, 1.0, 0.0, 3.0] && lost == 0.0 && back == [3.0, 2.0];
        let stays = scrape.find("switchboard_last_shutdown_duration_seconds");
        if right && stays.is_none() { Ok(()) } else { Err(scrape.text()) }
    });
    back.iter_mut().for_each(TestPeer::receive_nothing);
}
