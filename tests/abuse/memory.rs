//! Floods that stay within every limit and would fill memory all together.

use std::{
    io::{BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    cgroup::LIMIT,
    rooms::{join_with, resumable},
    stage::{self, FLOODER, Stage, from_addresses, get_from, is_full, peer_from, scaled, server, try_dial_from},
    support::{
        Builder, PATIENCE, Scrape, TestPeer, eventually,
        http::read_response,
        ws::{Frame, Handshake, first, frame, head},
    },
};

/// A peer that holds little.
const INNOCENT: Ipv4Addr = Ipv4Addr::new(127, 55, 0, 2);
/// What each flooder leaves with the server.
const PARTIAL: usize = 60_000;
/// The kernel's buffer of a flooder.
const SEND_BUFFER: usize = 16 << 10;
/// `limits.memory_bytes` in the small form; the full one has that of its container.
const SMALL_BUDGET: u64 = 32 << 20;

/// A server whose memory is what bounds the flood.
pub(crate) fn small_memory() -> Builder {
    let server = server().set("limits.handshake_burst", 20_000);
    if is_full() { server } else { server.set("limits.memory_bytes", SMALL_BUDGET) }
}

/// What the process may have grown by at most.
pub(crate) fn entitled_kib() -> u64 {
    scaled(SMALL_BUDGET, LIMIT / 5 * 3) / 1024 * 115 / 100
}

/// A connection that is let in, if there is memory for it.
pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr) -> Option<TcpStream> {
    let mut stream = try_dial_from(from, to).ok()?;
    stream.write_all(&Handshake::new().bytes()).ok()?;
    let mut stream = BufReader::new(stream);
    let response = read_response(&mut stream).ok()?;
    (response.status == 101).then(|| stream.into_inner())
}

/// So many of them from so many addresses.
pub(crate) fn connections(count: usize, addresses: usize, to: SocketAddr) -> Vec<TcpStream> {
    (0..count).filter_map(|number| connect(stage::flooder(number, addresses), to)).collect()
}

/// Reads what came and throws it away. Whether the server has ended the connection, which does not block.
pub(crate) fn is_ended(mut stream: &TcpStream) -> bool {
    let mut bytes = [0; 16 * 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// The same bytes again and again, as fast as they go.
pub(crate) struct Pourer {
    stream: TcpStream,
    at: usize,
}

impl Pourer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nonblocking(true);
        // What waits on this side is no part of the flood, and ten thousand of the kernel's own size are gigabytes.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Self { stream, at: 0 }
    }

    /// As much of `bytes` as the kernel takes, from where it stopped the last time: they are whole frames, and come whole.
    fn pour(&mut self, bytes: &[u8]) {
        while let Ok(written @ 1..) = self.stream.write(&bytes[self.at..]) {
            self.at = (self.at + written) % bytes.len();
            if self.at != 0 {
                return;
            }
        }
    }
}

/// All of them pour for so long, and read or do not.
pub(crate) fn pour_for(time: Duration, pourers: &mut [Pourer], bytes: &[u8], reads: impl Fn(usize) -> bool) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        for (number, pourer) in pourers.iter_mut().enumerate() {
            pourer.pour(bytes);
            if reads(number) {
                is_ended(&pourer.stream);
            }
        }
    }
}

/// Frames of which the last byte never comes, and messages of which the last fragment does not.
#[test]
fn frames_that_do_not_end() {
    let count = scaled(900, 10_000);
    from_addresses(|addresses| {
        let mut stage = Stage::set("frames_that_do_not_end", addresses, small_memory());
        let (came, ended) = stage.during(|public, _| {
            let body = vec![b'x'; PARTIAL];
            let partial = [head(first::TEXT, PARTIAL as u64 + 1, true), body].concat();
            let half = vec![b'x'; PARTIAL / 2];
            let fragments = [frame(first::TEXT_BEGINS, &half), frame(first::GOES_ON, &half)].concat();
            let mut flooders = connections(count, addresses, public);
            for (number, flooder) in flooders.iter_mut().enumerate() {
                // One that is read no further takes what its kernel takes.
                let _ = flooder.set_write_timeout(Some(Duration::from_millis(50)));
                let _ = flooder.write_all(if number % 2 == 0 { &partial } else { &fragments });
                let _ = flooder.set_nonblocking(true);
            }
            let ended = flooders.iter().filter(|flooder| is_ended(flooder)).count();
            (flooders.len(), ended)
        });
        println!("frames that do not end: {ended} of {came} connections were ended");
        // Of one address there are not enough to fill what a container has.
        if addresses > 1 || !is_full() {
            stage.counted("switchboard_memory_relief_total", "step=\"end_connections\"", 1.0);
        }
        stage.ends(entitled_kib());
    });
}

