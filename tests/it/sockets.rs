//! Sockets, whatever they are used for: all are counted, all are bounded, and whoever asks how the server is gets an
//! answer even when there is no socket left.

use std::{
    io::{BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    thread,
};

use crate::support::{
    Builder, TestServer, eventually,
    http::{self, dial, dial_from, read_response},
    ws::Handshake,
};

const SLACK_KIB: u64 = 16 << 10;

/// A server that counts this machine's addresses as any others.
fn strict() -> Builder {
    TestServer::set("limits.exempt_loopback", false)
}

fn refused(listener: &str, reason: &str) -> String {
    format!("switchboard_sockets_refused_total{{listener=\"{listener}\",reason=\"{reason}\"}}")
}

fn open(listener: &str) -> String {
    format!("switchboard_sockets{{listener=\"{listener}\"}}")
}

/// Whether the server has hung up, read to the end.
fn has_ended(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

/// Waits until so many of them are open still.
#[track_caller]
fn wait_for_open(streams: &[TcpStream], wanted: usize) {
    eventually("as many are open as may be", || match streams.iter().filter(|stream| !has_ended(stream)).count() {
        open if open == wanted => Ok(()),
        open => Err(format!("{open} of {}, not {wanted}", streams.len())),
    });
}

/// All that an operator, a balancer or an orchestrator asks for.
#[track_caller]
fn assert_answers(server: &TestServer) {
    for path in ["/healthz", "/health"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.needs("Connection")), (200, "close"), "{path}: {answer:?}");
        assert!(!answer.needs("X-Request-Id").is_empty() && !answer.needs("Content-Security-Policy").is_empty());
    }
    assert!([200, 503].contains(&server.get("/readyz").status));
    let head = http::exchange(server.public, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n".trim_start());
    assert_eq!(head.status, 200, "{head:?}");
    assert_eq!((server.ops_get("/healthz").status, server.ops_get("/metrics").status), (200, 200));
}

#[test]
fn silent_sockets_of_one_address_leave_room_for_probes_operators_and_the_others() {
    let server = strict().set("limits.sockets_per_address", 40).set("http.trusted_proxies", "127.0.0.2").start();
    let silent: Vec<TcpStream> = (0..120)
        .map(|number: u32| {
            let mut stream = dial(server.public);
            // A few bytes each, or none.
            stream.write_all(&b"GET / H"[..(number % 3) as usize * 3]).unwrap();
            stream
        })
        .collect();
    eventually("all that are refused are counted", || {
        let scrape = server.scrape();
        let counted = [scrape.value(&refused("public", "address")), scrape.value(&open("public"))];
        if counted[0] >= 80.0 && counted[1] >= 40.0 { Ok(()) } else { Err(format!("{counted:?}")) }
    });
    assert_answers(&server);
    server.wait_for_log("who was refused", |line| {
        line.event() == "socket_refused" && line.says("reason", "address") && line.says("listener", "public")
    });
    // Whoever comes by a proxy of ours is not counted with the proxy, and everybody else has places of their own.
    let from = |address: [u8; 4]| dial_from(Ipv4Addr::from(address), server.public);
    assert_eq!(Handshake::new().send_on(from([127, 0, 0, 2])).0.status, 101);
    assert_eq!(Handshake::new().send_on(from([127, 0, 0, 3])).0.status, 101);
    Handshake::new().send(server.public).0.error(503, "over_capacity");
    drop(silent);
    eventually("their places are free again", || match Handshake::new().send(server.public).0.status {
        101 => Ok(()),
        status => Err(status.to_string()),
    });
}

#[test]
fn a_websocket_keeps_its_socket_s_place_and_gives_it_back() {
    let server = TestServer::set("limits.sockets", 3).start();
    for _ in 0..3 {
        let peers: Vec<_> = (0..3).map(|number| server.join(&format!("room {number}"))).collect();
        server.wait_for_metric(&open("public"), 3.0);
        assert_eq!(server.get("/readyz").body, "saturated");
        let refusal = Handshake::new().send(server.public).0;
        refusal.error(503, "over_capacity");
        assert_eq!((refusal.needs("Connection"), refusal.needs("Retry-After")), ("close", "5"));
        assert_answers(&server);
        drop(peers);
        server.wait_for_metric(&open("public"), 0.0);
    }
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn with_few_descriptors_fewer_connections_are_let_in_and_all_others_are_told() {
    let server = TestServer::set("server.max_connections", 4000).after("ulimit -n 300").start();
    let warning = server.wait_for_log("the warning", |line| line.event() == "config_warning");
    assert!(warning.text.contains("4000") && warning.text.contains("300"), "{}", warning.text);
    let cap = server.scrape().value("switchboard_limit{name=\"max_connections\"}");
    assert!((100.0..280.0).contains(&cap), "{cap}");
    let mut open_ones = Vec::new();
    for _ in 0..320 {
        let (answer, stream) = Handshake::new().send(server.public);
        if answer.status == 101 {
            open_ones.push(stream);
        } else {
            answer.error(503, "over_capacity");
        }
    }
    assert_eq!(open_ones.len().to_string(), cap.to_string(), "all others were told");
    assert_eq!(server.get("/readyz").body, "saturated");
    assert_answers(&server);
    // Silent sockets on top of that take what is left, one in another's place, and the answers come all the same.
    let silent: Vec<TcpStream> = (0..200).map(|_| dial(server.public)).collect();
    eventually("sockets have no place", || {
        let scrape = server.scrape();
        let refused = ["descriptors", "silent"].map(|reason| scrape.value(&refused("public", reason)));
        if refused[0] + refused[1] > 50.0 { Ok(()) } else { Err(format!("{refused:?}")) }
    });
    assert_answers(&server);
    assert!(server.descriptors() < 300);
    drop((silent, open_ones));
    server.wait_for_connections(0);
    server.connect();
}

/// Linux looks for a descriptor before it looks for a connection: that there is none left says nothing of whether anybody
/// waits.
#[test]
fn a_server_without_a_descriptor_left_lives_on_while_nobody_comes() {
    let own = TestServer::start().descriptors();
    let server = TestServer::set("watchdog.silent_ms", 600)
        .set("watchdog.exit_ms", 1200)
        .set("http.request_timeout_ms", 60_000)
        .after(&format!("ulimit -n {}", own + 5))
        .start();
    let silent: Vec<TcpStream> = (0..8).map(|_| dial(server.public)).collect();
    // Told once a second at most: four are longer than a thread may be busy with nothing.
    for told in 1..=4 {
        server.signal("USR1");
        eventually("a line of that signal", || match server.log().lines_where("signal_ignored").len() {
            lines if lines >= told => Ok(()),
            lines => Err(format!("{lines} lines; {:?}", server.log().lines().last())),
        });
    }
    drop(silent);
    eventually("there are some again", || match Handshake::new().send(server.public).0.status {
        101 => Ok(()),
        status => Err(status.to_string()),
    });
}

/// From many addresses, none of which has more than it may: places run out, and whoever says nothing makes room.
#[test]
fn silent_sockets_of_many_addresses_make_room_for_whoever_comes() {
    let server = strict().set("limits.sockets", 64).set("http.request_timeout_ms", 60_000).start();
    let from = |last: u8| dial_from(Ipv4Addr::new(127, 66, 1, last), server.public);
    let mut slow = from(1);
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let mut silent = Vec::new();
    let mut inside = Vec::new();
    for round in 0..10 {
        // Twice as many as there are places, in all.
        silent.extend((0..12).map(|number| from(2 + number)));
        // Whoever has to go may need a moment; of itself none would for a minute.
        inside.push(eventually(&format!("newcomer {round} is let in"), || {
            let (answer, stream) = Handshake::new().send_on(from(100 + round));
            if answer.status == 101 { Ok(stream) } else { Err(format!("{answer:?}")) }
        }));
    }
    server.wait_for_metric_from(&refused("public", "silent"), 60.0);
    // The only one of its address, however long it has been waiting.
    write!(slow, "Host: a\r\n\r\n").unwrap();
    let answer = http::read_response(&mut BufReader::new(slow)).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_answers(&server);
    drop((silent, inside));
}

/// Whoever was refused, and heard so, and does not hang up, holds a descriptor for a moment yet.
#[test]
fn those_who_are_refused_and_do_not_hang_up_are_no_more_than_the_reserve() {
    let server = TestServer::set("limits.sockets", 1).start();
    let _only = server.join("blue");
    let before = server.descriptors();
    thread::scope(|scope| {
        let dialers = (0..4).map(|_| {
            let refused = || {
                let mut stream = dial(server.public);
                stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                let mut answer = Vec::new();
                // Who has to make room may be reset.
                let _ = stream.read_to_end(&mut answer);
                stream
            };
            scope.spawn(move || (0..100).map(|_| refused()).collect::<Vec<_>>())
        });
        let held: Vec<_> = dialers.collect::<Vec<_>>().into_iter().map(|dialer| dialer.join().unwrap()).collect();
        let more = server.descriptors() - before;
        // 64 of the reserve, and those of a turn or two that have not heard yet.
        assert!(more <= 64 + 40, "{more} descriptors for those who were refused");
        drop(held);
    });
    assert_answers(&server);
}

#[test]
fn the_operators_listener_has_a_share_of_its_own_and_who_says_nothing_there_makes_room() {
    let server = TestServer::set("limits.sockets", 20).start();
    let silent: Vec<TcpStream> = (0..400).map(|_| dial(server.ops)).collect();
    for _ in 0..5 {
        assert_answers(&server);
        server.connect();
    }
    eventually("most of them are gone", || match silent.iter().filter(|stream| !has_ended(stream)).count() {
        open if open <= 128 => Ok(()),
        open => Err(open.to_string()),
    });
    eventually("they are counted", || match server.scrape().sum("switchboard_sockets_refused_total", "ops") {
        counted if counted >= 250.0 => Ok(()),
        counted => Err(counted.to_string()),
    });
}

#[test]
fn heads_that_do_not_end_cost_no_more_than_their_bound() {
    const SOCKETS: u64 = 200;
    let server = TestServer::set("log.level", "info").start();
    let before = server.memory_kib("VmRSS");
    let mut streams: Vec<TcpStream> = (0..SOCKETS).map(|_| dial(server.public)).collect();
    let start = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
    thread::scope(|scope| {
        for some in streams.chunks_mut(50) {
            scope.spawn(move || {
                for stream in some {
                    // Refused on the way: whether all of it is taken does not matter.
                    let _ = stream.write_all(&[&start[..], &vec![b'x'; 120_000]].concat());
                }
            });
        }
    });
    server.wait_for_metric(r#"switchboard_http_rejections_total{kind="head_too_large"}"#, 200.0);
    let cost = server.memory_kib("VmHWM").saturating_sub(before);
    println!("{cost} KiB for {SOCKETS} sockets");
    assert!(cost < SOCKETS * 16 + SLACK_KIB, "{cost} KiB");
    let answer = read_response(&mut BufReader::new(streams.pop().unwrap())).unwrap();
    assert_eq!((answer.status, answer.needs("Connection")), (431, "close"), "{answer:?}");
    wait_for_open(&streams, 0);
    server.wait_for_metric(&open("public"), 0.0);
}

#[test]
fn the_bound_of_a_head_can_be_set() {
    let server = TestServer::set("limits.head_bytes", 2048).start();
    let ask = |long: usize| http::get(server.public, "/healthz", &[("X-Long", &"x".repeat(long))]).status;
    assert_eq!([ask(100), ask(1800), ask(3000)], [200, 200, 431]);
    let long = "x".repeat(3000);
    assert_eq!(Handshake::new().with("X-Long", &long).send(server.public).0.status, 431);
}
