//! Clients that mean harm, or that are broken so that it looks like it: what they cost is bounded, and nobody else
//! notices them.

use std::{
    io::{BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Builder, PATIENCE, TestPeer, TestServer, eventually,
    http::{self, dial, dial_with_small_buffer, read_response},
    ws::{Frame, Handshake, first, frame, head},
};

/// What any abuse may cost beyond what its connections are entitled to, in KiB: allocators keep some of what was freed.
const SLACK_KIB: u64 = 16 << 10;
/// Bytes a client can send ahead to a server that does not read: both kernels' buffers, with room to spare.
const SENT_AHEAD: usize = 16 << 20;

fn server() -> Builder {
    TestServer::set("log.level", "info")
}

/// Two peers in a room of their own who notice what others do to the server.
struct Neighbours {
    alice: TestPeer,
    bob: TestPeer,
}

impl Neighbours {
    #[track_caller]
    fn of(server: &TestServer) -> Self {
        let [alice, bob] = server.join_some("neighbours");
        Self { alice, bob }
    }

    /// How long a message takes from one to the other.
    #[track_caller]
    fn relay(&mut self) -> Duration {
        let sent = Instant::now();
        self.alice.send_signal(&self.bob.id, &json!("are you there?"));
        self.bob.receive("signal");
        sent.elapsed()
    }

    /// Talks as long as the abuse goes on, and returns what came of it.
    #[track_caller]
    fn talk_during<T: Send>(&mut self, abuse: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let abuse = scope.spawn(abuse);
            while !abuse.is_finished() {
                let took = self.relay();
                assert!(took < Duration::from_secs(1), "a message took {took:?}");
            }
            abuse.join().expect("the abuser")
        })
    }
}

/// Does that, and returns by how many KiB it raised the server's peak.
#[track_caller]
fn cost_kib(server: &TestServer, abuse: impl FnOnce()) -> u64 {
    let before = server.memory_kib("VmRSS");
    abuse();
    let cost = server.memory_kib("VmHWM").saturating_sub(before);
    println!("{cost} KiB at the peak");
    cost
}

/// Waits until the server has no more descriptors than these.
#[track_caller]
fn let_go(server: &TestServer, most: usize) {
    eventually("the server has let go of them", || match server.descriptors() {
        held if held <= most => Ok(()),
        held => Err(format!("{held} descriptors, and {most} before")),
    });
}

/// A connection after its handshake, whose client will read nothing.
#[track_caller]
fn deaf(server: &TestServer) -> TcpStream {
    let stream = dial_with_small_buffer(server.public);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (response, stream) = Handshake::new().send_on(stream);
    assert_eq!(response.status, 101, "{response:?}");
    stream.into_inner()
}

/// Sends the same bytes again and again, reading nothing, until the server has hung up or has not read for a second.
/// Returns how many bytes it took.
fn flood(mut stream: &TcpStream, bytes: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sent = 0;
    loop {
        match stream.write(bytes) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return sent,
        }
        assert!(sent < 64 * SENT_AHEAD, "{sent} bytes were sent, and the server reads on");
    }
}