/// Every second one does not read the pongs.
#[test]
fn pings_as_fast_as_they_go() {
    let (count, time) = scaled((300, Duration::from_secs(4)), (10_000, Duration::from_secs(15)));
    from_addresses(|addresses| {
        let mut stage = Stage::set("pings_as_fast_as_they_go", addresses, small_memory());
        stage.during(|public, _| {
            let pings = frame(first::PING, &[b'x'; 125]).repeat(64);
            let mut flooders: Vec<_> = connections(count, addresses, public).into_iter().map(Pourer::new).collect();
            pour_for(time, &mut flooders, &pings, |number| number % 2 == 0);
        });
        stage.ends(entitled_kib());
    });
}

/// Peers that can be resumed, never acknowledge, and are fed by one of their own.
#[test]
fn frames_that_are_not_acknowledged() {
    let rooms = scaled(16_usize, 120);
    // Parked sessions keep what they have for their window: it is shorter than the time in which memory has to be back.
    let server = small_memory().set("limits.resume_window_ms", 20_000);
    let mut stage = Stage::set("frames_that_are_not_acknowledged", 8, server);
    let (mut innocent, token) = resumable(INNOCENT, stage.server.public, "innocent").expect("it joins");
    stage.during(|public, ops| {
        let mut fed = Vec::new();
        for room in 0..rooms {
            fed.extend(feed(room, public));
            // Nobody takes it for silent, and it is served all along.
            innocent.receive_nothing();
        }
        // What is fed is handled some time later.
        eventually("resume buffers are emptied", || {
            let answer = get_from(FLOODER, ops, "/metrics").map_err(|error| error.to_string())?;
            match Scrape::read(&answer.body).sum("switchboard_memory_relief_total", "step=\"empty_resume_buffers\"") {
                0.0 => Err("none was".to_owned()),
                _ => Ok(()),
            }
        });
        drop(fed);
    });
    stage.recovers();
    innocent.receive_nothing();
    let mut back = peer_from(INNOCENT, stage.server.public);
    let joined = back.join_with_fields(&join_with(&token, "innocent"));
    assert_eq!(joined["complete"], true, "{}", joined.text);
    drop((innocent, back));
    stage.ends(entitled_kib());
}

/// Gives up writing soon: what the server does not read is as good as sent.
fn briefly(stream: TcpStream) -> TcpStream {
    let _ = stream.set_write_timeout(Some(Duration::from_millis(200)));
    stream
}

/// A room of ten; one of them sends the others as much as is kept for each. As far as they are let in.
fn feed(room: usize, to: SocketAddr) -> Vec<TestPeer> {
    let name = format!("fed-{room}");
    let mut peers: Vec<_> =
        (0..10).filter_map(|_| enter(briefly(connect(stage::flooder(room, 8), to)?), &name, true)).collect();
    let ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
    let Some((feeder, _)) = peers.split_last_mut() else { return peers };
    let payload = "x".repeat(PARTIAL);
    for other in ids[..ids.len() - 1].iter().cycle().take(9 * 9) {
        let signal = json!({"type": "signal", "to": other, "kind": "app", "data": payload}).to_string();
        if feeder.try_send(&frame(first::TEXT, signal.as_bytes())).is_err() {
            break;
        }
    }
    peers
}

/// Joins the room, and shows that its `joined` arrived: when the socket of a resumable peer is gone, it is waited for.
/// `None`: it was ended, as a flooder may be.
pub(crate) fn enter(stream: TcpStream, room: &str, resumable: bool) -> Option<TestPeer> {
    let mut peer = TestPeer::on(BufReader::new(stream));
    let say = |peer: &mut TestPeer, json: &Value| peer.try_send(&frame(first::TEXT, json.to_string().as_bytes())).ok();
    say(&mut peer, &json!({"type": "join", "room": room, "resumable": resumable}))?;
    loop {
        let Ok(Frame::Text(text)) = peer.next(PATIENCE) else { return None };
        let heard: Value = serde_json::from_str(&text).expect("JSON");
        if heard["type"] == "joined" {
            heard["self"]["id"].as_str()?.clone_into(&mut peer.id);
            say(&mut peer, &json!({"type": "ping", "ack": 0}))?;
            return Some(peer);
        }
    }
}
