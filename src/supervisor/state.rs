//! The rules of seats and rooms: who may sit down, what becomes of a seat, and what is counted. No actix, no clock.
//!
//! `M` is how a peer is reached and `R` how a room is. The rules keep them and hand them back; they never use them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    address_shares::{AddressShares, Shares},
    churn::Churn,
    occupancy::Occupancy,
    parked::{Excess, Parked, ParkedCaps, Turn},
};
use crate::{
    config::Settings,
    limits::{Counted, Subnet},
    messages::{
        session::JoinError,
        supervisor::{Census, Headcount},
    },
    protocol::{ErrorCode, RoomName, SessionId},
    telemetry::LimitHit,
};

/// The caps. Both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// `limits.peers_per_room`.
    pub peers_per_room: usize,
    /// `limits.rooms`.
    pub rooms: usize,
    /// What one address may use of all that.
    pub address: Shares,
    /// How many seats are kept for clients that are away.
    pub parked: ParkedCaps,
}

impl From<&Settings> for Caps {
    fn from(settings: &Settings) -> Self {
        Self {
            peers_per_room: settings.limits.peers_per_room,
            rooms: settings.limits.rooms,
            address: settings.into(),
            parked: settings.into(),
        }
    }
}

/// Every room and every seat, by name: a count is always the length of a list of names, so it cannot drift.
#[derive(Debug)]
pub struct SupervisorState<M, R> {
    limits: Caps,
    draining: bool,
    // Boxed: a table is half empty when it has just grown, and the other half of the former one lies idle.
    rooms: HashMap<RoomName, Box<Room<R>>>,
    seats: HashMap<SessionId, Box<Seat<M>>>,
    churn: Churn,
    occupancy: Occupancy,
    address_shares: AddressShares,
    parked: Parked,
}

/// A room with at least one seat.
#[derive(Debug)]
struct Room<R> {
    port: R,
    opened: Instant,
    /// Whose share of rooms it is in.
    opener: Option<Counted>,
    sessions: Vec<SessionId>,
}

/// A peer's counted place in a room.
#[derive(Debug)]
struct Seat<M> {
    room: RoomName,
    member: M,
    since: Instant,
    subnet: Option<Subnet>,
    occupied: Occupied,
}

/// Whether somebody is connected on a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occupied {
    /// Yes, as far as is known here.
    Here,
    /// The client is away.
    Away(Turn),
    /// The client is away, and its session was asked to end. It is not counted any more; it may come back all the same, if
    /// that was under way.
    Going,
}

/// A session that is to end, because more are parked than may be. Its seat is freed by its own `Leave`, as any other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// Which.
    pub session: SessionId,
    /// What was exceeded.
    pub excess: Excess,
}

/// A seat was given.
#[derive(Debug)]
pub struct Granted<R> {
    /// The room that is to let the peer in.
    pub port: R,
    /// Peers in it, the newcomer included.
    pub peers: usize,
    /// Who of its address has to make room for it.
    pub given_up: Option<GivenUp>,
}

/// A seat that is free again.
#[derive(Debug)]
pub struct Freed<M> {
    /// Who sat there.
    pub member: M,
    /// How long.
    pub stayed: Duration,
}

/// A peer left its room.
#[derive(Debug)]
pub struct Left<M, R> {
    /// Its former seat.
    pub seat: Freed<M>,
    /// The room.
    pub room: RoomName,
    /// The room that is to let the peer go. When it was the last one, the room is forgotten here already.
    pub port: R,
    /// How long the room lived, when the peer was its last.
    pub ended: Option<Duration>,
}

/// A room died under its peers; they have no seats any more.
#[derive(Debug)]
pub struct Lost<M> {
    /// The room.
    pub room: RoomName,
    /// Everybody who was in it.
    pub seats: Vec<Freed<M>>,
}

impl<M, R: Clone> SupervisorState<M, R> {
    /// No rooms yet. `now` starts the minute that churn is counted over.
    pub fn new(limits: Caps, now: Instant) -> Self {
        Self {
            limits,
            draining: false,
            rooms: HashMap::new(),
            seats: HashMap::new(),
            churn: Churn::new(now),
            occupancy: Occupancy::new(limits.peers_per_room),
            address_shares: AddressShares::new(limits.address, now),
            parked: Parked::new(limits.parked),
        }
    }

    /// The caps.
    pub fn limits(&self) -> Caps {
        self.limits
    }

    /// From now on nobody gets a seat; those who have one keep it.
    pub fn stop_joins(&mut self) {
        self.draining = true;
    }

