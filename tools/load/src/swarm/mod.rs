//! Many peers on one thread: their sockets, what they send, what they receive, and whether it was right.

mod clock;
mod engine;
mod network;
mod peer;
mod receiving;
mod secure;
mod tally;

use std::{collections::VecDeque, net::SocketAddr};

use mio::{Registry, Token};

pub use clock::{Clock, SECOND};
pub use engine::{Engine, Next, Script, Stop};
pub use network::Sources;
pub use peer::{Departure, Peer, Phase};
pub use secure::Secure;
pub use tally::Tally;

use crate::{
    dialect::{Dialect, Identity, Name, Protocol, Traits},
    payload::{Kind, Payloads, Stamp, name_hash},
    ws::frame::Opcode,
};

/// How a swarm is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server.
    pub target: SocketAddr,
    /// Its protocol.
    pub protocol: Protocol,
    /// How it is spoken to, if by TLS.
    pub secure: Option<Secure>,
    /// How many peers there can be at once.
    pub peers: u32,
    /// How many of them share a room.
    pub room_size: u32,
    /// How many source addresses to spread them over.
    pub sources: u16,
    /// Bytes of an offer's JSON.
    pub payload: usize,
    /// Nanoseconds between a client's own heartbeats, where the protocol wants them.
    pub beat: u64,
}

/// What happened to a peer, checked and counted, for the scenario to go on with.
#[derive(Debug)]
pub enum Note {
    /// It is in its room.
    Joined,
    /// It was told that the named peer came.
    PeerJoined(Name),
    /// It got an unharmed signal.
    Signal {
        /// Offer, answer or candidate.
        kind: Kind,
        /// Who sent it and when.
        stamp: Stamp,
    },
    /// Its socket is gone.
    Ended,
}

/// All peers of a run. Index `i` sits in room `i / room_size`.
#[derive(Debug)]
pub struct Swarm {
    /// How it was set up.
    pub setup: Setup,
    /// The time of this run.
    pub clock: Clock,
    /// What was counted.
    pub tally: Tally,
    peers: Vec<Peer>,
    dialect: Box<dyn Dialect>,
    payloads: Payloads,
    sources: Sources,
    registry: Registry,
    dirty: Vec<u32>,
    notes: VecDeque<(u32, Note)>,
    data: Vec<u8>,
    text: Vec<u8>,
}

impl Swarm {
    fn new(setup: Setup, registry: Registry) -> Self {
        let clock = Clock::start();
        let run = clock.run_id();
        let room_size = setup.room_size.max(1);
        let peers = (0..setup.peers)
            .map(|index| {
                let room = index / room_size;
                Peer::new(Identity { run, index, generation: 0, room, name: Name::NONE }, room_size)
            })
            .collect();
        Self {
            clock,
            tally: Tally::default(),
            peers,
            dialect: setup.protocol.dialect(),
            payloads: Payloads::new(setup.payload),
            sources: Sources::new(setup.sources),
            registry,
            dirty: Vec::new(),
            notes: VecDeque::new(),
            data: Vec::new(),
            text: Vec::new(),
            setup,
        }
    }

    /// How this server differs.
    pub fn traits(&self) -> Traits {
        self.dialect.traits()
    }

    /// The peer with this index.
    pub fn peer(&self, who: u32) -> &Peer {
        &self.peers[who as usize]
    }

