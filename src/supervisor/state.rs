//! The rules of seats and rooms: who may sit down, what becomes of a seat, and what is counted. No actix, no clock.
//!
//! `M` is how a peer is reached and `R` how a room is. The rules keep them and hand them back; they never use them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    churn::Churn,
    occupancy::Occupancy,
    origins::{Origins, Shares},
};
use crate::{
    limits::Subnet,
    messages::{
        session::JoinRefused,
        supervisor::{Census, Headcount},
    },
    protocol::{ErrorCode, RoomName, SessionId},
};

/// The caps. Both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `limits.peers_per_room`.
    pub peers_per_room: usize,
    /// `limits.rooms`.
    pub rooms: usize,
    /// What one address may use of all that.
    pub address: Shares,
}

/// Every room and every seat, by name: a count is always the length of a list of names, so it cannot drift.
#[derive(Debug)]
pub struct State<M, R> {
    limits: Limits,
    draining: bool,
    // Boxed: a table is half empty when it has just grown, and the other half of the former one lies idle.
    rooms: HashMap<RoomName, Box<Room<R>>>,
    seats: HashMap<SessionId, Box<Seat<M>>>,
    churn: Churn,
    occupancy: Occupancy,
    origins: Origins,
}

/// A room with at least one seat.
#[derive(Debug)]
struct Room<R> {
    port: R,
    opened: Instant,
    /// Whose share of rooms it is in.
    origin: Option<Subnet>,
    sessions: Vec<SessionId>,
}

/// A peer's counted place in a room.
#[derive(Debug)]
struct Seat<M> {
    room: RoomName,
    member: M,
    since: Instant,
}

/// A seat was given.
#[derive(Debug)]
pub struct Granted<R> {
    /// The room that is to let the peer in.
    pub port: R,
    /// Peers in it, the newcomer included.
    pub peers: usize,
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

impl<M, R: Clone> State<M, R> {
    /// No rooms yet. `now` starts the minute that churn is counted over.
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            draining: false,
            rooms: HashMap::new(),
            seats: HashMap::new(),
            churn: Churn::new(now),
            occupancy: Occupancy::new(limits.peers_per_room),
            origins: Origins::new(limits.address, now),
        }
    }

    /// The caps.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// From now on nobody gets a seat; those who have one keep it.
    pub fn stop_joins(&mut self) {
        self.draining = true;
    }

    /// A seat for this session, which comes from `origin` (`None`: an address without limits). `open` starts the room;
    /// it is called only when the seat is granted and the room is not there.
    ///
    /// # Errors
    /// [`JoinRefused`] says which rule forbids it. No seat and no room has changed then.
    pub fn join(
        &mut self,
        session: SessionId,
        member: M,
        room: &RoomName,
        origin: Option<Subnet>,
        now: Instant,
        open: impl FnOnce() -> R,
    ) -> Result<Granted<R>, JoinRefused> {
        self.may_join(session, room, origin, now)?;
        let entry = self.rooms.entry(room.clone());
        // One text for the whole room, and not the one that each peer brought along.
        let name = entry.key().clone();
        let entry = entry.or_insert_with(|| Box::new(Room { port: open(), opened: now, origin, sessions: Vec::new() }));
        if entry.sessions.len() == entry.sessions.capacity() {
            // As in the room: most rooms hold two.
            entry.sessions.reserve_exact(1 + entry.sessions.len() / 2);
        }
        entry.sessions.push(session);
        if let (1, Some(origin)) = (entry.sessions.len(), origin) {
            self.origins.opened(origin, room, now);
        }
        let granted = Granted { port: entry.port.clone(), peers: entry.sessions.len() };
        self.seats.insert(session, Box::new(Seat { room: name, member, since: now }));
        self.occupancy.moved(granted.peers - 1, granted.peers);
        self.churn.joined(now);
        Ok(granted)
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
        self.origins.sweep(now);
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

    /// Who sits there, if the session has a seat.
    #[cfg(feature = "fault-injection")]
    pub fn member(&self, session: SessionId) -> Option<&M> {
        self.seats.get(&session).map(|seat| &seat.member)
    }

    /// The figures of this moment that cost nothing.
    pub fn headcount(&self, now: Instant) -> Headcount {
        let (joins_per_minute, leaves_per_minute) = self.churn.per_minute(now);
        Headcount { rooms: self.rooms.len(), peers: self.seats.len(), joins_per_minute, leaves_per_minute }
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
        origin: Option<Subnet>,
        now: Instant,
    ) -> Result<(), JoinRefused> {
        let refuse = |code, limit| Err(JoinRefused::new(code, limit));
        if self.draining {
            return refuse(ErrorCode::ServerDraining, 0);
        }
        if self.seats.contains_key(&session) {
            return refuse(ErrorCode::AlreadyJoined, 0);
        }
        let share = |code, limit, retry_after| Err(JoinRefused { code, limit, retry_after, of_address: true });
        if let Some(Err(wait)) = origin.map(|origin| self.origins.join(origin, now)) {
            return share(ErrorCode::RateLimited, 0, Some(wait));
        }
        let Limits { peers_per_room, rooms, address } = self.limits;
        let may_open = || origin.is_none_or(|origin| self.origins.may_open(origin));
        match self.rooms.get(room) {
            Some(entry) if entry.sessions.len() >= peers_per_room => refuse(ErrorCode::RoomFull, peers_per_room),
            None if self.rooms.len() >= rooms => refuse(ErrorCode::RoomLimit, rooms),
            None if !may_open() => share(ErrorCode::RoomLimit, address.rooms, None),
            _ => Ok(()),
        }
    }

    /// The one place where a room ends.
    fn forget(&mut self, room: &RoomName) -> Option<(RoomName, Box<Room<R>>)> {
        let (name, entry) = self.rooms.remove_entry(room)?;
        if let Some(origin) = entry.origin {
            self.origins.ended(origin, &name);
        }
        Some((name, entry))
    }

    /// The one place where a seat ends, so that every join has exactly one leave.
    fn free(&mut self, session: SessionId, now: Instant) -> Option<Freed<M>> {
        let seat = self.seats.remove(&session)?;
        self.churn.left(now);
        Some(Freed { member: seat.member, stayed: now.saturating_duration_since(seat.since) })
    }
}
