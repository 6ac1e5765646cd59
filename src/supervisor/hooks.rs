//! What the receiver of webhooks is told, where there is one. As the supervisor is the authority on seats, it is all told here,
//! in the order in which it happened.

use super::{
    outcomes::{Freed, Known, Lost},
    seated::Seated,
};
use crate::{
    messages::session::Member,
    protocol::{LeaveReason, RoomName},
    webhooks::{Person, RoomEnd, Webhooks},
};

/// Without a receiver, a look that finds none.
#[derive(Debug, Default)]
pub(super) struct Hooks(Option<Webhooks>);

impl Hooks {
    pub(super) fn to(webhooks: Webhooks) -> Self {
        Self(Some(webhooks))
    }

    /// `opened`: its room was not there before.
    pub(super) fn joined(&mut self, member: &Member, room: &RoomName, known: &Known, opened: bool) {
        let Some(webhooks) = &mut self.0 else { return };
        if opened {
            webhooks.room_opened(room);
        }
        webhooks.peer_joined(room, person(member, known));
    }

    pub(super) fn left(&mut self, seat: &Freed<Seated>, room: &RoomName, reason: LeaveReason) {
        let Some(webhooks) = &mut self.0 else { return };
        webhooks.peer_left(room, person(&seat.member.member, &seat.known), reason);
    }

    /// The room of its last peer.
    pub(super) fn closed(&mut self, room: &RoomName, end: RoomEnd) {
        let Some(webhooks) = &mut self.0 else { return };
        webhooks.room_closed(room, end);
    }

    /// A room died under its peers.
    pub(super) fn lost(&mut self, lost: &Lost<Seated>) {
        if self.0.is_some() {
            lost.seats.iter().for_each(|seat| self.left(seat, &lost.room, LeaveReason::RoomClosed));
            self.closed(&lost.room, RoomEnd::Lost);
        }
    }

    /// Somebody is away now, or is back. `place` is asked only if anybody is told.
    pub(super) fn presence<'a>(
        &mut self,
        is_away: bool,
        place: impl FnOnce() -> Option<(&'a RoomName, &'a Seated, Known)>,
    ) {
        let Some(webhooks) = &mut self.0 else { return };
        let Some((room, seated, known)) = place() else { return };
        let person = person(&seated.member, &known);
        if is_away { webhooks.peer_away(room, person) } else { webhooks.peer_back(room, person) }
    }
}

fn person(member: &Member, known: &Known) -> Person {
    Person { peer: member.peer, who: known.who, user: known.user.clone() }
}
