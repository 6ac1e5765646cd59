//! One connection to Redis: commands go out in their order, answers and entries come in.
//!
//! The client library has the protocol. What it would do on its own when a connection is lost, or an answer takes long, it does not do
//! here: its own repetitions would be out of order.

use std::{
    future::{Future, poll_fn},
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::stream::{FuturesOrdered, StreamExt as _};
use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::mpsc,
    task::AbortHandle,
    time::Instant,
};
use url::Url;

use super::{
    command::Outgoing,
    script::{channel, node_channel},
    wire::{self, Value as Answer},
};
use crate::{outbound, telemetry::RedisOperation};

/// Bytes of entries that may wait to be applied; what is published beyond is a hole in the log, and asked for.
const PUSHED_BYTES: usize = 32 * 1024 * 1024;
/// What one that is pushed costs beside its bytes.
const PUSHED_OVERHEAD: usize = 128;
/// Deeper lists are no answers of the script.
const DEPTH: usize = 4;
const PORT: u16 = 6379;
/// Commands that wait within the library for the socket; more wait before it, in the same order.
const PIPELINED: usize = 1024;

/// Where Redis is, and who this server is there.
#[derive(Debug, Clone)]
pub(super) struct RedisAddress {
    /// `cluster.redis_url`
    pub(super) url: String,
    /// `cluster.redis_password_file`
    pub(super) password_file: PathBuf,
    /// `cluster.redis_ca_file`
    pub(super) ca_file: PathBuf,
    /// `cluster.redis_timeout_ms`
    pub(super) timeout: Duration,
}

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("cluster.redis_url: {0}")]
    Url(&'static str),
    #[error("cluster.redis_password_file cannot be read: {0}")]
    Password(io::Error),
    #[error("cluster.redis_ca_file: {0}")]
    Trust(String),
    #[error("no connection: {0}")]
    Socket(#[from] io::Error),
    #[error("Redis took longer than cluster.redis_timeout_ms")]
    TimedOut,
    #[error("Redis refused: {0}")]
    Refused(RedisError),
    #[error("this is a Redis Cluster, whose nodes have a part of the keys each; a Redis with all of them is needed")]
    IsCluster,
    #[error("the data in Redis has format {0}, and this program has another one")]
    Format(String),
    #[error("the connection ended")]
    Lost,
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Answered {
    /// It was answered.
    Answer(Answer),
    /// It was refused, and not executed: no memory, read only, loading, busy.
    Refused(RedisError),
    /// The script ended with an error.
    Failed(RedisError),
    /// There is no telling: the connection is lost.
    Lost,
}

type Pending = Pin<Box<dyn Future<Output = (u64, Answered)>>>;

/// What comes from Redis.
#[derive(Debug)]
pub(super) enum Heard {
    /// An answer, in the order of the commands.
    Answer {
        /// The command's number.
        number: u64,
        /// What it is.
        operation: RedisOperation,
        /// From its way out to here.
        took: Duration,
        /// What became of it.
        answered: Answered,
    },
    /// Something that was published.
    Pushed(Pushed),
    /// The connection is lost.
    Lost,
}

/// What is published.
#[derive(Debug)]
pub(super) struct Pushed {
    /// On which channel.
    pub(super) channel: Vec<u8>,
    /// What.
    pub(super) payload: Vec<u8>,
}

/// One connection.
pub(super) struct Connection {
    redis: MultiplexedConnection,
    task: AbortHandle,
    sha: String,
    prefix: String,
    answers: FuturesOrdered<Pending>,
    /// When each command without an answer went out, and what it is.
    sent: std::collections::VecDeque<(Instant, RedisOperation)>,
    pushed: mpsc::UnboundedReceiver<Pushed>,
    pushed_bytes: Arc<AtomicUsize>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Connects, and loads the script. Within a `LocalSet`.
    pub(super) async fn open(address: RedisAddress, script: String, prefix: String) -> Result<Self, ConnectionError> {
        let timeout = address.timeout;
        let open = async move {
            let (socket, info) = dial(&address).await?;
            Self::over(socket, info, &script, prefix).await
        };
        tokio::time::timeout(timeout, open).await.unwrap_or(Err(ConnectionError::TimedOut))
    }

    async fn over(
        socket: Box<dyn Socket>,
        info: RedisConnectionInfo,
        script: &str,
        prefix: String,
    ) -> Result<Self, ConnectionError> {
        let (push, pushed) = mpsc::unbounded_channel();
        let pushed_bytes = Arc::new(AtomicUsize::new(0));
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINED)
            .set_push_sender(take_pushed(push, pushed_bytes.clone()));
        let refused = ConnectionError::Refused;
        let opened = MultiplexedConnection::new_with_config(&info, socket, config).await;
        let (mut redis, driver) = opened.map_err(refused)?;
        let task = tokio::task::spawn_local(driver).abort_handle();
        let hello: Value = redis.send_packed_command(&redis::cmd("HELLO")).await.map_err(refused)?;
        let loaded = redis.send_packed_command(redis::cmd("SCRIPT").arg("LOAD").arg(script)).await;
        let connection = |sha| Self {
            redis,
            task,
            sha,
            prefix,
            answers: FuturesOrdered::new(),
            sent: std::collections::VecDeque::new(),
            pushed,
            pushed_bytes,
        };
        if is_cluster(&hello) {
            drop(connection(String::new()));
            return Err(ConnectionError::IsCluster);
        }
        match loaded {
            Ok(Value::BulkString(sha)) => Ok(connection(String::from_utf8_lossy(&sha).into_owned())),
            Ok(Value::SimpleString(sha)) => Ok(connection(sha)),
            Ok(_) => Err(ConnectionError::Lost),
            Err(error) => Err(refused(error)),
        }
    }

    /// Asks for this process' incarnation.
    pub(super) async fn hello(&mut self, proposed: u64, node: &str) -> Result<u64, ConnectionError> {
        let mut args: Vec<Vec<u8>> = ["hello", "0", "", "0", "0", "0", "", ""].map(Into::into).to_vec();
        args.extend([wire::hex(proposed).into(), node.into()]);
        let call = self.call(&args);
        let value = self.redis.send_packed_command(&call).await.map_err(ConnectionError::Refused)?;
        match wire::reply(&answer(value, DEPTH)) {
            Ok(wire::Reply::Hello(number)) => Ok(number),
            Ok(wire::Reply::Format(format)) => Err(ConnectionError::Format(format)),
            _ => Err(ConnectionError::Lost),
        }
    }

    fn call(&self, args: &[Vec<u8>]) -> redis::Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.sha).arg(0).arg(args);
        call
    }

    /// Hears what other nodes say to this one past the log.
    pub(super) async fn listen(&mut self, node: &str) -> Result<(), ConnectionError> {
        let mut command = redis::cmd("SUBSCRIBE");
        command.arg(node_channel(&self.prefix, node));
        self.redis.send_packed_command(&command).await.map(drop).map_err(ConnectionError::Refused)
    }

    /// Sends a command. They go out in the order of these calls.
    pub(super) async fn send(&mut self, number: u64, operation: RedisOperation, outgoing: &Outgoing) {
        let subscription = |verb, room: &crate::protocol::RoomName| {
            let mut command = redis::cmd(verb);
            command.arg(channel(&self.prefix, room.as_str()));
            command
        };
        let (command, is_script) = match outgoing {
            Outgoing::Script(args) => (self.call(args), true),
            Outgoing::Subscribe(room) => (subscription("SUBSCRIBE", room), false),
            Outgoing::Unsubscribe(room) => (subscription("UNSUBSCRIBE", room), false),
            Outgoing::Publish(node, payload) => {
                let mut command = redis::cmd("PUBLISH");
                command.arg(node_channel(&self.prefix, node.as_str())).arg(payload);
                (command, false)
            }
        };
        let mut redis = self.redis.clone();
        let mut pending: Pending = Box::pin(async move {
            let result = redis.send_packed_command(&command).await;
            (number, answered(result, is_script))
        });
        self.sent.push_back((Instant::now(), operation));
        // Polled here, so that it has its place in the queue of the connection before the next one.
        let first = poll_fn(|context| Poll::Ready(pending.as_mut().poll(context))).await;
        match first {
            Poll::Ready(done) => self.answers.push_back(Box::pin(std::future::ready(done))),
            Poll::Pending => self.answers.push_back(pending),
        }
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Heard {
        let Self { answers, pushed, .. } = self;
        tokio::select! {
            // What came first: an answer says what is missing here, and that must not be what waits beside it.
            biased;
            pushed = pushed.recv() => match pushed {
                Some(pushed) => {
                    self.pushed_bytes.fetch_sub(weight(&pushed), Ordering::Relaxed);
                    Heard::Pushed(pushed)
                }
                None => Heard::Lost,
            },
            Some((number, answered)) = answers.next(), if !answers.is_empty() => {
                let (at, operation) = self.sent.pop_front().unwrap_or((Instant::now(), RedisOperation::Beat));
                Heard::Answer { number, operation, took: at.elapsed(), answered }
            }
        }
    }

    /// What has no answer, when the connection is given up: what it was, and since when.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (RedisOperation, Duration)> {
        self.sent.iter().map(|(at, operation)| (*operation, at.elapsed()))
    }

    /// When the oldest command without an answer went out.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.sent.front().map(|(at, _)| *at)
    }
}

