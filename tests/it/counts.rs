//! Metrics equal the truth, whatever has happened.

use std::thread;

use serde_json::json;

use crate::support::{
    Scrape, TestPeer, TestServer, eventually, expect_eq,
    ws::{Handshake, first, frame},
};

/// The owner's figures: connections, peers in rooms, rooms.
fn gauges(scrape: &Scrape) -> [f64; 3] {
    ["switchboard_connections", "switchboard_peers", "switchboard_rooms"].map(|name| scrape.value(name))
}

/// Waits until the gauges say that.
#[track_caller]
fn wait_for_gauges(server: &TestServer, connections: u32, peers: u32, rooms: u32) -> Scrape {
    let wanted = [connections, peers, rooms].map(f64::from);
    eventually("the gauges are right", || {
        let scrape = server.scrape();
        expect_eq(&gauges(&scrape), &wanted).map(|()| scrape)
    })
}

/// Waits until series have these values.
#[track_caller]
fn wait_for(server: &TestServer, wanted: &[(&str, u32)]) {
    eventually("the series are right", || {
        let scrape = server.scrape();
        let wrong = wanted.iter().map(|(series, value)| (series, scrape.find(series), f64::from(*value)));
        let wrong: Vec<_> = wrong.filter(|(_, found, value)| *found != Some(*value)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("(series, found, wanted): {wrong:?}")) }
    });
}

#[test]
fn the_gauges_follow_connections_peers_and_rooms() {
    let server = TestServer::start();
    wait_for_gauges(&server, 0, 0, 0);
    let idle: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let (mut blue, red) = (server.join_all("blue", 4), server.join_all("red", 2));
    wait_for_gauges(&server, 9, 6, 2);
    blue.drain(..2).for_each(TestPeer::abort);
    blue[0].receive("peer_left");
    blue[0].receive("peer_left");
    blue[0].leave();
    wait_for_gauges(&server, 7, 3, 2);
    red.into_iter().for_each(TestPeer::close);
    wait_for_gauges(&server, 5, 1, 1);
    drop((idle, blue));
    wait_for_gauges(&server, 0, 0, 0);
}

/// How a peer of the storm ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Leave,
    Close,
    Kill,
    HangUp,
    Break,
}

const ENDINGS: [Ending; 5] = [Ending::Leave, Ending::Close, Ending::Kill, Ending::HangUp, Ending::Break];

fn end(mut peer: TestPeer, how: Ending) {
    match how {
        Ending::Leave => {
            peer.send_json(&json!({"type": "leave"}));
            peer.receive_at_last("left");
        }
        Ending::Close => peer.close(),
        Ending::Kill => peer.abort(),
        Ending::HangUp => peer.hang_up(),
        Ending::Break => {
            peer.send(&crate::support::ws::unmasked_frame(0x81, b"{}"));
            peer.receive_at_last("bye");
        }
    }
}

/// One thread of the storm: peers come to its own rooms and go in all ways. Returns how each ended.
fn storm(server: &TestServer, thread: usize) -> Vec<Ending> {
    let mut here = Vec::new();
    let mut ended = Vec::new();
    for round in 0..60 {
        let mut peer = server.connect();
        peer.send_json(&json!({"type": "join", "room": format!("room {thread} {}", round % 3), "attempt": round % 2}));
        peer.receive("joined");
        here.push(peer);
        if round % 4 == 3 {
            for place in 0..3 {
                let how = ENDINGS[(round + place + thread) % ENDINGS.len()];
                end(here.swap_remove((round * 7 + place) % here.len()), how);
                ended.push(how);
            }
        }
    }
    here.into_iter().for_each(TestPeer::abort);
    ended.resize(60, Ending::Kill);
    ended
}

