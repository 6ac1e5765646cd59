//! What the supervisor tells about: it is the authority on seats, so joins, refusals and leaves are counted here and
//! nowhere else.

use std::time::Duration;

use super::{actor::Seated, parked::Excess, state::Freed};
use crate::{
    messages::{
        session::{JoinError, Member},
        supervisor::Census,
    },
    protocol::{LeaveReason, RoomName},
    telemetry::{self, Event, Ids, Label, LimitHit},
};

pub(super) fn joined(member: &Member, room: &RoomName, peers: usize, attempt: u32) {
    // Rooms are never empty: the first peer is the one that opened it.
    if peers == 1 {
        telemetry::emit(&Event::RoomOpened { room, source: Some(member.source) });
    }
    telemetry::emit(&Event::PeerJoined { ids: ids(member, room), peers, attempt });
}

pub(super) fn refused(member: &Member, room: &RoomName, refused: JoinError, attempt: u32) {
    if let Some(limit) = refused.share {
        telemetry::tally(|tally| tally.limit_hits.add(limit));
    }
    telemetry::emit(&Event::JoinRefused { ids: ids(member, room), code: refused.code, attempt });
}

pub(super) fn left(seat: &Freed<Seated>, room: &RoomName, reason: LeaveReason) {
    telemetry::emit(&Event::PeerLeft { ids: ids(&seat.member.member, room), reason, stayed: seat.stayed });
}

/// A parked session is asked to end before its time.
pub(super) fn given_up(member: &Member, excess: Excess) {
    let limit = match excess {
        Excess::Total => LimitHit::ParkedSessions,
        Excess::Room => LimitHit::ParkedPerRoom,
        Excess::Address => LimitHit::ConnectionsPerAddress,
    };
    telemetry::tally(|tally| tally.limit_hits.add(limit));
    let (request, session, source) = (Some(&member.request), Some(member.session), Some(member.source));
    let ids = Ids { request, session, source, ..Ids::default() };
    telemetry::emit(&Event::SessionGivenUp { ids, limit: limit.label() });
}

/// Each was counted and told as a resume that was refused, too.
pub(super) fn too_many_wrong_secrets() {
    telemetry::tally(|tally| tally.limit_hits.add(LimitHit::ResumeSecrets));
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
