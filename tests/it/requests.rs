//! Requests that are none, that do not end, that a proxy changed on the way, and that ask for what is not to be had.

use std::{
    io::{BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::support::{
    TestServer, eventually,
    http::{self, Response, dial, exchange, read_response},
    ws::{Handshake, KEY},
};

fn rejections(kind: &str) -> String {
    format!("switchboard_http_rejections_total{{kind=\"{kind}\"}}")
}

/// Sends it, and reads the answer and what follows it, until the server hangs up.
#[track_caller]
fn ask_to_the_end(to: SocketAddr, request: &[u8]) -> Response {
    let mut stream = dial(to);
    stream.write_all(request).unwrap();
    let mut stream = BufReader::new(stream);
    let answer = read_response(&mut stream).unwrap_or_else(|e| panic!("no answer: {e}"));
    let mut rest = Vec::new();
    // Whether by FIN or by reset.
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the connection stays: {answer:?}");
    }
    assert_eq!(rest, b"", "something follows the answer");
    answer
}

#[test]
fn a_body_that_does_not_end_ends_with_the_answer() {
    let server = TestServer::start();
    let before = server.descriptors();
    for (to, path) in [
        (server.public, "/"),
        (server.public, "/healthz"),
        (server.public, "/nothing"),
        (server.public, "/ws"),
        (server.ops, "/"),
        (server.ops, "/metrics"),
        (server.ops, "/healthz"),
        (server.ops, "/nothing"),
    ] {
        for method in ["GET", "POST"] {
            for body in [
                "Transfer-Encoding: chunked\r\n\r\n",
                "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "Content-Length: 1000000\r\n\r\nabc",
            ] {
                let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{body}");
                let answer = ask_to_the_end(to, request.as_bytes());
                assert_eq!(answer.needs("Connection").split(',').next(), Some("close"), "{request:?}: {answer:?}");
            }
        }
    }
    eventually("no socket is left", || match server.descriptors() {
        held if held <= before => Ok(()),
        held => Err(format!("{held}, {before} before")),
    });
    // Every one of the public side; of the operators' those that say it beforehand.
    server.wait_for_metric(&rejections("body_too_large"), 24.0 + 8.0);
}

#[test]
fn a_body_that_goes_on_for_ever_is_not_taken() {
    let server = TestServer::start();
    for to in [server.public, server.ops] {
        let mut stream = dial(to);
        stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        let chunk = [b"10000\r\n", &vec![b'x'; 65_536][..], b"\r\n"].concat();
        let mut sent = 0;
        while stream.write_all(&chunk).is_ok() {
            sent += chunk.len();
            assert!(sent < 64 << 20, "{sent} bytes, and the server reads on");
        }
    }
}

#[test]
fn a_429_ends_a_body_too() {
    let server = TestServer::set("limits.exempt_loopback", false).set("limits.http_burst", 1).start();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(ask_to_the_end(server.public, request).status, 200);
    assert_eq!(ask_to_the_end(server.public, request).status, 429);
}

#[test]
fn an_operator_is_judged_before_the_body_is_read() {
    let server = TestServer::start();
    let ask = |headers: &str, body: &str| {
        let request = format!("POST /admin/drain HTTP/1.1\r\n{headers}\r\nContent-Type: application/json\r\n{body}");
        ask_to_the_end(server.ops, request.as_bytes())
    };
    let here = format!("Host: {}", server.ops);
    for body in ["Content-Length: 2\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "Content-Length: 99999\r\n\r\n"] {
        ask("Host: evil.example", body).error(403, "foreign_host");
        ask(&format!("{here}\r\nOrigin: http://evil.example"), body).error(403, "foreign_origin");
    }
    ask(&here, "Content-Length: 99999\r\n\r\n{}").error(400, "invalid_body");
    assert_eq!(server.get("/readyz").status, 200, "nothing has begun");
    let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(ask(&here, chunked).status, 202);
}

#[test]
fn operators_are_not_kept_waiting_by_bodies_that_never_come() {
    let server = TestServer::start();
    let request = "POST /admin/drain HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n";
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..300 {
        let mut stream = dial(server.ops);
        stream.write_all(request.as_bytes()).unwrap();
        read_response(&mut BufReader::new(stream.try_clone().unwrap())).unwrap().error(403, "foreign_host");
        streams.push(stream);
    }
    assert_eq!(server.ops_get("/metrics").status, 200);
    assert!(server.scrape().value("switchboard_sockets{listener=\"ops\"}") <= 128.0);
}

#[test]
fn a_socket_has_one_deadline_for_everything() {
    let server = TestServer::set("http.socket_timeout_ms", 2000).set("http.request_timeout_ms", 1000).start();
    let host = server.ops;
    let unread = |to: SocketAddr, request: String| {
        let mut stream = dial(to);
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    // A head that does not end; a body that is awaited; one that nobody waits for.
    let head = "POST /admin/drain HTTP/1.1\r\nContent-Type: application/json\r\n";
    let streams: Vec<TcpStream> = vec![
        unread(server.public, "GET / HTTP/1.1\r\nHost".into()),
        unread(server.ops, "GET / HTTP/1.1\r\nHost".into()),
        unread(server.ops, format!("{head}Host: {host}\r\nContent-Length: 2\r\n\r\n")),
        unread(server.ops, format!("{head}Host: {host}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n")),
    ];
    for mut stream in streams {
        let mut answer = String::new();
        let ended = stream.read_to_string(&mut answer);
        assert!(ended.is_ok() || answer.is_empty(), "{ended:?} {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    server.wait_for_metric(&rejections("timeout"), 4.0);
    assert_eq!(server.get("/readyz").status, 200, "nothing has begun");
}

#[test]
fn what_is_no_request_is_counted_by_kind_and_told_with_its_likely_cause() {
    let server = TestServer::start();
    let cases: [(&[u8], u16, &str, &str); 9] = [
        (b"PROXY TCP4 1.2.3.4 127.0.0.1 5 8080\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "proxy_protocol", "proxy"),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51",
            400,
            "proxy_protocol",
            "proxy",
        ),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 400, "tls", "TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "http2", "HTTP/2"),
        (b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", 400, "no_host", "Host"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", 400, "malformed", "another protocol"),
        (b"\x80\x9e\x01\x03\x01", 400, "malformed", "another protocol"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n", 400, "malformed", "another protocol"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed", "another protocol"),
    ];
    for (listener, to) in [("public", server.public), ("ops", server.ops)] {
        for (bytes, status, kind, cause) in cases {
            let answer = ask_to_the_end(to, bytes);
            answer.error(status, "invalid_message");
            assert_eq!(answer.needs("Connection"), "close", "{kind}");
            server.wait_for_log(kind, |line| {
                line.event() == "request_rejected"
                    && line.says("kind", kind)
                    && line.says("listener", listener)
                    && line.json["cause"].as_str().is_some_and(|text| text.contains(cause))
            });
        }
    }
    for (kind, count) in [("proxy_protocol", 4.0), ("tls", 2.0), ("http2", 2.0), ("no_host", 2.0), ("malformed", 8.0)] {
        server.wait_for_metric(&rejections(kind), count);
    }
    // A balancer that only connects, and a browser that connects ahead, have asked for nothing.
    drop(dial(server.public));
    assert_eq!(exchange(server.public, "GET /healthz HTTP/1.0\r\n\r\n").status, 200, "HTTP/1.0 needs no Host");
    assert_eq!(server.scrape().sum("switchboard_http_rejections_total", ""), 18.0);
}

#[test]
fn a_handshake_that_a_proxy_changed_is_told_as_one() {
    let server = TestServer::start();
    let line = |line: &str| Handshake::new().request_line(line);
    for (what, handshake, status, words) in [
        ("Upgrade lost", Handshake::new().without("Upgrade"), 426, "proxy"),
        ("both lost", Handshake::new().without("Upgrade").without("Connection"), 426, "proxy"),
        ("Connection lost", Handshake::new().without("Connection"), 400, "Connection header"),
        ("Connection replaced", Handshake::new().with("Connection", "close"), 400, "Connection header"),
        ("key lost", Handshake::new().without("Sec-WebSocket-Key"), 400, "Sec-WebSocket-Key"),
        (
            "HTTP/1.0, as nginx by default",
            line("GET /ws HTTP/1.0").without("Upgrade").with("Connection", "close"),
            400,
            "HTTP/1.0",
        ),
        ("HTTP/1.0 with Upgrade", line("GET /ws HTTP/1.0"), 400, "HTTP/1.0"),
        ("CONNECT, out of HTTP/2", line("CONNECT /ws HTTP/1.1").without("Upgrade"), 405, "HTTP/2"),
        ("POST", line("POST /ws HTTP/1.1").without("Upgrade").with("Content-Length", "0"), 405, "GET"),
        ("POST with Upgrade", line("POST /ws HTTP/1.1").with("Content-Length", "0"), 405, "GET"),
        (
            "nothing of it",
            line("GET /ws HTTP/1.1").without("Upgrade").without("Sec-WebSocket-Key").without("Sec-WebSocket-Version"),
            426,
            "proxies",
        ),
    ] {
        let answer = handshake.send(server.public).0;
        answer.error(status, "bad_handshake");
        assert!(answer.needs("Connection").starts_with("close"), "{what}: {answer:?}");
        let id = answer.needs("X-Request-Id").to_owned();
        let told =
            server.wait_for_log(what, |line| line.event() == "handshake_refused" && line.says("request_id", &id));
        assert!(told.json["cause"].as_str().is_some_and(|text| text.contains(words)), "{what}: {}", told.text);
        assert!(told.json["remote"].is_string() && told.json["status"] == status, "{what}: {}", told.text);
    }
    server.wait_for_metric("switchboard_handshakes_refused_total{code=\"bad_handshake\"}", 11.0);
    assert!(server.scrape().sum("switchboard_errors_total", "code=\"bad_handshake\"") >= 11.0);
}

#[test]
fn a_handshake_that_lost_its_way_is_told_as_one() {
    let server = TestServer::start();
    for (to, path, words) in [
        (server.public, "/rooms/ws", "path"),
        (server.public, "/ws/", "path"),
        (server.public, "/socket", "path"),
        (server.ops, "/ws", "operator's port"),
        (server.ops, "/rooms/ws", "operator's port"),
    ] {
        for lost in [&["Upgrade", "Connection"][..], &["Upgrade"], &[]] {
            let handshake = Handshake::new().request_line(&format!("GET {path} HTTP/1.1")).with("Host", "localhost");
            let handshake = lost.iter().fold(handshake, |handshake, name| handshake.without(name));
            let answer = handshake.send(to).0;
            answer.error(404, "unsupported_version");
            let id = answer.needs("X-Request-Id").to_owned();
            let told =
                server.wait_for_log(path, |line| line.event() == "handshake_refused" && line.says("request_id", &id));
            let cause = told.json["cause"].as_str().unwrap_or_default();
            assert!(lost.is_empty() && to == server.public || cause.contains(words), "{path} {lost:?}: {}", told.text);
        }
    }
    server.wait_for_metric("switchboard_handshakes_refused_total{code=\"unsupported_version\"}", 15.0);
    assert_eq!(server.get("/nothing").status, 404);
    assert_eq!(
        server.scrape().sum("switchboard_handshakes_refused_total", ""),
        15.0,
        "a page that is not there is none"
    );
}

#[test]
fn every_answer_says_that_its_connection_ends() {
    let server = TestServer::start();
    let paths =
        ["/", "/ws", "/healthz", "/readyz", "/health", "/nothing", "/app.js", "/metrics", "/errors", "/admin/drain"];
    for (to, path) in paths.iter().flat_map(|path| [(server.public, path), (server.ops, path)]) {
        for version in ["1.1", "1.0"] {
            for asked in
                ["", "Connection: upgrade\r\n", "Connection: keep-alive\r\n", "Connection: Upgrade\r\nUpgrade: h2c\r\n"]
            {
                for method in ["GET", "HEAD", "POST", "OPTIONS", "BREW"] {
                    let request =
                        format!("{method} {path} HTTP/{version}\r\nHost: {to}\r\nContent-Length: 0\r\n{asked}\r\n");
                    let mut stream = dial(to);
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut text = String::new();
                    stream.read_to_string(&mut text).unwrap();
                    let head = text.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
                    let said: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("connection: ")).collect();
                    assert!(matches!(said[..], ["close" | "close, upgrade"]), "{request:?}: {head}");
                    assert!(version == "1.1" || said == ["close"], "{request:?}: {head}");
                    assert!(!head.contains("keep-alive"), "{request:?}: {head}");
                }
            }
        }
    }
}

#[test]
fn a_method_that_is_not_for_a_path_is_told_which_are() {
    let server = TestServer::start();
    let ask = |to: SocketAddr, method: &str, path: &str, version: &str| {
        let mut stream = dial(to);
        write!(stream, "{method} {path} HTTP/{version}\r\nHost: {to}\r\nContent-Length: 0\r\n\r\n").unwrap();
        read_response(&mut BufReader::new(stream)).unwrap()
    };
    let of_both =
        ["/", "/app.js", "/healthz", "/readyz", "/health"].map(|path| [(server.public, path), (server.ops, path)]);
    for (to, path) in of_both.concat().into_iter().chain([(server.ops, "/metrics"), (server.ops, "/errors")]) {
        for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
            let answer = ask(to, method, path, "1.1");
            answer.error(405, "invalid_message");
            assert_eq!(answer.needs("Allow"), "GET, HEAD, OPTIONS", "{method} {path}");
        }
        // As HAProxy asks by default.
        for version in ["1.0", "1.1"] {
            let answer = ask(to, "OPTIONS", path, version);
            assert_eq!((answer.status, answer.needs("Allow")), (204, "GET, HEAD, OPTIONS"), "{path}");
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{path}");
        }
        let mut stream = dial(to);
        write!(stream, "HEAD {path} HTTP/1.1\r\nHost: {to}\r\n\r\n").unwrap();
        let mut head = String::new();
        stream.read_to_string(&mut head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{path}: {head}");
    }
    assert_eq!(ask(server.public, "OPTIONS", "*", "1.1").status, 204);
    let socket = ask(server.public, "OPTIONS", "/ws", "1.1");
    assert_eq!((socket.status, socket.needs("Allow")), (204, "GET, OPTIONS"));
    for (to, path) in [(server.public, "/nothing"), (server.public, "/metrics"), (server.ops, "/ws")] {
        for method in ["GET", "OPTIONS", "POST"] {
            assert_eq!(ask(to, method, path, "1.1").status, 404, "{method} {path}");
        }
    }
}

#[test]
fn an_upgrade_to_something_else_is_an_ordinary_request() {
    let server = TestServer::start();
    let headers = [("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"), ("Sec-WebSocket-Key", KEY)];
    let answer = http::get(server.public, "/healthz", &headers);
    assert_eq!((answer.status, answer.needs("Connection")), (200, "close"), "{answer:?}");
}
