//! What must hold of bans and locks, whatever is lost: nobody who is banned has a seat, nobody comes into a locked room but in
//! the place of their own ghost. Known is what the data at hand says, and what any node asserts after a loss.

use std::collections::{BTreeMap, BTreeSet};

use switchboard::cluster::moderation::{Moderation, RoomRules};

use crate::{
    event::{Kind, Moderate, Reply, Request, Room},
    world::World,
};

/// What is known of the rooms.
#[derive(Debug, Default)]
pub(crate) struct Moderated {
    /// Each piece of it by itself: who any of them bans is banned.
    bans: BTreeMap<Room, Vec<RoomRules>>,
    locked: BTreeMap<Room, bool>,
    /// After a loss of data: whether each who asserts knows the room as locked.
    votes: BTreeMap<Room, Vec<bool>>,
    /// Rooms in which assertions are taken.
    open: BTreeSet<Room>,
}

impl World {
    /// Redis' data are others from now on: known is what they say.
    pub(crate) fn moderation_after_a_loss(&mut self) {
        let mut known = Moderated::default();
        for room in self.redis.rooms().collect::<Vec<_>>() {
            if let Some(rules) = self.redis.rules(room) {
                known.bans.insert(room, vec![rules.clone()]);
                known.votes.insert(room, vec![rules.locked]);
            }
        }
        self.truth.moderated = known;
    }

    /// Whether a join that comes now breaks a lock if it succeeds.
    pub(crate) fn is_locked_for(&self, request: &Request) -> bool {
        let Kind::Join(peer, who, _) = request.command.kind else { return false };
        let room = request.command.room;
        let seats = self.redis.room(room);
        let ghost = seats.values().any(|seat| seat.who == Some(who) && (seat.away || seat.owner.is_none()));
        let known = &self.truth.moderated.locked;
        known.get(&room) == Some(&true) && !ghost && !seats.contains_key(&peer)
    }

    /// After each script; `locked`: what was to be refused.
    pub(crate) fn check_moderation(&mut self, request: &Request, reply: &Reply, locked: bool) {
        let (room, now) = (request.command.room, self.redis.time());
        let known = &mut self.truth.moderated;
        match (&request.command.kind, reply) {
            (Kind::Moderate(Moderate::Ban(who, time)), Reply::Done) => {
                let mut rules = RoomRules::default();
                rules.apply(Moderation::Ban { who: *who, until: now + time }, (1, 1));
                known.bans.entry(room).or_default().push(rules);
            }
            (Kind::Moderate(Moderate::Lock(locked)), Reply::Done) => {
                known.locked.insert(room, *locked);
            }
            (Kind::Assert(said), Reply::Done) => {
                known.bans.entry(room).or_default().push(said.rules.clone());
                known.votes.entry(room).or_default().push(said.rules.locked);
            }
            (Kind::Join(..), Reply::Joined(_)) if locked => self.fail("joined a locked room", &format!("room {room}")),
            _ => {}
        }
        if self.redis.rules(room).is_none() {
            // Nobody was there for the time that a lock outlives them.
            self.truth.moderated.locked.remove(&room);
            self.truth.moderated.votes.remove(&room);
            self.truth.moderated.open.remove(&room);
        }
        self.check_votes(room);
        let bans = self.truth.moderated.bans.get(&room).cloned().unwrap_or_default();
        let seats =
            if bans.is_empty() || self.redis.seated(room).is_none() { BTreeMap::new() } else { self.redis.room(room) };
        for (peer, seat) in seats {
            if seat.who.is_some_and(|who| bans.iter().any(|rules| rules.bans(who, now))) {
                self.fail("somebody who is banned has a seat", &format!("room {room} {peer:?}"));
            }
        }
    }

    /// Once a room is settled: if all who knew it knew it as locked, it is.
    fn check_votes(&mut self, room: Room) {
        if self.redis.seated(room).is_none() {
            if self.redis.rules(room).is_none() {
                return;
            }
            self.truth.moderated.open.insert(room);
            return;
        }
        if !self.truth.moderated.open.remove(&room) {
            return;
        }
        let votes = self.truth.moderated.votes.remove(&room).unwrap_or_default();
        if !votes.is_empty() && votes.iter().all(|locked| *locked) {
            self.truth.moderated.locked.insert(room, true);
            if !self.redis.rules(room).is_some_and(|rules| rules.locked) {
                self.fail("a lock was forgotten", &format!("room {room}"));
            }
        }
    }
}
