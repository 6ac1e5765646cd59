//! The rules of seats and rooms: who may sit down, what becomes of a seat, and what is counted. No actix, no clock.
//!
//! `M` is how a peer is reached and `R` how a room is. The rules keep them and hand them back; they never use them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use super::{
    address_shares::AddressShares,
    caps::Caps,
    churn::Churn,
    identities::Identities,
    moderation::Moderation,
    occupancy::Occupancy,
    outcomes::{Freed, GivenUp, Known, Left, Lost},
    parked::{Excess, Parked},
    seat::{Occupied, Seat},
    users::Users,
};
use crate::{
    limits::{Counted, Subnet},
    messages::supervisor::{Census, Headcount},
    moment::Moment,
    protocol::{RandomIds, RoomName, SessionId, client::Identified},
};

mod join;
mod kick;
pub mod restore;

/// Every room and every seat, by name: a count is always the length of a list of names, so it cannot drift.
#[derive(Debug)]
pub struct SupervisorState<M, R> {
    limits: Caps,
    draining: bool,
    // Boxed: a table is half empty when it has just grown, and the other half of the former one lies idle.
    pub(super) rooms: HashMap<RoomName, Box<Room<R>>>,
    /// The names of the rooms in order, for whoever reads them page by page.
    pub(super) names: BTreeSet<RoomName>,
    pub(super) seats: HashMap<SessionId, Box<Seat<M>>, RandomIds>,
    churn: Churn,
    occupancy: Occupancy,
    address_shares: AddressShares,
    parked: Parked,
    pub(super) identities: Identities,
    users: Users,
    pub(super) moderation: Moderation,
}

/// Who asks for a seat.
#[derive(Debug)]
pub struct Applicant<M> {
    /// Names it.
    pub session: SessionId,
    /// How it is reached.
    pub member: M,
    /// Where it comes from; `None`: an address without limits.
    pub subnet: Option<Subnet>,
    /// Most peers that the room may have then; `None`: as many as any.
    pub cap: Option<usize>,
    /// Who it is, if it gave an identity.
    pub identified: Option<Identified>,
    /// The user that its token names.
    pub user: Option<Arc<str>>,
}

/// A room with at least one seat.
#[derive(Debug)]
pub(super) struct Room<R> {
    port: R,
    pub(super) opened: Instant,
    /// Whose share of rooms it is in.
    opener: Option<Counted>,
    pub(super) sessions: Vec<SessionId>,
}

impl<M, R: Clone> SupervisorState<M, R> {
    /// No rooms yet. `now` starts the minute that churn is counted over.
    pub fn new(limits: Caps, now: Instant) -> Self {
        Self {
            limits,
            draining: false,
            rooms: HashMap::new(),
            names: BTreeSet::new(),
            seats: HashMap::default(),
            churn: Churn::new(now),
            occupancy: Occupancy::new(limits.peers_per_room),
            address_shares: AddressShares::new(limits.address, now),
            parked: Parked::new(limits.parked),
            identities: Identities::default(),
            users: Users::default(),
            moderation: Moderation::new(limits.moderation, now),
        }
    }

    /// The caps.
    pub fn limits(&self) -> Caps {
        self.limits
    }

    /// Whether anybody gets a seat from now on; those who have one keep it.
    pub fn take_joins(&mut self, takes: bool) {
        self.draining = !takes;
    }

    /// This session's client is away. Who has to go, if there are too many then.
    pub fn away(&mut self, session: SessionId) -> Option<GivenUp> {
        let seat = self.seats.get_mut(&session).filter(|seat| seat.occupied == Occupied::Here)?;
        seat.occupied = Occupied::Away(self.parked.park(session, seat.subnet, &seat.room));
        let found = self.parked.excess(seat.subnet, &seat.room)?;
        Some(self.give_up(found))
    }

    /// It is back. Whether it was away, as far as anybody was told.
    pub fn back(&mut self, session: SessionId) -> bool {
        let Some(seat) = self.seats.get_mut(&session) else { return false };
        match std::mem::replace(&mut seat.occupied, Occupied::Here) {
            Occupied::Here | Occupied::Reserved { is_known: false } => return false,
            Occupied::Reserved { is_known: true } => {}
            Occupied::Away(turn) => self.parked.unpark(turn),
            Occupied::Going => self.parked.seated(seat.subnet),
        }
        true
    }

    /// From here on the seat is not counted; the session is asked to end.
    fn give_up(&mut self, (session, excess): (SessionId, Excess)) -> GivenUp {
        if let Some(seat) = self.seats.get_mut(&session)
            && let Occupied::Away(turn) = std::mem::replace(&mut seat.occupied, Occupied::Going)
        {
            self.parked.unpark(turn);
            self.parked.freed(seat.subnet);
        }
        GivenUp { session, excess }
    }

    /// Whoever sits on this session's seat.
    pub fn seated(&self, session: SessionId) -> Option<&M> {
        self.seats.get(&session).map(|seat| &seat.member)
    }

