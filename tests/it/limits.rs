//! Shares: how fast one connection may send, and how much one address may ask for.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    TestPeer, TestServer, eventually, http,
    http::Response,
    ws::{Handshake, first, frame},
};

/// A server that counts this machine's addresses as any others.
fn strict() -> crate::support::Builder {
    TestServer::set("limits.exempt_loopback", false)
}

/// A server behind a proxy on this machine: whoever sends `X-Forwarded-For` from here is believed, and whoever does not is
/// one client.
fn proxied() -> crate::support::Builder {
    TestServer::set("http.trusted_proxies", "127.0.0.1")
}

/// A handshake that a proxy passes on for this address.
fn handshake_of(client: &str) -> Handshake {
    Handshake::new().with("X-Forwarded-For", client)
}

#[track_caller]
fn connect_as(server: &TestServer, client: &str) -> TestPeer {
    let mut peer = TestPeer::open(http::dial(server.public), &handshake_of(client));
    peer.receive("welcome");
    peer
}

#[track_caller]
fn too_many(response: &Response) -> Duration {
    let error = response.error(429, "rate_limited");
    assert_eq!((&error["category"], &error["retryable"]), (&json!("RATE_LIMITED"), &json!(true)));
    let seconds: u64 = response.needs("Retry-After").parse().expect("whole seconds");
    assert!(seconds >= 1 && error["retryAfterMs"] == seconds * 1000, "{response:?}");
    Duration::from_secs(seconds)
}

fn hits(limit: &str) -> String {
    format!("switchboard_limit_hits_total{{limit=\"{limit}\"}}")
}

