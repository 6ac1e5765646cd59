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
    moderation::{Denial, Marks, Moderation},
    occupancy::Occupancy,
    outcomes::{Freed, GivenUp, Granted, Known, Left, Lost},
    parked::{Excess, Parked},
    seat::{Occupied, Seat},
    users::Users,
};
use crate::{
    limits::{Counted, Subnet},
    messages::{
        session::JoinError,
        supervisor::{Census, Headcount},
    },
    moment::Moment,
    protocol::{ErrorCode, RandomIds, RoomName, SessionId, client::Identified},
    telemetry::LimitHit,
};

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

    /// A seat for that session. `open` starts the room; it is called only when the seat is granted and the room is not
    /// there. Seats that the same person has left behind are free from then on, and count as free before.
    ///
    /// # Errors
    /// Says which rule forbids it. No seat and no room has changed then.
    pub fn join(
        &mut self,
        applicant: Applicant<M>,
        room: &RoomName,
        now: Instant,
        open: impl FnOnce() -> R,
    ) -> Result<Granted<M, R>, JoinError> {
        let yielding = applicant.identified.map(|identified| self.yielding(room, identified)).unwrap_or_default();
        self.may_join(&applicant, room, yielding.len(), now).inspect_err(|refused| {
            if let Some(subnet) = applicant.subnet.filter(|_| refused.is_by_room()) {
                self.address_shares.refused(subnet, now);
            }
        })?;
        let Applicant { session, member, subnet, identified, user, .. } = applicant;
        let replaced = self.replace(room, &yielding, now);
        let entry = self.rooms.entry(room.clone());
        // One text for the whole room, and not the one that each peer brought along.
        let name = entry.key().clone();
        let entry = entry.or_insert_with(|| {
            self.names.insert(name.clone());
            let opener = subnet.map(|subnet| self.address_shares.opened(subnet, room, now));
            Box::new(Room { port: open(), opened: now, opener, sessions: Vec::new() })
        });
        let before = entry.sessions.len() + replaced.len();
        if entry.sessions.len() == entry.sessions.capacity() {
            // As in the room: most rooms hold two.
            entry.sessions.reserve_exact(1 + entry.sessions.len() / 2);
        }
        entry.sessions.push(session);
        if let Some(subnet) = subnet {
            self.address_shares.seated(subnet, name.clone());
        }
        if let Some(Identified { who, .. }) = identified {
            self.identities.seated(name.clone(), who, session);
        }
        if before == 0 {
            self.moderation.opened(room, now);
        }
        let (port, peers, opened) = (entry.port.clone(), entry.sessions.len(), before == 0);
        self.users.seated(&Known { who: identified.map(|one| one.who), user: user.clone() });
        self.seats.insert(session, Box::new(Seat::new(name, member, subnet, user, now)));
        self.parked.seated(subnet);
        let given_up = self.parked.yields(subnet).map(|found| self.give_up(found));
        self.occupancy.moved(before, peers);
        self.churn.joined(now);
        debug_assert!(
            identified.is_none_or(|one| self.yielding(room, Identified { replace: false, ..one }).is_empty()),
            "who was let in has left no seat behind"
        );
        Ok(Granted { port, peers, opened, given_up, replaced })
    }

    /// Whose seats in that room are for the same person to take: all those that are away, asked to end or not, and with
    /// `replace` the connected ones, too. In joining order.
    fn yielding(&self, room: &RoomName, Identified { who, replace }: Identified) -> Vec<SessionId> {
        let is_away = |session: &SessionId| self.seats.get(session).is_some_and(|seat| seat.occupied != Occupied::Here);
        self.identities.same(room, who).filter(|session| replace || is_away(session)).collect()
    }

    /// Frees those seats for somebody who takes one at once: the room goes on, and is not counted here.
    fn replace(&mut self, room: &RoomName, yielding: &[SessionId], now: Instant) -> Vec<Freed<M>> {
        // Mostly there are none, and the room is not looked for.
        if yielding.is_empty() {
            return Vec::new();
        }
        if let Some(entry) = self.rooms.get_mut(room) {
            entry.sessions.retain(|session| !yielding.contains(session));
        }
        yielding.iter().filter_map(|session| self.free(*session, now)).collect()
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

    fn may_join(
        &mut self,
        applicant: &Applicant<M>,
        room: &RoomName,
        yielding: usize,
        now: Instant,
    ) -> Result<(), JoinError> {
        let Applicant { session, subnet, cap, identified, ref user, .. } = *applicant;
        let refuse = |code| Err(JoinError::new(code));
        if self.draining {
            return refuse(ErrorCode::ServerDraining);
        }
        if self.seats.contains_key(&session) {
            return refuse(ErrorCode::AlreadyJoined);
        }
        let too_soon = |wait, hit| Err(JoinError::of_address(ErrorCode::RateLimited, Some(wait), hit));
        if let Some(Err((wait, hit))) = subnet.map(|subnet| self.address_shares.join(subnet, now)) {
            return too_soon(wait, hit);
        }
        // Before the room is looked for: whoever tries names must not hear which of them there are.
        if let Some(Err(wait)) = subnet.map(|subnet| self.address_shares.look_into(subnet, room, now)) {
            return too_soon(wait, LimitHit::NewRooms);
        }
        let marks = || Marks { who: identified.map(|one| one.who), user: user.clone(), subnet };
        match self.moderation.judge(room, marks, yielding > 0, now) {
            Ok(()) => {}
            Err(Denial::Banned(left)) => return Err(JoinError::banned(left)),
            Err(Denial::Locked) => return refuse(ErrorCode::RoomLocked),
        }
        let Caps { peers_per_room, rooms, .. } = self.limits;
        let peers_per_room = cap.unwrap_or(peers_per_room).min(peers_per_room);
        let mut may_open = || subnet.is_none_or(|subnet| self.address_shares.may_open(subnet, now));
        match self.rooms.get(room) {
            Some(entry) if entry.sessions.len() - yielding >= peers_per_room => refuse(ErrorCode::RoomFull),
            None if self.rooms.len() >= rooms => refuse(ErrorCode::RoomLimit),
            None if !may_open() => Err(JoinError::of_address(ErrorCode::RoomLimit, None, LimitHit::RoomsPerAddress)),
            _ => Ok(()),
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
