//! A cluster in memory: one log for each room, and each node told of it in its order. It does what a Redis is asked to, at once, unless
//! a test holds it up.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use actix::{Addr, Recipient};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Supervisor;
use crate::{
    cluster::NodeName,
    messages::{
        cluster::{Ask, FarPeer, Flow, Held, JoinTicket, Joining, Profile, Receiving, RoomNow, Sending, Told},
        send_unbounded,
        session::JoinError,
    },
    protocol::{ErrorCode, LeaveReason, PeerId, RoomName, Who},
};

/// See the module. Cloning shares it.
#[derive(Clone, Default)]
pub(super) struct Hub(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    nodes: Vec<Recipient<Told>>,
    rooms: BTreeMap<RoomName, Log>,
    /// Every question, as text.
    asked: Vec<String>,
    is_away: bool,
    /// Whether it takes no notice of anything, as one that stands still.
    is_still: bool,
    /// While it is one of both: what waits.
    waiting: Vec<(usize, Ask)>,
    /// Whether signals stay on their senders' accounts.
    holds: bool,
    held: Vec<Held>,
}

#[derive(Default)]
struct Log {
    last: u64,
    seats: Vec<Seat>,
    locked: bool,
    banned: Vec<Who>,
}

struct Seat {
    peer: PeerId,
    node: usize,
    number: u64,
    profile: Profile,
    away: Option<u64>,
}

impl Seat {
    fn as_far(&self) -> FarPeer {
        FarPeer {
            peer: self.peer,
            node: Some(node_name(self.node)),
            number: self.number,
            profile: self.profile.clone(),
            away_until_ms: self.away,
        }
    }
}

/// How the hub names its nodes.
pub(super) fn node_name(node: usize) -> NodeName {
    NodeName::new(["north", "south", "west"][node])
}

impl Log {
    fn knows(&self, node: usize) -> bool {
        self.seats.iter().any(|seat| seat.node == node)
    }

    fn nodes(&self) -> BTreeSet<usize> {
        self.seats.iter().map(|seat| seat.node).collect()
    }

    fn take(&mut self, peers: &[PeerId]) {
        self.seats.retain(|seat| !peers.contains(&seat.peer));
    }

    fn seat(&mut self, node: usize, peer: PeerId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.peer == peer && seat.node == node)
    }
}

impl Hub {
    /// The next node is that supervisor's.
    pub(super) fn connect(&self, supervisor: &Addr<Supervisor>, mut asked: UnboundedReceiver<Ask>) {
        let node = {
            let mut state = self.0.borrow_mut();
            state.nodes.push(supervisor.clone().recipient());
            state.nodes.len() - 1
        };
        let hub = self.clone();
        actix_rt::spawn(async move {
            while let Some(ask) = asked.recv().await {
                hub.0.borrow_mut().ask(node, ask);
            }
        });
    }

    /// Nothing is done for a while: joins are refused, all else waits.
    pub(super) fn set_away(&self, is_away: bool) {
        let mut state = self.0.borrow_mut();
        state.is_away = is_away;
        state.go_on();
    }

    /// It stands still for a while, and what is asked is done when it goes on.
    pub(super) fn set_still(&self, is_still: bool) {
        let mut state = self.0.borrow_mut();
        state.is_still = is_still;
        state.go_on();
    }

    /// Signals are passed on, but stay on their senders' accounts for as long as this is so.
    pub(super) fn set_holds(&self, holds: bool) {
        let held = {
            let mut state = self.0.borrow_mut();
            state.holds = holds;
            std::mem::take(&mut state.held)
        };
        if holds {
            self.0.borrow_mut().held = held;
        }
    }

    /// That node has died, and its peers have left.
    pub(super) fn lose(&self, node: usize) {
        let state = &mut *self.0.borrow_mut();
        let rooms: Vec<_> = state.rooms.keys().cloned().collect();
        for room in rooms {
            let gone: Vec<_> =
                state.rooms[&room].seats.iter().filter(|seat| seat.node == node).map(|seat| seat.peer).collect();
            for peer in gone {
                state.left(&room, peer, LeaveReason::Timeout, Some(node));
            }
        }
    }

