//! What the supervisor tells about: it is the authority on seats, so joins, refusals and leaves are counted here and
//! nowhere else.

use std::time::Duration;

use super::{outcomes::Freed, parked::Excess, seated::Seated};
use crate::{
    messages::{
        session::{JoinError, Member},
        supervisor::Census,
    },
    protocol::{LeaveReason, RoomName},
    telemetry::{self, Context, Event, Label, LimitHit, ModerationAct, Moderator},
};

/// `opened`: its room was not there before.
pub(super) fn joined(member: &Member, room: &RoomName, peers: usize, opened: bool, attempt: u32) {
    if opened {
        telemetry::emit(&Event::RoomOpened { context: Context::of_room(room, Some(member.source)) });
    }
    telemetry::emit(&Event::PeerJoined { context: context(member, room), peers, attempt });
}

pub(super) fn refused(member: &Member, room: &RoomName, refused: JoinError, attempt: u32) {
    if let Some(limit) = refused.share {
        telemetry::tally(|tally| tally.limit_hits.add(limit));
    }
    telemetry::emit(&Event::JoinRefused { context: context(member, room), code: refused.code, attempt });
}

pub(super) fn left(seat: &Freed<Seated>, room: &RoomName, reason: LeaveReason) {
    telemetry::emit(&Event::PeerLeft { context: context(&seat.member.member, room), reason, stayed: seat.stayed });
}

/// A parked session is asked to end before its time.
pub(super) fn given_up(member: &Member, excess: Excess) {
    let limit = match excess {
        Excess::Total => LimitHit::ParkedSessions,
        Excess::Room => LimitHit::ParkedPerRoom,
        Excess::Address => LimitHit::ConnectionsPerAddress,
    };
    telemetry::tally(|tally| tally.limit_hits.add(limit));
    telemetry::emit(&Event::SessionGivenUp { context: member.context(), limit: limit.label() });
}

/// Each was counted and told as a resume that was refused, too.
pub(super) fn too_many_wrong_secrets() {
    telemetry::tally(|tally| tally.limit_hits.add(LimitHit::ResumeSecrets));
}

pub(super) fn room_ended(last: &Freed<Seated>, room: &RoomName, lived: Duration) {
    telemetry::emit(&Event::RoomEnded { context: Context::of_room(room, Some(last.member.member.source)), lived });
}

/// `peers` had seats in it.
pub(super) fn room_lost(room: &RoomName, peers: usize) {
    telemetry::emit(&Event::RoomLost { context: Context::of_room(room, None), peers });
}

/// Somebody who moderates did something: a member, or an operator. `room`: to that one, or to all.
pub(super) fn moderated(
    room: Option<&RoomName>,
    act: ModerationAct,
    by: Option<&Member>,
    peers: usize,
    ban: Option<Duration>,
) {
    let (context, by) = match by {
        Some(member) => (member.context().as_peer(member.peer), Moderator::Member),
        None => (Context::default(), Moderator::Operator),
    };
    let ban = ban.unwrap_or_default();
    telemetry::emit(&Event::RoomModerated { context: context.within(room), act, by, peers, ban });
}

/// A limit of moderation did its work.
pub(super) fn limit_hit(limit: LimitHit) {
    telemetry::tally(|tally| tally.limit_hits.add(limit));
}

/// So many rooms that were gone had to be forgotten with their lock or bans.
pub(super) fn forgotten(rooms: u64) {
    telemetry::tally(|tally| tally.limit_hits.add_n(LimitHit::ModeratedRooms, rooms));
}

/// That it comes at all is the server's heartbeat.
pub(super) fn census(census: Census) {
    telemetry::tally(|tally| tally.census = Some(census.into()));
}

fn context<'a>(member: &'a Member, room: &'a RoomName) -> Context<'a> {
    member.context().as_peer(member.peer).within(Some(room))
}
