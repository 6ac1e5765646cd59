//! Sockets that never become a connection: heads and bodies without an end, silence.

use std::{
    io::{BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::{
    stage::{FLOODER, Stage, dial_from, flooder, from_addresses, get_from, scaled, server, try_dial_from},
    support::{Scrape, eventually, http::read_response},
};

/// A client that is slow, and no flooder.
const SLOW: Ipv4Addr = Ipv4Addr::new(127, 55, 0, 3);

/// The largest request head that is read, in KiB, with what is kept beside it.
const HEAD_KIB: u64 = 24;

/// A head that holds no more holds little.
const LITTLE_HEAD: u64 = 4 << 10;

/// So many sockets of so many addresses, as many of them as the server lets come.
fn sockets(to: SocketAddr, count: usize, addresses: usize) -> Vec<TcpStream> {
    (0..count).filter_map(|number| try_dial_from(flooder(number, addresses), to).ok()).collect()
}

/// A request whose body does not end.
struct Endless {
    stream: TcpStream,
    what: &'static str,
    /// How much of it was taken.
    taken: usize,
}

impl Endless {
    fn begin(to: SocketAddr, what: &'static str) -> Option<Self> {
        let mut stream = try_dial_from(FLOODER, to).ok()?;
        let _ = write!(stream, "{what} HTTP/1.1\r\nHost: {to}\r\nTransfer-Encoding: chunked\r\n\r\n");
        let _ = stream.set_nonblocking(true);
        Some(Self { stream, what, taken: 0 })
    }

    /// Sends as much as is taken of the chunk, from where it stopped the last time. Whether the server has not had enough.
    fn pour(&mut self, chunk: &[u8]) -> bool {
        match self.stream.write(&chunk[self.taken % chunk.len()..]) {
            Ok(written) => self.taken += written,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        true
    }
}

/// Reads to the server's end of the connection.
fn has_ended(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

#[test]
fn heads_that_do_not_end() {
    let count = scaled(200, 4000);
    from_addresses(|addresses| {
        let mut stage = Stage::set("heads_that_do_not_end", addresses, server());
        stage.during(|public, _| {
            let mut sockets = sockets(public, count, addresses);
            let head = ["GET / HTTP/1.1\r\nHost: a\r\nX: ", &"x".repeat(120_000)].concat().into_bytes();
            for socket in &mut sockets {
                // The server may have hung up after as much as it reads.
                let _ = socket.write_all(&head);
            }
            assert!(sockets.iter().all(has_ended), "a head of 120 000 bytes is waited for");
        });
        stage.counted("switchboard_http_rejections_total", "kind=\"head_too_large\"", 1.0);
        stage.ends(HEAD_KIB * count as u64);
    });
}

/// Those that hold most are ended, one whose client is only slow is not.
#[test]
fn heads_that_are_kept_open() {
    let (count, budget) = scaled((1200, 16_u64), (8000, 96));
    let server = server().set("limits.memory_bytes", budget << 20).set("http.request_timeout_ms", 60_000);
    let mut stage = Stage::set("heads_that_are_kept_open", 20, server.set("http.socket_timeout_ms", 90_000));
    let mut slow = dial_from(SLOW, stage.server.public);
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").expect("write half a head");
    stage.during(|public, ops| {
        // All are there before memory is short, and none is let in.
        let mut sockets = sockets(public, count, 20);
        let head = ["GET / HTTP/1.1\r\nHost: a\r\nX: ", &"x".repeat(15_000)].concat().into_bytes();
        for socket in &mut sockets {
            let _ = socket.write_all(&head);
        }
        let bytes = eventually("the heads that hold most are ended", || {
            let answer = get_from(FLOODER, ops, "/metrics").map_err(|error| error.to_string())?;
            let scrape = Scrape::read(&answer.body);
            let ended = scrape.sum("switchboard_http_rejections_total", "kind=\"memory\"");
            match scrape.value("switchboard_held_bytes{kind=\"http_heads\"}") {
                bytes if ended > 0.0 && bytes > 0.0 => Ok(bytes),
                bytes => Err(format!("{ended} were, and {bytes} bytes are held")),
            }
        });
        // Those that hold little are left alone, as many as there are.
        let most = ((budget << 20) / 4 + count as u64 * LITTLE_HEAD) as f64;
        assert!(bytes <= most, "heads hold {bytes} bytes, and {most} are their part of the budget");
    });
    write!(slow, "Host: a\r\n\r\n").expect("write the other half");
    let answer = read_response(&mut BufReader::new(slow)).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    stage.counted("switchboard_memory_relief_total", "step=\"end_connections\"", 1.0);
    stage.ends((budget << 10) * 115 / 100);
}

#[test]
fn sockets_that_say_nothing() {
    let count = scaled(300, 13_500);
    // The small form meets the limit that the full one meets.
    let server = || if count < 1000 { server().set("limits.sockets_per_address", 100) } else { server() };
    from_addresses(|addresses| {
        let mut stage = Stage::set("sockets_that_say_nothing", addresses, server());
        stage.during(|public, _| {
            let mut sockets = sockets(public, count, addresses);
            for (number, socket) in sockets.iter_mut().enumerate() {
                let _ = socket.write_all(&b"GET / HT"[..number % 8]);
            }
            // Held until the server has ended every one: by a refusal, or because their time is over.
            sockets.retain(|socket| !has_ended(socket));
            assert!(sockets.is_empty(), "{} silent sockets are kept", sockets.len());
        });
        let reason = if addresses == 1 { "reason=\"address\"" } else { "" };
        stage.counted("switchboard_sockets_refused_total", reason, 1.0);
        stage.ends(HEAD_KIB * count as u64);
    });
}

/// Requests whose body has no end, to every kind of answer.
#[test]
fn bodies_that_do_not_end() {
    let (count, most) = scaled((20, Duration::from_secs(8)), (50, Duration::from_secs(12)));
    let mut stage = Stage::set("bodies_that_do_not_end", 1, server());
    let taken: usize = stage.during(|public, ops| {
        let asked = [(public, "GET /"), (public, "POST /nothing"), (public, "GET /healthz"), (ops, "GET /metrics")];
        let begin = |number: usize| {
            let (to, what) = asked[number % asked.len()];
            Endless::begin(to, what)
        };
        let mut bodies: Vec<_> = (0..count).filter_map(begin).collect();
        let chunk = [b"4000\r\n", &[b'x'; 0x4000][..], b"\r\n"].concat();
        let until = Instant::now() + most;
        // By one thread: fifty would take the processor from those who measure.
        while Instant::now() < until {
            let pouring = bodies.iter_mut().filter_map(|body| body.pour(&chunk).then_some(()));
            if pouring.count() == 0 {
                break;
            }
        }
        for Endless { stream, what, .. } in &bodies {
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
            assert!(has_ended(stream), "{what} with a body without an end is kept");
        }
        bodies.iter().map(|body| body.taken).sum()
    });
    println!("bodies that do not end: {taken} bytes were taken");
    // Both kernels' buffers, and no stream that is read for as long as it comes.
    assert!(taken < count * (16 << 20), "{taken} bytes were taken from {count} sockets");
    stage.ends(0);
}

/// Requests to the operators' listener whose announced body never comes: answered by their heads alone.
#[test]
fn bodies_that_never_come() {
    let count = scaled(50, 500);
    let mut stage = Stage::set("bodies_that_never_come", 1, server());
    stage.during(|_, ops| {
        let mut sockets = sockets(ops, count, 1);
        for socket in &mut sockets {
            let post = "POST /admin/drain HTTP/1.1\r\nHost: elsewhere.example\r\nContent-Length: 1000\r\n\r\n";
            let _ = socket.write_all(post.as_bytes());
        }
        for mut socket in sockets {
            let mut answer = [0; 12];
            // A socket beyond this address's share is refused before it is read.
            if socket.read_exact(&mut answer).is_ok() {
                let status = String::from_utf8_lossy(&answer[9..]).into_owned();
                assert!(["403", "503"].contains(&status.as_str()), "{status}");
            }
        }
    });
    stage.ends(0);
}
