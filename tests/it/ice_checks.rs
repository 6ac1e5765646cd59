//! The server's own checks of the STUN and TURN servers that it tells clients of, with a real coturn.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener, UdpSocket},
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    Builder, PATIENCE, TestServer, coturn::Coturn, eventually, expect_eq, ports, temp_dir, tls::Certificates,
};

const SECRET: &str = "a-secret-of-the-tests-alone";

/// A server that is told of these, and asks them all the time.
fn checking(servers: &Value) -> Builder {
    TestServer::set("ice.servers", servers).set("ice.check_interval_ms", 100).set("health.interval_ms", 200)
}

fn checks(kind: &str, transport: &str, outcome: &str) -> String {
    format!("switchboard_ice_checks_total{{kind=\"{kind}\",outcome=\"{outcome}\",transport=\"{transport}\"}}")
}

fn failing(kind: &str, transport: &str) -> String {
    format!("switchboard_ice_servers_failing{{kind=\"{kind}\",transport=\"{transport}\"}}")
}

/// What `/health` says of the ICE servers: its status, the check's, and the check's message.
fn health(server: &TestServer) -> (String, String, String) {
    let health = server.get("/health").json();
    let ice = health["checks"].as_array().and_then(|all| all.iter().find(|check| check["name"] == "ice")).cloned();
    let ice = ice.unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&health["status"]), text(&ice["status"]), text(&ice["message"]))
}

#[test]
fn a_turn_server_is_asked_for_an_address_by_udp_and_tcp_and_told_of_when_it_goes_and_comes_back() {
    let (home, port) = (temp_dir(), ports::reserve());
    let secret = home.path().join("turn");
    fs::write(&secret, SECRET).unwrap();
    let url = |by: &str| format!("turn:127.0.0.1:{port}?transport={by}");
    let coturn = Coturn::start(port, SECRET);
    let server = checking(&json!([
        {"urls": format!("stun:{}", coturn.address())},
        {"urls": [url("udp"), url("tcp")], "secret_file": secret},
    ]));
    let server = server.start();
    let each = [("stun", "udp"), ("turn", "udp"), ("turn", "tcp")];
    for (kind, transport) in each {
        server.wait_for_metric_from(&checks(kind, transport, "answered"), 2.0);
        assert_eq!(server.scrape().find(&failing(kind, transport)), Some(0.0), "{kind} {transport}");
    }
    assert!(server.scrape().value("switchboard_ice_check_seconds_count") >= 6.0);
    eventually("all is well", || {
        expect_eq(&health(&server), &("healthy".to_owned(), "healthy".to_owned(), String::new()))
    });

    drop(coturn);
    for (kind, transport) in each {
        server.wait_for_metric(&failing(kind, transport), 1.0);
    }
    eventually("degraded, and no more than that", || {
        let (all, ice, message) = health(&server);
        expect_eq(
            &(all.as_str(), ice.as_str(), message.starts_with("3 of 3 STUN and TURN servers do not work: stun:")),
            &("degraded", "degraded", true),
        )
    });
    for path in ["/health", "/healthz", "/readyz"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let failed = |line: &crate::support::Line| line.event() == "ice_server_failed" && line.says("url", &url("tcp"));
    let line = server.wait_for_log("which failed", failed);
    assert_eq!(line.json["level"], "warning");

    let _again = Coturn::start(port, SECRET);
    server
        .wait_for_log("it works again", |line| line.event() == "ice_server_restored" && line.says("url", &url("udp")));
    for (kind, transport) in each {
        server.wait_for_metric(&failing(kind, transport), 0.0);
    }
    eventually("well again", || expect_eq(&health(&server).0, &"healthy".to_owned()));
    let told = server.log().lines().iter().filter(|line| failed(line)).count();
    assert_eq!(told, 1, "once, however often it was asked meanwhile");
}

#[test]
fn credentials_that_a_turn_server_does_not_take_are_told_apart() {
    let (home, port) = (temp_dir(), ports::reserve());
    let secret = home.path().join("turn");
    fs::write(&secret, "another-secret-than-coturn-has").unwrap();
    let coturn = Coturn::start(port, SECRET);
    let url = |by: &str| format!("turn:{}?transport={by}", coturn.address());
    let server = checking(&json!([{"urls": [url("udp"), url("tcp")], "secret_file": secret}])).start();
    for transport in ["udp", "tcp"] {
        server.wait_for_metric_from(&checks("turn", transport, "denied"), 1.0);
        assert_eq!(server.scrape().find(&failing("turn", transport)), Some(1.0), "{transport}");
    }
    let line = server.wait_for_log("which failed", |line| line.event() == "ice_server_failed");
    assert!(line.json["cause"].as_str().unwrap().contains("error 401"), "{}", line.text);
    fs::write(&secret, SECRET).unwrap();
    server.signal("HUP");
    server.wait_for_metric_from(&checks("turn", "udp", "answered"), 1.0);
}

/// A slow way to `server`, as the client sees it: the first request of each of its sockets was repeated before the answer came, and so is
/// answered twice. Where it begins; it ends with the test's process.
fn way_that_repeats(server: SocketAddr) -> SocketAddr {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let begins = near.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        let mut last = None;
        let mut far = UdpSocket::bind("127.0.0.1:0").unwrap();
        while let Ok((length, from)) = near.recv_from(&mut buffer) {
            let is_first = last.replace(from) != Some(from);
            if is_first {
                // One for each client: coturn knows an allocation by where it was asked for.
                far = UdpSocket::bind("127.0.0.1:0").unwrap();
                far.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            far.send_to(&buffer[..length], server).unwrap();
            let Ok(length) = far.recv(&mut buffer) else { return };
            for _ in 0..=usize::from(is_first) {
                near.send_to(&buffer[..length], from).unwrap();
            }
        }
    });
    begins
}

