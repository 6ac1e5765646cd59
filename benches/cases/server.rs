//! A whole server on one thread: the supervisor, its rooms and sessions, and clients at the other end of real sockets.
//! What it lacks of the one that `app` starts: threads, the handshake, the sweep, the log, the metrics' actor.

use std::{io::ErrorKind, net::SocketAddr, rc::Rc, time::Instant};

use actix::{Actor, System};
use actix_rt::{Arbiter, SystemRunner};
use bytes::{Buf, BytesMut};
use switchboard::{
    auth::{KeyRing, Tickets},
    config::{Milliseconds, Settings},
    ice::IceServers,
    limits::Waiting,
    recorder::{self, RecorderConfig},
    room::Room,
    session::{self, AcceptedSocket, Ports, SessionConfig, TokenJudge},
    supervisor::{SpawnRoom, Supervisor, SupervisorConfig},
    telemetry::RequestId,
};
use tokio::net::{TcpListener, TcpStream};

use super::texts;

/// More than a bench ever asks for: what is measured is the counting, not the waiting.
const PLENTY: u32 = 1_000_000;
/// What a client reads at once.
const CLIENT_READS: usize = 64 * 1024;

/// The thread's arbiter, with a supervisor and with what sessions need.
pub(crate) struct Server(SystemRunner);

impl Server {
    pub(crate) fn start() -> Self {
        let system = System::new();
        system.block_on(async {
            let settings = settings();
            let open: SpawnRoom =
                Box::new(|name, capacity, guard| Room::open(&Arbiter::current(), name, capacity, guard));
            let supervisor = Supervisor::new(SupervisorConfig::from(&settings), open).start();
            let ports = Ports {
                join: supervisor.clone().recipient(),
                leave: supervisor.clone().recipient(),
                resume: supervisor.clone().recipient(),
                presence: supervisor.clone().recipient(),
                moderate: supervisor.recipient(),
            };
            let tokens =
                TokenJudge::new(&settings, KeyRing::open(&settings.auth).expect("no keys"), Tickets::new(&settings));
            let (waiting, addresses) = (Waiting::from(&settings), (&settings).into());
            let ice = IceServers::open(&settings.ice, &settings.stun).expect("no secrets");
            recorder::start(&RecorderConfig::new(&settings, Instant::now()));
            session::install(Rc::new(SessionConfig::new(&settings, ports, waiting, addresses, tokens, ice)));
        });
        Self(system)
    }

    /// Runs the server until that is done.
    pub(crate) fn until<T>(&self, done: impl Future<Output = T>) -> T {
        self.0.block_on(done)
    }

    /// So many peers in one room, in joining order, who have all heard of each other; and what the first of them heard.
    pub(crate) fn room(&self, peers: usize) -> (Vec<Client>, Vec<BytesMut>) {
        self.until(async {
            let (mut inside, mut heard): (Vec<Client>, Vec<BytesMut>) = (Vec::new(), Vec::new());
            for _ in 0..peers {
                let mut newcomer = Client::connect().await;
                newcomer.send_json(&texts::frame(JOIN));
                newcomer.receive("joined").await;
                let mut news = Vec::new();
                for member in &mut inside {
                    news.push(member.receive("peer_joined").await);
                }
                heard.extend(news.into_iter().next());
                inside.push(newcomer);
            }
            (inside, heard)
        })
    }
}

/// A `join` of the room in which everything takes place.
pub(crate) const JOIN: &str = r#"{"type":"join","room":"lobby","meta":{"name":"Ada Lovelace","muted":false}}"#;

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.limits.frame_rate = PLENTY;
    settings.limits.frame_burst = PLENTY;
    (settings.limits.byte_rate, settings.limits.byte_burst) = (PLENTY as usize, PLENTY as usize);
    settings.limits.joins_per_minute = PLENTY;
    // Valgrind is slow, and what is slow is told of.
    settings.log.slow_message_ms = Milliseconds(60_000);
    settings
}

/// One browser: a socket, without a WebSocket library between it and what is measured.
pub(crate) struct Client {
    socket: TcpStream,
    /// What was read and is not heard yet.
    read: BytesMut,
}

impl Client {
    /// Has been welcomed.
    async fn connect() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let socket = TcpStream::connect(listener.local_addr().expect("its port")).await.expect("a connection");
        let (accepted, remote) = listener.accept().await.expect("its other end");
        socket.set_nodelay(true).expect("a socket");
        accepted.set_nodelay(true).expect("a socket");
        let request = RequestId::accept(None);
        session::open_at(
            None,
            AcceptedSocket {
                socket: accepted.into(),
                unread: Vec::new(),
                remote,
                subnet: None,
                request,
                hint: None,
                host: None,
                bearer: None,
                permit: (),
            },
        );
        let mut client = Self { socket, read: BytesMut::with_capacity(CLIENT_READS) };
        client.receive("welcome").await;
        client
    }

    /// Sends bytes. They are few enough for the kernel to take them at once.
    pub(crate) fn send_json(&self, bytes: &[u8]) {
        let written = self.socket.try_write(bytes).expect("the kernel takes what is sent");
        assert_eq!(written, bytes.len(), "the kernel takes all of it");
    }

    /// Waits for the next frame, which is of that type, and gives it.
    pub(crate) async fn receive(&mut self, kind: &str) -> BytesMut {
        const START: &[u8] = br#"{"type":""#;
        loop {
            if let Some(frame) = self.next_frame() {
                let is_kind = frame.strip_prefix(START).is_some_and(|rest| rest.starts_with(kind.as_bytes()));
                assert!(is_kind, "{kind} is expected, not {}", String::from_utf8_lossy(&frame));
                return frame;
            }
            self.read.reserve(CLIENT_READS);
            self.socket.readable().await.expect("the server stays");
            match self.socket.try_read_buf(&mut self.read) {
                Ok(0) => panic!("the server hung up; {kind} was expected"),
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
    }

    /// The payload of the next whole frame: unmasked, in one piece.
    fn next_frame(&mut self) -> Option<BytesMut> {
        let (head, length) = match *self.read {
            [_, 127, ..] => panic!("a frame longer than any here"),
            [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
            [_, short, ..] if short < 126 => (2, usize::from(short)),
            _ => return None,
        };
        if self.read.len() < head + length {
            return None;
        }
        self.read.advance(head);
        Some(self.read.split_to(length))
    }
}
