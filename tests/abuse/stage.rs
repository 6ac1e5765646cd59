//! A server, peers from addresses of their own who notice everything, and addresses to attack from.

use std::{
    fs::OpenOptions,
    io::{BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
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
    meter::{Held, Meter, Scale},
    support::{Builder, PATIENCE, TestPeer, TestServer, eventually_within, http, swarm::Client, ws::Handshake},
    table::{self, Flood, Newcomers},
    uninvolved::{Looker, Looks, Noticed, Uninvolved},
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

/// What `make abuse` demands of its figures: the time that a probe, a scrape and a join may take, ...
const LOOK_P99: Duration = Duration::from_secs(1);
/// ... a frame from one uninvolved peer to another, ...
const RELAY_P99: Duration = Duration::from_millis(100);
/// ... and memory until it is back within one and a half of what it was.
const BACK: Duration = Duration::from_secs(30);

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

/// From how many addresses a flood comes, one play for each.
pub(crate) fn from_addresses() -> &'static [usize] {
    scaled(&[1], &[1, 20])
}

/// A peer from that address that has heard its welcome.
#[track_caller]
pub(crate) fn peer_from(from: Ipv4Addr, to: SocketAddr) -> TestPeer {
    let mut peer = TestPeer::open(dial_from(from, to), &Handshake::new());
    peer.welcome = Some(peer.hear("welcome"));
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

/// What the full form looks at, and sees. The cgroup in it must outlive the server.
struct Figures {
    scale: Scale,
    before: Held,
    uninvolved: Option<Uninvolved>,
    looks: Looks,
    most: Held,
    /// What is not as it must be.
    wrong: Vec<String>,
    is_written: bool,
}

impl Stage {
    /// Two bystanders talk; in the full form five hundred more. The flood comes from so many addresses.
    #[track_caller]
    pub(crate) fn set(test: &str, addresses: usize, server: Builder) -> Self {
        // The server inherits it.
        let _ = rlimit::increase_nofile_limit(DESCRIPTORS);
        let (server, cgroup) = if is_full() { contained(server) } else { (server, None) };
        let server = server.start();
        let join = |room: &str| {
            let mut peer = peer_from(BYSTANDER, server.public);
            peer.join(room);
            peer
        };
        let (mut alice, bob) = (join(ROOM), join(ROOM));
        alice.hear_joined(&bob.id);
        let scale = Scale { pid: server.pid(), cgroup: cgroup.map(Arc::new) };
        let uninvolved = is_full().then(|| Uninvolved::join(server.public));
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
        self.alice.hear_all();
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
        self.alice.tell(&self.bob.id, &json!(self.said));
        assert_eq!(self.bob.hear_at_last("signal")["data"], self.said, "a signal is missing");
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

    /// Sees the others served once more, all descriptors given back, and no more memory used than this flood may.
    #[track_caller]
    pub(crate) fn ends(mut self, entitled_kib: u64) {
        let uninvolved = self.figures.as_mut().and_then(|figures| figures.uninvolved.take());
        let back = self.figures.as_mut().map(Figures::comes_back);
        let noticed = uninvolved.map(Uninvolved::noticed);
        self.recovers();
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
        if self.figures.as_ref().is_some_and(|figures| !figures.is_written) {
            write(&format!("{:<34}{:>5}  broke off: the test says why\n", self.flood.test, self.addresses));
        }
    }
}

impl Figures {
    /// How long memory takes to be back within one and a half of what it was, and what it is then.
    fn comes_back(&mut self) -> (Duration, Held) {
        let ended = Instant::now();
        loop {
            let now = self.scale.look();
            if now.all() * 2 <= self.before.all() * 3 {
                return (ended.elapsed(), now);
            }
            if ended.elapsed() > BACK {
                let (now, before) = (now.all_mib(), self.before.all_mib());
                self.wrong.push(format!("{now} MiB are held {BACK:?} later, {before} before"));
                return (ended.elapsed(), self.scale.look());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn judge(&mut self, flood: &Flood, budget: f64, noticed: &mut Noticed) {
        let looks = &mut self.looks;
        let mut wrong = |is_so: bool, text: String| self.wrong.extend(is_so.then_some(text));
        let bytes = |bytes: u64| bytes as f64;
        let grown = bytes(self.most.all().saturating_sub(self.before.all()));
        wrong(grown > 1.15 * budget, format!("{grown} bytes more were held, and {budget} may be"));
        for (what, times) in
            [("/healthz", &mut looks.healthz), ("/metrics", &mut looks.metrics), ("a join", &mut looks.join)]
        {
            let took = times.p99();
            wrong(took > LOOK_P99, format!("{what} took {took:?}, the 99th percentile of {}", times.count()));
        }
        let took = noticed.relay.p99();
        wrong(took > RELAY_P99, format!("a frame took {took:?}, the 99th percentile of {}", noticed.relay.count()));
        let (connections, frames) = (noticed.lost_connections, noticed.lost_frames);
        wrong(connections > 0, format!("{connections} uninvolved connections were lost"));
        wrong(frames > 0, format!("{frames} uninvolved frames were lost, first told {:?}", noticed.first_error));
        let refused = looks.refused;
        let may_join = flood.newcomers == Newcomers::Join;
        wrong(may_join && refused > 0, format!("{refused} joins from uninvolved addresses were refused"));
        let failed = &looks.failed;
        wrong(!failed.is_empty(), format!("{} looks failed, first {:?}", failed.len(), failed.first()));
    }

    fn write(
        &mut self,
        flood: &Flood,
        addresses: usize,
        (back, after): (Duration, Held),
        noticed: &mut Noticed,
        wrong: &[String],
    ) {
        self.is_written = true;
        let looks = &mut self.looks;
        let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        let mut line = format!("{:<34}{addresses:>5}", flood.test);
        for figure in [
            self.before.all_mib().to_string(),
            self.most.all_mib().to_string(),
            (self.most.tcp >> 20).to_string(),
            after.all_mib().to_string(),
            format!("{:.1}", back.as_secs_f64()),
            milliseconds(looks.healthz.p99()),
            milliseconds(looks.metrics.p99()),
            milliseconds(looks.join.p99()),
            format!("{}/{}", looks.refused, looks.join.count()),
            milliseconds(noticed.relay.p99()),
            format!("{}/{}", noticed.lost_connections, noticed.lost_frames),
        ] {
            line.push_str(&format!("{figure:>10}"));
        }
        let verdict =
            if wrong.is_empty() { "holds".to_owned() } else { format!("DOES NOT HOLD: {}", wrong.join("; ")) };
        write(&format!("{line}  {verdict}\n"));
    }
}

/// The table of what was seen, which `make abuse` removes before and shows after.
fn write(line: &str) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("abuse.txt");
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the table of figures");
    if is_new {
        let mut head = format!("{:<34}{:>5}", "flood", "from");
        let columns =
            ["MiB", "most", "of it TCP", "after", "back s", "healthz", "metrics", "join", "refused", "relay", "lost"];
        for column in columns {
            head.push_str(&format!("{column:>10}"));
        }
        writeln!(file, "{head}\n").expect("write the head");
    }
    file.write_all(line.as_bytes()).expect("write a line");
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