#[test]
fn a_turn_server_on_a_slow_way_that_answers_a_repeated_request_twice_works() {
    let (home, port) = (temp_dir(), ports::reserve());
    let secret = home.path().join("turn");
    fs::write(&secret, SECRET).unwrap();
    let coturn = Coturn::start(port, SECRET);
    let way = way_that_repeats(coturn.address());
    let server = checking(&json!([{"urls": format!("turn:{way}"), "secret_file": secret}])).start();
    server.wait_for_metric_from(&checks("turn", "udp", "answered"), 2.0);
    assert_eq!(server.scrape().find(&checks("turn", "udp", "denied")).unwrap_or_default(), 0.0);
}

/// What the log has as the cause of the latest failure of that server.
fn cause(server: &TestServer, url: &str) -> String {
    let line = server.wait_for_log("it failed", |line| line.event() == "ice_server_failed" && line.says("url", url));
    line.json["cause"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn over_tls_a_server_proves_who_it_is_and_is_then_asked_as_any_other() {
    let (home, port, tls_port, certificates) = (temp_dir(), ports::reserve(), ports::reserve(), Certificates::new());
    let secret = home.path().join("turn");
    fs::write(&secret, SECRET).unwrap();
    certificates.put_for("localhost", 1975..2100);
    let _coturn = Coturn::start_secure(port, tls_port, SECRET, &certificates);
    let urls = [format!("turns:localhost:{tls_port}?transport=tcp"), format!("stuns:localhost:{tls_port}")];
    let by_address = format!("turns:127.0.0.1:{tls_port}");
    let datagrams = format!("turns:localhost:{tls_port}?transport=udp");
    let servers = json!([{"urls": [urls[0], urls[1], by_address, datagrams], "secret_file": secret}]);
    let server = checking(&servers).set("ice.ca_file", certificates.signer_file().display()).start();
    for kind in ["turn", "stun"] {
        server.wait_for_metric_from(&checks(kind, "tls", "answered"), 2.0);
    }
    assert_eq!(server.scrape().find(&failing("stun", "tls")), Some(0.0));
    // The certificate is for the name, and not for the address that it leads to.
    server.wait_for_metric_from(&checks("turn", "tls", "untrusted"), 1.0);
    assert_eq!(server.scrape().find(&failing("turn", "tls")), Some(1.0));
    assert!(cause(&server, &by_address).contains("it is for another name"), "{}", cause(&server, &by_address));
    // That of datagrams is not asked, and nothing is said of it.
    server.wait_for_metric_from(&checks("turn", "dtls", "unchecked"), 1.0);
    assert_eq!(server.scrape().find(&failing("turn", "dtls")), None);
    let told: Vec<_> = server.log().lines().into_iter().filter(|line| line.event() == "ice_server_failed").collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn over_tls_credentials_are_refused_as_over_any_other() {
    let (port, tls_port, certificates) = (ports::reserve(), ports::reserve(), Certificates::new());
    certificates.put_for("127.0.0.1", 1975..2100);
    let _coturn = Coturn::start_secure(port, tls_port, SECRET, &certificates);
    let servers = json!([{"urls": format!("turns:127.0.0.1:{tls_port}"), "username": "1:me", "credential": "wrong"}]);
    let server = checking(&servers).set("ice.ca_file", certificates.signer_file().display()).start();
    server.wait_for_metric_from(&checks("turn", "tls", "denied"), 1.0);
}

#[test]
fn a_certificate_that_has_expired_or_that_nobody_trusted_has_signed_is_told_apart() {
    let (home, certificates, others) = (temp_dir(), Certificates::new(), Certificates::new());
    let secret = home.path().join("turn");
    fs::write(&secret, SECRET).unwrap();
    certificates.put_for("localhost", 1975..2020);
    others.put_for("localhost", 1975..2100);
    let [old, foreign] = [&certificates, &others].map(|certificates| {
        let tls_port = ports::reserve();
        let coturn = Coturn::start_secure(ports::reserve(), tls_port, SECRET, certificates);
        (coturn, format!("turns:localhost:{tls_port}"))
    });
    let servers = json!([{"urls": [old.1, foreign.1], "secret_file": secret}]);
    let ca_file = home.path().join("signers.pem");
    fs::copy(certificates.signer_file(), &ca_file).unwrap();
    let server = checking(&servers).set("ice.ca_file", ca_file.display()).start();
    server.wait_for_metric_from(&checks("turn", "tls", "untrusted"), 2.0);
    assert!(cause(&server, &old.1).contains("it has expired"), "{}", cause(&server, &old.1));
    let of_foreign = cause(&server, &foreign.1);
    assert!(of_foreign.contains("nobody who is trusted has signed it"), "{of_foreign}");
    eventually("degraded", || expect_eq(&health(&server).1, &"degraded".to_owned()));
    assert_eq!(server.get("/readyz").status, 200);

    // Who is trusted is read anew in each round.
    fs::copy(others.signer_file(), &ca_file).unwrap();
    server.wait_for_log("it works", |line| line.event() == "ice_server_restored" && line.says("url", &foreign.1));
    fs::remove_file(&ca_file).unwrap();
    let gone = server.wait_for_log("nobody may vouch for it", |line| {
        line.event() == "ice_server_failed"
            && line.says("url", &foreign.1)
            && line.json["cause"].as_str().is_some_and(|cause| cause.contains("there are no certificates"))
    });
    assert_eq!(gone.json["level"], "warning");
}

/// Who takes connections and says this to each, and hangs up; it ends with the test's process.
fn says(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.write_all(words);
        }
    });
    port
}

