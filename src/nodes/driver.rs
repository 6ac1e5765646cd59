//! The thread around the node: it connects, sends what goes out, and gives the node what comes in.

use std::{
    future::Future,
    io,
    path::PathBuf,
    pin::Pin,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::{
    connection::{Answered, Connection, ConnectionError, Heard, Pushed, RedisAddress},
    node::{Node, NodeConfig, Outcome},
    report::Reporter,
    script::{ScriptConfig, channel, script},
    status::{ClusterStatus, Ended},
    wire,
};
use crate::{
    cluster::{Incarnation, NodeName, lease::Timing},
    config::Settings,
    messages::cluster::{Ask, Told},
    telemetry::{RedisConnection, RedisOperation, RedisStatus},
};

/// Heartbeats in one `cluster.node_timeout_ms`: half of it is more than two.
const BEATS: u64 = 5;
/// The first wait before another connection; each further one is twice as long, and of it a random part is waited.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest one: who comes back is found within a second.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What is asked, answered or published is taken in pieces of this many, so that none of the three waits for long.
const PIECE: usize = 256;

/// What the thread goes by.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    node: NodeName,
    address: RedisAddress,
    script: ScriptConfig,
    rules: NodeConfig,
    ready_grace: Duration,
}

/// Why the thread cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The password's file has to be there at the start; later it may be away for a moment.
    #[error("cannot read {path}, which cluster.redis_password_file names: {source}")]
    Password {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The machine gives no thread.
    #[error("cannot start the thread that speaks to Redis: {0}")]
    Thread(#[from] io::Error),
}

impl ClusterConfig {
    /// As it is configured; none: this server is alone.
    #[must_use]
    pub fn new(settings: &Settings) -> Option<Self> {
        let cluster = &settings.cluster;
        let node = settings.server.node_name().filter(|_| cluster.is_on())?;
        let dead_after = cluster.node_timeout_ms.0;
        let timing = Timing { beat: dead_after / BEATS, away_after: dead_after / 2, dead_after };
        Some(Self {
            node: NodeName::new(&node),
            address: RedisAddress {
                url: cluster.redis_url.clone(),
                password_file: cluster.redis_password_file.clone(),
                ca_file: cluster.redis_ca_file.clone(),
                timeout: cluster.redis_timeout_ms.get(),
            },
            script: ScriptConfig {
                prefix: cluster.prefix.clone(),
                assert_ms: dead_after,
                log_entries: cluster.log_entries,
                log_bytes: cluster.log_bytes,
            },
            ready_grace: cluster.ready_grace_ms.get(),
            rules: NodeConfig {
                timing,
                waiting_ms: cluster.waiting_ms.0,
                waiting_bytes: cluster.waiting_bytes,
                peers_per_room: settings.limits.peers_per_room,
            },
        })
    }
}

/// Starts the thread. It takes what is asked, and says what the cluster says by `tell`, until the last port is dropped or `tell` says
/// that nobody listens.
///
/// # Errors
/// [`ClusterError`]
pub fn start(
    config: ClusterConfig,
    asked: UnboundedReceiver<Ask>,
    tell: impl FnMut(Told) -> bool + Send + 'static,
) -> Result<ClusterStatus, ClusterError> {
    let path = &config.address.password_file;
    if !path.as_os_str().is_empty() {
        std::fs::read(path).map_err(|source| ClusterError::Password { path: path.clone(), source })?;
    }
    let status = ClusterStatus::new(config.ready_grace, std::time::Instant::now());
    let shared = status.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = move || {
        let _ended = Ended(shared.clone());
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, Driver::new(config, asked, Box::new(tell), shared).run());
    };
    thread::Builder::new().name("cluster".into()).spawn(run)?;
    Ok(status)
}

type Opening = Pin<Box<dyn Future<Output = Result<(Connection, Option<u64>), ConnectionError>>>>;

struct Driver {
    config: ClusterConfig,
    asked: UnboundedReceiver<Ask>,
    tell: Box<dyn FnMut(Told) -> bool + Send>,
    status: ClusterStatus,
    node: Node,
    began: Instant,
    connection: Option<Connection>,
    opening: Option<Opening>,
    wait: Duration,
    reporter: Reporter,
}