    /// How many peers were set up.
    pub fn len(&self) -> u32 {
        self.peers.len() as u32
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The indices of a room's seats.
    pub fn room(&self, room: u32) -> std::ops::Range<u32> {
        let size = self.setup.room_size.max(1);
        room * size..((room + 1) * size).min(self.len())
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> u32 {
        self.len().div_ceil(self.setup.room_size.max(1))
    }

    /// Opens a socket for a peer that has none. The scenario is notified of `Joined` or `Ended`.
    pub fn open(&mut self, who: u32) {
        self.tally.attempted += 1;
        let now = self.clock.now();
        let peer = &mut self.peers[who as usize];
        peer.reset(now);
        let opened = self.sources.connect(self.setup.target).and_then(|mut socket| {
            let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
            self.registry.register(&mut socket, Token(who as usize), interest)?;
            let secure = self.setup.secure.as_ref().map(|secure| secure.connection(self.setup.target));
            Ok((socket, secure.transpose()?))
        });
        match opened {
            Ok((socket, secure)) => (peer.socket, peer.secure) = (Some(socket), secure),
            Err(error) => {
                self.tally.trouble(&format!("connect: {error}"));
                self.end(who);
            }
        }
    }

    /// Sends one signal to a peer of the same room, by index.
    pub fn signal(&mut self, from: u32, to: u32, kind: Kind, time: u64) {
        let name = self.peers[to as usize].identity.name;
        self.signal_to(from, name, kind, time);
    }

    /// Sends one signal to a peer of the same room, by name. `time` goes into the stamp.
    pub fn signal_to(&mut self, from: u32, to: Name, kind: Kind, time: u64) {
        self.compose(from, name_hash(to.as_bytes()), kind, time);
        let me = self.peers[from as usize].identity;
        self.dialect.signal(&me, kind, to.as_bytes(), &self.data, &mut self.text);
        self.write(from);
        self.tally.sent += 1;
    }

    /// Sends one signal to all others of the room: in one message where the server can, else in one to each. Returns
    /// how many are to receive it.
    pub fn broadcast(&mut self, from: u32, kind: Kind, time: u64) -> u32 {
        let me = self.peers[from as usize].identity;
        let others: Vec<u32> =
            self.room(me.room).filter(|i| *i != from && self.peer(*i).phase == Phase::Joined).collect();
        if self.traits().broadcasts {
            self.compose(from, 0, kind, time);
            self.dialect.broadcast(&me, kind, &self.data, &mut self.text);
            self.write(from);
            self.tally.sent += others.len() as u64;
        } else {
            for to in &others {
                self.signal(from, *to, kind, time);
            }
        }
        others.len() as u32
    }

    /// Has a peer leave in the given way; the scenario is sent `Ended` once the socket is gone.
    pub fn depart(&mut self, who: u32, how: Departure) {
        if self.peers[who as usize].socket.is_none() {
            return;
        }
        self.peers[who as usize].phase = Phase::Leaving;
        match how {
            Departure::Kill => {
                self.peers[who as usize].reset_connection();
                self.end(who);
                return;
            }
            Departure::Leave => {
                self.text.clear();
                self.dialect.leave(&mut self.text);
                if !self.text.is_empty() {
                    self.write(who);
                }
            }
            Departure::Close => {}
        }
        // 1000, normal closure: the server answers and closes.
        self.peers[who as usize].queue(Opcode::Close, &1000u16.to_be_bytes());
        self.mark(who);
    }

    /// Says what this peer has handled, where the protocol counts it.
    pub fn acknowledge(&mut self, who: u32) {
        self.text.clear();
        self.dialect.acknowledge(self.peers[who as usize].handled, &mut self.text);
        if !self.text.is_empty() {
            self.write(who);
        }
    }

    /// The client's own heartbeat.
    fn beat(&mut self, who: u32) {
        if self.peers[who as usize].phase == Phase::Joined {
            self.text.clear();
            self.dialect.beat(&mut self.text);
            self.write(who);
        }
    }

    fn compose(&mut self, from: u32, receiver: u32, kind: Kind, time: u64) {
        let peer = &mut self.peers[from as usize];
        peer.sent += 1;
        let stamp = Stamp { sender: from, receiver, number: peer.sent, time };
        self.data.clear();
        self.text.clear();
        self.payloads.write(kind, stamp, &mut self.data);
    }

    /// Queues the text at hand; it is written when the engine is through with what it is handling, so that all that
    /// goes to one socket leaves in one write.
    fn write(&mut self, who: u32) {
        let peer = &mut self.peers[who as usize];
        peer.queue(Opcode::Text, &self.text);
        self.mark(who);
    }

    fn mark(&mut self, who: u32) {
        let peer = &mut self.peers[who as usize];
        if !peer.dirty {
            peer.dirty = true;
            self.dirty.push(who);
        }
    }

    /// The handshake is done: sends what the dialect begins with.
    fn opened(&mut self, who: u32) {
        let now = self.clock.now();
        let peer = &mut self.peers[who as usize];
        peer.phase = Phase::Joining;
        self.tally.connected(now - peer.opened_at);
        let me = peer.identity;
        for step in 0.. {
            self.text.clear();
            self.dialect.greet(&me, step, &mut self.text);
            if self.text.is_empty() {
                break;
            }
            self.write(who);
        }
    }

    /// The socket is gone, whoever let go of it.
    fn end(&mut self, who: u32) {
        let peer = &mut self.peers[who as usize];
        match peer.phase {
            Phase::Ended => return,
            Phase::Joined => self.tally.cut += 1,
            Phase::Connecting | Phase::Upgrading | Phase::Joining => self.tally.failed += 1,
            Phase::Leaving => {}
        }
        peer.phase = Phase::Ended;
        if let Some(mut socket) = peer.socket.take() {
            peer.secure = None;
            // A socket that is not registered any more is what was wanted.
            let _ = self.registry.deregister(&mut socket);
        }
        self.notes.push_back((who, Note::Ended));
    }
}
