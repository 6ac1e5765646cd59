//! What this node asks of the cluster about one room, in the order in which it is to happen there, whichever thread asks.
//!
//! The supervisor asks for joins and leaves, the room for what its members say of themselves, and the far peers' ports for signals.
//! A leave comes behind the signals that its peer has posted: they lie in the mailboxes of several ports, so each of these is sent a
//! [`Behind`], and the leave goes out with the last of them. What is asked meanwhile waits behind it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    gathering::{Gathered, Gathering, Posted},
    port::{Ask, JoinTicket, NodePort},
};
use crate::protocol::{PeerId, RoomName};

/// See the module. Cloning shares it.
#[derive(Debug, Clone)]
pub struct RoomAsks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    room: RoomName,
    node: NodePort,
    line: Mutex<Line>,
    /// Signals that are asked for at the end of the turn.
    gathering: Mutex<Gathering<Behind>>,
}

/// Bounded by its causes: a leave for each seat, and what its room's mailbox lets through until the ports have read theirs.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Place>,
    next: u64,
    /// The join of each peer of this node that has a seat: what one says that has left and joined anew is not said of its new seat.
    stays: HashMap<PeerId, JoinTicket>,
}

#[derive(Debug)]
struct Place {
    number: u64,
    is_ready: bool,
    ask: Ask,
}

/// Keeps an ask where it stands until the last of these is dropped.
#[derive(Debug, Clone)]
pub struct Behind(#[expect(dead_code, reason = "its drop is what counts")] Arc<OnDrop>);

#[derive(Debug)]
struct OnDrop {
    asks: RoomAsks,
    number: u64,
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.asks.ready(self.number);
    }
}

/// Does not keep it.
#[derive(Debug, Clone)]
pub struct WeakAsks(Weak<Shared>);

impl WeakAsks {
    /// It, if anybody else keeps it.
    #[must_use]
    pub fn upgrade(&self) -> Option<RoomAsks> {
        self.0.upgrade().map(RoomAsks)
    }
}

impl RoomAsks {
    /// It is kept by who asks, and by what waits.
    #[must_use]
    pub fn downgrade(&self) -> WeakAsks {
        WeakAsks(Arc::downgrade(&self.0))
    }

    /// About that room, with nothing asked so far.
    #[must_use]
    pub fn new(room: RoomName, node: NodePort) -> Self {
        Self(Arc::new(Shared { room, node, line: Mutex::default(), gathering: Mutex::default() }))
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &RoomName {
        &self.0.room
    }

    /// Asks, behind all that was asked before.
    pub fn ask(&self, ask: Ask) {
        let mut line = self.line();
        line.push(true, ask);
        self.advance(&mut line);
    }

    /// The same for something that a peer of this node says of itself, if it still has the seat of that join.
    pub fn ask_of(&self, peer: PeerId, stay: JoinTicket, ask: Ask) {
        let mut line = self.line();
        if line.stays.get(&peer) == Some(&stay) {
            line.push(true, ask);
            self.advance(&mut line);
        }
    }

    /// A peer of this node has a seat.
    pub fn seated(&self, peer: PeerId, stay: JoinTicket) {
        self.line().stays.insert(peer, stay);
    }

    /// The seat of a peer of this node is free, and the cluster knows.
    pub fn stood_up(&self, peer: PeerId) {
        self.line().stays.remove(&peer);
    }

    /// The seat of a peer of this node is free: `ask` says so, when whoever is given what this returns has dropped it.
    #[must_use]
    pub fn leave(&self, peer: PeerId, ask: Ask) -> Behind {
        let mut line = self.line();
        line.stays.remove(&peer);
        let number = line.push(false, ask);
        drop(line);
        Behind(Arc::new(OnDrop { asks: self.clone(), number }))
    }

    fn ready(&self, number: u64) {
        let mut line = self.line();
        if let Some(place) = line.waiting.iter_mut().find(|place| place.number == number) {
            place.is_ready = true;
        }
        self.advance(&mut line);
    }

    /// What is ready goes out, as far as nothing before it waits. With the line locked, so that nobody comes in between.
    fn advance(&self, line: &mut Line) {
        while line.waiting.front().is_some_and(|first| first.is_ready)
            && let Some(first) = line.waiting.pop_front()
        {
            self.tell(first.ask);
        }
    }

    /// Where the thread is gone, joins are refused in time, and the probes say so.
    fn tell(&self, ask: Ask) {
        let _ = self.0.node.ask(ask);
    }

    /// A signal came to a port. Whether the end of the turn has to be [waited for](Self::flush) now.
    #[must_use]
    pub fn gather(&self, posted: Posted) -> bool {
        self.gathering().add(posted)
    }

    /// All that has come to this port so far is before what these keep.
    #[must_use]
    pub fn gather_behind(&self, to: PeerId, behind: Behind) -> bool {
        self.gathering().add_behind(to, behind)
    }

    /// The turn is over: asks for what was gathered.
    pub fn flush(&self) {
        let gathered = self.gathering().take(&self.0.room);
        for one in gathered {
            match one {
                Gathered::Signal(sending) => self.tell(Ask::Signal(sending)),
                Gathered::Behind(behind) => drop(behind),
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering<Behind>> {
        self.0.gathering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn push(&mut self, is_ready: bool, ask: Ask) -> u64 {
        self.next += 1;
        self.waiting.push_back(Place { number: self.next, is_ready, ask });
        self.next
    }
}