/// Hears pongs until so many have come, and counts the `rate_limited` among them, which answer no request.
#[track_caller]
fn receive_pongs(peer: &mut TestPeer, count: usize) -> usize {
    let (mut pongs, mut told) = (0, 0);
    while pongs < count {
        let heard = peer.receive_any();
        match heard.kind() {
            "pong" => pongs += 1,
            "error" => {
                assert_eq!((&heard["code"], heard.json().get("re")), (&json!("rate_limited"), None), "{}", heard.text);
                assert!(heard["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{}", heard.text);
                told += 1;
            }
            _ => panic!("{}", heard.text),
        }
    }
    told
}

#[test]
fn a_burst_passes_unhindered_and_what_follows_at_the_rate_with_nothing_lost() {
    let server = TestServer::set("limits.frame_rate", 50).set("limits.frame_burst", 100).start();
    let mut alice = server.connect();
    let began = Instant::now();
    let pings: Vec<u8> = (0..200).flat_map(|_| frame(first::TEXT, br#"{"type":"ping"}"#)).collect();
    alice.send(&pings);
    assert_eq!(receive_pongs(&mut alice, 100), 0, "the burst");
    let told = receive_pongs(&mut alice, 100);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1950), "100 frames beyond the burst at 50 a second in {took:?}");
    assert!((1..=took.as_secs() + 1).contains(&(told as u64)), "told {told} times in {took:?}");
    server.wait_for_metric(&hits("frame_rate"), 1.0);
}

#[test]
fn control_frames_and_fragments_count_too() {
    let server = TestServer::set("limits.frame_rate", 20).set("limits.frame_burst", 10).start();
    for bytes in [frame(first::PONG, b""), frame(first::PING, b"")] {
        let mut alice = server.connect();
        let began = Instant::now();
        alice.send(&bytes.repeat(20));
        alice.send_json(&json!({"type": "ping", "id": "last"}));
        while alice.next(crate::support::PATIENCE).is_ok_and(|heard| !format!("{heard:?}").contains("last")) {}
        assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    }
    let mut alice = server.connect();
    let began = Instant::now();
    let text = br#"{"type":"ping","id":"whole"}"#;
    let mut bytes = frame(first::TEXT_BEGINS, &text[..1]);
    (1..text.len() - 1).for_each(|at| bytes.extend(frame(first::GOES_ON, &text[at..=at])));
    bytes.extend(frame(first::ENDS, &text[text.len() - 1..]));
    alice.send(&bytes);
    assert_eq!(alice.receive_at_last("pong")["re"], "whole");
    let least = Duration::from_millis(50) * u32::try_from(text.len() - 10).unwrap();
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
}

#[test]
fn a_flooder_is_slowed_by_tcp_and_costs_its_neighbours_nothing() {
    let server = TestServer::set("limits.frame_rate", 50).set("server.workers", 1).start();
    let [mut flooder, mut alice, mut bob] = server.join_some("blue");
    let before = server.memory_kib("VmHWM");
    let bytes = frame(first::TEXT, br#"{"type":"ping"}"#).repeat(50_000);
    let writer = std::thread::spawn(move || {
        // Blocks as soon as the kernel's buffers are full, until the server ends it.
        let _ = (0..20).try_for_each(|_| flooder.try_send(&bytes));
    });
    server.wait_for_metric(&hits("frame_rate"), 1.0);
    for number in 0..100 {
        alice.send_signal(&bob.id, &json!(number));
        assert_eq!(bob.receive("signal")["data"], number);
    }
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 4 << 10, "{grown} KiB more for a flood of which 64 KiB may wait here");
    drop(server);
    writer.join().expect("the writer");
}

#[test]
fn who_never_pauses_is_closed_with_4002_and_who_pauses_is_not() {
    let server = TestServer::set("limits.frame_rate", 100)
        .set("limits.frame_burst", 10)
        .set("limits.flood_timeout_ms", 600)
        .start();
    let [mut flooder, mut witness] = server.join_some("blue");
    let ping = frame(first::TEXT, br#"{"type":"ping"}"#);
    flooder.send(&ping.repeat(5000));
    let bye = flooder.receive_at_last("bye");
    assert_eq!((&bye["reason"], &bye["action"]), (&json!("rate_limited"), &json!("reconnect")));
    flooder.receive_close(4002);
    witness.receive_left(&flooder.id, "error");
    server.wait_for_log("why it ended", |line| {
        line.event() == "connection_closed" && line.says("reason", "rate_limited")
    });
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        witness.send(&ping.repeat(30));
        receive_pongs(&mut witness, 30);
    }
}

#[test]
fn being_read_at_the_limits_pace_is_a_sign_of_life() {
    let server = TestServer::set("heartbeat.interval_ms", 200)
        .set("limits.frame_rate", 50)
        .set("limits.frame_burst", 10)
        .start();
    let mut alice = server.join("blue");
    alice.answers_pings = false;
    // All of it is in the server's hands at once; it takes two seconds to be handled.
    alice.send(&frame(first::TEXT, br#"{"type":"ping"}"#).repeat(110));
    receive_pongs(&mut alice, 110);
}

#[test]
fn handshakes_of_one_address_are_limited_whatever_becomes_of_them() {
    let server = strict().set("limits.handshake_burst", 4).set("limits.handshake_rate", 2).start();
    let _peers = [server.connect(), server.connect()];
    for _ in 0..2 {
        assert_eq!(Handshake::new().with("Sec-WebSocket-Key", "short").send(server.public).0.status, 400);
    }
    assert_eq!(too_many(&Handshake::new().send(server.public).0), Duration::from_secs(1));
    server.wait_for_log("who was refused", |line| {
        line.event() == "handshake_refused" && line.says("code", "rate_limited")
    });
    server.wait_for_metric(&hits("handshake_rate"), 1.0);
    assert_eq!(server.get("/").status, 200, "other requests are counted apart");
    eventually("one more may come", || match Handshake::new().send(server.public).0.status {
        101 => Ok(()),
        status => Err(status.to_string()),
    });
}

#[test]
fn requests_of_one_address_are_limited_and_probes_are_not() {
    let server = strict().set("limits.http_burst", 5).set("limits.http_rate", 1).start();
    let statuses: Vec<u16> = (0..6).map(|_| server.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    too_many(&server.get("/nowhere"));
    for probe in ["/healthz", "/readyz", "/health"] {
        assert!((0..10).all(|_| server.get(probe).status == 200), "{probe}");
    }
    assert!((0..10).all(|_| server.ops_get("/metrics").status == 200), "operators are not limited");
    server.connect().join("blue");
    server.wait_for_metric(&hits("http_rate"), 2.0);
}

#[test]
fn connections_of_one_address_are_limited_and_the_next_one_comes_when_one_ends() {
    let server = strict().set("limits.connections_per_address", 2).start();
    let (first, _second) = (server.connect(), server.connect());
    too_many(&Handshake::new().send(server.public).0);
    server.wait_for_metric(&hits("connections_per_address"), 1.0);
    first.close();
    eventually("a place is free", || match Handshake::new().send(server.public).0.status {
        101 => Ok(()),
        status => Err(status.to_string()),
    });
}

#[test]
fn loopback_is_exempt_where_a_key_says_so() {
    let server = TestServer::set("limits.handshake_burst", 1)
        .set("limits.http_burst", 1)
        .set("limits.connections_per_address", 1)
        .set("limits.rooms_per_address", 1)
        .set("limits.joins_per_minute", 1)
        .start();
    let _peers: Vec<TestPeer> = (0..5).map(|room| server.join(&format!("room {room}"))).collect();
    assert!((0..5).all(|_| server.get("/").status == 200));
    assert_eq!(server.scrape().sum("switchboard_limit_hits_total", ""), 0.0);
}

#[test]
fn rooms_of_one_address_are_limited_and_those_that_exist_can_be_joined() {
    let server = proxied().set("limits.rooms_per_address", 1).start();
    let (mut alice, mut bob, mut carol) =
        (connect_as(&server, "192.0.2.1"), connect_as(&server, "192.0.2.1"), connect_as(&server, "192.0.2.2"));
    alice.join("blue");
    bob.send_json(&json!({"type": "join", "room": "red", "id": "j"}));
    let error = bob.receive_error("room_limit");
    assert_eq!((&error["re"], error["message"].as_str().unwrap().contains("address")), (&json!("j"), true));
    carol.join("red");
    bob.join("red");
    server.wait_for_metric(&hits("rooms_per_address"), 1.0);
    server.wait_for_metric("switchboard_join_rejections_total{code=\"room_limit\"}", 1.0);
    alice.leave();
    bob.leave();
    carol.receive("peer_joined");
    carol.receive_left(&bob.id, "left");
    bob.join("green");
}

#[test]
fn joins_of_one_address_are_limited_and_the_refused_one_is_told_when_to_try_again() {
    let server = proxied().set("limits.joins_per_minute", 3).start();
    let (mut alice, mut bob) = (connect_as(&server, "192.0.2.1"), connect_as(&server, "192.0.2.1"));
    bob.join("blue");
    for _ in 0..2 {
        alice.join("blue");
        bob.receive_joined(&alice.id);
        alice.leave();
        bob.receive_left(&alice.id, "left");
    }
    alice.send_json(&json!({"type": "join", "room": "blue", "id": "j"}));
    let error = alice.receive_error("rate_limited");
    assert_eq!(error["re"], "j");
    assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| (15_000..=20_001).contains(&ms)), "{}", error.text);
    bob.receive_nothing();
    connect_as(&server, "192.0.2.2").join("blue");
    server.wait_for_metric(&hits("joins_per_minute"), 1.0);
}

#[test]
fn behind_a_trusted_proxy_each_client_has_limits_and_log_lines_of_its_own() {
    let server = proxied().set("limits.handshake_burst", 1).set("limits.http_burst", 1).start();
    let _peers = ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1"].map(|client| connect_as(&server, client));
    for again in ["192.0.2.1", "1.1.1.1, 192.0.2.2", "2001:db8:1:2:9::9"] {
        too_many(&handshake_of(again).send(server.public).0);
    }
    for client in ["192.0.2.1", "2001:db8:1:2::1"] {
        server.wait_for_log(client, |line| line.event() == "connection_opened" && line.says("remote", client));
    }
    let get = |client: &str| http::get(server.public, "/", &[("X-Forwarded-For", client)]).status;
    assert_eq!([get("192.0.2.1"), get("192.0.2.2"), get("192.0.2.1")], [200, 200, 429]);
    assert_eq!([(); 2].map(|()| server.get("/").status), [200, 429], "the proxy itself is a client");
    assert!(server.log().lines_where("forwarded_not_believed").is_empty());
}

#[test]
fn a_forwarded_address_from_anybody_else_is_not_believed_and_warned_of_once() {
    let server = strict().set("limits.handshake_burst", 2).start();
    for client in ["192.0.2.1", "192.0.2.2"] {
        connect_as(&server, client);
    }
    too_many(&handshake_of("192.0.2.3").send(server.public).0);
    server.wait_for_log("the warning", |line| line.event() == "forwarded_not_believed");
    let opened = server.log().lines_where("connection_opened");
    assert!(opened.iter().all(|line| line.json["remote"].as_str().is_some_and(|text| text.starts_with("127.0.0.1:"))));
    let warned = server.log().lines_where("forwarded_not_believed");
    assert_eq!(warned.iter().map(|line| line.json["level"].clone()).collect::<Vec<_>>(), ["warning"]);
}

#[test]
fn addresses_are_forgotten_when_they_are_quiet_again() {
    let server = proxied().set("limits.handshake_rate", 1000).start();
    let peers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|client| connect_as(&server, client));
    server.wait_for_metric("switchboard_tracked_addresses", 3.0);
    drop(peers);
    server.wait_for_metric("switchboard_tracked_addresses", 0.0);
}

#[test]
fn every_limit_is_exported() {
    let server = TestServer::set("limits.handshake_rate", 7).set("limits.joins_per_minute", 77).start();
    let scrape = server.scrape();
    let limit = |name: &str| scrape.find(&format!("switchboard_limit{{name=\"{name}\"}}"));
    for (name, value) in [
        ("frame_rate", 50.0),
        ("frame_burst", 200.0),
        ("byte_rate", 131_072.0),
        ("byte_burst", 1_048_576.0),
        ("byte_rate_per_address", 8_388_608.0),
        ("byte_burst_per_address", 335_544_320.0),
        ("flood_timeout_seconds", 30.0),
        ("handshake_rate", 7.0),
        ("handshake_burst", 500.0),
        ("http_rate", 10.0),
        ("http_burst", 100.0),
        ("connections_per_address", 2000.0),
        ("rooms_per_address", 1000.0),
        ("joins_per_minute", 77.0),
        ("new_rooms_per_minute", 120.0),
        ("new_rooms_burst", 1000.0),
        ("addresses", 100_000.0),
    ] {
        assert_eq!(limit(name), Some(value), "{name}");
    }
}
