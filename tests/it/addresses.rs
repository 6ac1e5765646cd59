//! Who counts as one address: IPv6 networks of every size, proxies that name nobody, a machine that many addresses ask at
//! once, and whoever tries the names of rooms.

use std::net::Ipv4Addr;

use serde_json::json;

use crate::support::{
    Builder, TestPeer, TestServer,
    http::{self, dial_from},
    ws::Handshake,
};

/// A server that counts this machine's addresses as any others.
fn strict() -> Builder {
    TestServer::set("limits.exempt_loopback", false)
}

/// A server behind a proxy at 127.0.0.1.
fn proxied() -> Builder {
    strict().set("http.trusted_proxies", "127.0.0.1,10.0.0.0/8")
}

/// A connection that the proxy passes on for this client, if it is let in.
#[track_caller]
fn connect(server: &TestServer, handshake: &Handshake) -> Option<TestPeer> {
    let (response, stream) = handshake.send(server.public);
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

fn of(client: &str) -> Handshake {
    Handshake::new().with("X-Forwarded-For", client)
}

fn hits(limit: &str) -> String {
    format!("switchboard_limit_hits_total{{limit=\"{limit}\"}}")
}

/// How many of so many clients are let in, who stay.
#[track_caller]
fn let_in(server: &TestServer, clients: impl Iterator<Item = String>) -> usize {
    let peers: Vec<_> = clients.filter_map(|client| connect(server, &of(&client))).collect();
    peers.len()
}

#[test]
fn ipv6_connections_are_limited_by_64_56_and_48() {
    let limited = || proxied().set("limits.connections_per_address", 2).start();
    let server = limited();
    assert_eq!(let_in(&server, (0..4).map(|host| format!("2001:db8:1:1::{host:x}"))), 2, "one /64");
    let server = limited();
    assert_eq!(let_in(&server, (0..24).map(|net| format!("2001:db8:1:{:x}::1", net % 12))), 8, "one /56");
    let server = limited();
    assert_eq!(let_in(&server, (0..40).map(|net| format!("2001:db8:1:{:x}::1", net << 8))), 32, "one /48");
    assert!(connect(&server, &of("2001:db8:2::1")).is_some(), "another /48 has its own");
    assert_eq!(let_in(&server, (1..9).map(|host| format!("192.0.2.{host}"))), 8, "IPv4 counts address by address");
    server.wait_for_metric(&hits("connections_per_address"), 8.0);
}

#[test]
fn ipv6_handshakes_and_requests_are_limited_by_56_and_48_and_a_refused_one_costs_nothing() {
    let server = proxied()
        .set("limits.handshake_burst", 1)
        .set("limits.handshake_rate", 1)
        .set("limits.http_burst", 1)
        .set("limits.http_rate", 1)
        .start();
    let ask = |client: &str| http::get(server.public, "/", &[("X-Forwarded-For", client)]).status;
    let handshake = |client: &str| of(client).without("Sec-WebSocket-Key").send(server.public).0.status;
    for (what, ask) in [("requests", &ask as &dyn Fn(&str) -> u16), ("handshakes", &handshake)] {
        // A /64 that asks on and on uses up nothing but its own: its neighbours have what is theirs.
        let of_one = (0..40).filter(|_| ask("2001:db8:1:1::1") != 429).count();
        let of_its_56 = (2..40).filter(|net| ask(&format!("2001:db8:1:{net:x}::1")) != 429).count();
        let of_its_48 = (1..40).filter(|net| ask(&format!("2001:db8:1:{:x}::1", net << 8)) != 429).count();
        // A slow machine gives everybody some more: one, four and sixteen a second.
        assert!((1..20).contains(&of_one), "{what}: {of_one}");
        assert!((3..30).contains(&of_its_56), "{what}: {of_its_56}");
        assert!((12..39).contains(&of_its_48), "{what}: {of_its_48}");
    }
}

#[test]
fn ipv6_joins_and_rooms_are_limited_by_56_and_48_too() {
    let server = proxied().set("limits.rooms_per_address", 1).set("limits.joins_per_minute", 2).start();
    let mut peers: Vec<_> = (0..6).filter_map(|net| connect(&server, &of(&format!("2001:db8:1:{net}::1")))).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        let room = format!("room {number}");
        if number < 4 {
            peer.join(&room);
        } else {
            peer.send_json(&json!({"type": "join", "room": room}));
            peer.receive_error("room_limit");
        }
    }
    // Six joins were asked for: two more are left to the /56.
    for number in 0..4 {
        peers[4].send_json(&json!({"type": "join", "room": "room x"}));
        peers[4].receive_error(if number == 0 { "room_limit" } else { "rate_limited" });
    }
    peers[5].send_json(&json!({"type": "join", "room": "room x"}));
    peers[5].receive_error("room_limit");
    let mut late = connect(&server, &of("2001:db8:1:77::1")).expect("a place");
    late.send_json(&json!({"type": "join", "room": "room 1"}));
    late.receive_error("rate_limited");
}

