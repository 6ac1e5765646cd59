//! The real program as a child process, told everything by its environment.

use std::{
    fs,
    io::Read,
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    drain::{Line, LogDrain},
    http::{self, Response},
    metrics::Scrape,
    peer::TestPeer,
    wait::{PATIENCE, eventually_within},
    ws::Handshake,
};

/// The program with an empty environment but for `PATH`.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.env_clear().stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs the program to its end with these arguments and variables. One that does not end by itself is killed, and the
/// test fails.
#[track_caller]
pub(crate) fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = program();
    command.args(args).envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start the program");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{args:?} {variables:?} runs on instead of ending: {:?}", child.wait_with_output());
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Sends a signal to a process. The shell's own `kill` does it: no program is needed for it, and no `unsafe`.
#[track_caller]
pub(crate) fn send_signal(pid: u32, name: &str) {
    let pid = pid.to_string();
    let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status().expect("run sh");
    assert!(status.success(), "kill -s {name} {pid}: {status}");
}

/// A new directory on the disk of the build, gone with its last user.
pub(crate) fn temp_dir() -> Arc<TempDir> {
    Arc::new(TempDir::with_prefix_in("it-", env!("CARGO_TARGET_TMPDIR")).unwrap())
}

/// A server that is to be.
pub(crate) struct Builder {
    command: Command,
    state: Arc<TempDir>,
}

impl Builder {
    /// Sets one key: `limits.peers_per_room` becomes `SWITCHBOARD__LIMITS__PEERS_PER_ROOM`.
    pub(crate) fn set(self, key: &str, value: impl std::fmt::Display) -> Self {
        let name = format!("SWITCHBOARD__{}", key.replace('.', "__").to_uppercase());
        self.env(&name, &format!("{value}"))
    }

    /// Lets connections send as fast as they like: for tests that flood, and are not about pace.
    pub(crate) fn any_pace(self) -> Self {
        self.set("limits.frame_rate", 1_000_000)
            .set("limits.frame_burst", 1_000_000)
            .set("limits.byte_rate", 1_000_000_000)
            .set("limits.byte_burst", 1_000_000_000)
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable that every test's server gets.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Puts it into a process group of its own. Where the tests run without a terminal theirs may be orphaned, and the kernel
    /// discards a `SIGTSTP` to such a group (POSIX, "Orphaned Process Group").
    pub(crate) fn in_own_group(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// Adds a command line argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Starts it by a shell that runs `first` before it becomes the server.
    pub(crate) fn after(mut self, first: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.env_clear().stdin(Stdio::null()).args(["-c", &format!("{first} && exec \"$0\"")]);
        shell.arg(self.command.get_program());
        shell.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.command = shell;
        self
    }

    /// Keeps its state where another server did.
    pub(crate) fn state(mut self, state: &Arc<TempDir>) -> Self {
        self.state = Arc::clone(state);
        self.set("state.dir", state.path().display())
    }

    /// Starts it, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(mut self) -> TestServer {
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start the server");
        let log = LogDrain::on(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let complaints = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = TestServer {
            child,
            log,
            stderr: Some(complaints),
            state: self.state,
            may_panic: false,
            public: nowhere,
            ops: nowhere,
        };
        let started = server.wait_for_log("server_started", |line| line.event() == "server_started");
        server.public = address(&started, "public");
        server.ops = address(&started, "ops");
        server
    }
}

#[track_caller]
fn address(started: &Line, key: &str) -> SocketAddr {
    let text = started.json[key].as_str().unwrap_or_default();
    text.parse().unwrap_or_else(|e| panic!("{key} is no address ({e}): {}", started.text))
}

/// A running server.
pub(crate) struct TestServer {
    child: Child,
    log: LogDrain,
    stderr: Option<JoinHandle<String>>,
    state: Arc<TempDir>,
    /// Whether a panic in it is what the test wants.
    may_panic: bool,
    /// Where peers connect.
    pub(crate) public: SocketAddr,
    /// Where the operator looks.
    pub(crate) ops: SocketAddr,
}

impl TestServer {
    /// A server with the tests' settings: free ports, two threads, no start delay, everything logged.
    pub(crate) fn builder() -> Builder {
        let state = temp_dir();
        Builder { command: program(), state: Arc::clone(&state) }
            .set("server.host", "127.0.0.1")
            .set("server.port", 0)
            .set("server.workers", 2)
            .set("server.ready_delay_ms", 0)
            .set("ops.port", 0)
            // Tests scrape as they like, and end their servers when they like.
            .set("ops.scrape_wait_ms", 0)
            // All tests come from one address. (A trusted proxy on it has limits all the same.)
            .set("limits.exempt_loopback", true)
            .set("log.level", "debug")
            // Tests count lines.
            .set("log.gather_ms", 0)
            .state(&state)
    }

    /// Starts it with nothing changed.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    /// A builder with one key changed.
    pub(crate) fn set(key: &str, value: impl std::fmt::Display) -> Builder {
        Self::builder().set(key, value)
    }

    /// A peer that has heard its welcome.
    #[track_caller]
    pub(crate) fn connect(&self) -> TestPeer {
        TestPeer::connect(self.public)
    }

    /// A peer that is in that room.
    #[track_caller]
    pub(crate) fn join(&self, room: &str) -> TestPeer {
        let mut peer = self.connect();
        peer.join(room);
        peer
    }

    /// A peer in that room that the kernel keeps very little for. It hears nothing unless it is asked to.
    #[track_caller]
    pub(crate) fn join_slow(&self, room: &str) -> TestPeer {
        let mut peer = TestPeer::open(http::dial_with_small_buffer(self.public), &Handshake::new());
        peer.welcome = Some(peer.receive("welcome"));
        peer.join(room);
        peer
    }

    /// So many peers in one room, none of which has anything left to hear.
    #[track_caller]
    pub(crate) fn join_all(&self, room: &str, count: usize) -> Vec<TestPeer> {
        let mut peers: Vec<TestPeer> = Vec::new();
        for _ in 0..count {
            let newcomer = self.join(room);
            for peer in &mut peers {
                peer.receive_joined(&newcomer.id);
            }
            peers.push(newcomer);
        }
        peers
    }

    /// So many peers in one room, by name.
    #[track_caller]
    pub(crate) fn join_some<const N: usize>(&self, room: &str) -> [TestPeer; N] {
        self.join_all(room, N).try_into().unwrap_or_else(|_| unreachable!("join_all joins as many as it is asked to"))
    }

    /// GET on the public listener.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(self.public, path, &[])
    }

    /// GET on the ops listener.
    #[track_caller]
    pub(crate) fn ops_get(&self, path: &str) -> Response {
        http::get(self.ops, path, &[])
    }

    /// What Prometheus would see now.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        let response = self.ops_get("/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        Scrape::read(&response.body)
    }

