//! What the supervisor of a node remembers because rooms span nodes: joins that the cluster has not answered, and who is in the rooms of
//! its peers on other nodes. Who may have a seat is the cluster's to say; what becomes of a seat here is the supervisor's.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::{seated::Seated, seating::Seating, state::Applicant};
use crate::{
    cluster::NodeName,
    messages::{
        Bounds,
        cluster::{Ask, FarInit, FarPeer, FarPort, JoinTicket, NodePort, RoomAsks, Stay, ToFar, WeakAsks},
        send_unbounded,
    },
    protocol::{LeaveReason, PeerId, RoomName, SessionId},
};

/// Opens a port to a peer of another node, on the arbiter of its room.
pub type OpenPort = Box<dyn Fn(FarInit) -> FarPort + Send>;

/// What makes a process a node of a cluster.
pub struct SpanConfig {
    /// Its name there.
    pub name: NodeName,
    /// Where the cluster is asked.
    pub node: NodePort,
    /// How much may wait for one peer.
    pub bounds: Bounds,
    /// How long the cluster may take to answer a join; then it is `unavailable`, and a seat that it grants later is given back. Less
    /// than `limits.join_reply_ms`, after which the session would be ended.
    pub answers_within: Duration,
    /// How peers of other nodes are reached.
    pub open_port: OpenPort,
}

/// See the module.
pub(super) struct Span {
    config: SpanConfig,
    last: u64,
    /// One for each session at most.
    joining: HashMap<JoinTicket, Pending>,
    tickets: HashMap<SessionId, JoinTicket>,
    /// Those that somebody of this node is in, or on the way into.
    rooms: HashMap<RoomName, SpanRoom>,
    /// Of rooms that are not, while something waits to be asked.
    ending: HashMap<RoomName, WeakAsks>,
}

/// A join that the cluster has not answered.
pub(super) struct Pending {
    pub(super) applicant: Applicant<Seated>,
    pub(super) seating: Seating,
    /// The session has gone meanwhile, or was refused.
    pub(super) left: Option<LeaveReason>,
    asked: Instant,
}

/// A room, as far as it is on other nodes.
pub(super) struct SpanRoom {
    pub(super) asks: RoomAsks,
    joining: usize,
    /// Peers of other nodes, by the number of their join.
    pub(super) far: BTreeMap<u64, Far>,
    /// The numbers of all: of both kinds, for the order in which they joined.
    pub(super) numbers: HashMap<PeerId, u64>,
    pub(super) locked: bool,
}

/// A peer of another node.
pub(super) struct Far {
    pub(super) peer: FarPeer,
    /// When this node heard of it first.
    pub(super) since: Instant,
    /// How it is reached, while the room is open here.
    pub(super) port: Option<FarPort>,
}

impl Span {
    pub(super) fn new(config: SpanConfig) -> Self {
        Self {
            config,
            last: 0,
            joining: HashMap::new(),
            tickets: HashMap::new(),
            rooms: HashMap::new(),
            ending: HashMap::new(),
        }
    }

    pub(super) fn name(&self) -> &NodeName {
        &self.config.name
    }

    /// A session is about to ask for a seat: the name of its question, and where it goes.
    pub(super) fn begin(
        &mut self,
        applicant: Applicant<Seated>,
        seating: Seating,
        now: Instant,
    ) -> (JoinTicket, RoomAsks) {
        let room = seating.room.clone();
        self.last += 1;
        let ticket = JoinTicket(self.last);
        self.tickets.insert(applicant.session, ticket);
        let spanned = match self.rooms.remove(&room) {
            Some(spanned) => spanned,
            None => self.open(&room),
        };
        let asks = spanned.asks.clone();
        self.rooms.insert(room, SpanRoom { joining: spanned.joining + 1, ..spanned });
        self.joining.insert(ticket, Pending { applicant, seating, left: None, asked: now });
        (ticket, asks)
    }

    /// What was to be asked about a former room of that name goes before.
    fn open(&mut self, room: &RoomName) -> SpanRoom {
        let former = self.ending.remove(room).and_then(|asks| asks.upgrade());
        let asks = former.unwrap_or_else(|| RoomAsks::new(room.clone(), self.config.node.clone()));
        SpanRoom { asks, joining: 0, far: BTreeMap::new(), numbers: HashMap::new(), locked: false }
    }

    /// The cluster has answered.
    pub(super) fn answered(&mut self, ticket: JoinTicket) -> Option<Pending> {
        let pending = self.joining.remove(&ticket)?;
        self.tickets.remove(&pending.applicant.session);
        if let Some(room) = self.rooms.get_mut(&pending.seating.room) {
            room.joining -= 1;
        }
        Some(pending)
    }

    /// Whether the cluster has not answered that session's last join.
    pub(super) fn is_joining(&self, session: SessionId) -> bool {
        self.tickets.contains_key(&session)
    }

