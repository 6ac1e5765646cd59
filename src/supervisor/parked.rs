//! How many seats may be kept for clients that are away, and which one is given up when there are too many. Pure, like the
//! rules it belongs to.
//!
//! A seat of an address is one of its places (`limits.connections_per_address`), whether somebody is connected on it or
//! not: so nobody holds more by hanging up. But who is away yields to who comes, of the same address: what a line that
//! dropped has left behind never keeps its own people out. It yields when they join, and not when they connect: most who
//! connect then come to resume, which takes no further place. A whole school comes back so: 2000 seats are kept, 2000
//! connections are new, and each that resumes is one seat as before.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    config::Settings,
    limits::Subnet,
    protocol::{RoomName, SessionId},
};

/// How many seats may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParkedCaps {
    /// `limits.parked_sessions`: on the server. Beyond it, the address that holds most gives one up; an IPv6 address counts
    /// by its /48 for that.
    pub total: usize,
    /// `limits.parked_per_room`: of one address in one room, so that the others find a seat there; IPv6 as above.
    pub per_room: usize,
    /// `limits.connections_per_address`: seats of one address, those that are kept included.
    pub per_address: usize,
}

impl From<&Settings> for ParkedCaps {
    fn from(settings: &Settings) -> Self {
        Self {
            total: settings.most_parked(),
            per_room: settings.limits.most_parked_per_room(),
            per_address: settings.limits.connections_per_address,
        }
    }
}

/// Which cap was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// [`ParkedCaps::total`].
    Total,
    /// [`ParkedCaps::per_room`].
    Room,
    /// [`ParkedCaps::per_address`].
    Address,
}

/// The order in which sessions were parked: who has the lowest number is away for longest.
pub(super) type Turn = u64;

/// An owner of addresses; `None` for all those together that the limits per address do not concern.
type Site = Option<Subnet>;

/// All seats by address, and those that are kept by age.
#[derive(Debug)]
pub(super) struct Parked {
    caps: ParkedCaps,
    turns: BTreeMap<Turn, Away>,
    next: Turn,
    addresses: HashMap<Subnet, Address>,
    sites: HashMap<Site, Holdings>,
    /// Sites by how many they keep; of those that keep the same, the last is the one that has kept some for longest.
    ranks: BTreeMap<(usize, Reverse<Turn>), Site>,
}

#[derive(Debug)]
struct Away {
    session: SessionId,
    from: Option<Subnet>,
    room: RoomName,
}

#[derive(Debug, Default)]
struct Address {
    seats: usize,
    away: BTreeSet<Turn>,
}

#[derive(Debug)]
struct Holdings {
    /// The turn of the first, when there were none.
    since: Turn,
    turns: BTreeSet<Turn>,
    rooms: HashMap<RoomName, BTreeSet<Turn>>,
}

impl Parked {
    pub(super) fn new(caps: ParkedCaps) -> Self {
        let (turns, ranks) = (BTreeMap::new(), BTreeMap::new());
        Self { caps, turns, next: 0, addresses: HashMap::new(), sites: HashMap::new(), ranks }
    }

    /// A seat was given to somebody from there.
    pub(super) fn seated(&mut self, from: Option<Subnet>) {
        if let Some(from) = from {
            self.addresses.entry(from).or_default().seats += 1;
        }
    }

    /// It was freed, and was not one that is kept.
    pub(super) fn freed(&mut self, from: Option<Subnet>) {
        let Some(from) = from else { return };
        if let Some(address) = self.addresses.get_mut(&from) {
            address.seats -= 1;
            if address.seats == 0 {
                self.addresses.remove(&from);
            }
        }
    }

    /// The client of one of those seats is away.
    pub(super) fn park(&mut self, session: SessionId, from: Option<Subnet>, room: &RoomName) -> Turn {
        let turn = self.next;
        self.next += 1;
        self.turns.insert(turn, Away { session, from, room: room.clone() });
        if let Some(address) = from.and_then(|from| self.addresses.get_mut(&from)) {
            address.away.insert(turn);
        }
        let site = from.map(Subnet::site);
        let fresh = || Holdings { since: turn, turns: BTreeSet::new(), rooms: HashMap::new() };
        self.sites.entry(site).or_insert_with(fresh);
        self.change(site, |holdings| {
            holdings.turns.insert(turn);
            holdings.rooms.entry(room.clone()).or_default().insert(turn);
        });
        turn
    }

    /// It is back, or the seat is to go.
    pub(super) fn unpark(&mut self, turn: Turn) {
        let Some(Away { from, room, .. }) = self.turns.remove(&turn) else { return };
        if let Some(address) = from.and_then(|from| self.addresses.get_mut(&from)) {
            address.away.remove(&turn);
        }
        self.change(from.map(Subnet::site), |holdings| {
            holdings.turns.remove(&turn);
            if let Some(turns) = holdings.rooms.get_mut(&room) {
                turns.remove(&turn);
                if turns.is_empty() {
                    holdings.rooms.remove(&room);
                }
            }
        });
    }

    /// Changes what a site keeps, and its rank with it.
    fn change(&mut self, site: Site, change: impl FnOnce(&mut Holdings)) {
        let Some(holdings) = self.sites.get_mut(&site) else { return };
        self.ranks.remove(&(holdings.turns.len(), Reverse(holdings.since)));
        change(holdings);
        if holdings.turns.is_empty() {
            self.sites.remove(&site);
        } else {
            self.ranks.insert((holdings.turns.len(), Reverse(holdings.since)), site);
        }
    }

    /// After [`Parked::park`]: who has to go, if there are too many now. The one that is away for longest, of the address
    /// that holds too many in the room, or most of all.
    pub(super) fn excess(&self, from: Option<Subnet>, room: &RoomName) -> Option<(SessionId, Excess)> {
        let of_room = || {
            let turns = self.sites.get(&Some(from?.site()))?.rooms.get(room)?;
            (turns.len() > self.caps.per_room).then(|| turns.first().copied())?
        };
        let of_all = || {
            let (_, site) = self.ranks.last_key_value()?;
            let turns = &self.sites.get(site)?.turns;
            (self.turns.len() > self.caps.total).then(|| turns.first().copied())?
        };
        let named = |turn: Turn, excess| Some((self.turns.get(&turn)?.session, excess));
        match of_room() {
            Some(turn) => named(turn, Excess::Room),
            None => named(of_all()?, Excess::Total),
        }
    }

    /// After [`Parked::seated`]: who of that address has to go for the newcomer, if it has too many seats now.
    pub(super) fn yields(&self, from: Option<Subnet>) -> Option<(SessionId, Excess)> {
        let address = self.addresses.get(&from?).filter(|address| address.seats > self.caps.per_address)?;
        Some((self.turns.get(address.away.first()?)?.session, Excess::Address))
    }

    /// Seats that are kept.
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether nothing of anybody is remembered.
    pub(super) fn is_blank(&self) -> bool {
        self.turns.is_empty() && self.addresses.is_empty() && self.sites.is_empty() && self.ranks.is_empty()
    }
}
