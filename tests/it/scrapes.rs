//! Who is a scraper, for whose sake a server that nobody uses stays a little longer, and who only looks.

use std::time::{Duration, Instant};

use crate::{
    admin::scrape_as_prometheus,
    support::{Builder, PATIENCE, TestServer, http, temp_dir},
};

/// Longer than any test's patience: who waits for a scrape is seen to wait.
const RARELY: Duration = Duration::from_secs(300);

fn watched() -> Builder {
    TestServer::set("ops.scrape_wait_ms", RARELY.as_millis())
        .set("server.drain_ms", 1000)
        .set("server.drain_deadline_ms", RARELY.as_millis() + 5000)
}

fn look(server: &TestServer, headers: &[(&str, &str)]) {
    assert_eq!(http::get(server.ops, "/metrics", headers).status, 200);
}

const PEOPLE: [&[(&str, &str)]; 4] = [
    &[("User-Agent", "curl/7.88.1"), ("Accept", "*/*")],
    &[("User-Agent", "Wget/1.21.3")],
    // The live page of the ops listener.
    &[("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("Accept", "*/*"), ("Sec-Fetch-Mode", "cors")],
    // Who does not say who it is, and came but once.
    &[],
];

#[test]
fn for_a_person_who_looked_at_the_metrics_an_empty_server_does_not_wait() {
    for headers in PEOPLE {
        let mut server = watched().start();
        look(&server, headers);
        server.terminate();
        assert_eq!(server.wait_exit(PATIENCE).code(), Some(0), "{headers:?}");
        assert!(server.log().lines_where("scrape_awaited").is_empty(), "{headers:?}");
    }
}

#[test]
fn who_asks_for_the_head_alone_has_read_no_metrics() {
    let mut server = watched().start();
    let answer = http::exchange(
        server.ops,
        "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Prometheus/3.0\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(answer.status, 200);
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert!(server.log().lines_where("scrape_awaited").is_empty());
}

#[test]
fn for_every_kind_of_scraper_it_waits() {
    let scrapers: [&[(&str, &str)]; 5] = [
        &[("User-Agent", "Prometheus/2.42.0")],
        &[("User-Agent", "vm_promscrape"), ("Accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1")],
        &[("User-Agent", "Alloy/v1.20.1"), ("X-Prometheus-Scrape-Timeout-Seconds", "10")],
        &[("User-Agent", "Datadog Agent/7.60.0")],
        &[("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1")],
    ];
    for headers in scrapers {
        let mut server = watched().start();
        look(&server, headers);
        server.terminate();
        server.wait_for_log("that it waits", |line| line.event() == "scrape_awaited");
        look(&server, headers);
        assert_eq!(server.wait_exit(PATIENCE).code(), Some(0), "{headers:?}");
    }
}

#[test]
fn what_a_person_sees_while_it_waits_tells_prometheus_nothing() {
    let mut server = watched().start();
    scrape_as_prometheus(&server);
    server.terminate();
    server.wait_for_log("that it waits", |line| line.event() == "scrape_awaited");
    for headers in PEOPLE {
        look(&server, headers);
    }
    assert_eq!(scrape_as_prometheus(&server).value("switchboard_draining"), 1.0);
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn the_time_that_is_told_is_the_drains_own() {
    let state = temp_dir();
    let mut server = watched().state(&state).start();
    scrape_as_prometheus(&server);
    server.terminate();
    server.wait_for_log("that it waits", |line| line.event() == "scrape_awaited");
    let since = Instant::now();
    crate::support::eventually("it has waited for more than a second", || {
        if since.elapsed() > Duration::from_millis(1200) { Ok(()) } else { Err(format!("{:?}", since.elapsed())) }
    });
    scrape_as_prometheus(&server);
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    let stopped = server.wait_for_log("the last line", |line| line.event() == "server_stopped");
    assert!(stopped.json["took_ms"].as_f64().is_some_and(|took| took > 1200.0), "{}", stopped.text);
    let told = TestServer::builder().state(&state).start().scrape().value("switchboard_last_shutdown_duration_seconds");
    assert!(told < 1.0, "{told} s, with nobody to drain");
}

#[test]
fn metrics_and_every_line_of_the_log_name_the_server() {
    let mut server = TestServer::set("server.node", "blue-1").start();
    let scrape = server.scrape();
    assert!(scrape.text().contains("node=\"blue-1\""), "{}", scrape.text());
    server.join("den").close();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    let lines = server.log().lines();
    assert!(lines.len() > 5, "{lines:#?}");
    for line in lines {
        assert!(line.says("node", "blue-1"), "{}", line.text);
    }
}
