//! Connections, and losses of data: everybody says what it has.

use std::collections::BTreeSet;

use super::Node;
use crate::{
    cluster::{
        generation::{Assertion, has_gap},
        line::{Class, Command as _},
    },
    nodes::{command::Kind, wire::Reply},
    protocol::RoomName,
    telemetry::Resync,
};

/// Beyond the time that Redis names: its clock and this one need not agree.
const LATER: u64 = 3;

impl Node {
    /// There is a connection, which is subscribed to nothing.
    pub(in crate::nodes) fn connected(&mut self, now: u64) {
        self.is_connected = true;
        self.wants_reconnect = false;
        (self.connection, self.sequence) = (self.connection + 1, 0);
        self.watch.begin(now);
        self.dying.clear();
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        let ready: Vec<_> = rooms.iter().filter(|room| self.rooms[*room].replica.is_ready()).cloned().collect();
        self.unchecked = if self.settling { BTreeSet::new() } else { ready.iter().cloned().collect() };
        for room in &rooms {
            if let Some(room) = self.rooms.get_mut(room) {
                room.replica.forget_question();
            }
            self.command(Some(room), Kind::Subscribe, now);
        }
        if self.settling {
            for room in &ready {
                self.assert(room, now);
            }
        } else {
            self.compare_heads(&ready, now);
        }
        // The generation, and who is alive.
        self.next_beat = now;
    }

    /// The connection is gone, or given up. What was written on it may still be executed.
    pub(in crate::nodes) fn disconnected(&mut self, now: u64) {
        self.is_connected = false;
        for (_, command) in self.line.lost() {
            self.then(command, None, now);
        }
    }

    /// Redis' data is of another generation, or takes only assertions for so long.
    pub(super) fn other_generation(&mut self, generation: u64, left: u64, number: u64, now: u64) {
        if generation == self.generation {
            // Too early, by Redis' clock: once more then.
            if self.line.get(number).is_some_and(|command| command.class() != Class::Change)
                && let Some(command) = self.line.answered(number)
            {
                self.then(command, None, now);
            }
        } else {
            self.counted.generations += u64::from(self.generation > 0);
            self.generation = generation;
            // Perhaps executed in the former data, and seen by some: never repeated for the same session.
            for (_, command) in self.line.withdraw(|command, _| matches!(command.kind, Kind::Join(_))) {
                self.then(command, None, now);
            }
        }
        self.settling = true;
        self.unsettled.clear();
        self.settle_at = Some(now + left + LATER);
        self.wants_reconnect = true;
    }

    fn assert(&mut self, name: &RoomName, now: u64) {
        let Some(room) = self.rooms.get(name) else { return };
        let own = &room.own;
        let inside = |peer| own.get(&peer).filter(|own| own.is_inside());
        let session = |peer| Some(inside(peer)?.away.is_some());
        let mut assertion = Assertion::of(&room.replica, &self.me, session);
        for (peer, seat) in &mut assertion.seats {
            seat.until = inside(*peer).and_then(|own| own.away).unwrap_or_default();
        }
        self.command(Some(name), Kind::Assert(Box::new(assertion), self.config.peers_per_room), now);
    }

    /// The time of assertions should be over.
    pub(super) fn settle(&mut self, now: u64) {
        if !self.settling {
            self.settle_at = None;
            return;
        }
        if !self.is_connected || self.wants_reconnect {
            self.settle_at = Some(now + self.config.timing.beat);
            return;
        }
        self.settle_at = None;
        let ready = self.rooms.iter().filter(|(_, room)| room.replica.is_ready());
        self.unsettled = ready.map(|(name, _)| name.clone()).collect();
        let rooms: Vec<_> = self.unsettled.iter().cloned().collect();
        let generation = self.generation;
        self.settled_if_all();
        for room in rooms {
            self.command(Some(&room), Kind::Settled(generation), now);
        }
    }

    pub(super) fn settled_if_all(&mut self) {
        if self.unsettled.is_empty() && self.settle_at.is_none() {
            self.settling = false;
        }
    }

    pub(super) fn settle_answered(&mut self, name: &RoomName, generation: u64, reply: Option<Reply>, now: u64) {
        if generation != self.generation || !self.settling {
            return;
        }
        let Some(Reply::Settled(snapshot)) = reply else {
            self.settle_at.get_or_insert(now + self.config.timing.beat);
            return;
        };
        self.unsettled.remove(name);
        if let Some(room) = self.rooms.get(name) {
            let gap = has_gap(&room.replica, snapshot.as_deref()).then_some(Resync::Generation);
            self.rebuild(name, snapshot.as_deref(), gap, now);
        }
        self.settled_if_all();
    }
}
