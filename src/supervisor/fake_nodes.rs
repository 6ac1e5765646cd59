//! Supervisors with real rooms, each a node of one [`Hub`], and peers that record what they are told, in words.

use std::{collections::VecDeque, sync::Arc};

use actix::{Actor, Addr, Arbiter};
use serde_json::Value;
use tokio::time::pause;

use super::{
    Supervisor,
    fake_hub::{Hub, node_name},
    scenarios,
    span::SpanConfig,
};
use crate::{
    config::Settings,
    limits::Rate,
    messages::{
        Bounds, Load, Mark,
        cluster::NodePort,
        listing::{Question, RoomDetails},
        room::{RoomPort, ToRoom},
        session::{Control, Deliver, Member, News, Posted, Roster, Snapshot, ToMember, ToSession},
        supervisor::{Join, Leave, Look, Presence},
    },
    protocol::{
        LeaveReason, Meta, PeerId, RoomName, SignalKind, Who,
        client::Identified,
        server::{ServerFrame, encode},
    },
    room::{Room, fake::FakeSession, open_port},
    supervisor::{Caps, SupervisorConfig},
};

pub(super) const ROOM: &str = "blue";
/// A cluster that takes longer is unavailable.
pub(super) const ANSWERS_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) fn room() -> RoomName {
    RoomName::parse(ROOM, 128).expect("a sane name")
}

/// So much may wait for one peer.
pub(super) fn bounds() -> Bounds {
    (&Settings::default()).into()
}

/// The nodes of a cluster.
pub(super) struct Nodes {
    pub(super) hub: Hub,
    supervisors: Vec<Addr<Supervisor>>,
}

/// Somebody in a room.
pub(super) struct Peer {
    name: &'static str,
    pub(super) member: Arc<Member>,
    session: FakeSession,
    supervisor: Addr<Supervisor>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    told: VecDeque<Told>,
    /// Signals that it has read as a socket does.
    read: u64,
}

/// What somebody is told: what, about which peer, and the whole of it.
struct Told {
    what: String,
    about: Option<PeerId>,
    text: String,
}

impl Nodes {
    pub(super) fn start(count: usize) -> Self {
        Self::with_rooms_for(10, count)
    }

    pub(super) fn with_rooms_for(peers_per_room: usize, count: usize) -> Self {
        pause();
        let hub = Hub::default();
        let supervisors = (0..count).map(|node| {
            let spawn = |name: RoomName, capacity, guard| Room::open(&Arbiter::current(), name, capacity, guard);
            let caps = Caps { peers_per_room, ..scenarios::limits() };
            let config = SupervisorConfig { caps, wrong_secrets: Rate::per_minute(2) };
            let (port, asked) = NodePort::new();
            let open_port = Box::new(|init| open_port(&Arbiter::current(), init));
            let config_of_span = SpanConfig {
                name: node_name(node),
                node: port,
                bounds: bounds(),
                answers_within: ANSWERS_WITHIN,
                open_port,
            };
            let supervisor = Supervisor::new(config, Box::new(spawn)).in_cluster(config_of_span).start();
            hub.connect(&supervisor, asked);
            supervisor
        });
        let supervisors = supervisors.collect();
        Self { hub, supervisors }
    }

    /// Somebody with a connection to that node.
    pub(super) fn peer(&self, node: usize, name: &'static str) -> Peer {
        let session = FakeSession::new();
        let (member, supervisor) = (session.member(), self.supervisors[node].clone());
        Peer { name, member, session, supervisor, snapshot: None, told: VecDeque::new(), read: 0 }
    }

    /// Somebody who is in the room.
    pub(super) async fn joined(&self, node: usize, name: &'static str) -> Peer {
        let mut peer = self.peer(node, name);
        peer.join(None).await;
        peer.told("joined", &[]).await;
        peer
    }

    /// Gives everybody all that is on its way.
    pub(super) async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    /// What an operator of that node sees of the room.
    pub(super) async fn look(&self, node: usize) -> Option<RoomDetails> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.supervisors[node].send(Look(Question::Room(room(), answer))).await.expect("the supervisor lives");
        answered.await.expect("an answer")
    }

    pub(super) fn supervisor(&self, node: usize) -> &Addr<Supervisor> {
        &self.supervisors[node]
    }
}

impl Peer {
    pub(super) async fn join(&self, identity: Option<&str>) {
        let identified = identity.map(|identity| Identified { who: Who::of(identity, &room()), replace: false });
        let join = Join { identified, ..scenarios::wish(&self.member, ROOM) };
        self.supervisor.send(join).await.expect("the supervisor lives");
    }

    pub(super) async fn leave(&self) {
        self.go(LeaveReason::Left).await;
    }

    pub(super) async fn go(&self, reason: LeaveReason) {
        let leave = Leave { session: self.member.session, reason };
        self.supervisor.send(leave).await.expect("the supervisor lives");
    }

    fn port(&self) -> RoomPort {
        self.snapshot.as_ref().expect("it has joined").port.clone()
    }

    pub(super) fn update(&self, meta: &str) {
        let update = ToRoom::Update { peer: self.member.peer, meta: Meta::from_checked(meta) };
        // One that has ended takes nothing.
        let _ = self.port().try_send(update);
    }

