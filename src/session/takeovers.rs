//! Sessions that are taken over, told message by message: real sessions on real sockets, with a supervisor and a room that do
//! nothing until the story says so. What races elsewhere happens here in the order that is told.

use std::{net::Ipv4Addr, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use actix_rt::Arbiter;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::{AcceptedSocket, Ports, SessionConfig, heartbeat::HeartbeatTimes, install, open_at};
use crate::{
    arbiter::tick,
    config::Settings,
    messages::{
        Inbox, KillSwitch, PeerChange, PresenceState, ResumeRequests, RoomEvent,
        room::{RoomPort, ToRoom},
        session::{Member, News, ResumeAnswer, Roster, Snapshot, ToMember, ToSession, Welcomed},
        supervisor::{Join, Leave, Moderate, Presence, Resume},
    },
    protocol::{EndReason, LeaveReason, Meta, PeerId, SessionId},
    telemetry::{self, RequestId, Source},
    ws::AnySocket,
};

pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const ROOM: &str = "blue";

/// Everything that sessions send to others.
#[derive(Debug)]
pub(super) enum Sent {
    Join(Join),
    Leave(Leave),
    Resume(Resume),
    Presence(Presence),
    Moderate(Moderate),
    Room(ToRoom),
    /// To a member that a test has put in place of a session.
    Posted(ToSession),
}

pub(super) struct Recorder(mpsc::UnboundedSender<Sent>);

impl Actor for Recorder {
    type Context = Context<Self>;
}

macro_rules! records {
    ($message:ty, $result:ty, $received:expr, $answer:expr) => {
        impl Handler<$message> for Recorder {
            type Result = $result;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                let _ = self.0.send($received(message));
                $answer
            }
        }
    };
}

records!(Join, (), Sent::Join, ());
records!(Leave, (), Sent::Leave, ());
records!(Resume, (), Sent::Resume, ());
records!(Presence, (), Sent::Presence, ());
records!(Moderate, (), Sent::Moderate, ());
records!(ToRoom, (), Sent::Room, ());
records!(ToSession, (), Sent::Posted, ());

/// An arbiter of sessions.
pub(super) struct Stage {
    received: mpsc::UnboundedReceiver<Sent>,
    pub(super) recorder: actix::Addr<Recorder>,
    settings: Settings,
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

/// A client's side of a connection.
pub(super) struct Client(Box<dyn Duplex>);

pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl Stage {
    pub(super) fn set(change: impl FnOnce(&mut Settings)) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let recorder = Recorder(sender).start();
        let mut settings = Settings::default();
        change(&mut settings);
        let stage = Self { received, recorder, settings, snapshot: None };
        install(Rc::new(SessionConfig::for_tests(&stage.settings, stage.ports())));
        stage
    }

    fn ports(&self) -> Ports {
        Ports {
            join: self.recorder.clone().recipient(),
            leave: self.recorder.clone().recipient(),
            resume: self.recorder.clone().recipient(),
            presence: self.recorder.clone().recipient(),
            moderate: self.recorder.clone().recipient(),
        }
    }

    /// Makes another thread an arbiter of sessions, too.
    pub(super) fn install_on(&self, arbiter: &Arbiter) {
        let (settings, ports) = (self.settings.clone(), self.ports());
        arbiter.spawn_fn(move || install(Rc::new(SessionConfig::for_tests(&settings, ports))));
    }

    pub(super) async fn receive(&mut self) -> Sent {
        tokio::time::timeout(PATIENCE, self.received.recv()).await.expect("nothing is said").expect("a recorder")
    }

    pub(super) async fn receive_away(&mut self, member: &Member) {
        self.receive_presence(member, true).await;
        assert!(matches!(self.receive().await, Sent::Room(ToRoom::Away { .. })));
    }

    pub(super) async fn receive_back(&mut self, member: &Member) {
        assert!(matches!(self.receive().await, Sent::Room(ToRoom::Back { .. })));
        self.receive_presence(member, false).await;
    }

    /// As the room, so the supervisor.
    async fn receive_presence(&mut self, member: &Member, away: bool) {
        let Sent::Presence(presence) = self.receive().await else { panic!("the supervisor is not told") };
        assert_eq!((presence.member.session, presence.member.presence.take()), (member.session, away));
    }

    async fn connect(&self) -> Client {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        // Small, so that little jams it.
        SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
        SockRef::from(&socket).set_send_buffer_size(4096).unwrap();
        Client::over(None, socket, client)
    }

    /// A peer whose client has shown that it has its token.
    pub(super) async fn resumable(&mut self) -> (Client, Arc<Member>, String) {
        let client = Client::greeted(self).await;
        self.joined(client).await
    }