    /// That peer's seat is lost, as its own node is told.
    pub(super) fn forget(&self, room: &RoomName, peer: PeerId, reason: LeaveReason) {
        self.0.borrow_mut().left(room, peer, reason, None);
    }

    /// Says that to that node.
    pub(super) fn tell(&self, node: usize, told: Told) {
        self.0.borrow().tell(node, told);
    }

    /// All that was asked so far, and forgets it.
    pub(super) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().asked)
    }

    /// How many are in a room.
    pub(super) fn count(&self, room: &RoomName) -> usize {
        self.0.borrow().rooms.get(room).map_or(0, |log| log.seats.len())
    }
}

impl State {
    fn go_on(&mut self) {
        if !self.is_away && !self.is_still {
            for (node, ask) in std::mem::take(&mut self.waiting) {
                self.ask(node, ask);
            }
        }
    }

    fn tell(&self, node: usize, told: Told) {
        assert!(send_unbounded(&self.nodes[node], told), "the supervisor lives");
    }

    /// To all nodes that know of the room, but one.
    fn tell_others(&self, room: &RoomName, but: Option<usize>, told: impl Fn() -> Told) {
        for node in self.rooms.get(room).map(Log::nodes).unwrap_or_default() {
            if but != Some(node) {
                self.tell(node, told());
            }
        }
    }

    fn ask(&mut self, node: usize, ask: Ask) {
        if self.is_still {
            return self.waiting.push((node, ask));
        }
        if self.is_away {
            match ask {
                Ask::Join(joining) => {
                    let retry_after = Some(Duration::from_secs(2));
                    let error = JoinError { retry_after, ..JoinError::new(ErrorCode::Unavailable) };
                    self.tell(node, Told::Refused { ticket: joining.ticket, error });
                }
                ask => self.waiting.push((node, ask)),
            }
            return;
        }
        self.asked.push(name(&ask));
        match ask {
            Ask::Join(joining) => self.join(node, *joining),
            Ask::Leave { room, peer, reason } => {
                if self.rooms.entry(room.clone()).or_default().seat(node, peer).is_some() {
                    self.left(&room, peer, reason, Some(node));
                }
            }
            Ask::Away { room, peer, until_ms } => {
                self.turn(node, &room, peer, Some(until_ms), || Told::Away { room: room.clone(), peer, until_ms });
            }
            Ask::Back { room, peer } => {
                self.turn(node, &room, peer, None, || Told::Back { room: room.clone(), peer });
            }
            Ask::Update { room, peer, meta } => {
                if let Some(seat) = self.rooms.entry(room.clone()).or_default().seat(node, peer) {
                    seat.profile.meta = Some(meta.clone());
                    self.tell_others(&room, Some(node), || Told::Updated {
                        room: room.clone(),
                        peer,
                        meta: meta.clone(),
                    });
                }
            }
            Ask::Signal(sending) => self.signal(node, *sending),
            Ask::Lock { room, locked } => {
                self.rooms.entry(room.clone()).or_default().locked = locked;
                self.tell_others(&room, None, || Told::Locked { room: room.clone(), locked });
            }
            Ask::Ban { room, who, .. } => {
                let log = self.rooms.entry(room.clone()).or_default();
                log.banned.push(who);
                let gone = log.seats.iter().filter(|seat| seat.profile.who == Some(who));
                let gone = gone.map(|seat| seat.peer).collect();
                self.kick(&room, gone);
            }
            Ask::Kick { room, peers } => self.kick(&room, peers),
            Ask::Flow(flow) => self.flow(flow),
        }
    }

