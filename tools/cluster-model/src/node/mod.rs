//! One node: replicas of rooms, one ordered line of commands to Redis, resumes, the lease. What it decides is decided by the
//! server's rules; here is what a shell around them does.

mod clients;
mod connection;
mod lease;
mod recovery;
mod releases;
mod replicas;
mod resumes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use switchboard::{
    cluster::{Incarnation, Line, NodeName, Replica, lease::Watch, strays::Strays},
    protocol::PeerId,
};

use crate::{
    event::{Command, Event, Room, Uid},
    figures::{LINE_BYTES, TIMING},
    kernel::{PipeId, Planned},
    world::World,
};

pub(crate) use self::resumes::Attempt;

/// A replica, with a number that no other had.
#[derive(Debug)]
pub(crate) struct Held {
    born: u64,
    /// The rules' own.
    pub(crate) replica: Replica<Uid>,
}

/// Pipes to and from Redis.
#[derive(Debug, Clone, Copy)]
struct Connection {
    requests: PipeId,
    answers: PipeId,
    channel: PipeId,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    /// This life of it.
    pub(crate) me: Incarnation,
    /// Whether the process lives.
    pub(crate) alive: bool,
    /// Whether it stands still.
    pub(crate) stopped: bool,
    /// Counts its lives.
    pub(crate) life: u64,
    /// What waits while it stands still.
    pub(crate) backlog: VecDeque<Planned>,
    /// How fast its clock is, in thousandths.
    pub(crate) rate: u64,
    /// Whether Redis can be reached.
    pub(crate) link: bool,
    connection: Option<Connection>,
    line: Line<Command>,
    generation: u64,
    settling: bool,
    /// Rooms whose settled form is not here yet.
    unsettled: BTreeSet<Room>,
    /// Whether it goes away.
    pub(crate) draining: bool,
    /// Rooms whose heads were not compared on this connection.
    unchecked: BTreeSet<Room>,
    /// Rooms that it has a copy of.
    pub(crate) replicas: BTreeMap<Room, Held>,
    /// Its sessions.
    pub(crate) sessions: BTreeMap<PeerId, usize>,
    /// Those that were released, for posts that are on their way.
    departed: BTreeMap<PeerId, usize>,
    adopting: BTreeMap<PeerId, usize>,
    /// Open sockets.
    pub(crate) sockets: BTreeSet<usize>,
    watch: Watch,
    strays: Strays<Room>,
}

impl Node {
    /// One that has not begun.
    pub(crate) fn new(name: NodeName, rate: u64) -> Self {
        Self {
            me: Incarnation { node: name, number: 0 },
            alive: true,
            stopped: false,
            life: 0,
            backlog: VecDeque::new(),
            rate,
            link: true,
            connection: None,
            line: Line::new(LINE_BYTES),
            generation: 1,
            settling: false,
            unsettled: BTreeSet::new(),
            draining: false,
            unchecked: BTreeSet::new(),
            replicas: BTreeMap::new(),
            sessions: BTreeMap::new(),
            departed: BTreeMap::new(),
            adopting: BTreeMap::new(),
            sockets: BTreeSet::new(),
            watch: Watch::default(),
            strays: Strays::default(),
        }
    }

    /// The session of that peer, here or just released.
    pub(crate) fn address(&self, peer: PeerId) -> Option<usize> {
        self.sessions.get(&peer).or_else(|| self.departed.get(&peer)).copied()
    }
}

impl World {
    /// A process begins, with nothing.
    pub(crate) fn begin(&mut self, n: usize) {
        let before = &self.nodes[n];
        let mut node = Node::new(before.me.node.clone(), before.rate);
        node.me.number = before.me.number + 1;
        (node.life, node.link) = (before.life, before.link);
        self.nodes[n] = node;
        let now = self.local_time(n);
        self.nodes[n].watch.begin(now);
        self.connect(n);
        let first = self.kernel.rng.u64(1..=TIMING.beat);
        self.later(n, first, Event::Beat(n));
    }

    /// What a node's own clock says.
    fn local_time(&self, n: usize) -> u64 {
        self.kernel.now * self.nodes[n].rate / 1000
    }

    /// The sessions of a room on this node.
    fn local(&self, n: usize, room: Room) -> Vec<usize> {
        self.nodes[n].sessions.values().copied().filter(|session| self.sessions[*session].room == room).collect()
    }

    /// Dies at once.
    pub(crate) fn crash(&mut self, n: usize) {
        self.disconnect(n);
        let sockets: Vec<_> = self.nodes[n].sockets.iter().copied().collect();
        for socket in sockets {
            self.cut(socket, 400);
        }
        let sessions: Vec<_> = self.nodes[n].sessions.keys().copied().collect();
        for peer in sessions {
            self.truth.crashed(peer);
        }
        let node = &mut self.nodes[n];
        (node.alive, node.stopped) = (false, false);
        node.backlog.clear();
        node.life += 1;
    }

    /// Starts anew, if it is dead.
    pub(crate) fn start(&mut self, n: usize) {
        if !self.nodes[n].alive {
            self.nodes[n].alive = true;
            self.begin(n);
        }
    }

    /// Gives away what it has; the process ends a little later.
    pub(crate) fn drain(&mut self, n: usize) {
        self.nodes[n].draining = true;
        let sessions: Vec<_> = self.nodes[n].sessions.values().copied().collect();
        for session in sessions {
            self.drain_session(session);
        }
        self.later(n, 300, Event::Drained(n));
    }

    /// The drain's time is over.
    pub(crate) fn drained(&mut self, n: usize) {
        self.crash(n);
        let pause = self.kernel.rng.u64(50..=1000);
        self.kernel.after(pause, None, Event::Start(n));
    }
}
