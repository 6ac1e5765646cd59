//! Which sessions are the same person, of those that gave an identity: by room, since in each room it is another name. Pure.

use std::collections::HashMap;

use crate::protocol::{RoomName, SessionId, Who};

/// Nothing for a session without an identity, and nothing for a room where nobody has one. Bounded as the seats are.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// In joining order. A list, since a room is small.
    rooms: HashMap<RoomName, Vec<(Who, SessionId)>>,
}

impl Identities {
    /// A session got a seat in that room.
    pub(super) fn seated(&mut self, room: RoomName, who: Who, session: SessionId) {
        let sessions = self.rooms.entry(room).or_default();
        if sessions.len() == sessions.capacity() {
            // As for the room itself: most hold two.
            sessions.reserve_exact(1 + sessions.len() / 2);
        }
        sessions.push((who, session));
    }

    /// It has none there any more. Who it was, if it gave an identity.
    pub(super) fn stood_up(&mut self, room: &RoomName, session: SessionId) -> Option<Who> {
        let sessions = self.rooms.get_mut(room)?;
        let place = sessions.iter().position(|(_, one)| *one == session);
        let gone = place.map(|place| sessions.remove(place).0);
        if sessions.is_empty() {
            self.rooms.remove(room);
        }
        gone
    }

    /// Who in that room is the same, in joining order.
    pub(super) fn same(&self, room: &RoomName, who: Who) -> impl Iterator<Item = SessionId> {
        let sessions = self.rooms.get(room).into_iter().flatten();
        sessions.filter(move |(one, _)| *one == who).map(|(_, session)| *session)
    }

    /// Who is who in that room.
    pub(super) fn of_room(&self, room: &RoomName) -> impl Iterator<Item = (SessionId, Who)> {
        self.rooms.get(room).into_iter().flatten().map(|(who, session)| (*session, *who))
    }

    /// Who that session is there, if it gave an identity.
    pub(super) fn who(&self, room: &RoomName, session: SessionId) -> Option<Who> {
        let sessions = self.rooms.get(room)?;
        sessions.iter().find(|(_, one)| *one == session).map(|(who, _)| *who)
    }

    /// Whether nobody is remembered.
    pub(super) fn is_blank(&self) -> bool {
        self.rooms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_costs_32_bytes() {
        let room = RoomName::parse("a", 128).expect("a sane name");
        let mut identities = Identities::default();
        for _ in 0..2 {
            identities.seated(room.clone(), Who::of(&"x".repeat(22), &room), SessionId::random());
        }
        let held = &identities.rooms[&room];
        assert_eq!((size_of_val(held.as_slice()), held.capacity()), (2 * 32, 2));
    }
}