    /// A seat for this session, which comes from `subnet` (`None`: an address without limits), in a room that then has `cap`
    /// peers at most (`None`: as many as any). `open` starts the room;
    /// it is called only when the seat is granted and the room is not there.
    ///
    /// # Errors
    /// [`JoinRefused`] says which rule forbids it. No seat and no room has changed then.
    pub fn join(
        &mut self,
        session: SessionId,
        member: M,
        room: &RoomName,
        (subnet, cap): (Option<Subnet>, Option<usize>),
        now: Instant,
        open: impl FnOnce() -> R,
    ) -> Result<Granted<R>, JoinError> {
        self.may_join(session, room, subnet, cap, now)?;
        let entry = self.rooms.entry(room.clone());
        // One text for the whole room, and not the one that each peer brought along.
        let name = entry.key().clone();
        let entry = entry.or_insert_with(|| {
            let opener = subnet.map(|subnet| self.address_shares.opened(subnet, room, now));
            Box::new(Room { port: open(), opened: now, opener, sessions: Vec::new() })
        });
        if entry.sessions.len() == entry.sessions.capacity() {
            // As in the room: most rooms hold two.
            entry.sessions.reserve_exact(1 + entry.sessions.len() / 2);
        }
        entry.sessions.push(session);
        if let Some(subnet) = subnet {
            self.address_shares.seated(subnet, name.clone());
        }
        let mut granted = Granted { port: entry.port.clone(), peers: entry.sessions.len(), given_up: None };
        let seat = Seat { room: name, member, since: now, subnet, occupied: Occupied::Here };
        self.seats.insert(session, Box::new(seat));
        self.parked.seated(subnet);
        granted.given_up = self.parked.yields(subnet).map(|found| self.give_up(found));
        self.occupancy.moved(granted.peers - 1, granted.peers);
        self.churn.joined(now);
        Ok(granted)
    }

    /// This session's client is away. Who has to go, if there are too many then.
    pub fn away(&mut self, session: SessionId) -> Option<GivenUp> {
        let seat = self.seats.get_mut(&session).filter(|seat| seat.occupied == Occupied::Here)?;
        seat.occupied = Occupied::Away(self.parked.park(session, seat.subnet, &seat.room));
        let found = self.parked.excess(seat.subnet, &seat.room)?;
        Some(self.give_up(found))
    }

    /// It is back.
    pub fn back(&mut self, session: SessionId) {
        let Some(seat) = self.seats.get_mut(&session) else { return };
        match std::mem::replace(&mut seat.occupied, Occupied::Here) {
            Occupied::Here => {}
            Occupied::Away(turn) => self.parked.unpark(turn),
            Occupied::Going => self.parked.seated(seat.subnet),
        }
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
            self.forget(&room);
        }
        self.occupancy.moved(peers + 1, peers);
        let seat = self.free(session, now)?;
        Some(Left { seat, room, port, ended })
    }

    /// Forgets a room whose actor is dead and frees all its seats. `None` when there is no such room.
    pub fn lose(&mut self, room: &RoomName, now: Instant) -> Option<Lost<M>> {
        let (name, entry) = self.forget(room)?;
        self.occupancy.moved(entry.sessions.len(), 0);
        let seats = entry.sessions.into_iter().filter_map(|session| self.free(session, now)).collect();
        Some(Lost { room: name, seats })
    }

    /// Forgets addresses that have nothing to be remembered for, if it is time.
    pub fn forget_origins(&mut self, now: Instant) {
        self.address_shares.sweep(now);
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
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Whether nothing is remembered of anybody's seats.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn is_blank(&self) -> bool {
        self.seats.is_empty() && self.rooms.is_empty() && self.parked.is_blank()
    }

    /// The figures of this moment.
    pub fn census(&self, now: Instant) -> Census {
        let (joins_per_minute, leaves_per_minute) = self.churn.per_minute(now);
        Census {
            rooms: self.rooms.len(),
            peers: self.seats.len(),
            joins_per_minute,
            leaves_per_minute,
            occupancy: self.occupancy.counts().to_vec(),
        }
    }

    fn may_join(
        &mut self,
        session: SessionId,
        room: &RoomName,
        subnet: Option<Subnet>,
        cap: Option<usize>,
        now: Instant,
    ) -> Result<(), JoinError> {
        let refuse = |code| Err(JoinError::new(code));
        if self.draining {
            return refuse(ErrorCode::ServerDraining);
        }
        if self.seats.contains_key(&session) {
            return refuse(ErrorCode::AlreadyJoined);
        }
        let too_soon = |wait, hit| Err(JoinError::of_address(ErrorCode::RateLimited, Some(wait), hit));
        if let Some(Err(wait)) = subnet.map(|subnet| self.address_shares.join(subnet, now)) {
            return too_soon(wait, LimitHit::JoinsPerMinute);
        }
        // Before the room is looked for: whoever tries names must not hear which of them there are.
        if let Some(Err(wait)) = subnet.map(|subnet| self.address_shares.look_into(subnet, room, now)) {
            return too_soon(wait, LimitHit::NewRooms);
        }
        let Caps { peers_per_room, rooms, .. } = self.limits;
        let peers_per_room = cap.unwrap_or(peers_per_room).min(peers_per_room);
        let mut may_open = || subnet.is_none_or(|subnet| self.address_shares.may_open(subnet, now));
        match self.rooms.get(room) {
            Some(entry) if entry.sessions.len() >= peers_per_room => refuse(ErrorCode::RoomFull),
            None if self.rooms.len() >= rooms => refuse(ErrorCode::RoomLimit),
            None if !may_open() => Err(JoinError::of_address(ErrorCode::RoomLimit, None, LimitHit::RoomsPerAddress)),
            _ => Ok(()),
        }
    }

    /// The one place where a room ends.
    fn forget(&mut self, room: &RoomName) -> Option<(RoomName, Box<Room<R>>)> {
        let (name, entry) = self.rooms.remove_entry(room)?;
        if let Some(opener) = &entry.opener {
            self.address_shares.ended(opener, &name);
        }
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
        if let Some(subnet) = seat.subnet {
            self.address_shares.stood_up(subnet, seat.room);
        }
        self.churn.left(now);
        Some(Freed { member: seat.member, stayed: now.saturating_duration_since(seat.since) })
    }
}
