//! Who gets a seat.

use std::time::Instant;

use super::{Applicant, Occupied, Room, Seat, SupervisorState};
use crate::{
    limits::Subnet,
    messages::session::JoinError,
    protocol::{ErrorCode, RoomName, SessionId, client::Identified},
    supervisor::{
        caps::Caps,
        moderation::{Denial, Marks},
        outcomes::{Freed, Granted, Known},
    },
    telemetry::LimitHit,
};

impl<M, R: Clone> SupervisorState<M, R> {
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
        let (identified, subnet) = (applicant.identified, applicant.subnet);
        let yielding = identified.map(|identified| self.yielding(room, identified)).unwrap_or_default();
        self.may_join(&applicant, room, yielding.len(), now)
            .inspect_err(|refused| self.refused(subnet, *refused, now))?;
        let granted = self.seat(applicant, room, &yielding, now, open);
        debug_assert!(
            identified.is_none_or(|one| self.yielding(room, Identified { replace: false, ..one }).is_empty()),
            "who was let in has left no seat behind"
        );
        Ok(granted)
    }

    /// Whether that session may ask the cluster for a seat, which judges by what all nodes know: how full the room is and whether it
    /// is locked, who was banned, and how many rooms there are.
    ///
    /// # Errors
    /// Says which rule of this node forbids it.
    pub fn may_ask(&mut self, applicant: &Applicant<M>, room: &RoomName, now: Instant) -> Result<(), JoinError> {
        self.may_come(applicant, room, now)?;
        self.may_enter(applicant, room, true, now)?;
        let is_here = self.rooms.contains_key(room);
        let mut may_open = |subnet| self.address_shares.may_open(subnet, now);
        if is_here || applicant.subnet.is_none_or(&mut may_open) {
            return Ok(());
        }
        Err(JoinError::of_address(ErrorCode::RoomLimit, None, LimitHit::RoomsPerAddress))
    }

    /// A join from there was refused.
    pub fn refused(&mut self, subnet: Option<Subnet>, refused: JoinError, now: Instant) {
        if let Some(subnet) = subnet.filter(|_| refused.is_by_room()) {
            self.address_shares.refused(subnet, now);
        }
    }

    /// Gives a seat to who may have it, in the place of those.
    pub fn seat(
        &mut self,
        applicant: Applicant<M>,
        room: &RoomName,
        yielding: &[SessionId],
        now: Instant,
        open: impl FnOnce() -> R,
    ) -> Granted<M, R> {
        let Applicant { session, member, subnet, identified, user, .. } = applicant;
        let replaced = self.replace(room, yielding, now);
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
        Granted { port, peers, opened, given_up, replaced }
    }

    /// Whose seats in that room are for the same person to take: all those that are away, asked to end or not, and with
    /// `replace` the connected ones, too. In joining order.
    pub(in crate::supervisor) fn yielding(
        &self,
        room: &RoomName,
        Identified { who, replace }: Identified,
    ) -> Vec<SessionId> {
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

    fn may_join(
        &mut self,
        applicant: &Applicant<M>,
        room: &RoomName,
        yielding: usize,
        now: Instant,
    ) -> Result<(), JoinError> {
        self.may_come(applicant, room, now)?;
        self.may_enter(applicant, room, yielding > 0, now)?;
        let Applicant { subnet, cap, .. } = *applicant;
        let refuse = |code| Err(JoinError::new(code));
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

    /// Whether it may join anywhere, or look for a room.
    fn may_come(&mut self, applicant: &Applicant<M>, room: &RoomName, now: Instant) -> Result<(), JoinError> {
        let Applicant { session, subnet, .. } = *applicant;
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
        Ok(())
    }

    /// Whether those who moderate the room let it in. `replaces`: a seat of its own is free then, or others know of the lock.
    fn may_enter(
        &mut self,
        applicant: &Applicant<M>,
        room: &RoomName,
        replaces: bool,
        now: Instant,
    ) -> Result<(), JoinError> {
        let Applicant { subnet, identified, ref user, .. } = *applicant;
        let marks = || Marks { who: identified.map(|one| one.who), user: user.clone(), subnet };
        match self.moderation.judge(room, marks, replaces, now) {
            Ok(()) => Ok(()),
            Err(Denial::Banned(left)) => Err(JoinError::banned(left)),
            Err(Denial::Locked) => Err(JoinError::new(ErrorCode::RoomLocked)),
        }
    }
}
