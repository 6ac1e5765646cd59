//! Told to go by a request: who may, what becomes of it, and that Prometheus sees it going.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Builder, PATIENCE, Scrape, TestServer, http, http::Response, run, temp_dir};

const TOKEN: &str = "correct-horse-battery-staple";
/// A scrape interval and a half of somebody who scrapes rarely: longer than any test's patience.
const RARELY: Duration = Duration::from_secs(60);

/// `POST /admin/drain` with these headers, and `Host` as it should be.
#[track_caller]
fn ask(ops: SocketAddr, headers: &str) -> Response {
    request(ops, "POST", &format!("Host: {ops}\r\n{headers}"))
}

#[track_caller]
fn request(ops: SocketAddr, method: &str, headers: &str) -> Response {
    let head = format!("{method} /admin/drain HTTP/1.1\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
    http::exchange(ops, &head)
}

const JSON: &str = "Content-Type: application/json\r\n";

fn draining() -> Builder {
    TestServer::set("server.drain_ms", 2000).set("server.drain_deadline_ms", 6000)
}

#[test]
fn a_request_drains_as_a_signal_does_and_says_until_when() {
    let mut server = draining().start();
    let peers = server.join_all("blue", 3);
    let since = Instant::now();
    let answer = ask(server.ops, JSON);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(server.get("/readyz").status, 503, "before the answer to the request");
    let told = answer.json();
    assert_eq!(
        (&told["status"], &told["connections"], &told["drainMs"]),
        (&json!("draining"), &json!(3), &json!(2000))
    );
    let left = told["deadlineMs"].as_u64().expect("deadlineMs");
    assert!((5000..=6000).contains(&left), "{told}");
    assert!(crate::support::is_utc_time(told["deadline"].as_str().expect("deadline")), "{told}");
    let again = ask(server.ops, JSON);
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("already_draining")), "{again:?}");
    assert!(again.json()["deadlineMs"].as_u64().expect("deadlineMs") <= left, "the deadline does not move");
    for mut peer in peers {
        assert_eq!(peer.receive_at_last("bye")["reason"], "server_draining");
        peer.receive_all_until_close(1012);
    }
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(6), "{:?}", since.elapsed());
    let started = server.log().lines_where("drain_started");
    assert_eq!(started.len(), 1, "{started:#?}");
    assert!(started[0].says("by", "POST /admin/drain"), "{}", started[0].text);
    assert!(started[0].says("request_id", answer.needs("X-Request-Id")), "{}", started[0].text);
}

#[test]
fn the_answer_arrives_though_nothing_holds_the_server_any_longer() {
    for _ in 0..5 {
        let mut server = TestServer::start();
        let answer = ask(server.ops, JSON);
        assert_eq!((answer.status, &answer.json()["connections"]), (202, &json!(0)), "{answer:?}");
        assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    }
}

#[test]
fn no_web_page_can_ask_for_it() {
    let server = TestServer::start();
    let (ops, port) = (server.ops, server.ops.port());
    ask(ops, "").error(415, "not_json");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        ask(ops, &format!("Content-Type: {kind}\r\n")).error(415, "not_json");
    }
    for host in [format!("evil.example:{port}"), "evil.example".to_owned(), format!("localhost.evil.example:{port}")] {
        request(ops, "POST", &format!("Host: {host}\r\n{JSON}")).error(403, "foreign_host");
    }
    for origin in ["null".to_owned(), "http://evil.example".to_owned(), format!("http://localhost:{port}")] {
        ask(ops, &format!("{JSON}Origin: {origin}\r\n")).error(403, "foreign_origin");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let refused = request(ops, method, &format!("Host: {ops}\r\n{JSON}"));
        refused.error(405, "method_not_allowed");
        assert_eq!(refused.header("Allow"), Some("POST"));
        assert_eq!(refused.header("Access-Control-Allow-Origin"), None, "{method}");
    }
    let said =
        format!("POST /admin/drain HTTP/1.1\r\nHost: {ops}\r\n{JSON}Content-Length: 15\r\n\r\n{{\"drain\":\"soon\"}}");
    http::exchange(ops, &said).error(400, "invalid_body");
    assert_eq!(http::get(server.public, "/admin/drain", &[]).status, 404, "not for the public");
    assert_eq!(server.get("/readyz").status, 200, "nothing has begun");
    assert!(server.log().lines_where("drain_started").is_empty());
}