fn weight(pushed: &Pushed) -> usize {
    pushed.channel.len() + pushed.payload.len() + PUSHED_OVERHEAD
}

/// Takes what is published, as long as there is room for it.
fn take_pushed(
    push: mpsc::UnboundedSender<Pushed>,
    bytes: Arc<AtomicUsize>,
) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static {
    move |info| {
        if info.kind != PushKind::Message {
            return Ok(());
        }
        let mut parts = info.data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) = (parts.next(), parts.next()) else {
            return Err(());
        };
        let pushed = Pushed { channel, payload };
        let weight = weight(&pushed);
        if bytes.fetch_add(weight, Ordering::Relaxed) + weight > PUSHED_BYTES {
            bytes.fetch_sub(weight, Ordering::Relaxed);
            return Err(());
        }
        push.send(pushed).map_err(drop)
    }
}

fn answered(result: Result<Value, RedisError>, is_script: bool) -> Answered {
    match result {
        Ok(Value::ServerError(error)) => refused_or_failed(error.into()),
        // What a subscription is answered says nothing.
        Ok(_) if !is_script => Answered::Answer(Answer::List(vec![Answer::Bytes(b"done".to_vec())])),
        Ok(value) => Answered::Answer(answer(value, DEPTH)),
        Err(error) if error.code().is_some() => refused_or_failed(error),
        Err(_) => Answered::Lost,
    }
}

