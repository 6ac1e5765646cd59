//! The connection to Redis, and the line of commands.

use std::collections::BTreeSet;

use switchboard::cluster::line::{Class, Command as _};

use super::Connection;
use crate::{
    event::{Command, Event, Kind, LogEntry, Post, Reply, Request, Room, Then},
    figures::WAIT,
    redis::Effect,
    switch::Switch,
    world::World,
};

impl World {
    pub(super) fn is_connected(&self, n: usize) -> bool {
        self.nodes[n].connection.is_some()
    }

    pub(super) fn connect(&mut self, n: usize) {
        self.disconnect(n);
        let node = &self.nodes[n];
        if !(node.link && node.alive && self.redis.up) {
            return;
        }
        let mut pipe = || self.kernel.pipe(1, 4);
        let connection = Connection { requests: pipe(), answers: pipe(), channel: pipe() };
        let now = self.local_time(n);
        let gated = self.keeps(Switch::CheckBeforeWriting) && self.keeps(Switch::CheckTheTail);
        let node = &mut self.nodes[n];
        node.connection = Some(connection);
        node.watch.begin(now);
        let ready = node.replicas.iter().filter(|(_, held)| held.replica.is_ready()).map(|(room, _)| *room);
        node.unchecked = if gated && !node.settling { ready.collect() } else { BTreeSet::new() };
        let rooms: Vec<_> = node.replicas.keys().copied().collect();
        for room in rooms {
            self.nodes[n].replicas.get_mut(&room).expect("listed").replica.forget_question();
            self.subscribe(n, room);
        }
        self.flush(n);
    }

    pub(crate) fn disconnect(&mut self, n: usize) {
        for subscribed in self.redis.channels.values_mut() {
            subscribed.remove(&n);
        }
        let Some(connection) = self.nodes[n].connection.take() else { return };
        for pipe in [connection.answers, connection.channel] {
            self.kernel.close(pipe);
        }
        // What was written may still be executed.
        if self.kernel.rng.bool() {
            self.kernel.close(connection.requests);
        }
        let mut failed = self.nodes[n].line.lost();
        if !self.keeps(Switch::NumberCommands) {
            let lost = |command: &Command, perhaps| {
                perhaps && matches!(command.kind, Kind::Signal(_) | Kind::Join(..) | Kind::Claim(..))
            };
            failed.extend(self.nodes[n].line.withdraw(lost));
        }
        let guard = self.guard(n);
        for (number, command) in failed {
            self.kernel.after(0, guard, Event::GaveUp(n, number, Box::new(command)));
        }
    }

    pub(crate) fn give_up(&mut self, n: usize, number: u64, command: &Command) {
        match (&command.kind, command.then) {
            (Kind::Signal(signal), Then::Signal(session)) => self.fail_signal(session, number, signal.data),
            _ => self.then(n, command.room, command.then, Reply::Unavailable),
        }
    }

    /// Only what is published in between is lost; nobody else notices.
    pub(crate) fn lose_subscription(&mut self, n: usize) {
        for subscribed in self.redis.channels.values_mut() {
            subscribed.remove(&n);
        }
        if let Some(connection) = &mut self.nodes[n].connection {
            self.kernel.close(connection.channel);
            connection.channel = self.kernel.pipe(1, 4);
        }
    }

    /// What is sent to Redis takes longer for a while.
    pub(crate) fn lag(&mut self, n: usize, how_long: u64) {
        if let Some(connection) = &self.nodes[n].connection {
            let until = self.kernel.now + how_long;
            self.kernel.stall(connection.requests, until);
        }
    }

    pub(crate) fn resubscribe(&mut self, n: usize) {
        if self.is_connected(n) {
            let rooms: Vec<_> = self.nodes[n].replicas.keys().copied().collect();
            for room in rooms {
                self.subscribe(n, room);
            }
        }
    }

    pub(super) fn subscribe(&mut self, n: usize, room: Room) {
        self.command(n, room, Kind::Subscribe, Then::Nothing);
        if self.keeps(Switch::CheckTheTail) {
            self.check(n, room);
        }
    }

    /// Puts a command into the line; its number. None: it is not in the line, and where somebody waits for an answer, that will
    /// be that it is unavailable.
    pub(crate) fn command(&mut self, n: usize, room: Room, kind: Kind, then: Then) -> Option<u64> {
        let command = Command { room, kind, then };
        if command.class() != Class::Change && !self.is_connected(n) {
            if then != Then::Nothing {
                let guard = self.guard(n);
                self.kernel.after(0, guard, Event::GaveUp(n, 0, Box::new(command)));
            }
            return None;
        }
        let is_signal = matches!(command.kind, Kind::Signal(_));
        let number = self.nodes[n].line.push(command).ok()?;
        if is_signal {
            self.later(n, WAIT, Event::Expire(n, number));
        }
        self.flush(n);
        Some(number)
    }