#[test]
fn a_hundred_terabytes_that_are_announced_cost_nothing() {
    let server = server().start();
    let mut neighbours = Neighbours::of(&server);
    let announced = head(first::BINARY, 1 << 40, true);
    let cost = cost_kib(&server, || {
        let flooders: Vec<_> = (0..100).map(|_| deaf(&server)).collect();
        neighbours.talk_during(|| {
            for mut flooder in &flooders {
                flooder.write_all(&announced).unwrap();
            }
            // Refused at its head: what was on its way is thrown away, and then no more is read.
            let taken = flooders.iter().map(|flooder| flood(flooder, &[0; 8192])).max();
            assert!(taken < Some(SENT_AHEAD), "{taken:?}");
        });
    });
    assert!(cost < SLACK_KIB, "{cost} KiB");
    server.wait_for_metric(r#"switchboard_connections_closed_total{reason="message_too_large"}"#, 100.0);
}

#[test]
fn messages_that_never_end_are_ended() {
    let server = server().set("limits.fragments", 100).start();
    let mut neighbours = Neighbours::of(&server);
    for size in [0, 1, 600] {
        let fragment = frame(first::GOES_ON, &vec![b'x'; size]);
        let cost = cost_kib(&server, || {
            let sender = deaf(&server);
            (&sender).write_all(&frame(first::TEXT_BEGINS, b"")).unwrap();
            neighbours.talk_during(|| flood(&sender, &fragment.repeat(64)));
        });
        assert!(cost < SLACK_KIB, "{cost} KiB for fragments of {size} bytes");
    }
    server.wait_for_metric(r#"switchboard_connections_closed_total{reason="message_too_large"}"#, 3.0);
}

#[test]
fn messages_that_wait_for_their_last_fragment_cost_what_has_come_of_them() {
    const SENDERS: u64 = 200;
    const BEGUN: usize = 60_000;
    let server = server().start();
    let mut neighbours = Neighbours::of(&server);
    let begun = frame(first::TEXT_BEGINS, &vec![b'x'; BEGUN]);
    let cost = cost_kib(&server, || {
        let mut senders: Vec<_> = (0..SENDERS).map(|_| server.connect()).collect();
        for sender in &mut senders {
            sender.send(&[begun.clone(), frame(first::PING, b"read?")].concat());
            assert_eq!(sender.next(PATIENCE), Ok(Frame::Pong(b"read?".to_vec())));
            sender.send(&[head(first::GOES_ON, 5000, true), vec![b'x'; 4999]].concat());
        }
        neighbours.relay();
    });
    // What grows is doubled now and then.
    assert!(cost < SENDERS * 2 * 66 + SLACK_KIB, "{cost} KiB");
}

/// Floods the server, which reads no further than its pace; then one that would read at any pace, and is not read itself.
/// Both take what they must, and no more.
#[track_caller]
fn flood_both_ways(flooding: &[u8]) {
    let burst = 200 * flooding.len();
    for any_pace in [false, true] {
        let server = if any_pace { server().any_pace().start() } else { server().start() };
        let mut neighbours = Neighbours::of(&server);
        let cost = cost_kib(&server, || {
            let flooder = deaf(&server);
            let taken = neighbours.talk_during(|| flood(&flooder, &flooding.repeat(100)));
            assert!(taken < SENT_AHEAD, "{taken} bytes were read");
            assert!(taken > burst, "only {taken} bytes were read, and a burst is allowed");
            if any_pace {
                server.wait_for_metric(r#"switchboard_connections_closed_total{reason="slow_consumer"}"#, 1.0);
            } else {
                // The neighbours, and one that is only slowed.
                server.wait_for_metric("switchboard_connections", 3.0);
            }
        });
        assert!(cost < SLACK_KIB, "{cost} KiB");
    }
}

#[test]
fn a_flood_of_pings_that_reads_no_pong_is_ended_or_slowed() {
    for payload in [&[b'x'; 125][..], b""] {
        flood_both_ways(&frame(first::PING, payload));
    }
}

#[test]
fn a_client_that_asks_and_never_reads_the_answers_is_ended_or_slowed() {
    let asks = [json!({"type": "ping", "id": "x".repeat(64)}).to_string(), "no JSON".into()];
    for ask in asks {
        flood_both_ways(&frame(first::TEXT, ask.as_bytes()));
    }
}

#[test]
fn a_hundred_pages_that_nobody_reads_cost_little_and_are_given_up() {
    let server = server().set("heartbeat.tcp_user_timeout_ms", 1000).start();
    let mut neighbours = Neighbours::of(&server);
    let before = server.descriptors();
    let cost = cost_kib(&server, || {
        let requests: Vec<_> = (0..100)
            .map(|_| {
                let mut stream = dial_with_small_buffer(server.public);
                // Sent ahead: only the first is answered, however little of the answers is read.
                stream.write_all(&PAGE.repeat(1000)).unwrap();
                stream
            })
            .collect();
        neighbours.relay();
        server.wait_for_metric(PAGES_SERVED, 100.0);
        let_go(&server, before);
        drop(requests);
    });
    assert!(cost < SLACK_KIB, "{cost} KiB");
}

const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PAGES_SERVED: &str = r#"switchboard_http_requests_total{method="GET",route="/",status="200"}"#;

#[test]
fn a_request_that_was_sent_ahead_is_not_answered_and_the_one_before_it_is() {
    let server = server().start();
    let mut stream = BufReader::new(dial(server.public));
    stream.get_mut().write_all(&PAGE.repeat(3)).unwrap();
    let response = read_response(&mut stream).unwrap();
    assert_eq!((response.status, response.needs("Connection")), (200, "close"), "{response:?}");
    let mut rest = Vec::new();
    // Whether by FIN or by reset.
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"", "something follows the last answer");
    server.wait_for_metric(PAGES_SERVED, 1.0);
}

/// Sends one byte of a request's head at a time until the server has had enough; returns how long it took.
#[track_caller]
fn dribble(mut stream: &TcpStream) -> Duration {
    let began = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain(b"x".iter().cycle());
    loop {
        assert!(began.elapsed() < PATIENCE, "the server waits for ever");
        if stream.write_all(&[*head.next().unwrap()]).is_err() {
            return began.elapsed();
        }
        match stream.read(&mut [0; 1024]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(0) | Err(_) => return began.elapsed(),
            // A 408 before the end.
            Ok(_) => {}
        }
    }
}

#[test]
fn whoever_sends_a_head_byte_by_byte_has_as_long_as_anybody_for_it() {
    let server = server().set("http.request_timeout_ms", 1000).start();
    let mut neighbours = Neighbours::of(&server);
    let cost = cost_kib(&server, || {
        let streams: Vec<_> = (0..50).flat_map(|_| [dial(server.public), dial(server.ops)]).collect();
        let (shortest, longest) = neighbours.talk_during(|| {
            thread::scope(|scope| {
                let dribblers: Vec<_> = streams.iter().map(|stream| scope.spawn(|| dribble(stream))).collect();
                let took: Vec<_> = dribblers.into_iter().map(|one| one.join().expect("a dribbler")).collect();
                (took.iter().min().copied(), took.iter().max().copied())
            })
        });
        assert!(longest.unwrap() < Duration::from_secs(5), "{longest:?}, with 1 s allowed");
        assert!(shortest.unwrap() > Duration::from_millis(500), "{shortest:?}, with 1 s allowed");
    });
    assert!(cost < SLACK_KIB, "{cost} KiB");
}

#[test]
fn there_is_no_second_request_to_be_slow_with() {
    let server = server().start();
    let asked = [(server.public, "/"), (server.public, "/nothing"), (server.ops, "/metrics")];
    // What a server opens with its first connections stays.
    for (to, path) in asked {
        ask_and_dribble(to, path);
    }
    let before = server.descriptors();
    let cost = cost_kib(&server, || (0..40).flat_map(|_| asked).for_each(|(to, path)| ask_and_dribble(to, path)));
    assert!(cost < SLACK_KIB, "{cost} KiB");
    let_go(&server, before);
}

/// Begins a second request behind the first, whose answer must have ended the connection.
#[track_caller]
fn ask_and_dribble(to: SocketAddr, path: &str) {
    let mut stream = BufReader::new(http::dial(to));
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    let response = read_response(&mut stream).unwrap();
    assert_eq!(response.needs("Connection"), "close", "{response:?}");
    let _ = stream.get_mut().write_all(b"GET / HT");
    let end = stream.read(&mut [0; 1]);
    let ended = match &end {
        Ok(bytes) => *bytes == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    };
    assert!(ended, "after its first answer the connection stays: {end:?}");
}
