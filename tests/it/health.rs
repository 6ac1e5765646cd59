//! Probes: what they say, who may ask, and how fast when the server is full.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{TestPeer, TestServer, eventually, expect_eq, is_utc_time};

/// A moment in RFC 3339, in UTC.
fn is_utc(text: &Value) -> bool {
    text.as_str().is_some_and(is_utc_time)
}

#[test]
fn a_server_that_runs_is_alive_ready_and_healthy() {
    let server = TestServer::start();
    for path in ["/healthz", "/readyz", "/health"] {
        eventually(path, || expect_eq(&server.get(path).status, &200));
    }
}

#[test]
fn health_tells_what_is_going_on() {
    let server = TestServer::set("health.interval_ms", 200).start();
    let _peers = (server.join_all("blue", 2), server.join("red"), server.connect());
    let health = eventually("health knows four connections in two rooms", || {
        let health = server.get("/health").json();
        let told = [&health["status"], &health["activeConnections"], &health["activeRooms"]];
        if told == [&json!("healthy"), &json!(4), &json!(2)] { Ok(health) } else { Err(health.to_string()) }
    });
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime"].is_number() && is_utc(&health["timestamp"]), "{health}");
}

#[test]
fn health_tells_the_churn() {
    let server = TestServer::set("health.interval_ms", 200).start();
    let mut peers = server.join_all("blue", 5);
    peers.drain(..2).for_each(TestPeer::close);
    eventually("five joins and two leaves", || {
        let health = server.get("/health").json();
        expect_eq(&(&health["joinsPerMinute"], &health["leavesPerMinute"]), &(&json!(5), &json!(2)))
    });
}

#[test]
fn health_names_its_checks() {
    let server = TestServer::set("health.interval_ms", 200).start();
    let checks = eventually("checks have run", || {
        let health = server.get("/health").json();
        let checks = health["checks"].as_array().cloned().unwrap_or_default();
        if checks.is_empty() { Err(health.to_string()) } else { Ok(checks) }
    });
    for check in &checks {
        assert!(check["name"].is_string() && is_utc(&check["lastChecked"]), "{check}");
        assert!(["healthy", "degraded", "unhealthy"].contains(&check["status"].as_str().unwrap()), "{check}");
        assert!(check["responseTimeMs"].is_number(), "{check}");
    }
}

#[test]
fn checks_are_run_periodically_and_not_by_whoever_asks() {
    let server = TestServer::set("health.interval_ms", 200).start();
    let last_checked = || server.get("/health").json()["checks"][0]["lastChecked"].clone();
    let first = eventually("a check has run", || Some(last_checked()).filter(Value::is_string).ok_or("none".into()));
    eventually("it runs again by itself", || {
        let now = last_checked();
        if now == first { Err(now.to_string()) } else { Ok(()) }
    });
    let patient = TestServer::set("health.interval_ms", 3_600_000).start();
    let last_checked = || patient.get("/health").json()["checks"][0]["lastChecked"].clone();
    let first = eventually("a check has run", || Some(last_checked()).filter(Value::is_string).ok_or("none".into()));
    assert_eq!(last_checked(), first, "nobody has run it since");
}

#[test]
fn a_server_that_starts_is_alive_but_not_ready() {
    let server = TestServer::set("server.ready_delay_ms", 1500).start();
    assert_eq!(server.get("/readyz").status, 503);
    assert_eq!(server.get("/healthz").status, 200);
    eventually("it is ready", || expect_eq(&server.get("/readyz").status, &200));
}

#[test]
fn a_server_at_its_connection_cap_is_not_ready_and_answers_probes_fast() {
    let server = TestServer::set("server.max_connections", 60).start();
    let mut rooms: Vec<_> = (0..6).map(|room| server.join_all(&format!("room {room}"), 10)).collect();
    assert_eq!(server.get("/readyz").status, 503);
    for path in ["/health", "/healthz"] {
        let mut times: Vec<Duration> = (0..15).map(|_| time(|| assert_eq!(server.get(path).status, 200))).collect();
        times.sort();
        assert!(times[7] < Duration::from_millis(100), "{path} took {times:?}");
    }
    rooms.pop().into_iter().flatten().for_each(TestPeer::abort);
    eventually("it is ready again", || expect_eq(&server.get("/readyz").status, &200));
}

fn time(work: impl FnOnce()) -> Duration {
    let since = Instant::now();
    work();
    since.elapsed()
}

#[test]
fn metrics_are_for_the_operator_alone() {
    let server = TestServer::start();
    assert_eq!(server.get("/metrics").status, 404);
    let metrics = server.ops_get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.needs("Content-Type").starts_with("text/plain; version=0.0.4"), "{metrics:?}");
}

#[test]
fn probes_take_no_other_method() {
    let server = TestServer::start();
    let ask = |method: &str| {
        let request =
            format!("{method} /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        crate::support::http::exchange(server.public, &request)
    };
    for method in ["POST", "DELETE"] {
        let response = ask(method);
        assert!([404, 405].contains(&response.status), "{method}: {response:?}");
    }
}
