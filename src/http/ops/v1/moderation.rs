//! What operators do to rooms and to who is in them.

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    calls::concerns,
    error::{Answer, ApiError},
    order::Order,
};
use crate::{
    config::Milliseconds,
    http::ops::{Ops, body},
    messages::moderation::{
        Ban, BanId, CloseRoom, Kick, KickFrom, Kicked, LiftBan, ListBans, LockRoom, RoomBans, SendNotice, Target,
    },
    protocol::{
        PeerId, PlainText, RoomName, Who,
        plain_text::{NOTICE_BYTES, REASON_BYTES},
    },
};

/// Who is to go: exactly one of `peer`, `who` and `user`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct KickOrder {
    /// From which room.
    room: String,
    /// That peer.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    peer: Option<String>,
    /// All that are that person, and whoever is that person and not here.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    who: Option<String>,
    /// All whose tokens name that user.
    user: Option<String>,
    /// What they are told: 1 to 256 bytes.
    #[schema(min_length = 1, max_length = 256)]
    reason: Option<String>,
    /// For how long nobody of that person, user or address is let in, in milliseconds: a second to 30 days.
    #[serde(default, deserialize_with = "body::whole")]
    #[schema(minimum = 1000, maximum = 2_592_000_000_i64)]
    ban_ms: Option<u64>,
}

/// Who was sent out. None: nobody was in the room, but a ban was made, or all were told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KickedPeers {
    peers: Vec<String>,
}

/// A room by its name.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfRoom {
    /// The room's name.
    room: String,
}

/// One of a room's bans.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OneBan {
    /// The room's name.
    room: String,
    /// Its `id`.
    id: u64,
}

/// Who a room does not let in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bans {
    /// Whether it lets nobody in at all.
    locked: bool,
    /// Oldest first.
    bans: Vec<BanView>,
}

/// A ban holds for whoever is that person, or that user, or comes from that address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BanView {
    /// By which it is lifted.
    id: u64,
    #[schema(required)]
    who: Option<String>,
    #[schema(required)]
    user: Option<String>,
    /// Whether it holds for an address, too. Which one is not told.
    address: bool,
    /// Until it is over, in milliseconds.
    left_ms: u64,
}

/// Whether a room lets anybody in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LockOrder {
    room: String,
    locked: bool,
}

/// The same, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomLock {
    room: String,
    locked: bool,
}

/// A room that is to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseOrder {
    room: String,
    /// What those in it are told: 1 to 1024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    text: Option<String>,
}

/// Something for people to read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoticeOrder {
    /// For those in this room; without it, for all in any.
    room: Option<String>,
    /// 1 to 1024 bytes; plain text.
    #[schema(min_length = 1, max_length = 1024)]
    text: String,
}

/// How many peers it concerned.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Concerned {
    peers: usize,
}

/// Sends somebody out of a room, and with `banMs` keeps them out.
#[utoipa::path(
    post, path = "/admin/v1/kick", tag = "moderation", request_body = KickOrder, responses((status = 200, body = KickedPeers))
)]
pub(super) async fn kick(request: HttpRequest, ops: web::Data<Ops>, Order(order): Order<KickOrder>) -> Answer {
    let kick = Kick {
        target: order.target()?,
        reason: text("reason", order.reason.as_deref(), REASON_BYTES)?,
        ban: order.ban_ms.map(|time| Milliseconds(time).get()),
    };
    let room = room_of(&request, &ops, &order.room)?;
    let Kicked { peers } = ops.moderation.ask(KickFrom { room, kick }).await?;
    Ok(HttpResponse::Ok().json(KickedPeers { peers: peers.iter().map(ToString::to_string).collect() }))
}

/// Lists a room's bans. Those of a room that is gone are remembered for as long as they hold, and its lock for ten minutes.
#[utoipa::path(get, path = "/admin/v1/bans", tag = "moderation", params(OfRoom), responses((status = 200, body = Bans)))]
pub(super) async fn bans(request: HttpRequest, ops: web::Data<Ops>, query: web::Query<OfRoom>) -> Answer {
    let room = room_of(&request, &ops, &query.room)?;
    let RoomBans { locked, bans } = ops.moderation.ask(ListBans { room }).await?;
    let now = Instant::now();
    let bans = bans.into_iter().map(|ban| BanView::of(ban, now)).collect();
    Ok(HttpResponse::Ok().json(Bans { locked, bans }))
}

