//! Who is sent out of a room, and kept out of it.

use std::{sync::Arc, time::Duration, time::Instant};

use super::SupervisorState;
use crate::{
    messages::moderation::{BAN_TIME, BanId, ModerationError, RoomBans},
    protocol::{RoomName, SessionId},
    supervisor::{
        moderation::{Marks, SeatsOf},
        outcomes::Left,
    },
};

impl<M, R: Clone> SupervisorState<M, R> {
    /// Who sits in that room, in joining order.
    pub fn seats_of(&self, room: &RoomName) -> impl Iterator<Item = (SessionId, &M)> {
        let sessions = self.rooms.get(room).map_or(&[][..], |entry| &entry.sessions);
        sessions.iter().filter_map(|session| Some((*session, &self.seats.get(session)?.member)))
    }

    /// The room that this session has a seat in.
    pub fn room_of(&self, session: SessionId) -> Option<&RoomName> {
        self.seats.get(&session).map(|seat| &seat.room)
    }

    /// Every room that is there.
    pub fn rooms(&self) -> impl Iterator<Item = (&RoomName, &R)> {
        self.rooms.iter().map(|(name, room)| (name, &room.port))
    }

    /// Sends them out of that room, and keeps them out for that time: the person, the user and the address of each that goes,
    /// and of who is not there the one that is named. Their seats are free from then on. Nobody goes: it is a person who is not
    /// there, or there is a ban on somebody who is not.
    ///
    /// # Errors
    /// Says why not. Nothing has changed then.
    pub fn kick(
        &mut self,
        room: &RoomName,
        of: SeatsOf<'_>,
        ban: Option<Duration>,
        now: Instant,
    ) -> Result<Vec<Left<M, R>>, ModerationError> {
        if ban.is_some_and(|time| !BAN_TIME.contains(&time)) {
            return Err(ModerationError::BanTime);
        }
        if !self.rooms.contains_key(room) {
            return Err(ModerationError::UnknownRoom);
        }
        let going = self.going(room, of);
        let is_nobody = match of {
            SeatsOf::Session(_) => going.is_empty(),
            SeatsOf::Who(_) => false,
            SeatsOf::User(_) => going.is_empty() && ban.is_none(),
        };
        if is_nobody {
            return Err(ModerationError::UnknownPeer);
        }
        if let Some(time) = ban {
            let mut marks: Vec<_> = going.iter().map(|session| self.marks(room, *session)).collect();
            if marks.is_empty() {
                marks.push(named(of));
            }
            if marks.iter().any(Marks::is_empty) {
                return Err(ModerationError::NothingToBanBy);
            }
            let banned = self.moderation.ban(room, &marks, time, now);
            banned.map_err(|retry_after| ModerationError::TooManyBans { retry_after })?;
        }
        Ok(going.into_iter().filter_map(|session| self.leave(session, now)).collect())
    }

    /// Sends everybody out of that room.
    ///
    /// # Errors
    /// There is none.
    pub fn close(&mut self, room: &RoomName, now: Instant) -> Result<Vec<Left<M, R>>, ModerationError> {
        let entry = self.rooms.get(room).ok_or(ModerationError::UnknownRoom)?;
        let going = entry.sessions.clone();
        Ok(going.into_iter().filter_map(|session| self.leave(session, now)).collect())
    }

    /// Locks that room, or unlocks it; one that is gone can only be unlocked. Says whether that changes anything.
    ///
    /// # Errors
    /// There is none.
    pub fn lock(&mut self, room: &RoomName, locked: bool, now: Instant) -> Result<bool, ModerationError> {
        let known = self.rooms.contains_key(room) || !locked && self.moderation.is_locked(room, now);
        if known { Ok(self.moderation.lock(room, locked, now)) } else { Err(ModerationError::UnknownRoom) }
    }

    /// That room's lock and bans. Of one that is gone, what is remembered.
    ///
    /// # Errors
    /// There is none, and nothing is remembered.
    pub fn bans(&self, room: &RoomName, now: Instant) -> Result<RoomBans, ModerationError> {
        let found = self.moderation.of(room, now);
        let none = || self.rooms.contains_key(room).then(RoomBans::default);
        found.or_else(none).ok_or(ModerationError::UnknownRoom)
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// There is no such room, or no such ban.
    pub fn lift_ban(&mut self, room: &RoomName, ban: BanId, now: Instant) -> Result<(), ModerationError> {
        self.bans(room, now)?;
        if self.moderation.lift(room, ban, now) { Ok(()) } else { Err(ModerationError::UnknownBan) }
    }

    /// How many rooms that were gone had to be forgotten with their lock or bans, since this was last asked.
    pub fn take_forgotten(&mut self) -> u64 {
        self.moderation.take_forgotten()
    }

    fn going(&self, room: &RoomName, of: SeatsOf<'_>) -> Vec<SessionId> {
        let is_of_user = |session: &SessionId, user: &Arc<str>| {
            self.seats.get(session).is_some_and(|seat| seat.user() == Some(user))
        };
        match of {
            SeatsOf::Session(session) => (self.room_of(session) == Some(room)).then_some(session).into_iter().collect(),
            SeatsOf::Who(who) => self.identities.same(room, who).collect(),
            SeatsOf::User(user) => {
                let seats = self.seats_of(room).map(|(session, _)| session);
                seats.filter(|session| is_of_user(session, user)).collect()
            }
        }
    }

    /// What a session that sits there is known by.
    fn marks(&self, room: &RoomName, session: SessionId) -> Marks {
        let seat = self.seats.get(&session);
        let user = seat.and_then(|seat| seat.user().cloned());
        Marks { who: self.identities.who(room, session), user, subnet: seat.and_then(|seat| seat.subnet) }
    }
}

/// What is known of who is not there.
fn named(of: SeatsOf<'_>) -> Marks {
    match of {
        SeatsOf::Session(_) => Marks::default(),
        SeatsOf::Who(who) => Marks { who: Some(who), ..Marks::default() },
        SeatsOf::User(user) => Marks { user: Some(Arc::clone(user)), ..Marks::default() },
    }
}