    /// The same, of a client that has been greeted.
    pub(super) async fn joined(&mut self, mut client: Client) -> (Client, Arc<Member>, String) {
        client.send(&json!({"type": "join", "room": ROOM, "resumable": true})).await;
        let Sent::Join(join) = self.receive().await else { panic!("a join") };
        let port = RoomPort::new(self.recorder.clone().recipient());
        let members = vec![(join.member.peer, Arc::clone(&join.member))];
        let snapshot = Arc::new(Snapshot { room: join.room, capacity: 10, members, port });
        self.snapshot = Some(Arc::clone(&snapshot));
        let news = News::Joined(Box::new(welcomed(join.join_seq)));
        join.member.post(ToMember::Roster(Roster { snapshot, news }));
        let joined = client.receive().await;
        client.send(&json!({"type": "ping", "ack": 0})).await;
        assert_eq!(client.receive().await["type"], "pong");
        (client, join.member, joined["resume"]["token"].as_str().expect("a token").to_owned())
    }

    /// A client that comes back, and the socket on its way to the session that it names.
    pub(super) async fn transfer(&mut self, mut client: Client, token: &str, re: &str) -> (Client, ToSession) {
        client.send(&json!({"type": "join", "id": re, "room": ROOM, "resume": {"token": token, "ack": 0}})).await;
        let Sent::Resume(resume) = self.receive().await else { panic!("a resume") };
        let member = Member {
            peer: PeerId::random(),
            session: SessionId::random(),
            request: RequestId::accept(None),
            source: Source::of([127, 0, 0, 1].into()),
            port: self.recorder.clone().recipient(),
            kill_switch: KillSwitch::default(),
            resume: ResumeRequests::default(),
            presence: PresenceState::default(),
            inbox: Inbox::default(),
        };
        resume.request.answer.send(ResumeAnswer::Granted(Arc::new(member))).expect("somebody waits");
        let Sent::Posted(message) = self.receive().await else { panic!("a socket") };
        (client, message)
    }

    /// The room's answer to a session that has missed too much.
    pub(super) fn resync(&self, member: &Member, join_seq: u32) {
        let snapshot = Arc::clone(self.snapshot.as_ref().expect("a room"));
        let news = News::Resynced(Box::new(welcomed(join_seq)));
        member.post(ToMember::Roster(Roster { snapshot, news }));
    }

    /// The room takes an update.
    pub(super) fn confirm(&self, member: &Member, meta: Meta) {
        let snapshot = Arc::clone(self.snapshot.as_ref().expect("a room"));
        member.post(ToMember::Roster(Roster { snapshot, news: News::Updated(meta) }));
    }

    /// Somebody comes, and that session is notified.
    pub(super) fn somebody_comes(&self, member: &Member) {
        let snapshot = Arc::clone(self.snapshot.as_ref().expect("a room"));
        let joined = PeerChange::Joined { meta: None, who: None, user: None, replaces: None };
        let news = News::Changed(RoomEvent::new(PeerId::random(), joined));
        member.post(ToMember::Roster(Roster { snapshot, news }));
    }
}

pub(super) fn welcomed(join_seq: u32) -> Welcomed {
    Welcomed { join_seq, peers: Vec::new(), meta: None, who: None, locked: false }
}

impl Client {
    /// A session for the one socket, here or on that arbiter; its client has the other.
    pub(super) fn over(arbiter: Option<&Arbiter>, socket: impl Into<AnySocket>, client: impl Duplex + 'static) -> Self {
        let (remote, request) = ((Ipv4Addr::LOCALHOST, 1).into(), RequestId::accept(None));
        let (socket, unread) = (socket.into(), Vec::new());
        let (subnet, hint, bearer, host, permit) = (None, None, None, None, ());
        let accepted = AcceptedSocket { socket, unread, remote, subnet, request, hint, bearer, host, permit };
        open_at(arbiter.map(Arbiter::handle), accepted);
        Self(Box::new(client))
    }

    pub(super) async fn send(&mut self, frame: &Value) {
        self.send_all(std::slice::from_ref(frame)).await;
    }

    pub(super) async fn send_all(&mut self, frames: &[Value]) {
        let mut bytes = Vec::new();
        for frame in frames {
            let text = frame.to_string();
            bytes.extend([0x81, 0xfe]);
            bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            if text.len() < 126 {
                bytes.truncate(bytes.len() - 3);
                bytes.push(0x80 | u8::try_from(text.len()).unwrap());
            }
            bytes.extend([0; 4]);
            bytes.extend(text.as_bytes());
        }
        self.0.write_all(&bytes).await.unwrap();
    }

    /// The next text frame; `Null` where a close frame comes, or the end.
    pub(super) async fn receive(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("nothing is heard")
    }

