//! The operator's listener: what a page that somebody was shown, a name that was turned to it, and somebody who guesses
//! can do there.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{PATIENCE, TestServer, eventually, http, http::Response, temp_dir};

const TOKEN: &str = "correct-horse-battery-staple";
/// Everything that the listener serves, and something that it does not.
const ROUTES: [&str; 9] =
    ["/metrics", "/errors", "/healthz", "/readyz", "/health", "/", "/app.js", "/admin/drain", "/nothing"];

#[track_caller]
fn ask(ops: SocketAddr, request_line: &str, headers: &str) -> Response {
    http::exchange(ops, &format!("{request_line}\r\n{headers}Connection: close\r\nContent-Length: 0\r\n\r\n"))
}

#[track_caller]
fn get(ops: SocketAddr, path: &str, headers: &str) -> Response {
    ask(ops, &format!("GET {path} HTTP/1.1"), headers)
}

fn denied(reason: &str) -> String {
    format!("switchboard_ops_denied_total{{reason=\"{reason}\"}}")
}

/// A file with a token, and the folder that it lives in.
fn token_file() -> (Arc<TempDir>, String) {
    let dir = temp_dir();
    let file = dir.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let path = file.display().to_string();
    (dir, path)
}

#[test]
fn a_name_that_is_not_ours_gets_nothing_on_any_route() {
    let server = TestServer::start();
    for path in ROUTES {
        for method in ["GET", "POST", "OPTIONS", "PUT"] {
            let line = format!("{method} {path} HTTP/1.1");
            ask(server.ops, &line, "Host: evil.example:9464\r\n").error(403, "foreign_host");
        }
        get(server.ops, path, "Host: evil.example\r\n").error(403, "foreign_host");
    }
    let refused = get(server.ops, "/metrics", "Host: prometheus.internal:9464\r\n").error(403, "foreign_host");
    let message = refused["message"].as_str().unwrap().to_owned();
    assert!(message.contains("prometheus.internal:9464") && message.contains("ops.allowed_hosts"), "{message}");
    let line = server.wait_for_log("what was denied", |line| {
        line.event() == "ops_denied" && line.says("host", "prometheus.internal:9464")
    });
    assert!(line.says("reason", "host") && line.says("level", "warning"), "{}", line.text);
    server.wait_for_metric(&denied("host"), 46.0);
}

#[test]
fn addresses_localhost_and_names_of_ours_are_served() {
    let server =
        TestServer::set("server.node", "blue-1").set("ops.allowed_hosts", "switchboard, ops.example.org").start();
    let port = server.ops.port();
    for host in [
        format!("127.0.0.1:{port}"),
        "127.0.0.1".to_owned(),
        "10.1.2.3:3000".to_owned(),
        "[::1]:9464".to_owned(),
        format!("localhost:{port}"),
        "LocalHost:3000".to_owned(),
        "blue-1:9464".to_owned(),
        "switchboard:9464".to_owned(),
        "Ops.Example.org.".to_owned(),
    ] {
        assert_eq!(get(server.ops, "/metrics", &format!("Host: {host}\r\n")).status, 200, "{host}");
    }
    for host in ["switchboard.evil.example", "xswitchboard:9464", "switchboard@evil.example", "example.org"] {
        get(server.ops, "/metrics", &format!("Host: {host}\r\n")).error(403, "foreign_host");
    }
}

#[test]
fn a_host_can_be_told_in_several_ways_and_each_must_be_ours() {
    let server = TestServer::start();
    let two = get(server.ops, "/metrics", "Host: localhost\r\nHost: evil.example\r\n").status;
    assert!([400, 403].contains(&two), "{two}");
    let full = get(server.ops, "http://evil.example/metrics", "Host: localhost\r\n").status;
    assert!([400, 403].contains(&full), "{full}");
    // Balancers that check by HTTP/1.0 name no host, and no browser speaks it.
    assert_eq!(ask(server.ops, "GET /healthz HTTP/1.0", "").status, 200);
    ask(server.ops, "GET /metrics HTTP/1.0", "").error(403, "foreign_host");
    ask(server.ops, "GET /healthz HTTP/1.0", "Host: evil.example\r\n").error(403, "foreign_host");
    let strange = format!("Host: {}\r\n", "a\t\"<b>".repeat(100));
    let refused = get(server.ops, "/metrics", &strange);
    assert!([400, 403].contains(&refused.status), "{refused:?}");
    assert!(refused.body.len() < 1000 && refused.body.is_ascii(), "{refused:?}");
}

#[test]
fn a_page_from_elsewhere_gets_nothing_on_any_route() {
    let server = TestServer::start();
    let host = format!("Host: localhost:{}\r\n", server.ops.port());
    for path in ROUTES {
        for origin in ["http://evil.example", "null", "http://localhost:8080", "http://localhost"] {
            let refused = get(server.ops, path, &format!("{host}Origin: {origin}\r\n"));
            refused.error(403, "foreign_origin");
            assert_eq!(refused.header("Access-Control-Allow-Origin"), None);
        }
    }
    let own = format!("{host}Origin: http://localhost:{}\r\n", server.ops.port());
    assert_eq!(get(server.ops, "/errors", &own).status, 200, "the live page");
    server.wait_for_metric(&denied("origin"), 36.0);
}

