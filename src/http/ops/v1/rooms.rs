//! Rooms and who is in them.

use std::time::{Duration, SystemTime};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    calls::concerns,
    error::{Answer, ApiError},
};
use crate::{
    http::ops::Ops,
    messages::listing::{Page, PeerFilter, Question, RoomDetails, RoomFilter, RoomView, SeatView},
    protocol::{RoomName, Who},
    utc::Rfc3339,
};

/// Most items of a page: an answer of some 200 kB.
const PAGE_MAX: u32 = 1000;
/// No room holds more.
const MIN_PEERS_MAX: u32 = 1_000_000;
/// Items of a page, unless more or fewer are asked for.
const PAGE: u32 = 100;

/// Which rooms. All that is said must be true of one.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct RoomsQuery {
    /// Those whose names begin so.
    #[serde(default)]
    prefix: String,
    /// Those with so many peers at least.
    #[serde(default)]
    #[param(maximum = 1_000_000)]
    min_peers: u32,
    /// Those that are locked, or those that are not.
    locked: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rooms of a page, at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Which peers. All that is said must be true of one.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct PeersQuery {
    /// Those in this room.
    room: Option<String>,
    /// Those with this `who`, in any room: 32 hex digits.
    #[param(pattern = "^[0-9a-f]{32}$")]
    who: Option<String>,
    /// Those whose token names this user (`sub`).
    user: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Peers of a page; all others of the room that the last one is in come, too.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A page of rooms, in the order of the bytes of their names.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rooms {
    rooms: Vec<RoomSummary>,
    /// `cursor` of the next page; null: this was the last. A page may have fewer rooms than its limit, or none, and not be the last.
    #[schema(required)]
    next: Option<String>,
}

/// A page of peers, in the order of their rooms, and in one room as they joined.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// As for rooms.
    #[schema(required)]
    next: Option<String>,
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomSummary {
    name: String,
    /// Peers in it, those included that are away.
    peers: usize,
    /// Those that are away: their seats are kept for them.
    away: usize,
    /// Whether it lets nobody in.
    locked: bool,
    /// When it was opened: RFC 3339, UTC.
    #[schema(format = DateTime)]
    since: String,
}

/// A room with its members.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    #[serde(flatten)]
    summary: RoomSummary,
    /// In joining order.
    members: Vec<Peer>,
}

/// A peer in a room. Where it connects from is in the log alone (`connection_opened`, by its session).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peer {
    /// As everybody in the room knows it.
    id: String,
    /// As the log has it (`session_id`); null: it is connected to another node, whose log has it.
    #[schema(required)]
    session: Option<String>,
    /// The node that it is connected to, where rooms span nodes; null: they do not.
    #[schema(required)]
    node: Option<String>,
    room: String,
    /// Who it is, if it gave an identity: 32 hex digits.
    #[schema(required)]
    who: Option<String>,
    /// The user that its token names (`sub`), whether or not the others are shown that.
    #[schema(required)]
    user: Option<String>,
    /// When it joined: RFC 3339, UTC.
    #[schema(format = DateTime)]
    since: String,
    /// Whether its client is away, and its seat kept.
    away: bool,
}

/// Lists rooms, page by page.
#[utoipa::path(get, path = "/admin/v1/rooms", tag = "rooms", params(RoomsQuery), responses((status = 200, body = Rooms)))]
pub(super) async fn rooms(ops: web::Data<Ops>, query: web::Query<RoomsQuery>) -> Answer {
    let RoomsQuery { prefix, min_peers, locked, cursor, limit } = query.into_inner();
    if min_peers > MIN_PEERS_MAX {
        return Err(ApiError::Query(format!("minPeers must be at most {MIN_PEERS_MAX}")));
    }
    let filter = RoomFilter { after: cursor, prefix, min_peers: min_peers as usize, locked, limit: checked(limit)? };
    let Page { items, next } =
        ops.questions.ask(|answer| Question::Rooms(filter, answer)).await.ok_or(ApiError::Unavailable)?;
    let rooms = items.into_iter().map(RoomSummary::from).collect();
    Ok(HttpResponse::Ok().json(Rooms { rooms, next: next.map(|name| name.to_string()) }))
}