#[test]
fn a_trusted_proxy_that_names_nobody_is_one_client() {
    let invented = (1..=10).map(|n| format!("10.0.0.{n}")).collect::<Vec<_>>().join(", ");
    let nobody = [
        Handshake::new(),
        of(""),
        of("unknown"),
        of("_hidden"),
        of("203.0.113.7, -"),
        of(&invented),
        of("127.0.0.1"),
        of("203.0.113.8").and("X-Forwarded-For", "nonsense"),
    ];
    let server = proxied().set("limits.connections_per_address", 3).set("limits.http_burst", 2).start();
    let peers: Vec<_> = nobody.iter().filter_map(|handshake| connect(&server, handshake)).collect();
    assert_eq!(peers.len(), 3, "all of them are the proxy");
    let statuses = [(); 4].map(|()| server.get("/").status);
    assert_eq!(statuses[..2], [200, 200]);
    assert!(statuses[2..].contains(&429), "{statuses:?}");
    assert!((0..20).all(|_| server.get("/healthz").status == 200), "probes are for everybody");
    assert!(connect(&server, &of("203.0.113.7")).is_some(), "a client that it names has limits of its own");
    let told = server.wait_for_log("who names nobody", |line| line.event() == "proxy_names_nobody");
    assert!(told.json["remote"].as_str().is_some_and(|remote| remote.starts_with("127.0.0.1:")), "{}", told.text);
    assert_eq!(server.log().lines_where("proxy_names_nobody").len(), 1);
}

#[test]
fn this_machine_has_limits_unless_a_key_says_otherwise() {
    // All that a test's server sets beside these is where it listens.
    let usual = || TestServer::builder().unset("SWITCHBOARD__LIMITS__EXEMPT_LOOPBACK");
    let server = usual().set("limits.connections_per_address", 2).start();
    let peers: Vec<_> = (0..4).filter_map(|_| connect(&server, &Handshake::new())).collect();
    assert_eq!(peers.len(), 2, "a proxy on this machine that nobody told us of");
    let invented = (0..4).filter_map(|n| connect(&server, &of(&format!("203.0.113.{n}")))).count();
    assert_eq!(invented, 0, "whatever it says");
    let (other, _) = Handshake::new().send_on(dial_from(Ipv4Addr::new(127, 0, 0, 9), server.public));
    assert_eq!(other.status, 101, "another address of this machine is another client");
    server.wait_for_log("who is not believed", |line| line.event() == "forwarded_not_believed");
}

#[test]
fn more_addresses_than_are_remembered_get_no_more_than_those_that_are() {
    let server = proxied().set("limits.addresses", 2).set("limits.connections_per_address", 1).start();
    let known = connect(&server, &of("192.0.2.1")).expect("the first");
    let mut crowd: Vec<_> = (2..60).filter_map(|host| connect(&server, &of(&format!("192.0.2.{host}")))).collect();
    assert!((1..=3).contains(&crowd.len()), "two entries of their own and two that are shared, not {}", crowd.len());
    // A network that fills the table is still a network.
    let networks: Vec<_> = (0..60).filter_map(|net| connect(&server, &of(&format!("2001:db8:1:{net:x}::1")))).collect();
    assert_eq!(networks.len(), 4, "a /56 is counted though its /64 are not remembered");
    assert!(connect(&server, &of("192.0.2.1")).is_none(), "who is known has its own count, and it is full");
    known.close();
    crowd.drain(..).for_each(TestPeer::close);
    crate::support::eventually("everybody's places are free", || {
        connect(&server, &of("192.0.2.1")).map(|_| ()).ok_or_else(String::new)
    });
}

#[test]
fn whoever_tries_names_is_stopped_and_told_nothing() {
    let server = proxied().set("limits.new_rooms_burst", 5).set("limits.new_rooms_per_minute", 1).start();
    let mut resident = connect(&server, &of("192.0.2.1")).expect("a place");
    resident.join("secret");
    let mut scanner = connect(&server, &of("203.0.113.7")).expect("a place");
    for number in 0..5 {
        scanner.join(&format!("guess {number}"));
        scanner.leave();
    }
    let refusal = |scanner: &mut TestPeer, room: &str| {
        scanner.send_json(&json!({"type": "join", "room": room, "id": "j"}));
        let error = scanner.receive_error("rate_limited");
        assert_eq!(error["re"], "j");
        assert!(error["retryAfterMs"].as_u64().is_some_and(|ms| (1..=60_001).contains(&ms)), "{}", error.text);
        (error.text("message"), error.text("category"), error.json()["retryable"].clone())
    };
    let taken = refusal(&mut scanner, "secret");
    assert_eq!(taken, refusal(&mut scanner, "nobody is here"), "the answer does not depend on whether there is one");
    assert_eq!(taken, refusal(&mut scanner, "guess 4"), "a room that it has left is as new as any");
    let mut colleague = connect(&server, &of("203.0.113.7")).expect("a place");
    refusal(&mut colleague, "secret");
    resident.receive_nothing();
    server.wait_for_metric(&hits("new_rooms"), 4.0);
    assert_eq!(server.scrape().value(&hits("joins_per_minute")), 0.0);
}

