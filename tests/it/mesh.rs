//! A mesh forms: everybody joins at once, every newcomer offers to those it finds, and every pair meets exactly once.

use std::{collections::BTreeSet, sync::Barrier, thread};

use serde_json::json;

use crate::support::{TestPeer, TestServer, http, ws::Handshake};

const PEERS: usize = 10;

/// What one peer saw while the mesh formed.
struct Seen {
    id: String,
    found: BTreeSet<String>,
    told_of: BTreeSet<String>,
    offered_by: BTreeSet<String>,
    answered_by: BTreeSet<String>,
}

impl Seen {
    fn is_complete(&self) -> bool {
        self.found.len() + self.told_of.len() == PEERS - 1
            && self.offered_by.len() == self.told_of.len()
            && self.answered_by.len() == self.found.len()
    }

    /// Notes one frame; answers an offer.
    fn receive(&mut self, peer: &mut TestPeer) {
        let frame = peer.receive_any();
        let (kind, from) = (frame.kind().to_owned(), frame["from"].as_str().unwrap_or_default().to_owned());
        match (kind.as_str(), frame["kind"].as_str().unwrap_or_default()) {
            ("peer_joined", _) => assert!(self.told_of.insert(frame.text("id")), "told twice: {}", frame.text),
            ("signal", "offer") => {
                assert!(self.told_of.contains(&from), "an offer from a peer that it was not told of: {}", frame.text);
                assert!(self.offered_by.insert(from.clone()), "offered twice: {}", frame.text);
                peer.send_json(&json!({"type": "signal", "to": from, "kind": "answer", "data": {"to": frame["data"]}}));
            }
            ("signal", "answer") => {
                assert_eq!(frame["data"]["to"], self.id, "an answer to somebody else's offer");
                assert!(self.answered_by.insert(from), "answered twice: {}", frame.text);
            }
            _ => panic!("not part of a mesh: {}", frame.text),
        }
    }
}

/// Joins with all others at the same moment, offers to everybody it finds, and goes on until it has met all.
fn take_part(server: &TestServer, room: &str, hinted: bool, start: &Barrier) -> (TestPeer, Seen) {
    let path = if hinted { format!("GET /ws?room={room} HTTP/1.1") } else { "GET /ws HTTP/1.1".into() };
    let mut peer = TestPeer::open(http::dial(server.public), &Handshake::new().request_line(&path));
    peer.receive("welcome");
    start.wait();
    let joined = peer.join(room);
    let found: BTreeSet<String> =
        joined["peers"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    for other in &found {
        peer.send_json(&json!({"type": "signal", "to": other, "kind": "offer", "data": peer.id}));
    }
    let (id, empty) = (peer.id.clone(), BTreeSet::new());
    let mut seen = Seen { id, found, told_of: empty.clone(), offered_by: empty.clone(), answered_by: empty };
    while !seen.is_complete() {
        seen.receive(&mut peer);
    }
    (peer, seen)
}

/// Lets a mesh form; `hinted` says which peers name the room in their handshake and so may live on another thread.
fn form(server: &TestServer, room: &str, hinted: impl Fn(usize) -> bool) {
    let start = Barrier::new(PEERS);
    let mut seen: Vec<(TestPeer, Seen)> = thread::scope(|scope| {
        let start = &start;
        let spawn = |number| {
            let hinted = hinted(number);
            scope.spawn(move || take_part(server, room, hinted, start))
        };
        let threads: Vec<_> = (0..PEERS).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("a peer of the mesh")).collect()
    });
    let offers: usize = seen.iter().map(|(_, one)| one.offered_by.len()).sum();
    assert_eq!(offers, PEERS * (PEERS - 1) / 2, "every pair once");
    for (peer, _) in &mut seen {
        peer.receive_nothing();
    }
}

#[test]
fn ten_peers_that_join_at_once_all_meet() {
    let server = TestServer::start();
    for round in 0..5 {
        form(&server, &format!("mesh-{round}"), |_| false);
    }
}

#[test]
fn peers_that_named_their_room_and_peers_that_did_not_meet_all_the_same() {
    let server = TestServer::set("server.workers", 3).start();
    for round in 0..5 {
        form(&server, &format!("mesh-{round}"), |number| number % 2 == 0);
    }
}
