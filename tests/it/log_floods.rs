//! The log is no amplifier: what clients repeat is a burst of lines and one with the count of the rest. None is lost, and
//! the metrics count each.

use serde_json::json;

use crate::support::{Builder, Line, PATIENCE, TestServer, eventually, http, ws::Handshake};

/// A server whose lines are gathered as an operator's are, with a window that no test lives through.
fn server() -> Builder {
    TestServer::set("log.gather_ms", 3_600_000).set("log.level", "info")
}

/// So many handshakes that are refused.
fn knock(server: &TestServer, times: usize) {
    for _ in 0..times {
        let response = Handshake::new().with("Sec-WebSocket-Version", "8").send(server.public);
        assert_eq!(response.0.status, 426);
    }
}

/// Lines of that event, each for itself, and those that tell of more.
fn lines(server: &TestServer, event: &str) -> (Vec<Line>, Vec<Line>) {
    server.log().lines_where(event).into_iter().partition(|line| line.json.get("more").is_none())
}

/// How many those lines stand for.
fn more(gathered: &[Line]) -> u64 {
    gathered.iter().map(|line| line.json["more"].as_u64().expect("a number")).sum()
}

/// Ends the server: what was gathered is told by then.
#[track_caller]
fn end(server: &mut TestServer) {
    server.terminate();
    assert!(server.wait_exit(2 * PATIENCE).success());
    let last = server.log().lines().pop().expect("lines");
    assert_eq!(last.event(), "server_stopped", "it stays the last line");
}

#[test]
fn refused_handshakes_of_one_address_are_a_burst_and_one_line_with_the_count_of_the_rest() {
    let mut server = server().start();
    knock(&server, 300);
    server.wait_for_metric("switchboard_handshakes_refused_total{code=\"bad_handshake\"}", 300.0);
    server.wait_for_metric("switchboard_log_lines_gathered_total", 280.0);
    let (each, gathered) = lines(&server, "handshake_refused");
    assert_eq!((each.len(), gathered.len()), (20, 0), "log.burst_refusals of them, and the count when it is time");
    end(&mut server);
    let (_, gathered) = lines(&server, "handshake_refused");
    assert_eq!(gathered.len(), 1, "{gathered:#?}");
    let line = &gathered[0];
    assert_eq!((&line.json["more"], &line.json["level"]), (&280.into(), &"info".into()), "{}", line.text);
    assert!(line.says("remote", "127.0.0.1") && line.says("code", "bad_handshake"), "{}", line.text);
    assert!(line.json["msg"].as_str().unwrap().starts_with("handshake refused, and 280 more in "), "{}", line.text);
    assert!(line.json["window_ms"].as_f64().unwrap() > 0.0, "{}", line.text);
}

#[test]
fn whoever_comes_and_goes_for_ever_fills_no_disk() {
    let mut server = server().set("log.burst_lines", 5).start();
    let mut alice = server.connect();
    for _ in 0..100 {
        alice.join("blue");
        alice.leave();
    }
    for _ in 0..50 {
        server.connect().close();
    }
    alice.close();
    server.wait_for_connections(0);
    end(&mut server);
    for (event, times) in [
        ("peer_joined", 100),
        ("peer_left", 100),
        ("room_opened", 100),
        ("room_ended", 100),
        ("connection_opened", 51),
        ("connection_closed", 51),
    ] {
        let (each, gathered) = lines(&server, event);
        assert_eq!((each.len(), gathered.len()), (5, 1), "{event}");
        assert_eq!(each.len() as u64 + more(&gathered), times, "{event}: none is lost");
        assert!(gathered[0].says("remote", "127.0.0.1"), "{}", gathered[0].text);
    }
    let (_, left) = lines(&server, "peer_left");
    assert!(left[0].says("reason", "left"), "{}", left[0].text);
}

#[test]
fn the_count_comes_when_the_window_is_over_though_nothing_else_happens() {
    let server = TestServer::set("log.gather_ms", 1_000).start();
    knock(&server, 200);
    eventually("all are told of", || {
        let (each, gathered) = lines(&server, "handshake_refused");
        let told = each.len() as u64 + more(&gathered);
        if told == 200 { Ok(()) } else { Err(format!("{told} of 200")) }
    });
    let (_, gathered) = lines(&server, "handshake_refused");
    assert_eq!(gathered[0].json["window_ms"], 1000.0);
}

#[test]
fn refused_joins_and_resumes_can_be_seen_and_are_gathered() {
    let mut server = server().set("limits.peers_per_room", 2).start();
    let _full = server.join_all("blue", 2);
    let mut alice = server.connect();
    for _ in 0..40 {
        alice.send_json(&json!({"type": "join", "room": "blue"}));
        alice.receive_error("room_full");
    }
    let token = "0".repeat(64);
    for _ in 0..40 {
        alice.send_json(&json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 0}}));
        alice.receive("error");
    }
    alice.close();
    end(&mut server);
    for event in ["join_refused", "resume_refused"] {
        let (each, gathered) = lines(&server, event);
        assert!(each.iter().all(|line| line.says("level", "info")));
        let codes: std::collections::BTreeSet<_> = each.iter().map(|line| line.json["code"].to_string()).collect();
        assert!(!each.is_empty() && each.len() <= 20 * codes.len(), "{event}: {}", each.len());
        assert_eq!(each.len() as u64 + more(&gathered), 40, "{event}: none is lost");
    }
    let (each, _) = lines(&server, "join_refused");
    assert!(each[0].says("room", "blue") && each[0].says("code", "room_full"), "{}", each[0].text);
}

#[test]
fn many_addresses_are_bounded_together() {
    let mut server = server().set("http.trusted_proxies", "127.0.0.1").set("log.event_lines", 30).start();
    for n in 0..200 {
        let from = format!("198.51.100.{n}");
        let handshake = Handshake::new().with("Sec-WebSocket-Version", "8").with("X-Forwarded-For", &from);
        assert_eq!(handshake.send(server.public).0.status, 426);
    }
    end(&mut server);
    let (each, gathered) = lines(&server, "handshake_refused");
    assert_eq!((each.len(), gathered.len(), more(&gathered)), (30, 1, 170));
    assert_eq!(gathered[0].json.get("remote"), None, "they are of no one address: {}", gathered[0].text);
}

#[test]
fn everybody_has_a_line_where_nothing_is_gathered() {
    let server = TestServer::builder().start();
    knock(&server, 150);
    server.wait_for_metric("switchboard_handshakes_refused_total{code=\"bad_handshake\"}", 150.0);
    let (each, gathered) = lines(&server, "handshake_refused");
    assert_eq!((each.len(), gathered.len()), (150, 0));
    server.wait_for_metric("switchboard_log_lines_gathered_total", 0.0);
}

#[test]
fn debug_lines_and_requests_are_no_amplifier_either() {
    let mut server = TestServer::set("log.gather_ms", 3_600_000).set("log.event_lines", 100).any_pace().start();
    let mut alice = server.connect();
    for _ in 0..300 {
        alice.send_text("nonsense");
        alice.receive_error("invalid_message");
    }
    for _ in 0..300 {
        assert_eq!(http::get(server.public, "/healthz", &[]).status, 200);
    }
    alice.close();
    end(&mut server);
    let (each, gathered) = lines(&server, "frame_refused");
    assert_eq!((each.len(), more(&gathered)), (20, 280));
    let (each, gathered) = lines(&server, "http_served");
    assert!(each.len() == 100 && more(&gathered) >= 200, "{} and {}", each.len(), more(&gathered));
}
