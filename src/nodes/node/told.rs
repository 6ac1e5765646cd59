//! What this process is told.

use std::time::Duration;

use super::{Node, Own, Pending};
use crate::{
    cluster::{Incarnation, Seat, seats::Departure},
    messages::{
        cluster::{FarPeer, Profile, RoomNow, Told},
        session::JoinError,
    },
    nodes::{
        command::{Command, Kind},
        wire::JoinReply,
    },
    protocol::{ErrorCode, LeaveReason, PeerId, RoomName},
};

/// `unavailable`, to be asked again after so many milliseconds.
pub(super) fn unavailable(after_ms: u64) -> JoinError {
    JoinError { retry_after: Some(Duration::from_millis(after_ms)), ..JoinError::new(ErrorCode::Unavailable) }
}

/// What the script's answer is to a client.
pub(super) fn join_error(reply: JoinReply) -> JoinError {
    match reply {
        JoinReply::Full => JoinError::new(ErrorCode::RoomFull),
        JoinReply::Locked => JoinError::new(ErrorCode::RoomLocked),
        JoinReply::RoomLimit => JoinError::new(ErrorCode::RoomLimit),
        JoinReply::Banned(left) => JoinError::banned(Duration::from_millis(left)),
        JoinReply::Unavailable(left) => unavailable(left),
    }
}

/// What the others are told of a departure.
pub(super) fn reason(departure: Departure) -> LeaveReason {
    match departure {
        Departure::Left => LeaveReason::Left,
        Departure::Disconnected => LeaveReason::Disconnected,
        Departure::Timeout => LeaveReason::Timeout,
        Departure::Replaced => LeaveReason::Replaced,
        Departure::Draining => LeaveReason::ServerDraining,
        Departure::Kicked => LeaveReason::Kicked,
        Departure::SlowConsumer => LeaveReason::SlowConsumer,
        Departure::Error => LeaveReason::Error,
        Departure::TokenExpired => LeaveReason::TokenExpired,
        Departure::RoomClosed => LeaveReason::RoomClosed,
    }
}

/// A seat of another node's, as this process knows it.
pub(super) fn far(peer: PeerId, seat: &Seat) -> FarPeer {
    FarPeer {
        peer,
        node: seat.owner.as_ref().map(|owner| owner.node.clone()),
        number: seat.number,
        profile: Profile { meta: seat.meta.clone(), who: seat.who, user: seat.user.clone() },
        away_until_ms: seat.away.then_some(seat.until),
    }
}

/// Whether it is that node's own.
pub(super) fn is_of(seat: Option<&Seat>, me: &Incarnation) -> bool {
    seat.and_then(|seat| seat.owner.as_ref()) == Some(me)
}

impl Node {
    /// The join that is under way gets its seat, if it is the one with that version. Whether it did.
    pub(super) fn grant(&mut self, name: &RoomName, peer: PeerId, seat: &Seat, replaced: &[PeerId]) -> bool {
        let me = self.me.clone();
        let Some(room) = self.rooms.get_mut(name) else { return false };
        let Some(own) = room.own.get_mut(&peer) else { return false };
        let Some(Pending { ticket, .. }) = own.joining.take_if(|pending| pending.version == seat.version) else {
            return false;
        };
        let now = (!std::mem::replace(&mut room.is_told, true)).then(|| {
            let seats = room.replica.seats();
            let mut peers: Vec<_> = seats.iter().filter(|(_, seat)| !is_of(Some(seat), &me)).collect();
            peers.sort_by_key(|(_, seat)| seat.number);
            let peers = peers.into_iter().map(|(peer, seat)| far(*peer, seat)).collect();
            Box::new(RoomNow { peers, locked: room.replica.rules().locked })
        });
        self.tell(Told::Granted { ticket, number: seat.number, replaced: replaced.to_vec(), room: now });
        true
    }

    /// The join that is under way is refused.
    pub(super) fn refuse(&mut self, name: &RoomName, peer: PeerId, error: JoinError) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if room.own.get(&peer).is_some_and(|own| !own.is_inside())
            && let Some(Own { joining: Some(pending), .. }) = room.own.remove(&peer)
        {
            self.tell(Told::Refused { ticket: pending.ticket, error });
        }
    }

    /// A signal was not delivered, and will not be.
    pub(super) fn unreached(&mut self, command: Command) {
        if let (Kind::Signal(signal), Some(room)) = (command.kind, command.room) {
            let (from, to) = (signal.from, signal.to.clone());
            self.tell(Told::Unreached { room, from, to });
        }
    }

    /// Seats that were taken by a join of which this process hears nothing.
    pub(super) fn tell_replaced(&mut self, name: &RoomName) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let (peers, is_told) = (std::mem::take(&mut room.replaced), room.is_told);
        for peer in peers.into_iter().filter(|_| is_told) {
            self.tell(Told::Left { room: name.clone(), peer, reason: LeaveReason::Replaced });
        }
    }
}
