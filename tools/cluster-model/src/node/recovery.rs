//! A loss of data in Redis: everybody says what it has.

use switchboard::cluster::{
    generation::{Assertion, has_gap},
    line::{Class, Command as _},
};

use crate::{
    event::{Command, Event, Kind, Reply, Room, Then},
    figures::TIMING,
    session::Phase,
    switch::Switch,
    world::World,
};

impl World {
    /// Redis' data is of another generation, or takes only assertions for so long.
    pub(super) fn other_generation(&mut self, n: usize, generation: u64, left: u64, number: u64) {
        let node = &mut self.nodes[n];
        if generation == node.generation {
            // Too early, by Redis' clock: once more then.
            if node.line.get(number).is_some_and(|command| command.class() != Class::Change) {
                node.line.answered(number);
            }
            node.settling = true;
            self.connect(n);
            return self.later(n, left + 3, Event::Settle(n, generation));
        }
        (node.generation, node.settling) = (generation, true);
        // Perhaps executed in the former data, and seen by some: never repeated under the same session.
        let joins = |command: &Command, _| matches!(command.kind, Kind::Join(..) | Kind::Claim(..));
        for (number, command) in node.line.withdraw(joins) {
            self.give_up(n, number, &command);
        }
        self.connect(n);
        let rooms: Vec<_> = self.nodes[n].replicas.iter().filter(|(_, held)| held.replica.is_ready()).collect();
        let rooms: Vec<Room> = rooms.into_iter().map(|(room, _)| *room).collect();
        for room in rooms {
            let assertion = self.assertion(n, room);
            self.command(n, room, Kind::Assert(Box::new(assertion)), Then::Nothing);
        }
        self.later(n, left + 3, Event::Settle(n, generation));
    }

    fn assertion(&self, n: usize, room: Room) -> Assertion {
        let node = &self.nodes[n];
        let session = |peer| {
            let ix = node.sessions.get(&peer)?;
            Some(self.sessions[*ix].socket.is_none())
        };
        let mut assertion = Assertion::of(&node.replicas[&room].replica, &node.me, session);
        if !self.keeps(Switch::ReapedIsRemembered) {
            assertion.reaped.clear();
        }
        assertion
    }

    /// The time of assertions should be over.
    pub(crate) fn settle(&mut self, n: usize, generation: u64) {
        let node = &mut self.nodes[n];
        if generation != node.generation || !node.settling {
            return;
        }
        if node.connection.is_none() {
            return self.later(n, TIMING.beat, Event::Settle(n, generation));
        }
        let ready = node.replicas.iter().filter(|(_, held)| held.replica.is_ready());
        node.unsettled = ready.map(|(room, _)| *room).collect();
        let rooms: Vec<Room> = node.unsettled.iter().copied().collect();
        self.settled_if_all(n);
        for room in rooms {
            self.command(n, room, Kind::Snapshot, Then::Settled(generation));
        }
    }

    fn settled_if_all(&mut self, n: usize) {
        if self.nodes[n].unsettled.is_empty() {
            self.nodes[n].settling = false;
            self.flush(n);
        }
    }

    pub(super) fn settle_answered(&mut self, n: usize, room: Room, generation: u64, reply: Reply) {
        if generation != self.nodes[n].generation || !self.nodes[n].settling {
            return;
        }
        let Reply::Snapshot(snapshot) = reply else {
            return self.later(n, TIMING.beat, Event::Settle(n, generation));
        };
        self.nodes[n].unsettled.remove(&room);
        if let Some(held) = self.nodes[n].replicas.get(&room) {
            let gap = has_gap(&held.replica, snapshot.as_deref()) && self.keeps(Switch::TellTheMissed);
            self.rebuild(n, room, snapshot.as_deref(), gap);
        }
        self.settled_if_all(n);
    }

    /// A join or a claim has no answer, or the wrong one: whether its session is still here and waits.
    pub(super) fn still_waits(&self, ix: usize) -> bool {
        let session = &self.sessions[ix];
        let here = self.nodes[session.node].sessions.get(&session.peer) == Some(&ix);
        here && !session.seated && session.phase == Phase::Joining
    }
}
