//! The naive model: what was sent to whoever was there, what arrived, who was told. It knows nothing of nodes, entries and
//! numbers.

use std::collections::{BTreeMap, BTreeSet};

use switchboard::{cluster::Change, protocol::PeerId};

use crate::{
    event::{LogEntry, Room, Uid},
    figures::{CAP, QUIET_FOR, TIMING},
    kernel::Time,
    moderation::Moderated,
    session::Phase,
    world::World,
};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Time,
    /// What kind.
    pub kind: &'static str,
    /// What exactly.
    pub detail: String,
}

/// What the naive model knows.
#[derive(Debug, Default)]
pub struct Truth {
    /// What went wrong.
    pub failures: Vec<Failure>,
    uid: Uid,
    expected: BTreeMap<Uid, BTreeSet<PeerId>>,
    senders: BTreeMap<Uid, Option<PeerId>>,
    got: BTreeMap<Uid, BTreeSet<PeerId>>,
    errors: BTreeMap<Uid, BTreeSet<PeerId>>,
    /// Up to which message a peer was told that it may have missed some.
    told_until: BTreeMap<PeerId, Uid>,
    over: BTreeSet<PeerId>,
    /// Whose node died.
    crashed: BTreeSet<PeerId>,
    /// Who meant to leave.
    left: BTreeSet<PeerId>,
    /// When a peer that was not away was released. Nobody hears for a while that it is away.
    released: BTreeMap<PeerId, Time>,
    /// Until when each node could not say that it lives, as far as that was its own fault.
    hindered: BTreeMap<usize, Time>,
    /// Redis' clock was set in this history: it measures nothing.
    pub(crate) clock_was_set: bool,
    /// Bans and locks.
    pub(crate) moderated: Moderated,
}

const DELIVERED_AND_FAILED: &str = "delivered, though the sender was told that it failed";

impl Truth {
    pub(crate) fn fail(&mut self, at: Time, kind: &'static str, detail: String) {
        self.failures.push(Failure { at, kind, detail });
    }

    /// A message of that peer's.
    pub(crate) fn next_uid(&mut self, peer: Option<PeerId>) -> Uid {
        self.uid += 1;
        self.senders.insert(self.uid, peer);
        self.uid
    }

    /// It is handled, for these; whether it was before.
    pub(crate) fn expect(&mut self, uid: Uid, sender: PeerId, targets: &[PeerId]) -> bool {
        self.senders.insert(uid, Some(sender));
        self.expected.insert(uid, targets.iter().copied().collect()).is_some()
    }

    /// It arrived; what is wrong with that.
    pub(crate) fn delivered(&mut self, uid: Uid, peer: PeerId) -> Option<&'static str> {
        if !self.got.entry(uid).or_default().insert(peer) {
            return Some("delivered twice");
        }
        let failed = self.errors.get(&uid).is_some_and(|peers| peers.contains(&peer));
        failed.then_some(DELIVERED_AND_FAILED)
    }

    /// Its sender is told that it did not reach these; what is wrong with that.
    pub(crate) fn refused(&mut self, uid: Uid, peers: &[PeerId]) -> Option<&'static str> {
        self.errors.entry(uid).or_default().extend(peers);
        let got = self.got.get(&uid);
        peers.iter().any(|peer| got.is_some_and(|got| got.contains(peer))).then_some(DELIVERED_AND_FAILED)
    }

    /// A peer is told that it may have missed something.
    pub(crate) fn incomplete(&mut self, peer: PeerId) {
        self.told_until.insert(peer, self.uid);
    }

    pub(crate) fn ended(&mut self, peer: PeerId, meant: bool) {
        self.over.insert(peer);
        if meant {
            self.left.insert(peer);
        }
    }

    pub(crate) fn crashed(&mut self, peer: PeerId) {
        self.over.insert(peer);
        self.crashed.insert(peer);
    }

    /// Messages that were lost and of which nobody was told.
    fn lost(&self, seated: &BTreeSet<PeerId>) -> Vec<(Uid, Option<PeerId>, PeerId)> {
        let mut lost = Vec::new();
        let told = |peer: Option<PeerId>, uid| {
            peer.is_some_and(|peer| self.told_until.get(&peer).is_some_and(|until| *until >= uid))
        };
        for (uid, targets) in &self.expected {
            let sender = self.senders.get(uid).copied().flatten();
            let crashed = sender.is_some_and(|sender| {
                self.crashed.contains(&sender) || (self.over.contains(&sender) && !self.left.contains(&sender))
            });
            for peer in targets {
                let has = |of: &BTreeMap<Uid, BTreeSet<PeerId>>| of.get(uid).is_some_and(|peers| peers.contains(peer));
                let excused = has(&self.got)
                    || has(&self.errors)
                    || self.over.contains(peer)
                    || !seated.contains(peer)
                    || told(Some(*peer), *uid)
                    || told(sender, *uid)
                    || crashed;
                if !excused {
                    lost.push((*uid, sender, *peer));
                }
            }
        }
        lost
    }
}

impl World {
    /// Something keeps a node from saying that it lives, until then.
    pub(crate) fn hindered(&mut self, n: usize, until: Time) {
        let end = self.truth.hindered.entry(n).or_default();
        *end = until.max(*end);
    }