fn drain(ops: SocketAddr, token: &str, more: &str) -> String {
    format!(
        "POST /admin/drain HTTP/1.1\r\nHost: {ops}\r\nAuthorization: Bearer {token}\r\n{more}Content-Length: 0\r\n\
         Content-Type: application/json\r\nConnection: close\r\n\r\n"
    )
}

#[test]
fn who_guesses_is_counted_logged_and_slowed_down_and_nobody_else_waits() {
    let (_dir, file) = token_file();
    let mut server = TestServer::set("ops.token_file", file)
        .set("http.trusted_proxies", "127.0.0.1")
        .set("ops.token_failures_per_minute", 5)
        .start();
    let ops = server.ops;
    let guess = |n: usize, from: &str| {
        let wrong = format!("wrong-horse-battery-{n:07}");
        http::exchange(ops, &drain(ops, &wrong, &format!("X-Forwarded-For: {from}\r\n")))
    };
    let answers: Vec<_> = (0..30).map(|n| guess(n, "203.0.113.7")).collect();
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((5..12).contains(&looked_at), "{looked_at} of 30 were looked at");
    let refused = answers.iter().find(|answer| answer.status == 429).expect("some are not looked at");
    let error = refused.error(429, "rate_limited");
    let seconds: u64 = refused.needs("Retry-After").parse().unwrap();
    assert!((1..=12).contains(&seconds), "a dozen seconds, and the next is looked at: {seconds}");
    assert_eq!((&error["retryable"], &error["retryAfterMs"]), (&true.into(), &(seconds * 1000).into()));
    server.wait_for_metric(&denied("token"), 30.0);
    let lines = server.log().lines_where("ops_denied");
    assert!(!lines.is_empty() && lines.iter().all(|line| line.says("reason", "token")), "{lines:#?}");
    assert!(lines.iter().all(|line| line.says("remote", "203.0.113.7")), "{lines:#?}");
    assert!(!server.log().text().contains("wrong-horse"), "a guess is in the log");
    // Its neighbours in IPv6 are the same guesser.
    let networks = (0..60).map(|net| guess(net, &format!("2001:db8:1:{net:x}::1")).status);
    assert!(networks.filter(|status| *status == 401).count() < 40);
    // Whoever asks from anywhere else has not been heard of: the operator, behind the same proxy.
    let answer = http::exchange(ops, &drain(ops, TOKEN, "X-Forwarded-For: 192.0.2.1\r\n"));
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn a_right_token_is_locked_out_for_seconds_and_not_for_long() {
    let (_dir, file) = token_file();
    let mut server = TestServer::set("ops.token_file", file).set("ops.token_failures_per_minute", 20).start();
    let ops = server.ops;
    eventually("it is slowed down", || match http::exchange(ops, &drain(ops, "wrong-horse-battery", "")).status {
        429 => Ok(()),
        status => Err(status.to_string()),
    });
    let since = Instant::now();
    eventually("a right token is looked at again", || match http::exchange(ops, &drain(ops, TOKEN, "")).status {
        202 => Ok(()),
        status => Err(status.to_string()),
    });
    assert!(since.elapsed() < Duration::from_secs(8), "three seconds a token: {:?}", since.elapsed());
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn the_token_is_asked_for_however_the_path_is_written() {
    let (_dir, file) = token_file();
    let server = TestServer::set("ops.token_file", file).start();
    let host = format!("Host: {}\r\nContent-Type: application/json\r\n", server.ops);
    for path in
        ["/admin/drain", "/admin/drain?x=y", "/%61dmin/drain", "/admin/%64rain", "/admin", "/admin/", "/admin/x"]
    {
        for method in ["POST", "GET"] {
            let status = ask(server.ops, &format!("{method} {path} HTTP/1.1"), &host).status;
            assert!([401, 404].contains(&status), "{method} {path}: {status}");
        }
    }
    assert_eq!(ask(server.ops, "POST /admin/drain HTTP/1.1", &host).status, 401);
    assert_eq!(server.get("/readyz").status, 200, "nothing has begun");
}

#[test]
fn without_a_token_off_loopback_it_is_closed_and_counted() {
    let server = TestServer::set("ops.host", "0.0.0.0").start();
    let ops = SocketAddr::from((Ipv4Addr::LOCALHOST, server.ops.port()));
    http::exchange(ops, &drain(ops, TOKEN, "")).error(403, "admin_closed");
    assert_eq!(http::get(ops, "/metrics", &[]).status, 200, "reading asks for no token");
    eventually("it is counted", || {
        let scrape = crate::support::Scrape::read(&http::get(ops, "/metrics", &[]).body);
        crate::support::expect_eq(&scrape.value(&denied("closed")), &1.0)
    });
}