/// Shows one room with its members.
#[utoipa::path(
    get,
    path = "/admin/v1/rooms/{room}",
    tag = "rooms",
    params(("room" = String, Path, description = "Its name, percent-encoded. A room named `.` or `..` has no path: `peers?room=` shows who is in it.")),
    responses((status = 200, body = Room))
)]
pub(super) async fn room(request: HttpRequest, ops: web::Data<Ops>, name: web::Path<String>) -> Answer {
    let name = ops.room(&name)?;
    concerns(&request, name.clone());
    let found = ops.questions.ask(|answer| Question::Room(name, answer)).await.ok_or(ApiError::Unavailable)?;
    let RoomDetails { room, members } = found.ok_or(ApiError::RoomNotFound)?;
    let members = members.into_iter().map(Peer::from).collect();
    Ok(HttpResponse::Ok().json(Room { summary: room.into(), members }))
}

/// Lists peers, page by page.
#[utoipa::path(get, path = "/admin/v1/peers", tag = "rooms", params(PeersQuery), responses((status = 200, body = Peers)))]
pub(super) async fn peers(request: HttpRequest, ops: web::Data<Ops>, query: web::Query<PeersQuery>) -> Answer {
    let PeersQuery { room, who, user, cursor, limit } = query.into_inner();
    if let Some(name) = room.as_deref().and_then(|name| ops.room(name).ok()) {
        concerns(&request, name);
    }
    let wrong = || ApiError::Query("who must be 32 hex digits, in lower case".to_owned());
    let who = who.map(|digits| Who::parse(&digits).ok_or_else(wrong)).transpose()?;
    let filter = PeerFilter { after: cursor, room, who, user, limit: checked(limit)? };
    let Page { items, next } =
        ops.questions.ask(|answer| Question::Peers(filter, answer)).await.ok_or(ApiError::Unavailable)?;
    let peers = items.into_iter().map(Peer::from).collect();
    Ok(HttpResponse::Ok().json(Peers { peers, next: next.map(|name| name.to_string()) }))
}

fn checked(limit: Option<u32>) -> Result<usize, ApiError> {
    let limit = limit.unwrap_or(PAGE);
    let fits = (1..=PAGE_MAX).contains(&limit);
    if fits { Ok(limit as usize) } else { Err(ApiError::Query(format!("limit must be from 1 to {PAGE_MAX}"))) }
}

/// So long ago, as a time of day.
fn ago(age: Duration) -> String {
    let at = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    Rfc3339(at).to_string()
}

impl Ops {
    /// The name of a room, if it can be one.
    pub(super) fn room(&self, name: &str) -> Result<RoomName, ApiError> {
        RoomName::parse(name, self.facts.room_name_bytes).map_err(|_| ApiError::RoomNotFound)
    }
}

impl From<RoomView> for RoomSummary {
    fn from(RoomView { name, peers, away, locked, age }: RoomView) -> Self {
        Self { name: name.to_string(), peers, away, locked, since: ago(age) }
    }
}

impl From<SeatView> for Peer {
    fn from(SeatView { peer, session, node, room, who, user, stayed, away }: SeatView) -> Self {
        Self {
            id: peer.to_string(),
            session: session.map(|session| session.to_string()),
            node: node.map(|node| node.as_str().to_owned()),
            room: room.to_string(),
            who: who.map(|who| who.encode(&mut [0; Who::TEXT_BYTES]).to_owned()),
            user: user.map(|user| user.to_string()),
            since: ago(stayed),
            away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_bound() {
        assert_eq!((checked(None), checked(Some(1)), checked(Some(1000))), (Ok(100), Ok(1), Ok(1000)));
        for wrong in [0, 1001, u32::MAX] {
            assert!(checked(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