/// What happened.
enum Happened {
    Asked(Option<Ask>),
    Opened(Result<(Connection, Option<u64>), ConnectionError>),
    Heard(Heard),
    Time,
}

impl Driver {
    fn new(
        config: ClusterConfig,
        asked: UnboundedReceiver<Ask>,
        tell: Box<dyn FnMut(Told) -> bool + Send>,
        status: ClusterStatus,
    ) -> Self {
        let me = Incarnation { node: config.node.clone(), number: 0 };
        let node = Node::new(config.rules.clone(), me);
        let began = Instant::now();
        Self {
            config,
            asked,
            tell,
            reporter: Reporter::new(status.clone()),
            status,
            node,
            began,
            connection: None,
            opening: None,
            wait: Duration::ZERO,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn run(mut self) {
        self.open();
        loop {
            match self.next().await {
                Happened::Asked(None) => return,
                happened => self.attend(happened),
            }
            for turn in 1..PIECE {
                match self.at_once(turn).await {
                    Some(Happened::Asked(None)) => return,
                    Some(happened) => self.attend(happened),
                    None => break,
                }
            }
            let now = self.now();
            self.node.tick(now);
            self.flush().await;
            let told = self.node.take_told();
            if told.into_iter().any(|told| !(self.tell)(told)) {
                return;
            }
            self.reporter.look(&self.node);
        }
    }

    /// What happens next.
    async fn next(&mut self) -> Happened {
        let tick = self.began + Duration::from_millis(self.node.next_tick());
        let late = self.connection.as_ref().and_then(Connection::oldest).map(|at| at + self.config.address.timeout);
        let until = late.map_or(tick, |late| late.min(tick));
        let Self { asked, connection, opening, .. } = self;
        tokio::select! {
            ask = asked.recv() => Happened::Asked(ask),
            opened = async { opening.as_mut().expect("checked").await }, if opening.is_some() => Happened::Opened(opened),
            happened = heard(connection.as_mut()) => happened,
            () = tokio::time::sleep_until(until) => Happened::Time,
        }
    }

    /// What has happened already. What is asked and what comes from Redis have their turns.
    async fn at_once(&mut self, turn: usize) -> Option<Happened> {
        if turn.is_multiple_of(2)
            && let Ok(ask) = self.asked.try_recv()
        {
            return Some(Happened::Asked(Some(ask)));
        }
        let Self { asked, connection, .. } = self;
        tokio::select! {
            biased;
            happened = heard(connection.as_mut()) => Some(happened),
            ask = asked.recv() => Some(Happened::Asked(ask)),
            () = std::future::ready(()) => None,
        }
    }

    fn attend(&mut self, happened: Happened) {
        let now = self.now();
        match happened {
            Happened::Asked(None) => {}
            Happened::Asked(Some(ask)) => self.node.ask(ask, now),
            Happened::Opened(opened) => self.opened(opened),
            Happened::Heard(Heard::Answer { number, operation, took, answered }) => {
                self.answered(number, operation, took, answered);
            }
            Happened::Heard(Heard::Pushed(pushed)) => self.pushed(&pushed),
            Happened::Heard(Heard::Lost) => self.lost(&ConnectionError::Lost),
            Happened::Time => {
                let oldest = self.connection.as_ref().and_then(Connection::oldest);
                if oldest.is_some_and(|at| at.elapsed() >= self.config.address.timeout) {
                    self.lost(&ConnectionError::TimedOut);
                }
            }
        }
    }

    /// Begins to connect, after the wait.
    fn open(&mut self) {
        let (wait, address) = (self.wait.mul_f64(chance()), self.config.address.clone());
        let (script, prefix) = (script(&self.config.script), self.config.script.prefix.clone());
        let (begins, node) = (!self.node.has_begun(), self.config.node.clone());
        self.wait = (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        self.opening = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            let timeout = address.timeout;
            let mut connection = Connection::open(address, script, prefix).await?;
            let begin = async {
                connection.listen(node.as_str()).await?;
                if begins { connection.hello(since_epoch(), node.as_str()).await.map(Some) } else { Ok(None) }
            };
            let number = tokio::time::timeout(timeout, begin).await.unwrap_or(Err(ConnectionError::TimedOut))?;
            Ok((connection, number))
        }));
    }

