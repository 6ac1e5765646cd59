//! The heartbeat, and what it tells of others.

use switchboard::{
    cluster::{
        lease::{Fate, Lease, Proof},
        seats::Departure,
    },
    protocol::PeerId,
};

use crate::{
    event::{Event, Kind, Reply, Room, Then},
    figures::TIMING,
    switch::Switch,
    world::World,
};

impl World {
    pub(crate) fn beat(&mut self, n: usize) {
        self.later(n, TIMING.beat, Event::Beat(n));
        let now = self.local_time(n);
        self.nodes[n].watch.tick(now, TIMING);
        if !self.is_connected(n) {
            return self.connect(n);
        }
        if self.nodes[n].line.iter().any(|command| matches!(command.kind, Kind::Beat(_))) {
            return;
        }
        let rooms: Vec<Room> = self.nodes[n].replicas.keys().copied().collect();
        self.command(n, 0, Kind::Beat(rooms.clone()), Then::Watch);
        if self.keeps(Switch::CheckTheTail) && !self.nodes[n].settling {
            for room in rooms {
                self.check(n, room);
            }
        }
    }

    pub(super) fn watch(&mut self, n: usize, reply: Reply) {
        let Reply::Beat(leases, owners) = reply else { return };
        if self.nodes[n].settling {
            return;
        }
        let now = self.local_time(n);
        let me = self.nodes[n].me.clone();
        self.nodes[n].watch.retain(|owner| owners.contains_key(owner));
        for (owner, rooms) in owners.iter() {
            if *owner == me {
                for room in rooms {
                    if self.keeps(Switch::GiveBackStrays) {
                        self.command(n, *room, Kind::Mine, Then::Compare);
                    }
                }
                continue;
            }
            let lease = leases.get(&owner.node).copied();
            let fate = if self.keeps(Switch::PatientReaper) {
                self.nodes[n].watch.look(owner, lease, now, TIMING)
            } else {
                self.impatient_look(owner.number, lease, &owner.node)
            };
            let (proof, is_final) = match fate {
                Fate::Alive => continue,
                Fate::Away(proof) => (proof, false),
                Fate::Dead(proof) => (proof, true),
            };
            for room in rooms {
                self.command(n, *room, Kind::Reap(owner.clone(), proof, is_final), Then::Nothing);
            }
        }
    }

    /// What was said at first: the lease's age by Redis' clock decides, whatever stood still in the meantime.
    fn impatient_look(&self, number: u64, lease: Option<Lease>, name: &switchboard::cluster::NodeName) -> Fate {
        let of_it = lease.filter(|lease| lease.incarnation == number);
        let silent = of_it.map_or(u64::MAX, |_| self.kernel.now.saturating_sub(self.redis.last_beat(name)));
        let proof = Proof::Silent(of_it.map(|lease| lease.count));
        match silent {
            silent if silent >= TIMING.dead_after => Fate::Dead(proof),
            silent if silent >= TIMING.away_after => Fate::Away(proof),
            _ => Fate::Alive,
        }
    }

    pub(super) fn compare(&mut self, n: usize, room: Room, reply: Reply) {
        let Reply::Mine(mine) = reply else { return };
        let node = &mut self.nodes[n];
        if node.settling {
            return;
        }
        let (sessions, adopting) = (&node.sessions, &node.adopting);
        let has = |peer: PeerId| sessions.contains_key(&peer) || adopting.contains_key(&peer);
        for peer in node.strays.look(room, mine, has) {
            self.command(n, room, Kind::Leave(peer, Departure::Disconnected), Then::Nothing);
        }
    }
}
