//! A server that hangs: noticed, told of, ended. And parts that fail alone.

use crate::support::{TestServer, http};

/// Asks for a fault.
fn inject(server: &TestServer, fault: &str) -> u16 {
    let head =
        format!("POST /fault/{fault} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    http::exchange(server.ops, &head).status
}

#[cfg(not(feature = "fault-injection"))]
#[test]
fn a_build_that_is_not_for_these_tests_takes_no_faults() {
    let server = TestServer::start();
    for fault in ["supervisor-panic", "supervisor-stall", "worker-stall", "room-panic?room=x", "session-panic"] {
        assert_eq!(inject(&server, fault), 404, "{fault}");
    }
    server.join("blue").receive_nothing();
}

#[cfg(feature = "fault-injection")]
mod faults {
    use std::{
        io::{BufReader, Write},
        net::TcpStream,
        time::{Duration, Instant},
    };

    use serde_json::json;

    use super::inject;
    use crate::support::{
        PATIENCE, TestServer, eventually, eventually_within, http,
        http::Response,
        ws::{Ended, Frame},
    };

    /// Noticed within this, by who asks `/healthz`.
    const NOTICED: Duration = Duration::from_secs(2);
    /// Ended within this.
    const ENDED: Duration = Duration::from_secs(5);

    fn healthz(server: &TestServer) -> Option<Response> {
        probe(server, "/healthz")
    }

    /// Nobody may answer: the thread that should may be the one that hangs.
    fn probe(server: &TestServer, path: &str) -> Option<Response> {
        let mut stream = TcpStream::connect_timeout(&server.public, PATIENCE).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        http::read_response(&mut BufReader::new(stream)).ok()
    }

    /// The fault is noticed in time, and ends the process in time, with the exit code and the line that are promised.
    #[track_caller]
    fn is_fatal(fault: &str, subject: &str) {
        let mut server = TestServer::builder().start();
        server.forgive_panics();
        let _alice = server.join("blue");
        assert_eq!(healthz(&server).map(|answer| answer.status), Some(200));
        let began = Instant::now();
        assert_eq!(inject(&server, fault), 202);
        let refused = eventually("liveness is denied", || {
            let answer = healthz(&server);
            answer.clone().filter(|answer| answer.status == 503).ok_or_else(|| format!("{answer:?}"))
        });
        assert!(began.elapsed() < NOTICED, "noticed after {:?}", began.elapsed());
        assert!(!refused.body.is_empty());
        let status = server.wait_exit(ENDED);
        assert!(began.elapsed() < ENDED, "ended after {:?}", began.elapsed());
        assert_eq!(status.code(), Some(70));
        let line = server.wait_for_log("why it ended", |line| line.event() == "wedged");
        assert_eq!((&line.json["level"], &line.json["exit_code"]), (&json!("critical"), &json!(70)));
        assert!(line.json["subject"].as_str().is_some_and(|text| text.starts_with(subject)), "{}", line.text);
        let told = server.wait_for_log("that it was noticed", |line| line.event() == "liveness_changed");
        assert_eq!((&told.json["to"], &told.json["level"]), (&json!("dead"), &json!("error")));
    }

    #[test]
    fn a_supervisor_that_panics_ends_the_process() {
        is_fatal("supervisor-panic", "supervisor");
    }

    #[test]
    fn a_supervisor_that_hangs_ends_the_process() {
        is_fatal("supervisor-stall", "");
    }

    #[test]
    fn a_worker_that_hangs_ends_the_process() {
        is_fatal("worker-stall", "worker ");
    }

    #[test]
    fn health_names_the_part_that_is_silent() {
        for (fault, part) in [("supervisor-panic", "supervisor"), ("worker-stall", "arbiters")] {
            let mut server = TestServer::set("health.interval_ms", 200).set("watchdog.exit_ms", 600_000).start();
            server.forgive_panics();
            assert_eq!(inject(&server, fault), 202);
            let health = eventually("/health denies its service", || {
                let answer = probe(&server, "/health");
                answer.clone().filter(|answer| answer.status == 503).ok_or_else(|| format!("{answer:?}"))
            });
            let checks = health.json()["checks"].as_array().cloned().unwrap_or_default();
            let unhealthy: Vec<_> = checks.iter().filter(|check| check["status"] == "unhealthy").collect();
            assert!(matches!(unhealthy[..], [check] if check["name"] == part), "{fault}: {checks:?}");
        }
    }

    /// What a flood does to the workers, for as long as it likes: the operator sees it all the same.
    #[test]
    fn a_scrape_waits_for_no_worker() {
        let server = TestServer::set("server.workers", 1).set("watchdog.exit_ms", 600_000).start();
        let _alice = server.join("blue");
        eventually("the peer is counted", || {
            let connections = server.scrape().sum("switchboard_connections", "");
            if connections >= 1.0 { Ok(()) } else { Err(connections.to_string()) }
        });
        assert_eq!(inject(&server, "worker-stall"), 202);
        eventually("the only worker is silent", || {
            let answer = http::get(server.ops, "/healthz", &[]);
            if answer.status == 503 { Ok(()) } else { Err(answer.body) }
        });
        assert!(probe(&server, "/readyz").is_none(), "there is nobody who could answer");
        for path in ["/metrics", "/errors", "/health"] {
            let answer = http::get(server.ops, path, &[]);
            assert!(!answer.body.is_empty() && (path == "/health" || answer.status == 200), "{path}: {answer:?}");
        }
        assert!(server.scrape().sum("switchboard_connections", "") >= 1.0);
    }

    #[test]
    fn a_process_that_was_stopped_goes_on_where_it_was() {
        let server = TestServer::start();
        let [mut alice, mut bob] = server.join_some("blue");
        server.signal("STOP");
        let began = Instant::now();
        eventually("longer than any patience has passed", || {
            if began.elapsed() > Duration::from_secs(6) { Ok(()) } else { Err(format!("{:?}", began.elapsed())) }
        });
        server.signal("CONT");
        let began = Instant::now();
        eventually("it has been alive for two rounds of the watch", || {
            assert_eq!(server.get("/healthz").status, 200);
            if began.elapsed() > NOTICED { Ok(()) } else { Err(String::new()) }
        });
        alice.send_signal(&bob.id, &json!("still here"));
        assert_eq!(bob.receive("signal")["data"], "still here");
        assert!(server.log().lines_where("liveness_changed").is_empty());
    }

    #[test]
    fn a_room_that_panics_harms_only_itself() {
        let mut server = TestServer::start();
        server.forgive_panics();
        let [mut alice, mut bob] = server.join_some("blue");
        let [mut carol, mut dave] = server.join_some("red");
        assert_eq!(inject(&server, "room-panic?room=blue"), 202);
        for peer in [&mut alice, &mut bob] {
            assert_eq!(peer.receive("room_closed")["room"], "blue");
        }
        alice.join("blue");
        bob.join("blue");
        carol.send_signal(&dave.id, &json!(1));
        dave.receive("signal");
        server.wait_for_metric("switchboard_rooms_lost_total", 1.0);
        assert_eq!(healthz(&server).map(|answer| answer.status), Some(200));
    }

    #[test]
    fn a_session_that_panics_harms_only_itself() {
        let mut server = TestServer::start();
        server.forgive_panics();
        let [mut alice, mut bob, mut carol] = server.join_some("blue");
        assert_eq!(inject(&server, &format!("session-panic?session={}", alice.session())), 202);
        alice.receive_bye("internal", 1011);
        for peer in [&mut bob, &mut carol] {
            peer.receive_left(&alice.id, "error");
        }
        bob.send_signal(&carol.id, &json!(1));
        carol.receive("signal");
        bob.receive_nothing();
        server.join("blue");
        server.wait_for_metric("switchboard_panics_total", 1.0);
        assert_eq!(healthz(&server).map(|answer| answer.status), Some(200));
    }

    #[test]
    fn peers_of_a_process_that_ended_itself_see_their_connections_end() {
        let mut server = TestServer::start();
        server.forgive_panics();
        let mut alice = server.join("blue");
        assert_eq!(inject(&server, "supervisor-panic"), 202);
        let end = eventually_within(ENDED, "the connection ends", || match alice.next(PATIENCE) {
            Err(end) => Ok(end),
            Ok(heard @ Frame::Text(_)) => Err(format!("{heard:?}")),
            Ok(other) => panic!("{other:?}"),
        });
        assert!(matches!(end, Ended::Fin | Ended::Reset), "{end:?}");
        assert_eq!(server.wait_exit(ENDED).code(), Some(70));
    }

    #[test]
    fn a_fault_that_nobody_knows_is_none() {
        let server = TestServer::start();
        for fault in ["moon", "room-panic", "room-panic?room=nowhere", "session-panic?session=x"] {
            assert_eq!(inject(&server, fault), 404, "{fault}");
        }
    }
}
