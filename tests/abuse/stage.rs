//! A server, peers from addresses of their own who notice everything, and addresses to attack from.

use std::{
    io::{BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    panic::{self, AssertUnwindSafe},
    process::{self, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub(crate) use crate::support::http::{dial_from, try_dial_from};
use crate::{
    cgroup::{Cgroup, LIMIT},
    figures::{self, Figures},
    meter::{Held, Meter, Scale},
    support::{Builder, PATIENCE, TestPeer, TestServer, eventually_within, http, swarm::Client, ws::Handshake},
    table::{self, Flood, Newcomers},
    uninvolved::{Looker, Looks, Uninvolved},
};

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

/// What a client that reads slowly reads at once.
const READ_BUFFER: usize = 4096;

/// How much of a flood is played: `ABUSE=full` says all of it.
pub(crate) fn scaled<T>(small: T, full: T) -> T {
    if is_full() { full } else { small }
}

pub(crate) fn is_full() -> bool {
    std::env::var("ABUSE").is_ok_and(|scale| scale == "full")
}

/// A server as it is shipped: the limits per address concern this machine's addresses, too.
pub(crate) fn server() -> Builder {
    TestServer::set("limits.exempt_loopback", false).set("log.level", "info").set("log.gather_ms", 10_000)
}

/// One of the addresses that a flood from so many comes from.
pub(crate) fn flooder(number: usize, addresses: usize) -> Ipv4Addr {
    let last = u32::try_from(1 + number % addresses).expect("few");
    Ipv4Addr::from_bits((FLOODER.to_bits() & !0xff) | last)
}

/// Plays a flood from one address, and in full from twenty, too: whatever became of the first.
pub(crate) fn from_addresses(play: impl Fn(usize)) {
    let addresses: &[usize] = scaled(&[1], &[1, 20]);
    let played = addresses.iter().map(|addresses| panic::catch_unwind(AssertUnwindSafe(|| play(*addresses))));
    let played: Vec<_> = played.collect();
    if let Some(broken) = played.into_iter().find_map(Result::err) {
        panic::resume_unwind(broken);
    }
}

/// A peer from that address that has heard its welcome.
#[track_caller]
pub(crate) fn peer_from(from: Ipv4Addr, to: SocketAddr) -> TestPeer {
    let mut peer = TestPeer::open(dial_from(from, to), &Handshake::new());
    peer.welcome = Some(peer.receive("welcome"));
    peer
}

/// A client from that address that has heard its welcome. With a buffer of that size, it has no larger one either: what
/// waits there would pass for read.
pub(crate) async fn client_from(from: Ipv4Addr, to: SocketAddr, buffer: Option<u32>) -> Client {
    let socket = TcpSocket::new_v4().expect("a socket");
    let mut config = WebSocketConfig::default();
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes).expect("a buffer of that size");
        config = config.read_buffer_size(READ_BUFFER);
    }
    socket.bind((from, 0).into()).expect("an address of this machine");
    let stream = socket.connect(to).await.unwrap_or_else(|e| panic!("connect from {from} to {to}: {e}"));
    Client::on(stream, to, config).await.unwrap_or_else(|e| panic!("no welcome from {to}: {e}"))
}

/// A plain GET from that address.
pub(crate) fn get_from(from: Ipv4Addr, to: SocketAddr, path: &str) -> std::io::Result<http::Response> {
    let mut stream = try_dial_from(from, to)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n")?;
    http::read_response(&mut BufReader::new(stream))
}

/// Two who meet.
#[track_caller]
fn bystanders(server: &TestServer, room: &str) -> (TestPeer, TestPeer) {
    let join = || {
        let mut peer = peer_from(BYSTANDER, server.public);
        peer.join(room);
        peer
    };
    let (mut alice, bob) = (join(), join());
    alice.receive_joined(&bob.id);
    (alice, bob)
}

/// The server and the bystanders of the flood.
pub(crate) struct Stage {
    flood: &'static Flood,
    addresses: usize,
    pub(crate) server: TestServer,
    alice: TestPeer,
    bob: TestPeer,
    said: u64,
    slowest: Duration,
    before_kib: u64,
    descriptors: usize,
    figures: Option<Figures>,
}

impl Stage {
    /// Two bystanders talk; in the full form five hundred more. The flood comes from so many addresses.
    #[track_caller]
    pub(crate) fn set(test: &str, addresses: usize, server: Builder) -> Self {
        // The server inherits it.
        let _ = rlimit::increase_nofile_limit(DESCRIPTORS);
        let (server, cgroup) = if is_full() { contained(server) } else { (server, None) };
        let server = server.start();
        // First, because it takes longest: who is not read is taken for silent.
        let uninvolved = is_full().then(|| Uninvolved::join(server.public));
        let (alice, bob) = bystanders(&server, ROOM);
        let scale = Scale { pid: server.pid(), cgroup: cgroup.map(Arc::new) };
        let mut stage = Self {
            flood: table::of(test),
            addresses,
            before_kib: 0,
            descriptors: server.descriptors(),
            server,
            alice,
            bob,
            said: 0,
            slowest: Duration::ZERO,
            figures: None,
        };
        stage.serves();
        stage.before_kib = stage.server.memory_kib("VmRSS");
        stage.figures = uninvolved.map(|uninvolved| Figures {
            before: scale.look(),
            scale,
            uninvolved: Some(uninvolved),
            looks: Looks::default(),
            most: Held::default(),
            wrong: Vec::new(),
            is_written: false,
        });
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
        self.alice.receive_all();
        self.slowest = self.slowest.max(began.elapsed());
    }

    /// Probes and metrics answer, what is held on behalf of clients stays within its budget, and two that are connected
    /// hear each other: what holds when newcomers are refused, too.
    #[track_caller]
    fn keeps(&mut self) {
        for (to, path) in [(self.server.public, "/healthz"), (self.server.ops, "/healthz")] {
            let answer =
                get_from(BYSTANDER, to, path).unwrap_or_else(|e| panic!("{path} at {to} is not answered: {e}"));
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
        let scrape = self.server.scrape();
        // Outside a cgroup the kernel's part is that of the whole machine, where other tests have sockets, too.
        let used = scrape.value("switchboard_memory_used_bytes") - scrape.value("switchboard_memory_tcp_bytes");
        let budget = scrape.value("switchboard_limit{name=\"memory_bytes\"}");
        assert!(budget > 0.0 && used <= 1.15 * budget, "{used} bytes are held for clients, and {budget} may be");
        self.said += 1;
        self.alice.send_signal(&self.bob.id, &json!(self.said));
        assert_eq!(self.bob.receive_at_last("signal")["data"], self.said, "a signal is missing");
    }

    /// Sees that the others are served as long as the flood goes on, and returns what came of it. The flood is told where
    /// clients connect and where operators look.
    #[track_caller]
    pub(crate) fn during<T: Send>(&mut self, flood: impl FnOnce(SocketAddr, SocketAddr) -> T + Send) -> T {
        let (public, ops) = (self.server.public, self.server.ops);
        if let Some(figures) = &mut self.figures {
            let (looker, meter) = (Looker::start(public, ops), Meter::start(figures.scale.clone()));
            let measure = |on| figures.uninvolved.iter().for_each(|uninvolved| uninvolved.measure(on));
            measure(true);
            let came = flood(public, ops);
            measure(false);
            (figures.most, figures.looks) = (meter.most(), looker.saw());
            return came;
        }
        thread::scope(|scope| {
            let flood = scope.spawn(move || flood(public, ops));
            while !flood.is_finished() {
                match self.flood.newcomers {
                    Newcomers::Join => self.serves(),
                    Newcomers::MayBeRefused => self.keeps(),
                }
            }
            flood.join().expect("the flooder")
        })
    }

    /// What is wrong beside, unless it is nothing.
    #[track_caller]
    pub(crate) fn blames(&mut self, what: Vec<String>) {
        match &mut self.figures {
            Some(figures) => figures.wrong.extend(what),
            None => assert!(what.is_empty(), "{what:#?}"),
        }
    }

    /// Sees that it holds, and ends the server.
    #[track_caller]
    pub(crate) fn ends(mut self, entitled_kib: u64) {
        self.holds(entitled_kib);
    }

    /// Sees the others served once more, all descriptors given back, and no more memory used than this flood may.
    #[track_caller]
    pub(crate) fn holds(&mut self, entitled_kib: u64) {
        let uninvolved = self.figures.as_mut().and_then(|figures| figures.uninvolved.take());
        let back = self.figures.as_mut().map(Figures::comes_back);
        let noticed = uninvolved.map(Uninvolved::noticed);
        self.recovers();
        if is_full() {
            // Nobody has read what these were sent: by now they may have been silent for too long.
            (self.alice, self.bob) = bystanders(&self.server, "bystanders, later");
        }
        self.serves();
        let name = self.flood.test;
        let cost = self.server.memory_kib("VmHWM").saturating_sub(self.before_kib);
        println!("{name}: {cost} KiB at the peak, {entitled_kib} allowed; the slowest look took {:?}", self.slowest);
        let most = entitled_kib + SLACK_KIB;
        let costs_more = (cost > most).then(|| format!("{cost} KiB, and {most} are allowed"));
        // What a server opens with its first connections stays.
        let most = self.descriptors + 8;
        eventually_within(SETTLES, "its sockets are given back", || match self.server.descriptors() {
            held if held <= most => Ok(()),
            held => Err(format!("{held} descriptors, and {most} before")),
        });
        self.serves();
        let budget = self.server.scrape().value("switchboard_limit{name=\"memory_bytes\"}");
        let mut wrong = Vec::from_iter(costs_more);
        if let (Some(figures), Some(back), Some(mut noticed)) = (&mut self.figures, back, noticed) {
            figures.judge(self.flood, budget, &mut noticed);
            wrong.append(&mut figures.wrong);
            figures.write(self.flood, self.addresses, back, &mut noticed, &wrong);
        }
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
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

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(figures) = self.figures.as_ref().filter(|figures| !figures.is_written) {
            let events = figures.scale.cgroup.as_ref().map(|cgroup| cgroup.events()).unwrap_or_default();
            println!("{}: its container says {events:?}", self.flood.test);
            figures::write(&format!("{:<34}{:>5}  broke off: the test says why\n", self.flood.test, self.addresses));
        }
    }
}

/// The server in a container's memory and on a core of its own, as far as this machine lets it; this process on another.
fn contained(server: Builder) -> (Builder, Option<Cgroup>) {
    let mut first = Vec::new();
    let cgroup = Cgroup::make();
    let server = match &cgroup {
        Ok(cgroup) => {
            first.push(cgroup.enter());
            server
        }
        Err(error) => {
            println!("no cgroup ({error}): memory is watched only");
            server.set("limits.memory_bytes", LIMIT / 5 * 3)
        }
    };
    if pin_this_process() {
        first.push("taskset -c -p 0 $$ > /dev/null".to_owned());
    }
    let first = if first.is_empty() { "true".to_owned() } else { first.join(" && ") };
    (server.after(&first), cgroup.ok())
}

/// Has this process run on the second core only, if there are two and somebody can tell it to.
fn pin_this_process() -> bool {
    let mut taskset = Command::new("taskset");
    let pinned = taskset.args(["-a", "-c", "-p", "1", &process::id().to_string()]).stdout(Stdio::null()).status();
    let is_pinned = pinned.is_ok_and(|status| status.success());
    if !is_pinned {
        println!("one core, or no taskset: server and flood share what there is");
    }
    is_pinned
}