    /// Its connection is gone, or there again.
    pub(super) async fn be_away(&self, away: bool) {
        assert!(self.member.presence.set(away));
        self.supervisor.send(Presence { member: Arc::clone(&self.member) }).await.expect("the supervisor lives");
        let peer = self.member.peer;
        let message = if away { ToRoom::Away { peer, until_ms: 7 } } else { ToRoom::Back { peer } };
        assert!(self.port().send_unbounded(message));
    }

    /// Sends a text of so many bytes to everybody in its room, or to that one.
    pub(super) fn send(&self, to: Option<&Peer>, text: &str) -> Vec<Posted> {
        let data = Value::from(text).to_string();
        let (from, kind) = (self.member.peer, SignalKind::App);
        let frame = encode(&ServerFrame::Signal { from, kind, data: &data });
        let room = self.snapshot.as_ref().expect("it has joined");
        let is_meant = |peer: &PeerId| to.map_or(*peer != from, |to| to.member.peer == *peer);
        let meant = room.members.iter().filter(|(peer, _)| is_meant(peer));
        let signal = || Deliver { from, kind, frame: frame.clone(), read_at: None, mark: Mark::default() };
        meant.map(|(_, member)| member.post_signal(signal(), &self.member.kill_switch, &bounds())).collect()
    }

    /// The next thing that it is told is this, about that peer; the whole of it.
    #[track_caller]
    pub(super) fn told<'a>(&'a mut self, what: &'a str, about: &'a [&'a Peer]) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let told = self.next().await;
            let expected = about.first().map(|peer| peer.member.peer);
            let fits = told.what == what && (expected.is_none() || expected == told.about);
            assert!(fits, "{at}: {} is told {} ({}), not {what} of {expected:?}", self.name, told.what, told.text);
            serde_json::from_str(&told.text).unwrap_or_default()
        }
    }

    /// The text of a signal from that peer, which comes next.
    #[track_caller]
    pub(super) fn hears<'a>(&'a mut self, from: &'a Peer, text: &'a str) -> impl Future<Output = ()> + 'a {
        let (at, from) = (std::panic::Location::caller(), from.member.peer);
        async move {
            let told = self.next().await;
            let frame: Value = serde_json::from_str(&told.text).unwrap_or_default();
            let fits = told.what == "signal" && told.about == Some(from) && frame["data"] == text;
            assert!(fits, "{at}: {} is told {}, and not {text}", self.name, told.text);
        }
    }

    /// Reads until a signal comes, as a socket does that takes all; who sent it. What is said of the room is passed over.
    pub(super) async fn read_signal(&mut self) -> PeerId {
        loop {
            if let ToSession::Member(ToMember::Deliver(signal)) = self.session.receive().await {
                let bytes = signal.frame.as_bytes().len();
                self.read += 1;
                let inbox = &self.member.inbox;
                inbox.publish(Load::frame(bytes), false);
                inbox.queued(signal.from, bytes, signal.mark, self.read);
                inbox.flushed(Load::default(), self.read, bytes as u64, &bounds());
                return signal.from;
            }
        }
    }

    /// Whether all that came has been looked at.
    pub(super) fn is_silent(&mut self) -> bool {
        self.told.is_empty() && self.session.is_silent()
    }

    async fn next(&mut self) -> Told {
        while self.told.is_empty() {
            let message = self.session.receive().await;
            self.take(message);
        }
        self.told.pop_front().expect("something was said")
    }

    fn take(&mut self, message: ToSession) {
        match message {
            ToSession::Member(ToMember::Deliver(signal)) => {
                let text = String::from_utf8_lossy(signal.frame.json()).into_owned();
                self.told.push_back(Told { what: "signal".to_owned(), about: Some(signal.from), text });
            }
            ToSession::Member(ToMember::Roster(Roster { snapshot, news })) => {
                self.snapshot = Some(snapshot);
                match news {
                    News::Several(several) => several.of(self.member.peer).for_each(|news| self.news(&news)),
                    news => self.news(&news),
                }
            }
            ToSession::Control(control) => {
                let what = match control {
                    Control::JoinFailed(failed) => format!("refused {}", failed.refused.code.as_str()),
                    Control::Evict(_) => "evicted".to_owned(),
                    Control::Unsent(unsent) => format!("unsent {} {}", unsent.code.as_str(), unsent.peers.len()),
                    other => format!("{other:?}"),
                };
                self.told.push_back(Told { text: what.clone(), what, about: None });
            }
        }
    }

    fn news(&mut self, news: &News) {
        let told = match news {
            News::Joined(welcomed) => {
                let others: Vec<_> =
                    welcomed.peers.iter().map(|peer| (peer.id.to_string(), peer.polite, peer.away_until_ms)).collect();
                let text = serde_json::json!({"others": others, "locked": welcomed.locked}).to_string();
                Told { what: "joined".to_owned(), about: None, text }
            }
            News::Changed(event) => {
                let text = String::from_utf8_lossy(event.encoded().json()).into_owned();
                let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                let about = frame["id"].as_str().and_then(PeerId::parse);
                Told { what: frame["type"].as_str().unwrap_or_default().to_owned(), about, text }
            }
            News::Updated(_) => Told { what: "updated".to_owned(), about: None, text: String::new() },
            other => Told { what: format!("{other:?}"), about: None, text: String::new() },
        };
        self.told.push_back(told);
    }
}