#[test]
fn after_a_storm_of_joins_kills_and_leaves_every_count_is_right() {
    let server = TestServer::set("limits.peers_per_room", 60).set("limits.meta_bytes", 1024).start();
    let ended: Vec<Ending> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn({
                    let server = &server;
                    move || storm(server, number)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a storm without accident")).collect()
    });
    let count = |wanted: &[Ending]| u32::try_from(ended.iter().filter(|how| wanted.contains(how)).count()).unwrap();
    let (left, closed, cut) =
        (count(&[Ending::Leave]), count(&[Ending::Close]), count(&[Ending::Kill, Ending::HangUp]));
    let broken = count(&[Ending::Break]);
    wait_for_gauges(&server, 0, 0, 0);
    wait_for(
        &server,
        &[
            ("switchboard_connections_opened_total", 240),
            ("switchboard_joins_total", 240),
            (r#"switchboard_leaves_total{reason="left"}"#, left + closed),
            (r#"switchboard_leaves_total{reason="disconnected"}"#, cut),
            (r#"switchboard_leaves_total{reason="error"}"#, broken),
            (r#"switchboard_leaves_total{reason="timeout"}"#, 0),
            (r#"switchboard_connections_closed_total{reason="client_closed"}"#, closed),
            (r#"switchboard_connections_closed_total{reason="disconnected"}"#, cut + left),
            (r#"switchboard_connections_closed_total{reason="protocol_error"}"#, broken),
        ],
    );
    let scrape = server.scrape();
    assert_eq!(scrape.sum("switchboard_leaves_total", ""), 240.0);
    assert_eq!(scrape.sum("switchboard_connections_closed_total", ""), 240.0);
}

#[test]
fn refused_joins_are_counted_by_reason_and_are_no_joins() {
    let server = TestServer::set("limits.peers_per_room", 1).set("limits.rooms", 1).start();
    let mut alice = server.join("blue");
    let mut bob = server.connect();
    for room in ["blue", "blue", "red"] {
        bob.send_json(&json!({"type": "join", "room": room}));
        bob.receive("error");
    }
    alice.send_json(&json!({"type": "join", "room": "blue"}));
    alice.receive_error("already_joined");
    wait_for(
        &server,
        &[
            ("switchboard_joined_connections", 1),
            ("switchboard_joins_total", 1),
            (r#"switchboard_join_rejections_total{code="room_full"}"#, 2),
            (r#"switchboard_join_rejections_total{code="room_limit"}"#, 1),
            ("switchboard_peers", 1),
        ],
    );
}

#[test]
fn messages_are_counted_by_type_and_direction() {
    let server = TestServer::start();
    let [mut alice, mut bob, mut carol] = server.join_some("blue");
    for _ in 0..5 {
        alice.send_json(&json!({"type": "signal", "to": bob.id, "kind": "offer", "data": 1}));
        bob.receive("signal");
    }
    alice.send_json(&json!({"type": "signal", "to": "*", "kind": "app", "data": 1}));
    bob.receive("signal");
    carol.receive("signal");
    alice.send_text("nonsense");
    alice.receive_error("invalid_message");
    wait_for(
        &server,
        &[
            (r#"switchboard_messages_total{direction="in",type="join"}"#, 3),
            (r#"switchboard_messages_total{direction="in",type="offer"}"#, 5),
            (r#"switchboard_messages_total{direction="in",type="app"}"#, 1),
            (r#"switchboard_messages_total{direction="in",type="invalid"}"#, 1),
            (r#"switchboard_messages_total{direction="out",type="offer"}"#, 5),
            (r#"switchboard_messages_total{direction="out",type="app"}"#, 2),
            (r#"switchboard_messages_total{direction="out",type="welcome"}"#, 3),
            (r#"switchboard_messages_total{direction="out",type="error"}"#, 1),
            (r#"switchboard_relays_total{outcome="delivered"}"#, 7),
        ],
    );
}

#[test]
fn errors_are_counted_by_class_and_code() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for _ in 0..3 {
        alice.send_json(&json!({"type": "leave"}));
        alice.receive_error("not_in_room");
    }
    Handshake::new().with("Sec-WebSocket-Version", "8").send(server.public);
    eventually("the errors are counted", || {
        let scrape = server.scrape();
        let of = |code: &str| scrape.sum("switchboard_errors_total", &format!("code=\"{code}\""));
        expect_eq(&[of("not_in_room"), of("bad_handshake"), of("internal")], &[3.0, 1.0, 0.0])
    });
}

#[test]
fn http_requests_are_counted_by_route_and_not_by_whatever_path_was_guessed() {
    let server = TestServer::start();
    for path in ["/healthz", "/healthz", "/guess-1", "/guess-2"] {
        server.get(path);
    }
    let requests = |scrape: &Scrape, label: &str| scrape.sum("switchboard_http_requests_total", label);
    eventually("the requests are counted", || {
        let scrape = server.scrape();
        let counted = [requests(&scrape, "route=\"/healthz\""), requests(&scrape, "status=\"404\"")];
        expect_eq(&counted, &[2.0, 2.0])
    });
    assert!(!server.ops_get("/metrics").body.contains("guess"));
}

#[test]
fn limits_build_and_process_can_be_read() {
    let server = TestServer::set("server.max_connections", 77).start();
    let scrape = server.scrape();
    assert_eq!(scrape.series("switchboard_build_info").count(), 1, "{}", scrape.text());
    for name in
        ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"]
    {
        assert!(scrape.find(name).is_some_and(|value| value >= 0.0), "{name} in {}", scrape.text());
    }
    assert!(scrape.text().contains(" 77\n"), "the connection cap is in {}", scrape.text());
}

#[test]
fn the_heartbeat_of_the_supervisor_goes_on() {
    let server = TestServer::start();
    let beat = || server.scrape().find("switchboard_heartbeat_timestamp_seconds").unwrap_or_default();
    let first = eventually("a first beat", || Some(beat()).filter(|at| *at > 1.7e9).ok_or_else(|| beat().to_string()));
    eventually("a later one", || if beat() > first { Ok(()) } else { Err(first.to_string()) });
}

#[test]
fn a_scrape_is_sound_text_format() {
    let server = TestServer::start();
    let _peers = server.join_all("blue", 3);
    let text = server.ops_get("/metrics").body;
    assert!(text.ends_with('\n'));
    let mut typed = std::collections::HashSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(typed.insert(rest.split(' ').next().unwrap().to_owned()), "twice: {line}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            assert!(typed.contains(name) || base.is_some_and(|base| typed.contains(base)), "no type: {line}");
        }
    }
}

#[test]
fn the_latest_errors_are_grouped_for_the_operator_alone() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for _ in 0..4 {
        alice.send_json(&json!({"type": "leave"}));
        alice.receive_error("not_in_room");
    }
    eventually("the errors are told", || {
        let errors = server.ops_get("/errors").json();
        let group = errors["groups"].as_array().into_iter().flatten().find(|group| group["code"] == "not_in_room");
        let told = group.is_some_and(|group| group["count"] == 4 && group["severity"] == "low");
        if told && errors["total"]["low"] == 4 { Ok(()) } else { Err(errors.to_string()) }
    });
    assert_eq!(server.get("/errors").status, 404);
}

#[test]
fn bytes_and_ways_of_coming_back_are_counted() {
    let server = TestServer::set("limits.peers_per_room", 1).start();
    let (mut alice, mut bob) = (server.connect(), server.connect());
    let (first, again) =
        (r#"{"type":"join","room":"blue","attempt":0}"#, r#"{"type":"join","room":"blue","attempt":3}"#);
    alice.send_text(first);
    alice.receive("joined");
    bob.send_text(again);
    bob.receive_error("room_full");
    alice.leave();
    bob.send_text(again);
    bob.receive("joined");
    let said = first.len() + again.len() * 2 + r#"{"type":"leave"}"#.len();
    wait_for(
        &server,
        &[
            (r#"switchboard_message_bytes_total{direction="in"}"#, u32::try_from(said).unwrap()),
            (r#"switchboard_reconnection_attempts_total{result="joined"}"#, 1),
            (r#"switchboard_reconnection_attempts_total{result="refused"}"#, 1),
        ],
    );
}

#[test]
fn rooms_are_counted_by_their_size() {
    let server = TestServer::start();
    let _rooms = [server.join_all("one", 1), server.join_all("three", 3), server.join_all("ten", 10)];
    wait_for(
        &server,
        &[
            (r#"switchboard_room_peers_bucket{le="1"}"#, 1),
            (r#"switchboard_room_peers_bucket{le="2"}"#, 1),
            (r#"switchboard_room_peers_bucket{le="3"}"#, 2),
            (r#"switchboard_room_peers_bucket{le="10"}"#, 3),
            ("switchboard_room_peers_count", 3),
            ("switchboard_room_peers_sum", 14),
        ],
    );
}

#[test]
fn people_are_counted_once_however_many_seats_they_have() {
    let server = TestServer::start();
    let identity = |text: &str| json!({"type": "join", "room": "blue", "identity": text.repeat(22)});
    let [mut ada, mut too, mut bob] = std::array::from_fn(|_| server.connect());
    ada.join_with_fields(&identity("a"));
    too.join_with_fields(&identity("a"));
    bob.join_with_fields(&identity("b"));
    let nobody = server.join("blue");
    eventually("two people have three seats, and somebody unknown a fourth", || {
        let scrape = server.scrape();
        expect_eq(&["switchboard_peers", "switchboard_users"].map(|name| scrape.value(name)), &[4.0, 2.0])
    });
    drop((ada, nobody));
    eventually("one of her seats is left", || {
        let scrape = server.scrape();
        expect_eq(&["switchboard_peers", "switchboard_users"].map(|name| scrape.value(name)), &[2.0, 2.0])
    });
    drop(too);
    server.wait_for_metric("switchboard_users", 1.0);
    drop(bob);
    server.wait_for_metric("switchboard_users", 0.0);
}

#[test]
fn every_byte_of_a_websocket_is_counted() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let join = r#"{"type":"join","room":"blue"}"#;
    alice.send_text(join);
    let joined = alice.receive("joined");
    // RFC 6455 section 5.2: two bytes of head, and two more for what is longer than 125.
    let framed = |text: &str| text.len() + if text.len() < 126 { 2 } else { 4 };
    let sent = framed(&alice.welcome.as_ref().expect("a welcome").text) + framed(&joined.text);
    let received = frame(first::TEXT, join.as_bytes()).len();
    for (name, bytes) in [("received", received), ("sent", sent)] {
        server.wait_for_metric(
            &format!("switchboard_websocket_{name}_bytes_total"),
            f64::from(u32::try_from(bytes).expect("few")),
        );
    }
}