    /// Joins that have waited for too long: they are refused, and what the cluster says of them later is of nobody.
    pub(super) fn give_up(&mut self, now: Instant) -> impl Iterator<Item = &Seating> {
        let within = self.config.answers_within;
        self.joining.values_mut().filter_map(move |pending| {
            let is_late = pending.left.is_none() && now.saturating_duration_since(pending.asked) >= within;
            if is_late {
                pending.left = Some(LeaveReason::Disconnected);
            }
            is_late.then_some(&pending.seating)
        })
    }

    /// A session goes. Whether it was on its way in: then its seat is given back when it gets one.
    pub(super) fn cancel(&mut self, session: SessionId, reason: LeaveReason) -> bool {
        let pending = self.tickets.get(&session).and_then(|ticket| self.joining.get_mut(ticket));
        pending.map(|pending| pending.left.get_or_insert(reason)).is_some()
    }

    pub(super) fn room(&self, room: &RoomName) -> Option<&SpanRoom> {
        self.rooms.get(room)
    }

    pub(super) fn room_mut(&mut self, room: &RoomName) -> Option<&mut SpanRoom> {
        self.rooms.get_mut(room)
    }

    /// What a session that was granted a seat is to know of that.
    pub(super) fn stay(&mut self, room: &RoomName, peer: PeerId, ticket: JoinTicket, number: u64) -> Option<Box<Stay>> {
        let spanned = self.rooms.get_mut(room)?;
        spanned.numbers.insert(peer, number);
        spanned.asks.seated(peer, ticket);
        Some(Box::new(Stay { ticket, asks: spanned.asks.clone(), bounds: self.config.bounds }))
    }

    /// Opens ports to all that have none.
    pub(super) fn open_ports(&mut self, room: &RoomName) -> Vec<(FarPeer, FarPort)> {
        let (open, Some(spanned)) = (&self.config.open_port, self.rooms.get_mut(room)) else { return Vec::new() };
        let asks = &spanned.asks;
        let without = spanned.far.values_mut().filter(|far| far.port.is_none());
        let opened = without.map(|far| {
            let port = open(FarInit { peer: far.peer.peer, asks: asks.clone() });
            far.port = Some(port.clone());
            (far.peer.clone(), port)
        });
        opened.collect()
    }

    /// The room is not open here any more; it is forgotten, unless somebody is on the way into it.
    pub(super) fn closed(&mut self, room: &RoomName) {
        let Some(spanned) = self.rooms.get_mut(room) else { return };
        for far in spanned.far.values_mut() {
            far.port.take().into_iter().for_each(|port| port.member.inbox.close());
        }
        if spanned.joining == 0
            && let Some(spanned) = self.rooms.remove(room)
        {
            self.ending.insert(room.clone(), spanned.asks.downgrade());
        }
    }

    /// Forgets what has nothing to be asked any more.
    pub(super) fn sweep(&mut self) {
        self.ending.retain(|_, asks| asks.upgrade().is_some());
    }
}

impl Far {
    pub(super) fn is_away(&self) -> bool {
        self.peer.away_until_ms.is_some()
    }
}

impl SpanRoom {
    /// A peer of another node is in the room.
    pub(super) fn joined(&mut self, peer: FarPeer, now: Instant) {
        self.numbers.insert(peer.peer, peer.number);
        self.far.insert(peer.number, Far { peer, since: now, port: None });
    }

    /// It is out.
    pub(super) fn left(&mut self, peer: PeerId) -> Option<Far> {
        let number = self.numbers.remove(&peer)?;
        self.far.remove(&number)
    }

    pub(super) fn find(&self, peer: PeerId) -> Option<&Far> {
        self.far.get(self.numbers.get(&peer)?)
    }

    pub(super) fn find_mut(&mut self, peer: PeerId) -> Option<&mut Far> {
        self.far.get_mut(self.numbers.get(&peer)?)
    }

    /// Those that are not in the room any more, if it is as these are.
    pub(super) fn missing_from(&self, peers: &[FarPeer]) -> Vec<PeerId> {
        let is_there =
            |far: &Far| peers.iter().any(|peer| (peer.peer, peer.number) == (far.peer.peer, far.peer.number));
        self.far.values().filter(|far| !is_there(far)).map(|far| far.peer.peer).collect()
    }

    /// The seat of a peer of this node is free: the cluster is told behind all that the peer has posted to others.
    pub(super) fn leave(&mut self, peer: PeerId, ask: Ask) {
        self.numbers.remove(&peer);
        let behind = self.asks.leave(peer, ask);
        for port in self.far.values().filter_map(|far| far.port.as_ref()) {
            // A port that is gone has asked for all.
            let _ = send_unbounded(&port.port, ToFar::Behind(behind.clone()));
        }
    }
}