    fn opened(&mut self, opened: Result<(Connection, Option<u64>), ConnectionError>) {
        self.opening = None;
        match opened {
            Ok((connection, incarnation)) => {
                if let Some(number) = incarnation {
                    self.node.begin(number);
                }
                self.connection = Some(connection);
                self.node.connected(self.now());
                self.reporter.report.connections.add(RedisConnection::Made);
                self.status.change(|figures| figures.connections += 1);
            }
            Err(error) => {
                self.reporter.report.connections.add(RedisConnection::Failed);
                self.fail(&error);
            }
        }
    }

    fn fail(&mut self, error: &ConnectionError) {
        self.status.change(|figures| figures.error = Some(error.to_string()));
        self.open();
    }

    fn lost(&mut self, error: &ConnectionError) {
        self.disconnect();
        if self.opening.is_none() {
            self.fail(error);
        }
    }

    fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            let report = &mut self.reporter.report;
            report.connections.add(RedisConnection::Lost);
            connection.unanswered().for_each(|(operation, took)| report.command(operation, RedisStatus::Lost, took));
        }
        self.node.disconnected(self.now());
    }

    fn answered(&mut self, number: u64, operation: RedisOperation, took: Duration, answered: Answered) {
        let now = self.now();
        if operation == RedisOperation::Beat {
            self.status.change(|figures| figures.latency = Some(took));
        }
        let mut count = |status| self.reporter.report.command(operation, status, took);
        match answered {
            Answered::Answer(answer) => {
                let reply = wire::reply(&answer);
                count(if reply.is_ok() { RedisStatus::Ok } else { RedisStatus::Failed });
                let outcome = match reply {
                    Ok(wire::Reply::Format(format)) => return self.lost(&ConnectionError::Format(format)),
                    Ok(reply) => Outcome::Reply(Box::new(reply)),
                    Err(_) => Outcome::Malformed,
                };
                // It is well when it counts a heartbeat: one without memory still takes a subscription.
                if operation == RedisOperation::Beat {
                    self.wait = Duration::ZERO;
                }
                self.node.answered(number, outcome, now);
            }
            Answered::Failed(error) => {
                count(RedisStatus::Failed);
                self.status.change(|figures| figures.error = Some(error.to_string()));
                self.node.answered(number, Outcome::Failed, now);
            }
            Answered::Refused(error) => {
                count(RedisStatus::Refused);
                self.lost(&ConnectionError::Refused(error));
            }
            Answered::Lost => {
                count(RedisStatus::Lost);
                self.lost(&ConnectionError::Lost);
            }
        }
    }

    fn pushed(&mut self, pushed: &Pushed) {
        let now = self.now();
        let prefix = channel(&self.config.script.prefix, "");
        match pushed.channel.strip_prefix(prefix.as_bytes()).map(wire::room) {
            Some(Ok(room)) => self.node.heard(&room, wire::entry(&pushed.payload), now),
            Some(Err(_)) => {}
            // There is one more channel, this node's own.
            None => self.node.heard_flow(wire::flow(&pushed.payload)),
        }
    }

    async fn flush(&mut self) {
        if self.node.takes_reconnect() {
            self.disconnect();
            self.open();
        }
        let Some(connection) = &mut self.connection else { return };
        for (number, operation, outgoing) in self.node.take_out() {
            connection.send(number, operation, &outgoing).await;
        }
    }
}

async fn heard(connection: Option<&mut Connection>) -> Happened {
    match connection {
        Some(connection) => Happened::Heard(connection.next().await),
        None => std::future::pending().await,
    }
}

/// Of a wait, a part between a half and all: what failed together does not come back together.
fn chance() -> f64 {
    let (_, random) = crate::protocol::PeerId::random().halves();
    0.5 + f64::from(u32::try_from(random & 0xffff).unwrap_or_default()) / f64::from(0x1_0000_u32) / 2.0
}

/// What an incarnation begins from: no process of this name had one as high.
fn since_epoch() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
