//! What this process asks of the cluster.

use super::{Node, Own, Pending, Room, told::unavailable};
use crate::{
    cluster::{
        Replica, Seat,
        line::{Class, Command as _},
        seats::Departure,
    },
    messages::cluster::{Ask, Flow, JoinTicket, Joining, Sending, Told},
    nodes::{
        command::{Command, JoinCommand, Kind},
        wire::WireError,
    },
    protocol::{LeaveReason, Meta, PeerId, RoomName},
};

impl Node {
    /// Something is asked.
    pub(in crate::nodes) fn ask(&mut self, ask: Ask, now: u64) {
        match ask {
            Ask::Join(joining) => self.join(*joining, now),
            Ask::Leave { room, peer, reason } => self.leave(&room, peer, departure(reason), now),
            Ask::Away { room, peer, until_ms } => {
                if let Some(own) = self.own(&room, peer) {
                    own.away = Some(until_ms);
                    self.command(Some(&room), Kind::Away(peer, until_ms), now);
                }
            }
            Ask::Back { room, peer } => {
                if let Some(own) = self.own(&room, peer) {
                    own.away = None;
                    self.command(Some(&room), Kind::Back(peer), now);
                }
            }
            Ask::Update { room, peer, meta } => {
                if self.own(&room, peer).is_some() {
                    self.update(&room, peer, meta, now);
                }
            }
            Ask::Signal(sending) => self.send(sending, now),
            Ask::Lock { room, locked } => drop(self.command(Some(&room), Kind::Lock(locked), now)),
            Ask::Ban { room, who, for_ms } => drop(self.command(Some(&room), Kind::Ban(who, for_ms), now)),
            Ask::Flow(flow) => self.send_flow(flow, now),
            Ask::Kick { room, peers } => drop(self.command(Some(&room), Kind::Kick(peers), now)),
        }
    }

    pub(super) fn own(&mut self, room: &RoomName, peer: PeerId) -> Option<&mut Own> {
        self.rooms.get_mut(room)?.own.get_mut(&peer)
    }

    fn join(&mut self, joining: Joining, now: u64) {
        let Joining { ticket, room, peer, profile, resumable, replaces_present, peers_per_room, rooms } = joining;
        if !self.takes_joins() {
            return self.refuse_unavailable(ticket, now);
        }
        self.replica(&room, now);
        self.born += 1;
        let version = self.born;
        let own = Own { joining: Some(Pending { ticket, version }), away: None };
        self.rooms.get_mut(&room).expect("made above").own.insert(peer, own);
        let seat = Seat {
            owner: Some(self.me.clone()),
            number: 0,
            version,
            who: profile.who,
            resumable,
            away: false,
            until: 0,
            meta: profile.meta,
            user: profile.user,
        };
        let join = JoinCommand { peer, seat, replaces_present, peers_per_room, rooms };
        self.command(Some(&room), Kind::Join(Box::new(join)), now);
    }

    /// Whether a join may go into the line: one that cannot be answered soon is better asked elsewhere.
    fn takes_joins(&self) -> bool {
        self.is_connected && !self.settling && self.generation > 0 && !self.is_superseded
    }

    fn replica(&mut self, room: &RoomName, now: u64) {
        if !self.rooms.contains_key(room) {
            self.born += 1;
            let new = Room {
                born: self.born,
                replica: Replica::default(),
                own: std::collections::BTreeMap::new(),
                is_told: false,
                replaced: Vec::new(),
            };
            self.rooms.insert(room.clone(), new);
            self.command(Some(room), Kind::Subscribe, now);
        }
    }

    pub(super) fn leave(&mut self, room: &RoomName, peer: PeerId, departure: Departure, now: u64) {
        let Some(own) = self.rooms.get_mut(room).and_then(|room| room.own.remove(&peer)) else { return };
        self.command(Some(room), Kind::Leave(peer, departure), now);
        if let Some(pending) = own.joining {
            self.refuse_unavailable(pending.ticket, now);
        }
        self.forget_unused(room, now);
    }

