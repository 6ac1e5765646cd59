//! Seats: join, leave, away, back; moderation; signals.

use std::rc::Rc;

use switchboard::{
    cluster::{Change, Incarnation, Seat, Signal, moderation::Moderation, seats::Departure},
    protocol::{PeerId, Who},
};

use super::{Effect, Kept, Redis, RoomData};
use crate::{
    event::{Moderate, Refusal, Reply, Room, Uid},
    figures::{CAP, WINDOW},
    switch::Switch,
};

impl Redis {
    pub(super) fn join(&mut self, me: &Incarnation, name: Room, peer: PeerId, who: Who, resumable: bool) -> Reply {
        if self.asserting().is_some() {
            return Reply::Unavailable;
        }
        if !self.data.rooms.contains_key(&name) {
            let mut room = RoomData::default();
            room.head.life = self.new_life();
            self.data.rooms.insert(name, room);
        }
        let room = &self.data.rooms[&name];
        if room.seats.contains_key(&peer) {
            return Reply::Joined(Rc::new(self.snapshot(room)));
        }
        let mut ghosts: Vec<_> =
            room.seats.iter().filter(|(_, kept)| kept.seat.who == Some(who) && kept.is_away()).collect();
        ghosts.sort_by_key(|(_, kept)| kept.seat.number);
        let ghosts: Vec<_> = ghosts.into_iter().map(|(peer, _)| *peer).collect();
        let refusal = if room.rules.bans(who, self.now) {
            Some(Refusal::Banned)
        } else if room.rules.locked && ghosts.is_empty() {
            Some(Refusal::Locked)
        } else if room.seats.len() - ghosts.len() >= CAP {
            Some(Refusal::Full)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.end_if_empty(name);
            return Reply::Refused(refusal);
        }
        for ghost in ghosts {
            self.remove(name, ghost, Departure::Replaced, None);
        }
        let seat = Seat {
            owner: Some(me.clone()),
            number: self.data.rooms[&name].head.n + 1,
            version: 0,
            who: Some(who),
            resumable,
            away: false,
            until: 0,
            meta: None,
            user: None,
        };
        let kept = Kept { seat: seat.clone(), until: 0 };
        self.data.rooms.get_mut(&name).expect("made above").seats.insert(peer, kept);
        self.append(name, Change::Joined { peer, seat });
        Reply::Joined(Rc::new(self.snapshot(&self.data.rooms[&name])))
    }

    pub(super) fn remove(&mut self, name: Room, peer: PeerId, departure: Departure, reaped: Option<Incarnation>) {
        let room = self.data.rooms.get_mut(&name).expect("who removes has looked");
        if room.seats.remove(&peer).is_none() {
            return;
        }
        self.data.records.remove(&peer);
        self.effects.push(Effect::Ended(peer, departure == Departure::Left));
        self.append(name, Change::Left { peer, departure, reaped });
    }

    /// The seat of that peer, if it is this node's.
    pub(super) fn owned(&mut self, me: &Incarnation, name: Room, peer: PeerId) -> Option<&mut Kept> {
        let fenced = self.keeps(Switch::Fence);
        let kept = self.data.rooms.get_mut(&name)?.seats.get_mut(&peer)?;
        (kept.seat.owner.as_ref() == Some(me) || !fenced).then_some(kept)
    }

    pub(super) fn leave(&mut self, me: &Incarnation, name: Room, peer: PeerId, departure: Departure) -> Reply {
        if self.owned(me, name, peer).is_some() {
            self.remove(name, peer, departure, None);
            self.end_if_empty(name);
        }
        Reply::Done
    }

    pub(super) fn turn(&mut self, me: &Incarnation, name: Room, peer: PeerId, away: bool) -> Reply {
        if let Some(kept) = self.owned(me, name, peer)
            && kept.seat.away != away
        {
            kept.seat.away = away;
            self.append(name, if away { Change::Away { peer, until: 0 } } else { Change::Back { peer } });
        }
        Reply::Done
    }

    pub(super) fn moderate(&mut self, name: Room, what: Moderate) -> Reply {
        let now = self.now;
        if !self.data.rooms.contains_key(&name) {
            return Reply::Gone;
        }
        let moderation = match what {
            Moderate::Lock(locked) => Moderation::Lock(locked),
            Moderate::Ban(who, time) => Moderation::Ban { who, until: now + time },
        };
        let head = self.append(name, Change::Moderated(moderation));
        let room = self.data.rooms.get_mut(&name).expect("looked up above");
        room.rules.apply(moderation, (head.life, head.n));
        room.kept_until = now + 2 * WINDOW;
        if let Moderate::Ban(who, _) = what {
            let seats = room.seats.iter().filter(|(_, kept)| kept.seat.who == Some(who));
            let mut banned: Vec<_> = seats.map(|(peer, kept)| (kept.seat.number, *peer)).collect();
            banned.sort_unstable();
            for (_, peer) in banned {
                self.remove(name, peer, Departure::Kicked, None);
            }
            self.end_if_empty(name);
        }
        Reply::Done
    }

    pub(super) fn signal(&mut self, number: u64, name: Room, signal: &Signal<Uid>) -> Reply {
        if !self.data.rooms.contains_key(&name) {
            return Reply::Gone;
        }
        let head = self.append(name, Change::Signal(Signal { number, ..signal.clone() }));
        Reply::Sent(head.life, head.n)
    }
}