    /// An entry is published.
    pub(crate) fn check_entry(&mut self, room: Room, entry: &LogEntry) {
        match &entry.change {
            Change::Released { peer, tell } => {
                if *tell || !self.redis.room(room).get(peer).is_some_and(|seat| seat.away) {
                    self.truth.released.insert(*peer, self.kernel.now);
                }
                if *tell {
                    self.check_away(*peer);
                }
            }
            Change::Away { peer, .. } => self.check_away(*peer),
            Change::Claimed { peer, .. } => {
                self.truth.released.remove(peer);
            }
            Change::Left { peer, reaped: Some(dead), .. } => {
                let node =
                    self.nodes.iter().position(|node| node.me == *dead && node.alive && !node.stopped && node.link);
                let well = node.filter(|n| {
                    let hindered = self.truth.hindered.get(n).copied().unwrap_or_default();
                    self.kernel.now > hindered + TIMING.away_after
                });
                if well.is_some() {
                    self.fail("a node was reaped that was well", &format!("{dead:?} {peer:?}"));
                }
            }
            _ => {}
        }
    }

    /// Everybody is told that a peer is away: not in the first moments of a planned move.
    fn check_away(&mut self, peer: PeerId) {
        let released = self.truth.released.get(&peer).copied();
        if !self.truth.clock_was_set && released.is_some_and(|at| self.kernel.now + 1 < at + QUIET_FOR) {
            self.fail("a planned move was told before its time", &format!("{peer:?}"));
        }
    }

    /// After each script.
    pub(crate) fn check_cap(&mut self, room: Room) {
        if self.redis.seated(room).is_some_and(|seated| seated > CAP) {
            self.fail("more peers than there may be", &format!("room {room}"));
        }
    }

    /// Once quiet: everybody knows the same, and it is so.
    pub(crate) fn check_quiet(&mut self) {
        let rooms: BTreeSet<Room> = self.all_rooms().chain(self.redis.rooms()).collect();
        let mut seated = BTreeSet::new();
        for room in rooms {
            let seats = self.redis.room(room);
            seated.extend(seats.keys().copied());
            self.check_replicas(room, &seats);
            self.check_owners(&seats);
            self.check_views(room, &seats);
        }
        self.check_clients();
        self.check_sessions(&seated);
        for (uid, sender, peer) in self.truth.lost(&seated) {
            self.fail("lost, and nobody was told", &format!("{uid} from {sender:?} to {peer:?}"));
        }
    }

    fn check_replicas(&mut self, room: Room, seats: &switchboard::cluster::Seats) {
        for n in 0..self.nodes.len() {
            let Some(held) = self.nodes[n].replicas.get(&room).filter(|held| held.replica.is_ready()) else { continue };
            if **held.replica.seats() != *seats {
                let detail = format!("room {room}, node {}: {:?}, not {seats:?}", n + 1, held.replica.seats());
                self.fail("a replica differs from the room", &detail);
            }
        }
    }

    fn check_owners(&mut self, seats: &switchboard::cluster::Seats) {
        for (peer, seat) in seats {
            let live = self.nodes.iter().filter(|node| node.alive && node.sessions.contains_key(peer));
            let holders: Vec<_> = live.map(|node| node.me.node.clone()).collect();
            if let Some(owner) = &seat.owner
                && holders != [owner.node.clone()]
            {
                self.fail("a seat whose owner does not have the session", &format!("{peer:?} {owner:?} {holders:?}"));
            }
        }
    }

    fn check_views(&mut self, room: Room, seats: &switchboard::cluster::Seats) {
        let mut inside = BTreeSet::new();
        for c in 0..self.clients.len() {
            let client = &self.clients[c];
            let Some(peer) = client.peer.filter(|_| client.joined && client.room == Some(room)) else { continue };
            inside.insert(peer);
            let name = format!("client {} {peer:?}", c + 1);
            let Some(own) = seats.get(&peer) else {
                self.fail("a client without a seat", &name);
                continue;
            };
            let others = seats.iter().filter(|(other, _)| **other != peer);
            let truth: BTreeMap<_, _> = others
                .map(|(other, seat)| (*other, (seat.number < own.number, seat.away || seat.owner.is_none())))
                .collect();
            let away = |view: &BTreeMap<PeerId, (bool, bool)>| {
                view.iter().map(|(peer, (_, away))| (*peer, *away)).collect::<Vec<_>>()
            };
            if away(&client.view) != away(&truth) {
                let detail = format!("{name}: {:?}, not {truth:?}", client.view);
                self.fail("a view differs from the room", &detail);
            } else if client.view != truth {
                self.fail("politeness is not the entries' order", &name);
            }
        }
        for (peer, seat) in seats {
            if !inside.contains(peer) && !seat.away && seat.owner.is_some() {
                self.fail("a seat without a client", &format!("{peer:?}"));
            }
        }
    }

    fn check_clients(&mut self) {
        for c in 0..self.clients.len() {
            let client = &self.clients[c];
            let Some(room) = client.room.filter(|_| client.wanted && !client.joined) else { continue };
            let full = self.redis.seated(room).is_some_and(|seated| seated >= CAP);
            let locked = self.redis.rules(room).is_some_and(|rules| rules.locked);
            if !full && !locked {
                let detail = format!("client {} {:?} {:?}", c + 1, client.peer, client.refused);
                self.fail("a client is not in though there is room", &detail);
            }
        }
    }

    fn check_sessions(&mut self, seated: &BTreeSet<PeerId>) {
        let mut owned = BTreeSet::new();
        let mut wrong = Vec::new();
        for node in self.nodes.iter().filter(|node| node.alive) {
            for (peer, ix) in &node.sessions {
                if self.sessions[*ix].phase == Phase::Joining {
                    continue;
                }
                if !owned.insert(*peer) {
                    wrong.push(("two nodes own a session", *peer));
                }
                if !seated.contains(peer) {
                    wrong.push(("a session without a seat", *peer));
                }
            }
        }
        for (kind, peer) in wrong {
            self.fail(kind, &format!("{peer:?}"));
        }
    }
}