    /// The last session of this node is out: what is told of the room begins anew with the next one.
    pub(super) fn forget_unused(&mut self, name: &RoomName, now: u64) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if !room.own.values().any(Own::is_inside) {
            room.is_told = false;
        }
        if room.own.is_empty() {
            self.rooms.remove(name);
            self.unchecked.remove(name);
            self.unsettled.remove(name);
            self.settled_if_all();
            self.command(Some(name), Kind::Unsubscribe, now);
        }
    }

    /// Of several that wait, the latest is enough: it is whole.
    fn update(&mut self, name: &RoomName, peer: PeerId, meta: Meta, now: u64) {
        let waits = |command: &Command| {
            command.room.as_ref() == Some(name) && matches!(command.kind, Kind::Update(of, _) if of == peer)
        };
        match self.line.untouched(waits) {
            Some(command) => command.kind = Kind::Update(peer, meta),
            None => drop(self.command(Some(name), Kind::Update(peer, meta), now)),
        }
    }

    fn send_flow(&mut self, flow: Flow, now: u64) {
        let seat = self.rooms.get(&flow.room).and_then(|room| room.replica.seats().get(&flow.from));
        let node = seat.and_then(|seat| seat.owner.as_ref()).map(|owner| owner.node.clone());
        if let Some(node) = node.filter(|node| *node != self.me.node) {
            self.command(None, Kind::Flow(node, flow), now);
        }
    }

    /// Another node says how it stands with what a peer of this one sends.
    pub(in crate::nodes) fn heard_flow(&mut self, flow: Result<Flow, WireError>) {
        match flow {
            Ok(flow) if self.own(&flow.room, flow.from).is_some() => self.tell(Told::Flow(flow)),
            Ok(_) => {}
            Err(_) => self.counted.malformed += 1,
        }
    }

    fn send(&mut self, sending: Box<Sending>, now: u64) {
        let (room, from, to) = (sending.room.clone(), sending.from, sending.to.clone());
        if self.own(&room, from).is_none() || self.command(Some(&room), Kind::Signal(sending), now).is_none() {
            self.tell(Told::Unreached { room, from, to });
        }
    }

    /// What has waited too long and was surely not executed fails; of a join that may have been, the seat is given back.
    pub(super) fn expire(&mut self, now: u64) {
        let too_old = |since: u64| now >= since + self.config.waiting_ms;
        let mut numbers = Vec::new();
        for (number, command) in self.line.numbered() {
            // The oldest are first, apart from upkeep, which is made anew with each connection.
            if command.class() == Class::Upkeep {
                continue;
            }
            if !too_old(command.since) {
                break;
            }
            if matches!(command.kind, Kind::Signal(_) | Kind::Join(_)) {
                numbers.push(number);
            }
        }
        for number in numbers {
            self.expire_one(number, now);
        }
    }

    fn expire_one(&mut self, number: u64, now: u64) {
        let Some(command) = self.line.get(number) else { return };
        let room = command.room.clone().unwrap_or_else(|| unreachable!("changes have a room"));
        match &command.kind {
            // One whose sender is gone stands before its leave, and goes out with that.
            Kind::Signal(signal) => {
                let from = signal.from;
                if self.own(&room, from).is_some()
                    && let Some(command) = self.line.expire(number)
                {
                    self.unreached(command);
                }
            }
            Kind::Join(join) => {
                let peer = join.peer;
                let waits = self.own(&room, peer).is_some_and(|own| !own.is_inside());
                if waits && self.line.expire(number).is_some() {
                    self.refuse(&room, peer, unavailable(self.config.waiting_ms));
                    self.forget_unused(&room, now);
                } else if waits {
                    self.leave(&room, peer, Departure::Disconnected, now);
                }
            }
            _ => {}
        }
    }

    pub(super) fn refuse_unavailable(&mut self, ticket: JoinTicket, now: u64) {
        let left = self.settle_at.map_or(0, |at| at.saturating_sub(now));
        let error = unavailable(left.max(self.config.timing.beat));
        self.tell(Told::Refused { ticket, error });
    }
}

/// As the log has it.
fn departure(reason: LeaveReason) -> Departure {
    match reason {
        LeaveReason::Left => Departure::Left,
        LeaveReason::Disconnected => Departure::Disconnected,
        LeaveReason::Timeout => Departure::Timeout,
        LeaveReason::SlowConsumer => Departure::SlowConsumer,
        LeaveReason::Error => Departure::Error,
        LeaveReason::ServerDraining => Departure::Draining,
        LeaveReason::Replaced => Departure::Replaced,
        LeaveReason::Kicked => Departure::Kicked,
        LeaveReason::TokenExpired => Departure::TokenExpired,
        LeaveReason::RoomClosed => Departure::RoomClosed,
    }
}
