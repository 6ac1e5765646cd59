//! The PROXY protocol: a balancer that passes TCP on says first who is at its other end.

use std::{
    io::{BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
};

use crate::support::{
    Builder, TestPeer, TestServer, eventually,
    http::{self, Response, dial, dial_from, read_response},
    run,
    ws::Handshake,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Of a stranger: the whole of 127.0.0.0/8 is this machine.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A server behind a balancer at 127.0.0.1, and perhaps a proxy of HTTP at 10.0.0.0/8 before that.
fn proxied() -> Builder {
    TestServer::set("limits.exempt_loopback", false)
        .set("http.proxy_protocol", true)
        .set("http.trusted_proxies", "127.0.0.1,10.0.0.0/8")
}

/// A line of version 1.
fn line(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 192.0.2.80 4711 443\r\n").into_bytes()
}

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// For a client at 203.0.113.N, with what balancers add: here a name for the connection.
fn binary_ipv4(last: u8) -> Vec<u8> {
    let rest =
        [&[203, 0, 113, last, 192, 0, 2, 80][..], &4711_u16.to_be_bytes(), &443_u16.to_be_bytes(), &[5, 0, 1, 7]];
    binary(0x21, 0x11, &rest.concat())
}

/// What is sent, in pieces of that size, and the answer.
fn ask_on(mut stream: TcpStream, bytes: &[u8], piece: usize) -> (Response, BufReader<TcpStream>) {
    for bytes in bytes.chunks(piece) {
        stream.write_all(bytes).unwrap();
    }
    let mut stream = BufReader::new(stream);
    let response = read_response(&mut stream).unwrap_or_else(|e| panic!("no answer to {bytes:?}: {e}"));
    (response, stream)
}

fn ask(to: SocketAddr, begins: &[u8], handshake: &Handshake) -> (Response, BufReader<TcpStream>) {
    ask_on(dial(to), &[begins, &handshake.bytes()].concat(), usize::MAX)
}

/// A connection, if it is let in.
fn connect(server: &TestServer, begins: &[u8]) -> Option<TestPeer> {
    let (response, stream) = ask(server.public, begins, &Handshake::new());
    match response.status {
        101 => {
            let mut peer = TestPeer::on(stream);
            peer.receive("welcome");
            Some(peer)
        }
        429 => None,
        _ => panic!("{response:?}"),
    }
}

#[track_caller]
fn opened_by(server: &TestServer, remote: &str) {
    server.wait_for_log(remote, |line| {
        line.event() == "connection_opened" && line.json["remote"].as_str().is_some_and(|text| text.starts_with(remote))
    });
}

#[track_caller]
fn rejected(server: &TestServer, kind: &str, remote: &str) {
    server.wait_for_log(kind, |line| {
        line.event() == "request_rejected"
            && line.says("kind", kind)
            && line.json["remote"].as_str().is_some_and(|text| text.starts_with(remote))
    });
}

#[test]
fn the_address_in_the_header_is_the_clients_for_the_log_and_the_limits() {
    let server = proxied().set("limits.connections_per_address", 1).set("limits.http_burst", 2).start();
    let _first = connect(&server, &line("203.0.113.7")).expect("a place");
    opened_by(&server, "203.0.113.7:4711");
    assert!(connect(&server, &line("203.0.113.7")).is_none(), "it has its one connection");
    assert!(connect(&server, &binary_ipv4(7)).is_none(), "in whatever version it is told");
    let _second = connect(&server, &binary_ipv4(8)).expect("a place of its own");
    opened_by(&server, "203.0.113.8:4711");
    let v6 = b"PROXY TCP6 2001:db8::7 2001:db8::80 4711 443\r\n";
    let _third = connect(&server, v6).expect("another");
    opened_by(&server, "[2001:db8::7]:4711");
    let page = |client: &str| {
        let request = [&line(client)[..], b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"].concat();
        ask_on(dial(server.public), &request, usize::MAX).0.status
    };
    let statuses = [(); 5].map(|()| page("203.0.113.7"));
    assert!(statuses[..2] == [200, 200] && statuses.contains(&429), "{statuses:?}");
    assert_eq!(page("203.0.113.10"), 200);
}

#[test]
fn a_header_may_come_in_pieces_with_the_request_right_behind_it() {
    let server = proxied().start();
    for (number, header) in [line("203.0.113.1"), binary_ipv4(2)].into_iter().enumerate() {
        for piece in [1, 5, 16, 30] {
            let (response, stream) =
                ask_on(dial(server.public), &[&header[..], &Handshake::new().bytes()].concat(), piece);
            assert_eq!(response.status, 101, "{header:?} in pieces of {piece}");
            TestPeer::on(stream).receive("welcome");
        }
        opened_by(&server, &format!("203.0.113.{}:4711", number + 1));
    }
}

#[test]
fn what_the_proxy_asks_by_itself_is_the_proxys() {
    let server = proxied().set("limits.connections_per_address", 4).start();
    let heads: [Vec<u8>; 5] = [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 203.0.113.7 192.0.2.80 4711 443\r\n".to_vec(),
        binary(0x20, 0x00, &[]),
        binary(0x21, 0x31, &[0; 216]),
        binary(0x20, 0x11, &binary_ipv4(7)[16..]),
    ];
    let peers: Vec<_> = heads.iter().filter_map(|head| connect(&server, head)).collect();
    assert_eq!(peers.len(), 4, "all of them are one address");
    opened_by(&server, "127.0.0.1:");
}

#[test]
fn a_proxy_of_http_behind_the_balancer_is_believed_as_ever() {
    let server = proxied().start();
    let handshake = Handshake::new().with("X-Forwarded-For", "203.0.113.7");
    assert_eq!(ask(server.public, &line("10.0.0.5"), &handshake).0.status, 101);
    opened_by(&server, "203.0.113.7");
    assert_eq!(ask(server.public, &line("198.51.100.5"), &handshake).0.status, 101);
    opened_by(&server, "198.51.100.5:4711");
}

#[test]
fn who_is_not_named_cannot_name_itself_in_http_and_a_proxy_that_speaks_for_itself_can_name_its_client() {
    let server = proxied().set("limits.connections_per_address", 2).set("limits.http_burst", 2).start();
    let nobody = [&b"PROXY UNKNOWN\r\n"[..], &binary(0x21, 0x00, &[]), &binary(0x21, 0x31, &[0; 216])];
    let mut held = Vec::new();
    for (number, head) in nobody.into_iter().enumerate() {
        let handshake = Handshake::new().with("X-Forwarded-For", &format!("203.0.113.{number}"));
        let (response, stream) = ask(server.public, head, &handshake);
        assert_eq!(response.status, if number < 2 { 101 } else { 429 }, "all of them are the proxy's address");
        held.push(stream);
        let page = |number| {
            let named = format!("GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 198.51.100.{number}\r\n\r\n");
            ask_on(dial(server.public), &[head, named.as_bytes()].concat(), usize::MAX).0.status
        };
        assert!((0..9).any(|number| page(number) == 429), "pages, too");
    }
    opened_by(&server, "127.0.0.1:");
    let handshake = Handshake::new().with("X-Forwarded-For", "203.0.113.9");
    assert_eq!(ask(server.public, &binary(0x20, 0x00, &[]), &handshake).0.status, 101);
    opened_by(&server, "203.0.113.9");
}

#[test]
fn a_client_on_the_machine_of_its_proxy_has_the_limits_of_any_other() {
    let server = proxied().set("limits.exempt_loopback", true).set("limits.connections_per_address", 1).start();
    let _first = connect(&server, &line("127.0.0.5")).expect("a place");
    assert!(connect(&server, &line("127.0.0.5")).is_none(), "it has its one connection");
}

#[test]
fn a_proxy_must_say_it_and_nobody_else_may() {
    let server = proxied().start();
    for (begins, kind) in [
        (&b""[..], "no_proxy_header"),
        (b"PROXY TCP4 203.0.113.7 192.0.2.80 4711\r\n", "bad_proxy_header"),
        (b"PROXY TCP9 203.0.113.7 192.0.2.80 4711 443\r\n", "bad_proxy_header"),
        (&[b'P', b'R', b'O', b'X', b'Y', b' '].into_iter().chain([b'x'; 200]).collect::<Vec<_>>(), "bad_proxy_header"),
        (&binary(0x11, 0x11, &[0; 12]), "bad_proxy_header"),
        (&binary(0x21, 0x21, &[0; 12]), "bad_proxy_header"),
        (&[SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(), "bad_proxy_header"),
        (&[line("203.0.113.7"), line("203.0.113.8")].concat(), "proxy_protocol"),
        (b"\x16\x03\x01\x02\0\x01", "no_proxy_header"),
    ] {
        let (response, _) = ask(server.public, begins, &Handshake::new());
        response.error(400, "invalid_message");
        rejected(&server, kind, if kind == "proxy_protocol" { "203.0.113.7:4711" } else { "127.0.0.1:" });
    }
    // A stranger speaks for nobody, and needs nobody to speak for it.
    let (response, _) = ask_on(dial_from(STRANGER, server.public), &line("203.0.113.7"), usize::MAX);
    response.error(400, "invalid_message");
    rejected(&server, "proxy_protocol", "127.0.0.9:");
    let (response, _) = Handshake::new().send_on(dial_from(STRANGER, server.public));
    assert_eq!(response.status, 101);
    opened_by(&server, "127.0.0.9:");
    // Operators are asked by nobody's proxy.
    assert_eq!(server.ops_get("/readyz").status, 200);
    let (response, _) = ask_on(dial(server.ops), &line("203.0.113.7"), usize::MAX);
    response.error(400, "invalid_message");
}

#[test]
fn the_header_has_the_deadline_of_the_head() {
    let server = proxied().set("http.request_timeout_ms", 1000).start();
    let whole = [&line("203.0.113.7")[..], b"GET / HTTP/1.1\r\n"].concat();
    for (begun, remote) in [(&b"PROXY TCP4 203"[..], "127.0.0.1:"), (SIGNATURE, "127.0.0.1:"), (&whole, "203.0.113.7:")]
    {
        let (response, _) = ask_on(dial(server.public), begun, usize::MAX);
        response.error(408, "invalid_message");
        rejected(&server, "timeout", remote);
    }
}

#[test]
fn sockets_are_counted_as_those_of_the_client_that_is_named() {
    let server = proxied().set("limits.sockets_per_address", 2).start();
    // Whoever is counted was asked to go on: half a request behind the header.
    let begun = |client: &str| [&line(client)[..], b"GET /healthz HTTP/1.1\r\n"].concat();
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = dial(server.public);
            stream.write_all(&begun("203.0.113.7")).unwrap();
            stream
        })
        .collect();
    server.wait_for_metric("switchboard_sockets{listener=\"public\"}", 2.0);
    let rest = b"Host: a.example\r\n\r\n";
    let third = || ask_on(dial(server.public), &[&begun("203.0.113.7")[..], rest].concat(), usize::MAX).0;
    third().error(503, "over_capacity");
    server.wait_for_log("the refusal", |line| {
        line.event() == "socket_refused" && line.says("reason", "address") && line.says("remote", "203.0.113.7:4711")
    });
    let other = ask_on(dial(server.public), &[&begun("203.0.113.8")[..], rest].concat(), usize::MAX).0;
    assert_eq!(other.status, 200, "the balancer itself may have any number");
    drop(held);
    eventually("its places are free again", || {
        let status = third().status;
        if status == 200 { Ok(()) } else { Err(format!("{status}")) }
    });
}

#[test]
fn a_check_finds_a_server_that_is_full_or_behind_such_a_balancer() {
    let server = proxied().set("limits.sockets", 1).start();
    // Somebody in a room: who says nothing would make room.
    let mut held = dial(server.public);
    held.write_all(&line("203.0.113.1")).unwrap();
    let mut held = TestPeer::open(held, &Handshake::new());
    held.receive("welcome");
    held.join("demo");
    for head in [&b"PROXY UNKNOWN\r\n"[..], &binary(0x20, 0, &[])] {
        let request = [head, b"GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n"].concat();
        assert_eq!(ask_on(dial(server.public), &request, usize::MAX).0.status, 200);
        let request = [head, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"].concat();
        ask_on(dial(server.public), &request, usize::MAX).0.error(503, "over_capacity");
    }
    let port = server.public.port().to_string();
    let variables = [
        ("HOST", "127.0.0.1"),
        ("PORT", &*port),
        ("SWITCHBOARD__HTTP__PROXY_PROTOCOL", "true"),
        ("SWITCHBOARD__HTTP__TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let probe = run(&["--probe"], &variables);
    assert!(probe.status.success(), "{probe:?}");
    assert_eq!(http::get(server.ops, "/healthz", &[]).status, 200);
}
