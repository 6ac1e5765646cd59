//! Clients that join and resume: ghosts, guessed names, guessed secrets.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stage::{FLOODER, Stage, client_from, peer_from, scaled, server},
    support::{
        TestPeer,
        swarm::{Came, on_one_thread},
    },
};

/// Where the victims are.
const VICTIM: Ipv4Addr = Ipv4Addr::new(127, 55, 0, 1);

/// A peer that may be resumed, and its token. It has shown that its `joined` arrived.
pub(crate) fn resumable(from: Ipv4Addr, to: std::net::SocketAddr, room: &str) -> Option<(TestPeer, String)> {
    let mut peer = peer_from(from, to);
    peer.send_json(&json!({"type": "join", "room": room, "resumable": true}));
    let answer = peer.receive_any();
    let token = answer["resume"]["token"].as_str()?.to_owned();
    answer["self"]["id"].as_str()?.clone_into(&mut peer.id);
    peer.send_json(&json!({"type": "ping", "ack": 0}));
    peer.receive_at_last("pong");
    Some((peer, token))
}

pub(crate) fn join_with(token: &str, room: &str) -> Value {
    json!({"type": "join", "room": room, "resume": {"token": token, "ack": 0}, "attempt": 1})
}

/// The victim's session id is known, its secret is not.
#[test]
fn guesses_at_a_sessions_secret() {
    let (sockets, guesses) = scaled((20, 20), (400, 200));
    let mut stage = Stage::set("guesses_at_a_sessions_secret", 1, server().set("limits.handshake_burst", 2000));
    let (mut victim, token) = resumable(VICTIM, stage.server.public, "victims").expect("the victim joins");
    let session = token.split('.').next().expect("a token").to_owned();
    stage.during(|public, _| {
        // On one thread: four hundred would take the processor from those who measure.
        on_one_thread(async {
            let guessing = (0..sockets).map(|number| guess_secrets(public, &session, number, guesses));
            join_all(guessing).await;
        });
    });
    victim.receive_nothing();
    stage.counted("switchboard_limit_hits_total", "limit=\"resume_secrets\"", 1.0);
    // The right secret is good, whatever was guessed.
    let mut back = peer_from(VICTIM, stage.server.public);
    let joined = back.join_with_fields(&join_with(&token, "victims"));
    assert_eq!(joined["self"]["id"], victim.id, "{}", joined.text);
    drop((victim, back));
    stage.ends(0);
}

/// One stranger that guesses, each time when it has heard what became of the guess before.
async fn guess_secrets(to: std::net::SocketAddr, session: &str, number: usize, guesses: usize) {
    let mut stranger = client_from(FLOODER, to, None).await;
    for guess in 0..guesses {
        let secret = format!("{:032x}", (number << 16) + guess);
        let is_sent = stranger.send_json(&[join_with(&format!("{session}.{secret}"), "victims")]).await.is_ok();
        match stranger.next().await {
            Came::Frame(answer) if is_sent && answer["type"] == "error" => {}
            // It has guessed for as long as one may be in no room.
            Came::Frame(bye) if bye["type"] == "bye" => return,
            other => panic!("a guess was answered with {other:?}"),
        }
    }
}

/// One address fills the server's rooms, and a room, with sessions whose sockets are gone.
#[test]
fn seats_of_those_who_are_gone() {
    let (ghosts, rooms) = scaled((120_u32, 40), (10_000, 1000));
    let server = server()
        .set("limits.rooms", rooms)
        .set("limits.rooms_per_address", rooms / 2)
        .set("limits.handshake_burst", 20_000)
        // Shorter than the time in which memory has to be back.
        .set("limits.resume_window_ms", 20_000);
    let mut stage = Stage::set("seats_of_those_who_are_gone", 1, server);
    let parked = stage.during(|public, _| {
        let parks = (0..ghosts).filter(|number| {
            // Ten to a room, as far as they are let in.
            let ghost = resumable(FLOODER, public, &format!("haunted-{}", number / 10));
            ghost.map(|(ghost, _)| ghost.abort()).is_some()
        });
        parks.count()
    });
    println!("seats of those who are gone: {parked} of {ghosts} got a seat");
    let mut newcomer = peer_from(VICTIM, stage.server.public);
    newcomer.join("haunted-0");
    let mut other = peer_from(VICTIM, stage.server.public);
    other.join("a room of its own");
    drop((newcomer, other));
    stage.ends(8 * u64::from(ghosts));
}

/// Names that the flooder invents: whoever lives in one of them is as hard to find as the burst says.
#[test]
fn names_that_are_guessed() {
    let (burst, guessers, time) = scaled((50, 1, Duration::from_secs(3)), (1000, 4, Duration::from_secs(30)));
    let mut stage = Stage::set("names_that_are_guessed", 1, server().set("limits.new_rooms_burst", burst));
    let granted: u32 = stage.during(|public, _| {
        let until = Instant::now() + time;
        std::thread::scope(|scope| {
            let guessing: Vec<_> =
                (0..guessers).map(|guesser| scope.spawn(move || guess_names(public, guesser, until))).collect();
            guessing.into_iter().map(|guesser| guesser.join().expect("a guesser")).sum()
        })
    });
    println!("names that are guessed: {granted} joins were granted in {time:?}");
    // 120 a minute are two a second.
    let most = burst + 2 * u32::try_from(time.as_secs()).expect("seconds") + 4;
    assert!(granted <= most, "{granted} joins to new rooms, and {most} are allowed");
    stage.counted("switchboard_limit_hits_total", "limit=\"new_rooms\"", 1.0);
    stage.ends(0);
}

/// How many of its guesses were granted.
fn guess_names(to: std::net::SocketAddr, guesser: u32, until: Instant) -> u32 {
    let mut granted = 0;
    let mut peer = peer_from(FLOODER, to);
    for guess in 0.. {
        if Instant::now() > until {
            break;
        }
        let id = guess.to_string();
        peer.send_json(&json!({"type": "join", "id": id, "room": format!("calm-otter-{guesser}-{guess}")}));
        // Besides, it is told that it sends too fast.
        let answer = loop {
            let heard = peer.receive_any();
            if heard["re"] == id {
                break heard;
            }
        };
        if answer.kind() == "joined" {
            granted += 1;
            peer.send_json(&json!({"type": "leave"}));
            peer.receive_at_last("left");
        } else {
            assert_eq!(answer["code"], "rate_limited", "{}", answer.text);
        }
    }
    granted
}