    async fn read(&mut self) -> Value {
        let mut head = [0; 2];
        if self.0.read_exact(&mut head).await.is_err() || head[0] == 0x88 {
            return Value::Null;
        }
        assert_eq!(head[0], 0x81, "not the head of a text frame");
        let length = match head[1] {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            short => usize::from(short),
        };
        let mut text = vec![0; length];
        self.0.read_exact(&mut text).await.unwrap();
        serde_json::from_slice(&text).expect("a whole frame")
    }

    /// Comes with its `welcome` read.
    pub(super) async fn greeted(stage: &Stage) -> Self {
        let mut client = stage.connect().await;
        assert_eq!(client.receive().await["type"], "welcome");
        client
    }
}

#[actix::test]
async fn a_session_that_is_parked_while_it_waits_for_the_whole_room_still_ends_with_its_window() {
    let mut stage = Stage::set(|settings| settings.limits.resume_window_ms = crate::config::Milliseconds(100));
    let beat = Duration::from_millis(40);
    let heartbeat = HeartbeatTimes { interval: beat, timeout: PATIENCE * 10 };
    actix_rt::spawn(tick::run(0, heartbeat, crate::room::mesh::watch::AlertShares::default()));
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (_client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    member.kill_switch.kill(EndReason::Disconnected);
    stage.receive_away(&member).await;
    stage.resync(&member, join_seq);
    let Sent::Leave(leave) = stage.receive().await else { panic!("a leave") };
    assert_eq!((leave.session, leave.reason), (member.session, LeaveReason::Timeout));
}

#[actix::test]
async fn the_answer_to_a_second_resume_carries_its_own_id() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (_lost, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "2").await;
    member.post(message);
    assert!(matches!(stage.receive().await, Sent::Room(ToRoom::Resync { .. })));
    stage.resync(&member, join_seq);
    let joined = client.receive().await;
    assert_eq!((&joined["re"], &joined["complete"]), (&json!("2"), &json!(false)), "{joined}");
}

/// The former socket is found dead in the very moment in which the new one comes.
#[actix::test]
async fn a_reason_that_was_the_former_sockets_is_not_the_new_ones() {
    for reason in [EndReason::PingTimeout, EndReason::Disconnected, EndReason::SlowConsumer] {
        let mut stage = Stage::set(|_| {});
        let (_former, member, token) = stage.resumable().await;
        stage.somebody_comes(&member);
        let client = Client::greeted(&stage).await;
        let (mut client, message) = stage.transfer(client, &token, "1").await;
        member.post(message);
        member.kill_switch.kill(reason);
        let joined = client.receive().await;
        assert_eq!((&joined["type"], &joined["complete"]), (&json!("joined"), &json!(true)), "{reason:?}: {joined}");
        assert_eq!(client.receive().await["type"], "peer_joined", "{reason:?}");
    }
}

#[actix::test]
async fn what_was_lost_in_the_moment_of_a_resume_makes_it_incomplete() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    member.kill_switch.kill_for_lost_message();
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    stage.resync(&member, join_seq);
    assert_eq!(client.receive().await["complete"], false);
}

#[actix::test]
async fn answers_that_wait_go_along_with_the_socket() {
    const ASKED: usize = 500;
    let mut stage = Stage::set(|settings| {
        let limits = &mut settings.limits;
        (limits.queue_bytes, limits.queue_frames) = (64 << 20, 2 * ASKED);
        (limits.frame_rate, limits.frame_burst) = (1_000_000, 1_000_000);
        (limits.byte_rate, limits.byte_burst) = (1_000_000_000, 1_000_000_000);
    });
    let (_former, member, token) = stage.resumable().await;
    let mut client = Client::greeted(&stage).await;
    // More than both kernels take while the client reads nothing.
    let pings: Vec<_> =
        (0..ASKED).map(|n| json!({"type": "signal", "id": format!("{n:064}"), "x".repeat(64): 1})).collect();
    client.send_all(&pings).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    for n in 0..ASKED {
        let answer = client.receive().await;
        assert_eq!(answer["re"], format!("{n:064}"), "{answer}");
    }
    assert_eq!(client.receive().await["complete"], true);
}

#[actix::test]
async fn a_connection_that_is_lost_between_two_sessions_is_told_of_as_any_other() {
    let mut stage = Stage::set(|_| {});
    let (_former, _member, token) = stage.resumable().await;
    let client = Client::greeted(&stage).await;
    let (_client, message) = stage.transfer(client, &token, "1").await;
    let closed = || {
        let mut closed = 0;
        telemetry::tally(|t| closed = t.connections_closed.get(EndReason::ResumeExpired));
        closed
    };
    let before = closed();
    drop(message);
    assert_eq!(closed(), before + 1);
}