#[test]
fn a_page_of_the_ops_listener_itself_may_ask() {
    let mut server = TestServer::start();
    let host = format!("localhost:{}", server.ops.port());
    let answer = request(server.ops, "POST", &format!("Host: {host}\r\n{JSON}Origin: http://{host}\r\n"));
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn off_loopback_it_is_refused_without_a_token() {
    let server = TestServer::set("ops.host", "0.0.0.0").start();
    ask(SocketAddr::from(([127, 0, 0, 1], server.ops.port())), JSON).error(403, "admin_closed");
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_token_opens_it_anywhere_and_nothing_else_does() {
    let dir = temp_dir();
    let file = dir.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    for host in ["0.0.0.0", "127.0.0.1"] {
        let mut server = TestServer::set("ops.host", host).set("ops.token_file", file.display()).start();
        let ops = SocketAddr::from(([127, 0, 0, 1], server.ops.port()));
        for wrong in ["", "Authorization: Bearer\r\n", "Authorization: Bearer correct-horse-battery-stapler\r\n"] {
            let refused = ask(ops, &format!("{JSON}{wrong}"));
            refused.error(401, "unauthorized");
            assert_eq!(refused.needs("WWW-Authenticate"), "Bearer");
        }
        let answer = ask(ops, &format!("{JSON}Authorization: Bearer {TOKEN}\r\n"));
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
        assert!(!server.log().text().contains(TOKEN), "the token is in the log");
    }
}

#[test]
fn a_token_that_cannot_be_read_stops_the_start() {
    let dir = temp_dir();
    let file = dir.path().join("token");
    fs::write(&file, "short").unwrap();
    for path in [file, dir.path().join("nothing")] {
        let path = path.display().to_string();
        let ports = [("SWITCHBOARD__SERVER__PORT", "0"), ("SWITCHBOARD__OPS__PORT", "0")];
        let output = run(&[], &[&ports[..], &[("SWITCHBOARD__OPS__TOKEN_FILE", &path)]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("ops.token_file") && said.contains(&path) && !said.contains("short\""), "{said}");
    }
}

/// What Prometheus sees now; the server knows it by what it asks for.
#[track_caller]
pub(crate) fn scrape_as_prometheus(server: &TestServer) -> Scrape {
    let headers = [("User-Agent", "Prometheus/3.15.0"), ("X-Prometheus-Scrape-Timeout-Seconds", "5")];
    let response = http::get(server.ops, "/metrics", &headers);
    assert_eq!(response.status, 200, "{response:?}");
    Scrape::read(&response.body)
}

/// A server that was scraped just now, by somebody who comes rarely.
fn scraped() -> TestServer {
    let server =
        draining().set("server.drain_deadline_ms", 60_000).set("ops.scrape_wait_ms", RARELY.as_millis()).start();
    assert_eq!(scrape_as_prometheus(&server).value("switchboard_draining"), 0.0);
    server
}

#[test]
fn a_server_that_is_scraped_stays_until_one_scrape_has_told_that_it_goes() {
    let mut server = scraped();
    server.terminate();
    server.wait_for_log("that it waits", |line| line.event() == "scrape_awaited");
    assert_eq!(server.get("/readyz").status, 503);
    let scrape = scrape_as_prometheus(&server);
    let told = ["switchboard_draining", "switchboard_ready", "switchboard_connections"].map(|name| scrape.value(name));
    assert_eq!(told, [1.0, 0.0, 0.0], "{}", scrape.text());
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn a_scrape_during_the_drain_is_enough() {
    let mut server = scraped();
    let peers = server.join_all("blue", 2);
    server.terminate();
    server.wait_for_metric("switchboard_draining", 1.0);
    assert_eq!(scrape_as_prometheus(&server).value("switchboard_draining"), 1.0);
    for mut peer in peers {
        peer.receive_all_until_close(1012);
    }
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(server.log().lines_where("scrape_awaited").is_empty());
}

#[test]
fn nobody_waits_for_a_scrape_that_is_not_likely_to_come() {
    let never = TestServer::set("ops.scrape_wait_ms", RARELY.as_millis()).start();
    let long_ago = TestServer::set("ops.scrape_wait_ms", 1).start();
    scrape_as_prometheus(&long_ago);
    // By then the scrape is more than a millisecond ago.
    long_ago.join("blue").close();
    for mut server in [never, long_ago] {
        server.terminate();
        assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
        assert!(server.log().lines_where("scrape_awaited").is_empty());
    }
}

#[test]
fn the_health_checks_own_scrapes_count_for_nothing() {
    let mut server = TestServer::set("ops.scrape_wait_ms", RARELY.as_millis()).set("health.interval_ms", 100).start();
    crate::support::eventually("the metrics were checked", || {
        let checks = server.get("/health").json()["checks"].clone();
        checks.as_array().filter(|checks| !checks.is_empty()).map(|_| ()).ok_or_else(|| checks.to_string())
    });
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn who_presses_ctrl_c_waits_for_no_scrape() {
    let mut server = scraped();
    server.signal("INT");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(server.log().lines_where("scrape_awaited").is_empty());
}

#[test]
fn ctrl_c_while_it_waits_ends_it() {
    let mut server = scraped();
    server.terminate();
    server.wait_for_log("that it waits", |line| line.event() == "scrape_awaited");
    server.signal("INT");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn the_deadline_holds_while_it_waits_for_a_scrape() {
    let mut server = TestServer::set("server.drain_ms", 500)
        .set("server.drain_deadline_ms", 1500)
        .set("ops.scrape_wait_ms", RARELY.as_millis())
        .start();
    scrape_as_prometheus(&server);
    let since = Instant::now();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(since.elapsed() >= Duration::from_millis(1400), "it did not wait: {:?}", since.elapsed());
}

#[test]
fn pressing_ctrl_c_again_ends_a_drain_that_takes_too_long() {
    let mut server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let peers = server.join_all("blue", 4);
    server.signal("INT");
    let mut told: Vec<_> = peers
        .into_iter()
        .map(|mut peer| {
            peer.receive_at_last("bye");
            peer
        })
        .collect();
    server.signal("INT");
    for peer in &mut told {
        peer.receive_all_until_close(1012);
    }
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}
