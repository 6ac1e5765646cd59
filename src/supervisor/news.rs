//! What the supervisor tells about: it is the authority on seats, so joins, refusals and leaves are counted here and
//! nowhere else.

use std::time::Duration;

use super::{actor::Seated, state::Freed};
use crate::{
    messages::{
        session::{JoinRefused, Member},
        supervisor::Census,
    },
    protocol::{ErrorCode, LeaveReason, RoomName},
    telemetry::{self, Event, Ids, LimitHit},
};

pub(super) fn joined(member: &Member, room: &RoomName, peers: usize, attempt: u32) {
    // Rooms are never empty: the first peer is the one that opened it.
    if peers == 1 {
        telemetry::emit(&Event::RoomOpened { room, source: Some(member.source) });
    }
    telemetry::emit(&Event::PeerJoined { ids: ids(member, room), peers, attempt });
}

pub(super) fn refused(member: &Member, room: &RoomName, refused: JoinRefused, attempt: u32) {
    if refused.of_address {
        let limit = match refused.code {
            ErrorCode::RateLimited => LimitHit::JoinsPerMinute,
            _ => LimitHit::RoomsPerAddress,
        };
        telemetry::tally(|tally| tally.limit_hits.add(limit));
    }
    telemetry::emit(&Event::JoinRefused { ids: ids(member, room), code: refused.code, attempt });
}

pub(super) fn left(seat: &Freed<Seated>, room: &RoomName, reason: LeaveReason) {
    telemetry::emit(&Event::PeerLeft { ids: ids(&seat.member.member, room), reason, stayed: seat.stayed });
}

pub(super) fn room_ended(last: &Freed<Seated>, room: &RoomName, lived: Duration) {
    telemetry::emit(&Event::RoomEnded { room, source: Some(last.member.member.source), lived });
}

/// `peers` had seats in it.
pub(super) fn room_lost(room: &RoomName, peers: usize) {
    telemetry::emit(&Event::RoomLost { room, peers });
}

/// That it comes at all is the server's heartbeat.
pub(super) fn census(census: Census) {
    telemetry::tally(|tally| tally.census = Some(census.into()));
}

fn ids<'a>(member: &'a Member, room: &'a RoomName) -> Ids<'a> {
    Ids {
        request: Some(&member.request),
        session: Some(member.session),
        peer: Some(member.peer),
        room: Some(room),
        source: Some(member.source),
    }
}