    /// Waits until it has that many connections now. (Metrics may be a second old.)
    #[track_caller]
    pub(crate) fn wait_for_connections(&self, count: usize) {
        super::eventually("the number of connections is right", || {
            super::expect_eq(&self.get("/health").json()["activeConnections"], &count.into())
        });
    }

    /// Waits until a series has that value (threads report about once a second).
    #[track_caller]
    pub(crate) fn wait_for_metric(&self, series: &str, value: f64) {
        super::eventually(&format!("{series} is {value}"), || {
            let scrape = self.scrape();
            if scrape.value(series) == value { Ok(()) } else { Err(scrape.text()) }
        });
    }

    /// The same for one that goes on rising.
    #[track_caller]
    pub(crate) fn wait_for_metric_from(&self, series: &str, least: f64) {
        super::eventually(&format!("{series} is at least {least}"), || {
            let scrape = self.scrape();
            if scrape.value(series) >= least { Ok(()) } else { Err(scrape.text()) }
        });
    }

    /// The log so far.
    pub(crate) fn log(&self) -> &LogDrain {
        &self.log
    }

    /// Waits for a line of the log.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, what: &str, is_it: impl Fn(&Line) -> bool) -> Line {
        self.log.wait_for(what, is_it)
    }

    /// Asks it to stop, as an operator's `kill` does.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        send_signal(self.child.id(), name);
    }

    /// Waits until it has ended by itself, and its whole log is there.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self, patience: Duration) -> ExitStatus {
        let status = eventually_within(patience, "the server ends", || {
            self.child.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
        });
        self.log.settle();
        status
    }

    /// A panic in it is no complaint: the test causes it.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn forgive_panics(&mut self) {
        self.may_panic = true;
    }

    /// Where it keeps what it must remember.
    pub(crate) fn state(&self) -> &Arc<TempDir> {
        &self.state
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One figure of `/proc/PID/status`, in KiB: `VmRSS` is what it holds now, `VmHWM` the most it ever did.
    pub(crate) fn memory_kib(&self, figure: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(figure)).expect(figure);
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Files and sockets that it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Ends the child if it still runs, and says what was wrong with its output.
    fn end(&mut self) -> Vec<String> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut complaints = self.log.finish();
        let stderr = self.stderr.take().map(|reader| reader.join().expect("the reader of standard error"));
        complaints.extend(stderr.filter(|text| !text.is_empty()).map(|text| format!("on standard error: {text}")));
        let panics = self.log.lines().into_iter().filter(|line| line.event() == "panicked");
        complaints.extend(panics.filter(|_| !self.may_panic).map(|line| format!("the server panicked: {}", line.text)));
        complaints
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten().map_or("not".to_owned(), |status| format!("with {status}"));
        let complaints = self.end();
        if thread::panicking() {
            eprintln!(
                "the server had ended by itself: {ended}\ncomplaints: {complaints:#?}\nthe server's log:\n{}",
                self.log.text()
            );
        } else {
            assert!(complaints.is_empty(), "{complaints:#?}\nthe server's log:\n{}", self.log.text());
        }
    }
}
