//! The heartbeat, and what it tells of others.

use super::Node;
use crate::{
    cluster::{Incarnation, lease::Fate, seats::Departure},
    nodes::{
        command::Kind,
        wire::{BeatReply, Reply},
    },
    protocol::{PeerId, RoomName},
};

use super::told::is_of;

/// Rooms whose heads are compared with one command.
const HEADS: usize = 128;

impl Node {
    pub(super) fn beat(&mut self, now: u64) {
        self.watch.tick(now, self.config.timing);
        if !self.is_connected || self.line.iter().any(|command| matches!(command.kind, Kind::Beat)) {
            return;
        }
        self.command(None, Kind::Beat, now);
        if !self.settling {
            let rooms: Vec<_> = self.rooms.keys().cloned().collect();
            self.compare_heads(&rooms, now);
        }
    }

    /// A lost tail of a log is no hole in it.
    pub(super) fn compare_heads(&mut self, rooms: &[RoomName], now: u64) {
        let ready = rooms.iter().filter_map(|name| {
            let replica = &self.rooms.get(name)?.replica;
            let question = crate::cluster::replica::Question { applied: replica.head(), known: replica.known() };
            replica.is_ready().then(|| (name.clone(), question))
        });
        let ready: Vec<_> = ready.collect();
        for some in ready.chunks(HEADS) {
            self.command(None, Kind::Heads(some.to_vec()), now);
        }
    }

    pub(super) fn beat_answered(&mut self, reply: Option<Reply>, now: u64) {
        let BeatReply { leases, owners } = match reply {
            Some(Reply::Beat(beat)) => beat,
            Some(Reply::Superseded) => {
                self.is_superseded = true;
                return;
            }
            _ => return,
        };
        if self.settling {
            return;
        }
        let me = self.me.clone();
        self.watch.retain(|owner| owners.contains(owner));
        self.dying.retain(|owner, _| owners.contains(owner));
        for owner in owners {
            // Of rooms without a replica that this node owns seats in.
            let fate = if owner == me {
                Fate::Alive
            } else {
                self.watch.look(&owner, leases.get(&owner.node).copied(), now, self.config.timing)
            };
            if fate != Fate::Alive || owner == me {
                self.command(None, Kind::Owned(owner.clone()), now);
            }
            self.fates(owner, fate);
        }
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        for room in rooms {
            let seats = self.rooms[&room].replica.seats().clone();
            let mine = seats.iter().filter(|(_, seat)| is_of(Some(seat), &me)).map(|(peer, _)| *peer);
            self.give_back_strays(&room, mine.collect(), now);
        }
    }

    fn fates(&mut self, owner: Incarnation, fate: Fate) {
        match fate {
            Fate::Alive => drop(self.dying.remove(&owner)),
            Fate::Away(proof) => drop(self.dying.insert(owner, (proof, false))),
            Fate::Dead(proof) => {
                let before = self.dying.insert(owner, (proof, true));
                self.counted.dead += u64::from(!before.is_some_and(|(_, is_final)| is_final));
            }
        }
    }

    /// These are the rooms in which `owner` has seats.
    pub(super) fn owned_answered(&mut self, owner: &Incarnation, rooms: Vec<RoomName>, now: u64) {
        if self.settling {
            return;
        }
        if *owner == self.me {
            let known = &self.rooms;
            self.strays.retain(|room| known.contains_key(room) || rooms.contains(room));
            let unknown: Vec<_> = rooms.into_iter().filter(|room| !self.rooms.contains_key(room)).collect();
            for room in unknown {
                self.command(Some(&room), Kind::Mine, now);
            }
            return;
        }
        let Some((proof, is_final)) = self.dying.get(owner).copied() else { return };
        for room in rooms {
            self.command(Some(&room), Kind::Reap(owner.clone(), proof, is_final), now);
        }
    }

    /// Seats that name this node, which has no such session, go when they are seen twice.
    pub(super) fn give_back_strays(&mut self, name: &RoomName, mine: Vec<PeerId>, now: u64) {
        if self.settling {
            return;
        }
        let own = self.rooms.get(name).map(|room| &room.own);
        let has = |peer: PeerId| own.is_some_and(|own| own.contains_key(&peer));
        for peer in self.strays.look(name.clone(), mine, has) {
            self.command(Some(name), Kind::Leave(peer, Departure::Disconnected), now);
        }
    }
}
