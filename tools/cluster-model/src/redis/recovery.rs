//! Generations, and what nodes ask to find out whether they are behind.

use std::{mem, rc::Rc};

use switchboard::cluster::{
    Change,
    generation::Assertion,
    replica::{Answer, Question},
};

use super::{Kept, Redis, RoomData};
use crate::{
    event::{Kind, LogEntry, Reply, Room, Uid},
    figures::{ASSERT_FOR, CAP, WINDOW},
    switch::Switch,
};

impl Redis {
    /// What a command is answered that is not of this data's generation, or comes while only assertions are taken.
    pub(super) fn other_generation(&mut self, known: u64, kind: &Kind) -> Option<Reply> {
        if !self.keeps(Switch::RoomLives) {
            self.data.generation.get_or_insert(known);
            return None;
        }
        match self.data.generation {
            None => self.new_generation(known, false),
            // The data is older than what this node has seen.
            Some(generation) if known > generation => self.new_generation(known, true),
            Some(_) => {}
        }
        let generation = self.data.generation.unwrap_or_default();
        let left = self.asserting();
        let early = left.is_some()
            && matches!(
                kind,
                Kind::Leave(..)
                    | Kind::Away(_)
                    | Kind::Back(_)
                    | Kind::Moderate(_)
                    | Kind::Signal(_)
                    | Kind::Release(..)
                    | Kind::Snapshot
                    | Kind::Mine
                    | Kind::Reap(..)
            );
        (known != generation || early).then(|| Reply::Generation(generation, left.unwrap_or_default()))
    }

    pub(super) fn new_generation(&mut self, known: u64, forked: bool) {
        self.data.generation = Some((known + 1).max(self.now));
        self.data.forked = forked;
        self.data.assert_until = self.now + if self.keeps(Switch::AssertPeriod) { ASSERT_FOR } else { 0 };
        for (name, room) in mem::take(&mut self.data.rooms) {
            // Seats in the store are nobody's to assert; all others are asserted by their owners.
            let seats: std::collections::BTreeMap<_, _> =
                room.seats.into_iter().filter(|(_, kept)| kept.seat.owner.is_none()).collect();
            if seats.is_empty() && room.reaped.is_empty() && room.rules.is_void(self.now) {
                continue;
            }
            let mut next = RoomData {
                seats,
                unsettled: true,
                reaped: room.reaped,
                rules: room.rules,
                kept_until: room.kept_until,
                ..RoomData::default()
            };
            next.head.life = self.new_life();
            next.head.n = room.head.n;
            self.data.rooms.insert(name, next);
        }
    }

    /// The first entry of a life that began with assertions: everybody goes on from it, whenever it is heard of.
    pub(super) fn settle(&mut self, name: Room) {
        if !self.keeps(Switch::SettleInTheLog) {
            return;
        }
        let (remembered, now) = (self.keeps(Switch::ReapedIsRemembered), self.now);
        // At first nothing of the kind was remembered.
        let remembered_left = remembered && self.keeps(Switch::LeftIsRemembered);
        let Some(room) = self.data.rooms.get_mut(&name).filter(|room| room.unsettled) else { return };
        room.unsettled = false;
        let RoomData { seats, reaped, rules, left, .. } = room;
        if remembered_left {
            seats.retain(|peer, _| !left.contains(peer));
        }
        // Whoever asserted them had not heard of the ban.
        seats.retain(|_, kept| !kept.seat.who.is_some_and(|who| rules.bans(who, now)));
        if remembered {
            seats.retain(|_, kept| kept.seat.owner.as_ref().is_none_or(|owner| !reaped.contains(owner)));
        }
        // Seats given in two branches of a failover: the later ones go.
        let mut numbers: Vec<_> = seats.iter().map(|(peer, kept)| (kept.seat.number, *peer)).collect();
        numbers.sort_unstable();
        for (_, peer) in numbers.drain(..).skip(CAP) {
            seats.remove(&peer);
        }
        self.append(name, Change::Settled);
        let snapshot = Rc::new(self.snapshot(&self.data.rooms[&name]));
        self.data.rooms.get_mut(&name).expect("looked up above").settled = Some(snapshot);
    }

    pub(super) fn settled(&mut self, name: Room) -> Reply {
        self.settle(name);
        let room = self.data.rooms.get(&name);
        Reply::Snapshot(room.map(|room| room.settled.clone().unwrap_or_else(|| Rc::new(self.snapshot(room)))))
    }

    pub(super) fn assert(&mut self, name: Room, said: &Assertion) -> Reply {
        if self.keeps(Switch::AssertPeriod) && self.asserting().is_none() {
            return Reply::Late;
        }
        if !self.data.rooms.contains_key(&name) {
            let mut room = RoomData { unsettled: true, ..RoomData::default() };
            room.head.life = self.new_life();
            self.data.rooms.insert(name, room);
        }
        let room = self.data.rooms.get_mut(&name).expect("made above");
        room.best = room.best.max(said.best);
        match said.tag {
            Some(tag) => {
                room.stood.insert((said.best, tag));
            }
            None => room.behind += 1,
        }
        room.reaped.extend(said.reaped.iter().cloned());
        room.left.extend(&said.left);
        room.rules.merge(&said.rules);
        room.kept_until = room.kept_until.max(self.now + 2 * WINDOW);
        let numbers = room.seats.values().map(|kept| kept.seat.number);
        room.head.n = numbers.chain([room.head.n, said.best.1]).max().unwrap_or_default();
        for (peer, seat) in &said.seats {
            let newer = room.seats.get(peer).is_none_or(|there| seat.version > there.seat.version);
            if newer {
                room.seats.insert(*peer, Kept { seat: seat.clone(), until: 0 });
                self.data.records.remove(peer);
            }
        }
        self.append(name, Change::Asserted);
        self.end_if_empty(name);
        Reply::Done
    }

    /// What follows the place that a node is at; or that there is no telling.
    pub(super) fn check(&self, name: Room, asked: &Question) -> Answer<Uid> {
        let Some(room) = self.data.rooms.get(&name) else { return Answer::Gone };
        let at = asked.applied;
        let other = || Answer::Other(Box::new(self.snapshot(room)));
        if room.head.life < at.life {
            return Answer::Forked;
        }
        if room.head.life != at.life {
            return other();
        }
        let same = room.stream.iter().find(|entry| entry.head.n == at.n);
        let another = same.is_some_and(|entry| entry.head.tag != at.tag);
        if self.keeps(Switch::ChainEntries)
            && (asked.known > room.head.n || another || (at.n == room.head.n && at.tag != room.head.tag))
        {
            return Answer::Forked;
        }
        let since: Vec<LogEntry> = room.stream.iter().filter(|entry| entry.head.n > at.n).cloned().collect();
        if at.n <= room.head.n && at.n + since.len() as u64 != room.head.n { other() } else { Answer::Since(since) }
    }
}
