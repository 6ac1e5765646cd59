//! Redis as the nodes see it: scripts that run whole or not at all, a short stream per room, channels that forget.

mod leases;
mod moves;
mod recovery;
mod rooms;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::Arc,
};

use switchboard::{
    cluster::{
        Change, Entry, Head, Incarnation, NodeName, Seat, lease::Lease, line::Class, line::Command as _,
        moderation::RoomRules, replica::Snapshot,
    },
    protocol::{PeerId, ResumeSecret},
};

use crate::{
    event::{Kind, LogEntry, Record, Reply, Request, Room, Uid, size},
    figures::{ASSERT_FOR, STREAM, STREAM_BYTES, WINDOW},
    kernel::Time,
    switch::Switch,
};

/// A seat, and what only Redis knows of it.
#[derive(Debug, Clone)]
struct Kept {
    seat: Seat,
    /// While it is in the store: until when, by Redis' clock.
    until: Time,
}

impl Kept {
    /// Whether a join of the same person takes its place.
    fn is_away(&self) -> bool {
        self.seat.away || self.seat.owner.is_none()
    }
}

/// A room.
#[derive(Debug, Clone, Default)]
struct RoomData {
    head: Head,
    /// After a loss of data: the furthest that any node knew.
    best: (u64, u64),
    /// ... and where those stood that asserted: the tags at their places, and how many were behind what they had heard of.
    stood: BTreeSet<((u64, u64), u64)>,
    behind: usize,
    reaped: BTreeSet<Incarnation>,
    /// After a loss of data: who has left, as nodes say.
    left: BTreeSet<PeerId>,
    /// Nothing but assertions so far.
    unsettled: bool,
    /// The room as it was at its `settled` entry.
    settled: Option<Rc<Snapshot>>,
    seats: BTreeMap<PeerId, Kept>,
    rules: RoomRules,
    /// Until when an empty room is kept for its bans and lock, by Redis' clock.
    kept_until: Time,
    stream: VecDeque<LogEntry>,
    /// What each line was answered, by the numbers of its commands.
    done: BTreeMap<Incarnation, BTreeMap<u64, Reply>>,
}

/// All data.
#[derive(Debug, Clone, Default)]
struct Data {
    /// None: nothing was ever written here.
    generation: Option<u64>,
    assert_until: Time,
    forked: bool,
    rooms: BTreeMap<Room, RoomData>,
    records: BTreeMap<PeerId, Rc<Record>>,
    leases: BTreeMap<NodeName, Lease>,
    lives: u64,
}

/// What a script does beside its answer.
#[derive(Debug)]
pub(crate) enum Effect {
    /// An entry is published to those that are subscribed.
    Published(Room, LogEntry),
    /// A seat ended; whether its peer meant to go.
    Ended(PeerId, bool),
    /// That node is asked to release a session.
    Ask(Incarnation, Room, PeerId, ResumeSecret),
}

/// The server, and its clock.
#[derive(Debug, Default)]
pub(crate) struct Redis {
    /// Whether it can be reached.
    pub(crate) up: bool,
    /// How far its clock is ahead: another server has another one.
    pub(crate) ahead: i64,
    /// Who is subscribed. Of connections, not data.
    pub(crate) channels: BTreeMap<Room, BTreeSet<usize>>,
    broken: Option<Switch>,
    data: Data,
    replica: Option<Data>,
    tags: u64,
    now: Time,
    /// When each node's last heartbeat came: only the broken reaper looks at it.
    beats: BTreeMap<NodeName, Time>,
    effects: Vec<Effect>,
}

impl Redis {
    /// An empty one.
    pub(crate) fn new(broken: Option<Switch>) -> Self {
        let data = Data { generation: Some(1), ..Data::default() };
        Self { up: true, broken, data, ..Self::default() }
    }

    fn keeps(&self, rule: Switch) -> bool {
        self.broken != Some(rule)
    }

    /// A restart without persistence.
    pub(crate) fn lose_all(&mut self) {
        self.data = Data::default();
    }

    /// The replica has all that there is.
    pub(crate) fn replicate(&mut self) {
        self.replica = Some(self.data.clone());
    }

    /// The replica takes over, with a clock of its own. Whether there is one.
    pub(crate) fn fail_over(&mut self, ahead: i64) -> bool {
        let Some(replica) = &self.replica else { return false };
        self.data = replica.clone();
        self.ahead = ahead;
        true
    }

    /// Runs a script at that moment of the model; what it does beside its answer.
    pub(crate) fn execute(&mut self, now: Time, request: &Request) -> (Reply, Vec<Effect>) {
        self.now = now.saturating_add_signed(self.ahead);
        let reply = self.run(request);
        (reply, std::mem::take(&mut self.effects))
    }

    fn run(&mut self, request: &Request) -> Reply {
        let Request { owner, generation, number, unanswered, command, .. } = request;
        let (generation, number, unanswered) = (*generation, *number, *unanswered);
        if let Some(reply) = self.other_generation(generation, &command.kind) {
            return reply;
        }
        let change = command.class() == Class::Change;
        let room = command.room;
        if change && self.keeps(Switch::NumberCommands) {
            let done = self.data.rooms.get_mut(&room).and_then(|room| room.done.get_mut(owner));
            if let Some(done) = done {
                if let Some(reply) = done.get(&number) {
                    return reply.clone();
                }
                // The highest one stays: replicas compare with it.
                let highest = done.keys().next_back().copied().unwrap_or_default();
                done.retain(|done, _| *done >= unanswered || *done == highest);
            }
        }
        if change {
            self.settle(room);
        }
        let reply = self.script(owner, number, room, &command.kind);
        if change
            && self.keeps(Switch::NumberCommands)
            && let Some(data) = self.data.rooms.get_mut(&room)
        {
            data.done.entry(owner.clone()).or_default().insert(number, reply.clone());
        }
        reply
    }