    fn join(&mut self, node: usize, joining: Joining) {
        let Joining { ticket, room, peer, profile, replaces_present, peers_per_room, rooms, .. } = joining;
        let (is_new, in_all) = (!self.rooms.contains_key(&room), self.rooms.len());
        let log = self.rooms.entry(room.clone()).or_default();
        let same = |seat: &&Seat| {
            profile.who.is_some() && seat.profile.who == profile.who && (seat.away.is_some() || replaces_present)
        };
        let replaced: Vec<_> = log.seats.iter().filter(same).map(|seat| seat.peer).collect();
        let refused = if profile.who.is_some_and(|who| log.banned.contains(&who)) {
            Some(ErrorCode::Banned)
        } else if log.locked && replaced.is_empty() {
            Some(ErrorCode::RoomLocked)
        } else if log.seats.len() - replaced.len() >= peers_per_room {
            Some(ErrorCode::RoomFull)
        } else {
            (is_new && in_all >= rooms).then_some(ErrorCode::RoomLimit)
        };
        if let Some(code) = refused {
            return self.tell(node, Told::Refused { ticket, error: JoinError::new(code) });
        }
        let (knew, others) = (log.knows(node), log.nodes());
        log.take(&replaced);
        log.last += 1;
        let number = log.last;
        let seat = Seat { peer, node, number, profile, away: None };
        let far = seat.as_far();
        let room_now = RoomNow { peers: log.seats.iter().map(Seat::as_far).collect(), locked: log.locked };
        log.seats.push(seat);
        for other in others.into_iter().filter(|other| *other != node) {
            self.tell(other, Told::Joined { room: room.clone(), peer: far.clone(), replaced: replaced.clone() });
        }
        self.granted(node, ticket, number, replaced, (!knew).then(|| Box::new(room_now)));
    }

    fn granted(&self, node: usize, ticket: JoinTicket, number: u64, replaced: Vec<PeerId>, room: Option<Box<RoomNow>>) {
        self.tell(node, Told::Granted { ticket, number, replaced, room });
    }

    /// `by`: the node that knows already.
    fn left(&mut self, room: &RoomName, peer: PeerId, reason: LeaveReason, by: Option<usize>) {
        self.tell_others(room, by, || Told::Left { room: room.clone(), peer, reason });
        self.rooms.entry(room.clone()).or_default().take(&[peer]);
        if self.rooms[room].seats.is_empty() && !self.rooms[room].locked {
            self.rooms.remove(room);
        }
    }

    fn turn(&mut self, node: usize, room: &RoomName, peer: PeerId, until: Option<u64>, told: impl Fn() -> Told) {
        if let Some(seat) = self.rooms.entry(room.clone()).or_default().seat(node, peer) {
            seat.away = until;
            self.tell_others(room, Some(node), told);
        }
    }

    fn kick(&mut self, room: &RoomName, peers: Vec<PeerId>) {
        for peer in peers {
            self.left(room, peer, LeaveReason::Kicked, None);
        }
    }

    fn signal(&mut self, node: usize, sending: Sending) {
        let Sending { room, from, to, kind, frame, held } = sending;
        if self.holds {
            self.held.push(held);
        }
        let Some(log) = self.rooms.get(&room) else { return };
        if !log.seats.iter().any(|seat| seat.peer == from && seat.node == node) {
            return;
        }
        for other in log.nodes() {
            let there = log.seats.iter().filter(|seat| seat.node == other && to.contains(&seat.peer));
            let to: Vec<_> = there.map(|seat| seat.peer).collect();
            if !to.is_empty() {
                let receiving = Receiving { room: room.clone(), from, to, kind, frame: frame.clone(), done: None };
                self.tell(other, Told::Signal(Box::new(receiving)));
            }
        }
    }

    fn flow(&self, flow: Flow) {
        let seats = self.rooms.get(&flow.room).map(|log| &log.seats[..]).unwrap_or_default();
        if let Some(sender) = seats.iter().find(|seat| seat.peer == flow.from) {
            self.tell(sender.node, Told::Flow(flow));
        }
    }
}

fn name(ask: &Ask) -> String {
    match ask {
        Ask::Join(_) => "join".to_owned(),
        Ask::Leave { reason, .. } => format!("leave {}", reason.as_str()),
        Ask::Away { .. } => "away".to_owned(),
        Ask::Back { .. } => "back".to_owned(),
        Ask::Update { .. } => "update".to_owned(),
        Ask::Signal(sending) => format!("signal to {}", sending.to.len()),
        Ask::Lock { locked, .. } => format!("lock {locked}"),
        Ask::Ban { .. } => "ban".to_owned(),
        Ask::Kick { peers, .. } => format!("kick {}", peers.len()),
        Ask::Flow(Flow { state, .. }) => format!("flow {state:?}"),
    }
}