#[test]
fn rooms_that_somebody_of_the_address_is_in_are_not_new() {
    let server = proxied().set("limits.new_rooms_burst", 1).set("limits.new_rooms_per_minute", 1).start();
    let school = |room: &str| {
        let mut pupil = connect(&server, &of("203.0.113.7")).expect("a place");
        pupil.send_json(&json!({"type": "join", "room": room}));
        (pupil.receive_any().kind().to_owned(), pupil)
    };
    let (first, mut opener) = school("class");
    assert_eq!(first, "joined");
    let others: Vec<_> = (0..8).map(|_| school("class")).collect();
    assert!(others.iter().all(|(kind, _)| kind == "joined"), "one room, however many come");
    assert_eq!(school("other").0, "error");
    // Who leaves a room in which the others stay may come back.
    opener.receive_at_last("peer_joined");
    opener.send_json(&json!({"type": "leave"}));
    opener.receive_at_last("left");
    opener.join("class");
}

#[test]
fn a_scan_of_neighbouring_networks_is_one_scan() {
    let server = proxied().set("limits.new_rooms_burst", 2).set("limits.new_rooms_per_minute", 1).start();
    let entered = (0..30).filter(|net| {
        let mut scanner = connect(&server, &of(&format!("2001:db8:1:{net:x}::1"))).expect("a place");
        scanner.send_json(&json!({"type": "join", "room": format!("guess {net}")}));
        scanner.receive_any().kind() == "joined"
    });
    let entered = entered.count();
    assert!((8..=12).contains(&entered), "a /56 may try eight, and four a minute: {entered}");
}

#[test]
fn the_servers_own_page_connects_where_no_other_may() {
    let server = TestServer::set("http.trusted_proxies", "127.0.0.1").start();
    let from = |origin: &str| Handshake::new().with("Host", "rooms.example:8080").with("Origin", origin);
    let status = |handshake: Handshake| handshake.send(server.public).0.status;
    assert_eq!(status(from("http://rooms.example:8080")), 101);
    for foreign in ["http://evil.example", "http://rooms.example", "null", "http://rooms.example.evil.example:8080"] {
        assert_eq!(status(from(foreign)), 403, "{foreign}");
    }
    let behind = Handshake::new().with("Host", "127.0.0.1:8080").with("Origin", "https://rooms.example");
    assert_eq!(status(behind.clone()), 403);
    assert_eq!(
        status(behind.clone().with("Forwarded", "for=203.0.113.7;host=rooms.example")),
        403,
        "nobody believes that"
    );
    assert_eq!(status(behind.with("X-Forwarded-Host", "rooms.example")), 101, "the proxy says what it was asked for");
}

#[test]
fn a_proxy_that_writes_forwarded_is_believed_in_that_alone() {
    let server = proxied().set("http.forwarded_header", "forwarded").set("limits.connections_per_address", 1).start();
    let of = |client: &str| Handshake::new().with("Forwarded", client);
    let page = Handshake::new().with("Host", "127.0.0.1:8080").with("Origin", "https://rooms.example");
    let asked = page.clone().with("Forwarded", "for=203.0.113.9;host=\"rooms.example\";proto=https");
    let status = |handshake: &Handshake| handshake.send(server.public).0.status;
    assert_eq!(status(&asked), 101);
    assert_eq!(status(&page.with("X-Forwarded-Host", "rooms.example")), 403, "a client may have written it");
    let first = connect(&server, &of("for=\"[2001:db8::7]:4711\"").with("X-Forwarded-For", "203.0.113.7"));
    assert!(first.is_some());
    let opened = server.wait_for_log("the client's own address", |line| {
        line.event() == "connection_opened" && line.says("remote", "[2001:db8::7]:4711")
    });
    assert_eq!(opened.event(), "connection_opened");
    for same in ["for=1.1.1.1;x=\", for=\"[2001:db8::7]\"", "for=1.1.1.1, for=\"[2001:db8::7]\", for=10.0.0.1"] {
        assert!(connect(&server, &of(same)).is_none(), "{same}: the nearest that is no proxy of ours");
    }
    assert!(connect(&server, &of("for=203.0.113.8")).is_some());
    let nobody = [Handshake::new().with("X-Forwarded-For", "203.0.113.10"), of("for=_hidden"), of("for=unknown")];
    let peers: Vec<_> = nobody.iter().filter_map(|handshake| connect(&server, handshake)).collect();
    assert_eq!(peers.len(), 1, "who is named in no way, or in another header, is the proxy");
}

#[test]
fn what_is_open_on_a_public_address_is_told_at_the_start() {
    let server = TestServer::set("server.host", "0.0.0.0").set("ops.host", "0.0.0.0");
    let server = server.set("http.allowed_origins", "*").start();
    for key in ["http.allowed_origins", "limits.exempt_loopback", "/metrics", "ops.token_file"] {
        server.wait_for_log(key, |line| {
            line.event() == "config_warning" && line.json["what"].as_str().is_some_and(|what| what.contains(key))
        });
    }
    let near = TestServer::start();
    let told = near.log().lines_where("config_warning");
    assert!(told.iter().all(|line| !line.text.contains("ops.") && !line.text.contains("http.allowed")), "{told:#?}");
}