    fn script(&mut self, me: &Incarnation, number: u64, room: Room, kind: &Kind) -> Reply {
        match kind {
            Kind::Subscribe => Reply::Done,
            Kind::Join(peer, who, resumable) => self.join(me, room, *peer, *who, *resumable),
            Kind::Leave(peer, departure) => self.leave(me, room, *peer, *departure),
            Kind::Away(peer) => self.turn(me, room, *peer, true),
            Kind::Back(peer) => self.turn(me, room, *peer, false),
            Kind::Moderate(what) => self.moderate(room, *what),
            Kind::Signal(signal) => self.signal(number, room, signal),
            Kind::Release(peer, record) => self.release(me, room, *peer, record),
            Kind::Claim(peer, secret) => self.claim(me, room, *peer, secret),
            Kind::Where(peer) => self.find(room, *peer),
            Kind::Ask(owner, peer, secret) => {
                self.effects.push(Effect::Ask(owner.clone(), room, *peer, *secret));
                Reply::Done
            }
            Kind::Check(question) => Reply::Check(self.check(room, question)),
            Kind::Mine => self.mine(me, room),
            Kind::Snapshot => self.settled(room),
            Kind::Fork(generation) => {
                if self.data.generation == Some(*generation) {
                    self.new_generation(*generation, true);
                }
                Reply::Done
            }
            Kind::Assert(assertion) => self.assert(room, assertion),
            Kind::Beat(rooms) => self.beat(me, rooms),
            Kind::Reap(dead, proof, is_final) => self.reap(room, dead, *proof, *is_final),
        }
    }

    fn append(&mut self, room: Room, change: Change<Uid>) -> Head {
        self.tags += 1;
        let tag = self.tags;
        let chained = self.keeps(Switch::ChainEntries);
        let data = self.data.rooms.get_mut(&room).expect("who appends has looked");
        let previous = data.head.tag;
        data.head.n += 1;
        // Without the chain, any entry seems to follow the one of the number before.
        data.head.tag = if chained { tag } else { data.head.n };
        let previous = if chained { previous } else { data.head.n - 1 };
        let entry = Arc::new(Entry { head: data.head, previous, change });
        data.stream.push_back(entry.clone());
        let bytes = |entry: &LogEntry| match &entry.change {
            Change::Signal(signal) => size(signal.data),
            _ => 40,
        };
        let mut sum: usize = data.stream.iter().map(bytes).sum();
        while data.stream.len() > STREAM || sum > STREAM_BYTES {
            sum -= data.stream.pop_front().map(|entry| bytes(&entry)).unwrap_or_default();
        }
        let head = data.head;
        self.effects.push(Effect::Published(room, entry));
        head
    }

    fn snapshot(&self, room: &RoomData) -> Snapshot {
        let seats = room.seats.iter().map(|(peer, kept)| (*peer, kept.seat.clone())).collect();
        let last =
            |(owner, done): (&Incarnation, &BTreeMap<u64, Reply>)| Some((owner.clone(), *done.keys().next_back()?));
        Snapshot {
            head: room.head,
            best: room.best,
            parted: self.data.forked && room.stood.len() + room.behind > 1,
            reaped: room.reaped.clone(),
            done: room.done.iter().filter_map(last).collect(),
            seats: Arc::new(seats),
            rules: room.rules.clone(),
        }
    }

    fn new_life(&mut self) -> u64 {
        if !self.keeps(Switch::RoomLives) {
            return 1;
        }
        self.data.lives += 1;
        (self.data.generation.unwrap_or_default() << 20) + self.data.lives
    }

    /// A room without seats ends, unless it has bans or a lock to remember.
    fn end_if_empty(&mut self, name: Room) {
        let now = self.now;
        if let Some(room) = self.data.rooms.get(&name)
            && room.seats.is_empty()
            && !room.unsettled
            && (room.rules.is_void(now) || now >= room.kept_until)
        {
            self.data.rooms.remove(&name);
        }
    }

    /// The time until which assertions are taken. A clock that was set back does not make it longer.
    fn asserting(&mut self) -> Option<u64> {
        self.data.assert_until = self.data.assert_until.min(self.now + ASSERT_FOR);
        self.data.assert_until.checked_sub(self.now).filter(|left| *left > 0)
    }

    fn window_end(&self) -> Time {
        self.now + WINDOW
    }

    /// For whoever looks from outside, once quiet: who is in that room, and how many there may be.
    pub(crate) fn room(&self, room: Room) -> BTreeMap<PeerId, Seat> {
        let seats = self.data.rooms.get(&room).map(|room| &room.seats);
        seats.into_iter().flatten().map(|(peer, kept)| (*peer, kept.seat.clone())).collect()
    }

    /// All rooms that have seats or rules, with whether each is settled and has too many seats.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = Room> {
        self.data.rooms.keys().copied()
    }

    /// The seats of a room that is settled.
    pub(crate) fn seated(&self, room: Room) -> Option<usize> {
        self.data.rooms.get(&room).filter(|room| !room.unsettled).map(|room| room.seats.len())
    }

    /// When that node's last heartbeat came.
    pub(crate) fn last_beat(&self, node: &NodeName) -> Time {
        self.beats.get(node).copied().unwrap_or_default()
    }

    /// What its clock says now.
    pub(crate) fn time(&self) -> Time {
        self.now
    }

    /// A room's bans and lock.
    pub(crate) fn rules(&self, room: Room) -> Option<&RoomRules> {
        self.data.rooms.get(&room).map(|room| &room.rules)
    }
}