    pub(crate) fn expire(&mut self, n: usize, number: u64) {
        let Some(Command { kind: Kind::Signal(signal), then: Then::Signal(session), .. }) =
            self.nodes[n].line.get(number)
        else {
            return;
        };
        let (uid, session) = (signal.data, *session);
        let sender = self.nodes[n].sessions.get(&signal.sender);
        let tells = sender.is_some_and(|sender| !self.sessions[*sender].is_marked());
        if !tells && self.keeps(Switch::NobodyToTell) {
            // It stands before the sender's leave or release, and goes out with that.
            return;
        }
        if self.nodes[n].line.expire(number).is_some() {
            self.fail_signal(session, number, uid);
        }
    }

    pub(super) fn flush(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let Some(connection) = node.connection else { return };
        let held = node.settling || !node.unchecked.is_empty();
        let unanswered = node.line.unanswered();
        let (owner, generation, answers) = (node.me.clone(), node.generation, connection.answers);
        for (number, command) in node.line.to_send(held) {
            let owner = owner.clone();
            let command = command.clone();
            let request = Request { node: n, owner, generation, number, unanswered, command, answers };
            self.kernel.send(connection.requests, None, Event::Execute(Box::new(request)));
        }
    }

    /// Redis runs a command, if it can be reached.
    pub(crate) fn execute(&mut self, request: &Request) {
        if !self.redis.up {
            return;
        }
        let (n, room) = (request.node, request.command.room);
        if matches!(request.command.kind, Kind::Subscribe) {
            // A connection that is gone is subscribed to nothing.
            if self.nodes[n].connection.is_some_and(|connection| connection.answers == request.answers) {
                self.redis.channels.entry(room).or_default().insert(n);
            }
        }
        let locked = self.is_locked_for(request);
        let (reply, effects) = self.redis.execute(self.kernel.now, request);
        for effect in effects {
            match effect {
                Effect::Published(room, entry) => self.publish(room, &entry),
                Effect::Ended(peer, meant) => self.truth.ended(peer, meant),
                Effect::Ask(owner, room, peer, secret) => {
                    let asked = self.nodes.iter().position(|node| node.me == owner);
                    if let Some(asked) = asked
                        && let Some(connection) = self.nodes[asked].connection
                    {
                        let guard = self.guard(asked);
                        self.kernel.send(connection.channel, guard, Event::Asked(asked, room, peer, secret));
                    }
                }
            }
        }
        self.check_moderation(request, &reply, locked);
        self.check_cap(room);
        let guard = self.guard(n);
        self.kernel.send(request.answers, guard, Event::Answered(n, request.number, reply));
    }

    fn publish(&mut self, room: Room, entry: &LogEntry) {
        self.tell(|| format!("log {room} {entry:?}"));
        self.count("entries");
        self.check_entry(room, entry);
        let subscribed = self.redis.channels.get(&room).cloned().unwrap_or_default();
        for n in subscribed {
            if let Some(connection) = self.nodes[n].connection {
                let guard = self.guard(n);
                self.kernel.send(connection.channel, guard, Event::Heard(n, room, entry.clone()));
            }
        }
    }

    pub(crate) fn answered(&mut self, n: usize, number: u64, reply: Reply) {
        if self.nodes[n].line.get(number).is_none() {
            return;
        }
        if let Reply::Generation(generation, left) = reply {
            return self.other_generation(n, generation, left, number);
        }
        let Some(command) = self.nodes[n].line.answered(number) else { return };
        if let (Kind::Signal(signal), Then::Signal(session)) = (&command.kind, command.then) {
            match reply {
                Reply::Sent(life, at) => {
                    if let Some(held) = self.nodes[n].replicas.get_mut(&command.room) {
                        held.replica.heard_of(life, at);
                        let head = held.replica.head();
                        if (life, at) <= (head.life, head.n) {
                            self.post(session, Post::Applied(number));
                        }
                    }
                }
                Reply::Gone => self.fail_signal(session, number, signal.data),
                _ => {}
            }
        }
        self.then(n, command.room, command.then, reply);
    }

    fn then(&mut self, n: usize, room: Room, then: Then, reply: Reply) {
        match then {
            Then::Nothing | Then::Signal(_) => {}
            Then::Joined(session) => self.join_answered(n, room, session, reply),
            Then::Checked(born) => self.check_answered(n, room, born, reply),
            Then::Settled(generation) => self.settle_answered(n, room, generation, reply),
            Then::Found(attempt) => self.found(attempt, reply),
            Then::Claimed(attempt) => self.claim_answered(attempt, reply),
            Then::Watch => self.watch(n, reply),
            Then::Compare => self.compare(n, room, reply),
        }
    }
}
