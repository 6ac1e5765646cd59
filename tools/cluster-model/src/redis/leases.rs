//! Leases: heartbeats, what is left of the dead, and sessions in the store that nobody fetched.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use switchboard::cluster::{
    Change, Incarnation,
    lease::{self, Lease, Proof},
    seats::Departure,
};

use super::Redis;
use crate::{
    event::{Reply, Room},
    figures::{QUIET_FOR, WINDOW},
    switch::Switch,
};

impl Redis {
    pub(super) fn beat(&mut self, me: &Incarnation, replicas: &[Room]) -> Reply {
        let before = self.data.leases.get(&me.node).copied();
        let before = before.filter(|lease| lease.incarnation == me.number).map_or(0, |lease| lease.count);
        self.data.leases.insert(me.node.clone(), Lease { incarnation: me.number, count: before + 1 });
        self.beats.insert(me.node.clone(), self.now.saturating_add_signed(-self.ahead));
        let asserting = self.asserting().is_some();
        let rooms: Vec<Room> = if self.keeps(Switch::SweepAllRooms) {
            self.data.rooms.keys().copied().collect()
        } else {
            replicas.to_vec()
        };
        for room in &rooms {
            self.sweep_store(*room);
        }
        let mut owners: BTreeMap<Incarnation, BTreeSet<Room>> = BTreeMap::new();
        for name in rooms.into_iter().filter(|_| !asserting) {
            let seats = self.data.rooms.get(&name).map(|room| &room.seats);
            for owner in seats.into_iter().flatten().filter_map(|(_, kept)| kept.seat.owner.as_ref()) {
                owners.entry(owner.clone()).or_default().insert(name);
            }
        }
        Reply::Beat(Rc::new(self.data.leases.clone()), Rc::new(owners))
    }

    fn sweep_store(&mut self, name: Room) {
        let (now, end) = (self.now, self.window_end());
        let Some(room) = self.data.rooms.get_mut(&name) else { return };
        let (mut over, mut quiet) = (Vec::new(), Vec::new());
        for (peer, kept) in room.seats.iter_mut().filter(|(_, kept)| kept.seat.owner.is_none()) {
            // A clock that was set back does not make the window longer.
            kept.until = kept.until.min(end);
            if now >= kept.until {
                over.push(*peer);
            } else if !kept.seat.away && now + WINDOW >= kept.until + QUIET_FOR {
                kept.seat.away = true;
                quiet.push(*peer);
            }
        }
        for peer in over {
            self.remove(name, peer, Departure::Timeout, None);
        }
        for peer in quiet {
            self.append(name, Change::Away { peer, until: 0 });
        }
        self.end_if_empty(name);
    }

    pub(super) fn mine(&self, me: &Incarnation, name: Room) -> Reply {
        let seats = self.data.rooms.get(&name).map(|room| &room.seats);
        let mine = seats.into_iter().flatten().filter(|(_, kept)| kept.seat.owner.as_ref() == Some(me));
        Reply::Mine(mine.map(|(peer, _)| *peer).collect())
    }

    pub(super) fn reap(&mut self, name: Room, dead: &Incarnation, proof: Proof, is_final: bool) -> Reply {
        let lease = self.data.leases.get(&dead.node).copied();
        let Some(room) = self.data.rooms.get_mut(&name) else { return Reply::Done };
        if !lease::holds(proof, dead, lease) {
            return Reply::Done;
        }
        let seats = room.seats.iter_mut().filter(|(_, kept)| kept.seat.owner.as_ref() == Some(dead));
        let (mut over, mut away) = (Vec::new(), Vec::new());
        for (peer, kept) in seats {
            if is_final || !kept.seat.resumable {
                over.push(*peer);
            } else if !kept.seat.away {
                kept.seat.away = true;
                away.push(*peer);
            }
        }
        if !over.is_empty() {
            room.reaped.insert(dead.clone());
        }
        for peer in over {
            self.remove(name, peer, Departure::Timeout, Some(dead.clone()));
        }
        for peer in away {
            self.append(name, Change::Away { peer, until: 0 });
        }
        self.end_if_empty(name);
        Reply::Done
    }
}