    /// Frees this session's seat. `None` when it has none: it was refused, it was evicted, or it has left before.
    pub fn leave(&mut self, session: SessionId, now: Instant) -> Option<Left<M, R>> {
        let room = self.seats.get(&session)?.room.clone();
        let entry = self.rooms.get_mut(&room)?;
        entry.sessions.retain(|s| *s != session);
        let peers = entry.sessions.len();
        let port = entry.port.clone();
        let ended = (peers == 0).then(|| now.saturating_duration_since(entry.opened));
        if ended.is_some() {
            self.forget(&room, now);
        }
        self.occupancy.moved(peers + 1, peers);
        let seat = self.free(session, now)?;
        Some(Left { seat, room, port, ended })
    }

    /// Forgets a room whose actor is dead and frees all its seats. `None` when there is no such room.
    pub fn lose(&mut self, room: &RoomName, now: Instant) -> Option<Lost<M>> {
        let (name, entry) = self.forget(room, now)?;
        // Those who were in it have to be able to come back.
        self.moderation.lock(&name, false, now);
        self.occupancy.moved(entry.sessions.len(), 0);
        let seats = entry.sessions.into_iter().filter_map(|session| self.free(session, now)).collect();
        Some(Lost { room: name, seats })
    }

    /// Forgets addresses that have nothing to be remembered for, if it is time.
    pub fn forget_origins(&mut self, now: Instant) {
        self.address_shares.sweep(now);
        self.moderation.sweep(now);
    }

    /// Loses every room that `is_alive` denies.
    pub fn sweep(&mut self, now: Instant, is_alive: impl Fn(&R) -> bool) -> Vec<Lost<M>> {
        let dead = self.rooms.iter().filter(|(_, room)| !is_alive(&room.port));
        let dead: Vec<RoomName> = dead.map(|(name, _)| name.clone()).collect();
        dead.iter().filter_map(|name| self.lose(name, now)).collect()
    }

    /// How that room is reached, if it is there.
    pub fn port(&self, room: &RoomName) -> Option<&R> {
        self.rooms.get(room).map(|room| &room.port)
    }

    /// The figures of this moment that cost nothing.
    pub fn headcount(&self, now: Instant) -> Headcount {
        let (joins_per_minute, leaves_per_minute) = self.churn.per_minute(now);
        Headcount { rooms: self.rooms.len(), peers: self.seats.len(), joins_per_minute, leaves_per_minute }
    }

    /// Seats that are kept for clients that are away; of those that are seated, those whose session was not asked to end.
    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Whether nothing is remembered of anybody's seats.
    pub fn is_blank(&self) -> bool {
        let is_empty = self.seats.is_empty() && self.rooms.is_empty() && self.names.is_empty();
        is_empty
            && self.parked.is_blank()
            && self.identities.is_blank()
            && self.moderation.is_blank()
            && self.users.count() == 0
    }

    /// The figures of this moment.
    pub fn census(&self, now: Instant) -> Census {
        let away = || self.seats.values().filter(|seat| matches!(seat.occupied, Occupied::Away(_))).count();
        debug_assert_eq!(self.parked(), away(), "who is away is counted as it changes");
        let (joins_per_minute, leaves_per_minute) = self.churn.per_minute(now);
        let (locked_rooms, bans) = self.moderation.in_force();
        Census {
            rooms: self.rooms.len(),
            peers: self.seats.len(),
            users: self.users.count(),
            joins_per_minute,
            leaves_per_minute,
            locked_rooms,
            bans,
            ban_bytes: self.moderation.bytes(),
            occupancy: self.occupancy.counts().to_vec(),
        }
    }

    /// The one place where a room ends.
    fn forget(&mut self, room: &RoomName, now: Instant) -> Option<(RoomName, Box<Room<R>>)> {
        let (name, entry) = self.rooms.remove_entry(room)?;
        self.names.remove(&name);
        if let Some(opener) = &entry.opener {
            self.address_shares.ended(opener, &name);
        }
        self.moderation.ended(&name, now);
        Some((name, entry))
    }

    /// The one place where a seat ends, so that every join has exactly one leave.
    fn free(&mut self, session: SessionId, now: Instant) -> Option<Freed<M>> {
        let seat = self.seats.remove(&session)?;
        if let Occupied::Away(turn) = seat.occupied {
            self.parked.unpark(turn);
        }
        if seat.occupied != Occupied::Going {
            self.parked.freed(seat.subnet);
        }
        let who = self.identities.stood_up(&seat.room, session);
        if let Some(subnet) = seat.subnet {
            self.address_shares.stood_up(subnet, seat.room);
        }
        self.churn.left(now);
        // A room whose only seat is being taken over is empty for a moment.
        let is_blank = || self.parked.is_blank() && self.identities.is_blank();
        debug_assert!(!self.seats.is_empty() || is_blank(), "something of somebody is remembered");
        let known = Known { who, user: seat.user.map(|user| user.0) };
        self.users.stood_up(&known);
        Some(Freed { member: seat.member, known, stayed: Moment::from(now).since(seat.since) })
    }
}