/// `ERR` and the types of values are the script's own: it would end like this again. All else passes.
fn refused_or_failed(error: RedisError) -> Answered {
    match error.code() {
        Some("ERR" | "WRONGTYPE") => Answered::Failed(error),
        _ => Answered::Refused(error),
    }
}

fn answer(value: Value, depth: usize) -> Answer {
    match value {
        Value::BulkString(bytes) => Answer::Bytes(bytes),
        Value::SimpleString(text) => Answer::Bytes(text.into_bytes()),
        Value::Int(number) => Answer::Int(number),
        Value::Array(parts) if depth > 0 => {
            Answer::List(parts.into_iter().map(|part| answer(part, depth - 1)).collect())
        }
        _ => Answer::Other,
    }
}

fn is_cluster(hello: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => bytes.clone(),
        Value::SimpleString(text) => text.clone().into_bytes(),
        _ => Vec::new(),
    };
    match hello {
        Value::Map(pairs) => pairs.iter().any(|(key, value)| text(key) == b"mode" && text(value) == b"cluster"),
        _ => false,
    }
}

async fn dial(address: &RedisAddress) -> Result<(Box<dyn Socket>, RedisConnectionInfo), ConnectionError> {
    let url = Url::parse(&address.url).map_err(|_| ConnectionError::Url("it is no URL"))?;
    let mut info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    if !url.username().is_empty() {
        info = info.set_username(url.username());
    }
    if !address.password_file.as_os_str().is_empty() {
        let password = std::fs::read_to_string(&address.password_file).map_err(ConnectionError::Password)?;
        info = info.set_password(password.trim_end_matches(['\r', '\n']));
    }
    if url.scheme() == "unix" {
        return Ok((Box::new(UnixStream::connect(url.path()).await?), info));
    }
    if let Ok(database) = url.path().trim_start_matches('/').parse() {
        info = info.set_db(database);
    }
    let host = url.host_str().ok_or(ConnectionError::Url("it has no host"))?;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let socket = TcpStream::connect((name, url.port().unwrap_or(PORT))).await?;
    socket.set_nodelay(true)?;
    if url.scheme() != "rediss" {
        return Ok((Box::new(socket), info));
    }
    let config =
        outbound::client_config(&address.ca_file).map_err(|error| ConnectionError::Trust(error.to_string()))?;
    let server = rustls::pki_types::ServerName::try_from(name.to_owned());
    let server = server.map_err(|_| ConnectionError::Url("its host has no name"))?;
    let socket = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(server, socket).await?;
    Ok((Box::new(socket), info))
}
