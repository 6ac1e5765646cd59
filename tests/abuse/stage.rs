//! A server, two peers from an address of their own who notice everything, and addresses to attack from.

use std::{
    io::BufReader,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

pub(crate) use crate::support::http::{dial_from, try_dial_from};
use crate::support::{Builder, PATIENCE, TestPeer, TestServer, eventually_within, http, ws::Handshake};

/// Where the floods come from. The whole of 127.0.0.0/8 is this machine, and each address of it counts as one client.
pub(crate) const FLOODER: Ipv4Addr = Ipv4Addr::new(127, 66, 0, 1);
/// Where the bystanders come from.
const BYSTANDER: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);
/// Where the bystanders meet.
const ROOM: &str = "bystanders";
/// What a flood may cost beyond what its own rules say, in KiB: allocators keep some of what was freed.
const SLACK_KIB: u64 = 32 << 10;
/// How long after a flood its sockets may still be held.
const SETTLES: Duration = Duration::from_secs(60);
/// Descriptors that a flood of 13 500 sockets needs, on either side.
const DESCRIPTORS: u64 = 30_000;

/// How much of a flood is played: `ABUSE=full` says all of it.
pub(crate) fn scaled<T>(small: T, full: T) -> T {
    if is_full() { full } else { small }
}

fn is_full() -> bool {
    std::env::var("ABUSE").is_ok_and(|scale| scale == "full")
}

/// A server as it is shipped: the limits per address concern this machine's addresses, too.
pub(crate) fn server() -> Builder {
    TestServer::set("limits.exempt_loopback", false).set("log.level", "info").set("log.gather_ms", 10_000)
}

/// A peer from that address that has heard its welcome.
#[track_caller]
pub(crate) fn peer_from(from: Ipv4Addr, to: SocketAddr) -> TestPeer {
    let mut peer = TestPeer::open(dial_from(from, to), &Handshake::new());
    peer.welcome = Some(peer.hear("welcome"));
    peer
}

/// A plain GET from that address.
pub(crate) fn get_from(from: Ipv4Addr, to: SocketAddr, path: &str) -> std::io::Result<http::Response> {
    use std::io::Write;
    let mut stream = try_dial_from(from, to)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n")?;
    http::read_response(&mut BufReader::new(stream))
}

/// The server and the bystanders of the flood.
pub(crate) struct Stage {
    pub(crate) server: TestServer,
    alice: TestPeer,
    bob: TestPeer,
    said: u64,
    slowest: Duration,
    before_kib: u64,
    descriptors: usize,
}

impl Stage {
    /// Two bystanders talk.
    #[track_caller]
    pub(crate) fn set(server: Builder) -> Self {
        // The server inherits it.
        let _ = rlimit::increase_nofile_limit(DESCRIPTORS);
        let server = server.start();
        let join = |room: &str| {
            let mut peer = peer_from(BYSTANDER, server.public);
            peer.join(room);
            peer
        };
        let (mut alice, bob) = (join(ROOM), join(ROOM));
        alice.hear_joined(&bob.id);
        let mut stage = Self {
            before_kib: server.memory_kib("VmRSS"),
            descriptors: server.descriptors(),
            server,
            alice,
            bob,
            said: 0,
            slowest: Duration::ZERO,
        };
        stage.serves();
        stage
    }

    /// Probes and metrics answer, somebody new can join, and two that are connected hear each other.
    #[track_caller]
    pub(crate) fn serves(&mut self) {
        let began = Instant::now();
        self.keeps();
        let mut newcomer = peer_from(BYSTANDER, self.server.public);
        newcomer.join(ROOM);
        newcomer.close();
        self.alice.hear_all();
        self.slowest = self.slowest.max(began.elapsed());
    }

    /// Probes and metrics answer, and two that are connected hear each other: what holds when newcomers are refused, too.
    #[track_caller]
    fn keeps(&mut self) {
        for (to, path) in
            [(self.server.public, "/healthz"), (self.server.ops, "/healthz"), (self.server.ops, "/metrics")]
        {
            let answer =
                get_from(BYSTANDER, to, path).unwrap_or_else(|e| panic!("{path} at {to} is not answered: {e}"));
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
        self.said += 1;
        self.alice.tell(&self.bob.id, &json!(self.said));
        assert_eq!(self.bob.hear_at_last("signal")["data"], self.said, "a signal is missing");
    }

    /// Sees that the others are served as long as the flood goes on, and returns what came of it. The flood is told where
    /// clients connect and where operators look.
    #[track_caller]
    pub(crate) fn during<T: Send>(&mut self, flood: impl FnOnce(SocketAddr, SocketAddr) -> T + Send) -> T {
        self.watch(Self::serves, flood)
    }

    /// As [`during`](Self::during), while newcomers may be refused because memory is nearly used.
    #[track_caller]
    pub(crate) fn during_pressure<T: Send>(&mut self, flood: impl FnOnce(SocketAddr, SocketAddr) -> T + Send) -> T {
        self.watch(Self::keeps, flood)
    }

    /// Waits until there is memory for newcomers again.
    #[track_caller]
    pub(crate) fn recovers(&mut self) {
        eventually_within(SETTLES, "there is memory again", || {
            match self.server.scrape().value("switchboard_memory_step") {
                0.0 => Ok(()),
                step => Err(format!("step {step}")),
            }
        });
    }

    #[track_caller]
    fn watch<T: Send>(&mut self, look: fn(&mut Self), flood: impl FnOnce(SocketAddr, SocketAddr) -> T + Send) -> T {
        let (public, ops) = (self.server.public, self.server.ops);
        thread::scope(|scope| {
            let flood = scope.spawn(move || flood(public, ops));
            while !flood.is_finished() {
                look(self);
            }
            flood.join().expect("the flooder")
        })
    }

    /// Sees the others served once more, all descriptors given back, and no more memory used than this flood may.
    #[track_caller]
    pub(crate) fn ends(mut self, flood: &str, entitled_kib: u64) {
        self.serves();
        let cost = self.server.memory_kib("VmHWM").saturating_sub(self.before_kib);
        println!("{flood}: {cost} KiB at the peak, {entitled_kib} allowed; the slowest look took {:?}", self.slowest);
        assert!(cost <= entitled_kib + SLACK_KIB, "{flood}: {cost} KiB, and {entitled_kib} + {SLACK_KIB} are allowed");
        // What a server opens with its first connections stays.
        let most = self.descriptors + 8;
        eventually_within(SETTLES, "its sockets are given back", || match self.server.descriptors() {
            held if held <= most => Ok(()),
            held => Err(format!("{held} descriptors, and {most} before")),
        });
        self.serves();
    }

    /// The sum of a metric's series with that label, once it is at least so much.
    #[track_caller]
    pub(crate) fn counted(&self, name: &str, label: &str, least: f64) -> f64 {
        eventually_within(PATIENCE, &format!("{name} {label} counts {least}"), || {
            let scrape = self.server.scrape();
            let count = scrape.sum(name, label);
            if count >= least { Ok(count) } else { Err(format!("{count}")) }
        })
    }
}