/// Lets somebody in again.
#[utoipa::path(
    delete, path = "/admin/v1/bans", tag = "moderation", params(OneBan), responses((status = 204, description = "Lifted."))
)]
pub(super) async fn lift(request: HttpRequest, ops: web::Data<Ops>, query: web::Query<OneBan>) -> Answer {
    let room = room_of(&request, &ops, &query.room)?;
    ops.moderation.ask(LiftBan { room, ban: BanId(query.id) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Locks a room, or unlocks it: a locked one lets nobody in but who resumes or takes a seat of their own.
#[utoipa::path(
    post, path = "/admin/v1/lock", tag = "moderation", request_body = LockOrder, responses((status = 200, body = RoomLock))
)]
pub(super) async fn lock(
    request: HttpRequest,
    ops: web::Data<Ops>,
    Order(LockOrder { room, locked }): Order<LockOrder>,
) -> Answer {
    let name = room_of(&request, &ops, &room)?;
    ops.moderation.ask(LockRoom { room: name, locked }).await?;
    Ok(HttpResponse::Ok().json(RoomLock { room, locked }))
}

/// Sends everybody out of a room and closes their connections. Who comes all the same opens a new room, unless it was locked.
#[utoipa::path(
    post, path = "/admin/v1/close", tag = "moderation", request_body = CloseOrder, responses((status = 200, body = Concerned))
)]
pub(super) async fn close(request: HttpRequest, ops: web::Data<Ops>, Order(order): Order<CloseOrder>) -> Answer {
    let text = text("text", order.text.as_deref(), NOTICE_BYTES)?;
    let room = room_of(&request, &ops, &order.room)?;
    let peers = ops.moderation.ask(CloseRoom { room, text }).await?;
    Ok(HttpResponse::Ok().json(Concerned { peers }))
}

/// Sends a text to all in a room, or in any.
#[utoipa::path(
    post, path = "/admin/v1/notice", tag = "moderation", request_body = NoticeOrder, responses((status = 200, body = Concerned))
)]
pub(super) async fn notice(request: HttpRequest, ops: web::Data<Ops>, Order(order): Order<NoticeOrder>) -> Answer {
    let wrong = |why| invalid("text", why);
    let text = PlainText::parse(&order.text, NOTICE_BYTES).map_err(wrong)?;
    let room = order.room.map(|room| room_of(&request, &ops, &room)).transpose()?;
    let peers = ops.moderation.ask(SendNotice { room, text }).await?;
    Ok(HttpResponse::Ok().json(Concerned { peers }))
}

impl KickOrder {
    fn target(&self) -> Result<Target, ApiError> {
        let wrong = |why: &str| ApiError::Senseless(why.to_owned());
        match (&self.peer, &self.who, &self.user) {
            (Some(peer), None, None) => {
                PeerId::parse(peer).map(Target::Peer).ok_or_else(|| wrong("peer must be 32 hex digits, in lower case"))
            }
            (None, Some(who), None) => {
                Who::parse(who).map(Target::Who).ok_or_else(|| wrong("who must be 32 hex digits, in lower case"))
            }
            (None, None, Some(user)) => Ok(Target::User(Arc::from(user.as_str()))),
            _ => Err(wrong("exactly one of peer, who and user must be there")),
        }
    }
}

impl BanView {
    fn of(ban: Ban, now: Instant) -> Self {
        Self {
            id: ban.id.0,
            who: ban.who.map(|who| who.encode(&mut [0; Who::TEXT_BYTES]).to_owned()),
            user: ban.user.map(|user| user.to_string()),
            address: ban.subnet.is_some(),
            left_ms: Milliseconds::rounded_up(ban.until.saturating_duration_since(now)).0,
        }
    }
}

/// The room of that name, of which word is left.
fn room_of(request: &HttpRequest, ops: &Ops, name: &str) -> Result<RoomName, ApiError> {
    let room = ops.room(name)?;
    concerns(request, room.clone());
    Ok(room)
}

fn text(field: &str, text: Option<&str>, most: usize) -> Result<Option<PlainText>, ApiError> {
    text.map(|text| PlainText::parse(text, most).map_err(|why| invalid(field, why))).transpose()
}

fn invalid(field: &str, why: impl std::fmt::Display) -> ApiError {
    ApiError::Senseless(format!("{field} {why}"))
}