#[test]
fn whoever_speaks_no_tls_is_told_apart_from_who_is_not_there() {
    let coturn = Coturn::start(ports::reserve(), SECRET);
    let certificates = Certificates::new();
    // Another protocol, who hangs up at once, and a TURN server without a certificate, which waits for something that it knows.
    let (talks, hangs_up, plain) = (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), says(b""), coturn.address().port());
    let gone = ports::reserve();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let urls = [talks, hangs_up, plain, gone, silent.local_addr().unwrap().port()]
        .map(|port| format!("turns:127.0.0.1:{port}"));
    let servers = json!([{"urls": urls, "username": "u", "credential": "c"}]);
    let server = checking(&servers).set("ice.ca_file", certificates.signer_file().display());
    let server = server.set("ice.check_timeout_ms", 1_000).start();
    assert!(cause(&server, &urls[0]).contains("no TLS that can be used"), "{}", cause(&server, &urls[0]));
    let of_second = cause(&server, &urls[1]);
    assert!(of_second.contains("ended the connection in the TLS handshake"), "{of_second}");
    assert!(cause(&server, &urls[3]).contains("it was not reached"), "{}", cause(&server, &urls[3]));
    // coturn waits for the rest of what it takes for a message, or hangs up, as it happens to be read.
    let of_plain = cause(&server, &urls[2]);
    assert!(["no answer within 1000 ms", "in the TLS handshake"].iter().any(|it| of_plain.contains(it)), "{of_plain}");
    let of_silent = cause(&server, &urls[4]);
    assert!(of_silent.contains("no answer within 1000 ms"), "{of_silent}");
    for outcome in ["refused", "unreachable", "silent"] {
        server.wait_for_metric_from(&checks("turn", "tls", outcome), 1.0);
    }
    assert_eq!(server.scrape().find(&checks("turn", "tls", "untrusted")).unwrap_or_default(), 0.0);
}

#[test]
fn who_says_nothing_who_speaks_dtls_and_who_is_not_asked() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let servers = json!([
        {"urls": [format!("stun:127.0.0.1:{port}"), "turns:127.0.0.1?transport=udp"], "username": "u", "credential": "c"},
    ]);
    let server = checking(&servers).set("ice.check_timeout_ms", 100).start();
    server.wait_for_metric_from(&checks("stun", "udp", "silent"), 1.0);
    server.wait_for_metric_from(&checks("turn", "dtls", "unchecked"), 1.0);
    assert_eq!(server.scrape().find(&failing("turn", "dtls")), None, "nothing is said of what was not asked");

    let patient = checking(&servers).set("ice.check_interval_ms", 0).start();
    eventually("a round of health checks", || expect_eq(&health(&patient).1, &"healthy".to_owned()));
    assert_eq!(patient.scrape().sum("switchboard_ice_checks_total", ""), 0.0);
}
