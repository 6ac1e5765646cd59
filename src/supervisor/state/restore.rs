//! Seats on their way through a restart.

use std::{sync::Arc, time::Instant};

use super::{Known, Occupied, Room, Seat, SupervisorState};
use crate::{
    limits::Subnet,
    messages::handover::{RoomStock, SeatStock},
    protocol::{RoomName, SessionId, Who},
    store::ModerationRecord,
    utc::Clocks,
};

/// A seat that was there before the process was.
#[derive(Debug)]
pub struct ReservedSeat<M> {
    /// Names it.
    pub session: SessionId,
    /// How it is reached.
    pub member: M,
    /// The address that it is counted for.
    pub subnet: Option<Subnet>,
    /// Who sits there, if that one gave an identity.
    pub who: Option<Who>,
    /// The user that its token names.
    pub user: Option<Arc<str>>,
    /// When it was given.
    pub since: Instant,
    /// Whether anybody was told that it is away.
    pub is_known_away: bool,
}

impl<M, R: Clone> SupervisorState<M, R> {
    /// Every room with its seats, those without a session that lives not left out: who records sessions leaves them out.
    #[must_use]
    pub fn stock(&self) -> Vec<RoomStock> {
        let seat = |session: &SessionId| {
            let seat = self.seats.get(session)?;
            Some(SeatStock { session: *session, subnet: seat.subnet, since: seat.since() })
        };
        let rooms = self.rooms.iter();
        rooms
            .map(|(name, room)| {
                let seats = room.sessions.iter().filter_map(seat).collect();
                RoomStock { name: name.clone(), opened: room.opened, seats }
            })
            .collect()
    }

    /// Seats of a room that is not there yet, in joining order, all of them away. They were granted before, so no cap is asked: who
    /// restores them has asked those that can have changed. It counts as no join, and as nobody being parked: that everybody was
    /// away at once is the server's doing, so nobody yields because of it.
    pub fn restore(&mut self, name: &RoomName, since: Instant, port: R, seats: Vec<ReservedSeat<M>>, now: Instant) {
        let first = seats.first().and_then(|seat| seat.subnet);
        let opener = first.map(|subnet| self.address_shares.opened(subnet, name, now));
        let sessions: Vec<_> = seats.iter().map(|seat| seat.session).collect();
        self.occupancy.moved(0, sessions.len());
        self.names.insert(name.clone());
        self.rooms.insert(name.clone(), Box::new(Room { port, opened: since, opener, sessions }));
        self.moderation.opened(name, now);
        for ReservedSeat { session, member, subnet, who, user, since, is_known_away: is_known } in seats {
            if let Some(subnet) = subnet {
                self.address_shares.seated(subnet, name.clone());
            }
            if let Some(who) = who {
                self.identities.seated(name.clone(), who, session);
            }
            self.users.seated(&Known { who, user: user.clone() });
            self.parked.seated(subnet);
            let seat = Seat::new(name.clone(), member, subnet, user, since);
            self.seats.insert(session, Box::new(Seat { occupied: Occupied::Reserved { is_known }, ..seat }));
        }
    }

    /// Whether that room is locked.
    #[must_use]
    pub fn is_locked(&self, room: &RoomName, now: Instant) -> bool {
        self.moderation.is_locked(room, now)
    }

    /// What is locked and banned.
    #[must_use]
    pub fn moderation_records(&self, clocks: Clocks) -> Vec<ModerationRecord> {
        self.moderation.records(clocks)
    }

    /// The same, of the process before. Before any room is restored.
    pub fn restore_moderation(&mut self, records: Vec<ModerationRecord>, clocks: Clocks) {
        self.moderation.restore(records, clocks);
    }
}
