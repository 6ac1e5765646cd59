//! Certificates of the listeners: replaced while everybody talks, told of before they end, each listener's own; and what a connection
//! with TLS costs.

use std::{
    collections::HashSet,
    io::{BufReader, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;

use crate::support::{
    PATIENCE, TestPeer, TestServer, eventually,
    http::{self, dial, read_response},
    tls::{Certificates, NAME},
    ws::Handshake,
};

/// How many certificates a crowd was shown, each of whose members talks all the time on a connection that never ends, while
/// others come and go.
#[test]
fn certificates_are_replaced_while_everybody_talks_and_no_connection_is_lost() {
    let certificates = Certificates::new();
    let server = certificates.server().start();
    let stop = AtomicBool::new(false);
    let shown: HashSet<Vec<u8>> = thread::scope(|scope| {
        let talkers: Vec<_> = (0..4)
            .map(|n| {
                let (certificates, server, stop) = (&certificates, &server, &stop);
                scope.spawn(move || {
                    let client = certificates.client();
                    let room = format!("room {n}");
                    let (mut ada, mut grace) = (client.join(server, &room), client.join(server, &room));
                    ada.receive_joined(&grace.id);
                    let mut said = 0;
                    while !stop.load(Ordering::Relaxed) {
                        ada.send_signal(&grace.id, &json!(said));
                        assert_eq!(grace.receive("signal")["data"], said);
                        said += 1;
                    }
                    (ada, grace).1.receive_nothing();
                    said
                })
            })
            .collect();
        let comers: Vec<_> = (0..2)
            .map(|_| {
                let (certificates, server, stop) = (&certificates, &server, &stop);
                scope.spawn(move || {
                    let mut shown = HashSet::new();
                    while !stop.load(Ordering::Relaxed) {
                        // Without tickets: each is shown the certificate.
                        let secured = certificates.client().dial(server.public);
                        shown.insert(secured.certificate);
                        TestPeer::open(secured.stream, &Handshake::new()).receive("welcome");
                    }
                    shown
                })
            })
            .collect();
        for (year, n) in [(2098, 1), (2097, 2)] {
            certificates.put(year);
            eventually("it is in force", || {
                let lines = server.log().lines_where("config_reloaded");
                if lines.len() == n { Ok(()) } else { Err(server.log().text()) }
            });
        }
        // A chain without its key: the former one stays, and somebody is told once.
        std::fs::write(certificates.path("key.pem"), "none").unwrap();
        let told = server.wait_for_log("it is told", |line| line.event() == "config_not_reloaded");
        assert!(told.text.contains("key.pem") && !told.text.contains("PRIVATE"), "{}", told.text);
        assert_eq!(certificates.client().get(server.public, "/healthz", NAME).status, 200);
        stop.store(true, Ordering::Relaxed);
        for talker in talkers {
            assert!(talker.join().expect("nobody is cut off") > 100);
        }
        comers.into_iter().flat_map(|one| one.join().expect("nobody is refused")).collect()
    });
    assert_eq!(shown.len(), 3, "the first, the second and the third");
    assert_eq!(server.scrape().value("switchboard_http_rejections_total{kind=\"tls_handshake\"}"), 0.0);
}

#[test]
fn when_the_certificate_ends_is_told_by_metric_and_at_the_start() {
    let certificates = Certificates::new();
    let expiry = "switchboard_certificate_expiry_timestamp_seconds{listener=\"public\"}";
    let server = certificates.server().start();
    server.wait_for_metric(expiry, 4_102_444_800.0);
    certificates.put(2070);
    server.wait_for_metric(expiry, 3_155_760_000.0);
    assert!(!server.scrape().text().contains("expiry_timestamp_seconds{listener=\"ops\"}"));
    certificates.put(2020);
    let expired = certificates.server().start();
    expired.wait_for_log("a warning", |line| line.event() == "config_warning" && line.text.contains("has expired"));
}

#[test]
fn one_that_no_client_takes_is_told_of_when_it_comes_into_force() {
    let certificates = Certificates::new();
    let server = certificates.server().start();
    let told = |what: &str| {
        let lines = server.log().lines_where("config_warning");
        lines.iter().filter(|line| line.text.contains(what)).count()
    };
    let wait_for = |what: &str, times: usize| {
        eventually(&format!("{what} is told {times} times"), || crate::support::expect_eq(&told(what), &times));
    };
    assert_eq!(told("the certificate in"), 0);
    certificates.put(2020);
    wait_for("has expired", 1);
    certificates.put_for(NAME, 2090..2100);
    wait_for("is not good yet", 1);
    server.signal("HUP");
    wait_for("is not good yet", 2);
    certificates.put(2100);
    eventually("all three are in force", || match server.log().lines_where("config_reloaded").len() {
        4 => Ok(()),
        other => Err(format!("{other}")),
    });
    assert_eq!(told("the certificate in"), 3);
}

/// So many connections that say nothing, and the memory of the process that each costs.
fn idle_bytes(server: &TestServer, dial: impl Fn() -> TcpStream) -> u64 {
    const COUNT: u64 = 600;
    let open = |count: u64| -> Vec<TestPeer> {
        let open = |_| {
            let mut peer = TestPeer::open(dial(), &Handshake::new());
            peer.receive("welcome");
            peer
        };
        (0..count).map(open).collect()
    };
    // What the first ones bring about is no connection's.
    drop(open(50));
    eventually("they are gone", || match server.ops_get("/health").json()["activeConnections"].as_u64() {
        Some(0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let before = server.memory_kib("VmRSS");
    let peers = open(COUNT);
    let after = server.memory_kib("VmRSS");
    drop(peers);
    after.saturating_sub(before) * 1024 / COUNT
}

#[test]
fn an_idle_connection_costs_what_it_does_without_tls_and_what_rustls_holds() {
    // A record that is being read, its keys, and the library's state: `docs/performance.md` has the figure of an optimised server.
    const RUSTLS: u64 = 8 << 10;
    let certificates = Certificates::new();
    let (plain, secured) = (TestServer::start(), certificates.server().start());
    let client = certificates.client();
    let without = idle_bytes(&plain, || dial(plain.public));
    let with = idle_bytes(&secured, || client.dial(secured.public).stream);
    let one = client.connect(&secured);
    secured.wait_for_metric("switchboard_held_bytes{kind=\"tls\"}", 7168.0);
    one.close();
    println!("{without} bytes without TLS, {with} with");
    assert!(with <= without * 3 / 2 + RUSTLS, "{with} bytes with TLS, {without} without");
}

#[test]
fn the_operators_listener_has_a_certificate_of_its_own() {
    let certificates = Certificates::new();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| certificates.path(name).display().to_string());
    let mut server = TestServer::set("ops.tls_cert_file", cert).set("ops.tls_key_file", key).start();
    let client = certificates.client();
    let mut ada = server.join("blue");
    let ends = "switchboard_certificate_expiry_timestamp_seconds{listener=\"ops\"}";
    let metrics = eventually("when it ends", || {
        let answer = client.get(server.ops, "/metrics", "localhost");
        if answer.body.contains(ends) { Ok(answer) } else { Err(answer.body) }
    });
    assert!(!metrics.body.contains("expiry_timestamp_seconds{listener=\"public\"}"), "{}", metrics.body);
    assert!(metrics.header("Strict-Transport-Security").is_none(), "the page of this host is a plain one");
    assert_eq!(http::get(server.ops, "/metrics", &[]).status, 400);
    assert_eq!(http::get(server.public, "/healthz", &[]).status, 200);
    let mut stream = client.dial(server.ops).stream;
    let head = "POST /admin/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_response(&mut BufReader::new(stream)).unwrap().status, 202);
    ada.receive_bye("server_draining", 1012);
    assert!(server.wait_exit(PATIENCE).success());
}

#[test]
fn a_server_without_a_certificate_that_can_be_used_does_not_start() {
    let certificates = Certificates::new();
    std::fs::write(certificates.path("key.pem"), "none").unwrap();
    let files = ["cert.pem", "key.pem"].map(|name| certificates.path(name).display().to_string());
    let variables = [
        ("SWITCHBOARD__TLS__CERT_FILE", files[0].as_str()),
        ("SWITCHBOARD__TLS__KEY_FILE", &files[1]),
        ("PORT", "0"),
        ("SWITCHBOARD__OPS__PORT", "0"),
    ];
    let output = crate::support::run(&[], &variables);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("key.pem") && told.contains("tls.key_file"), "{output:?}");
}
