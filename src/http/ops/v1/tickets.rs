//! Tickets: what lets one connection in, once.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    error::{Answer, ApiError},
    order::Order,
};
use crate::{
    auth::{Now, TicketError, TokenError},
    config::Milliseconds,
    http::ops::{Ops, body},
    telemetry::{self, LimitHit},
};

/// What a ticket grants: as the claims of a token. Exactly one of `room`, `rooms` and `roomPrefix`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TicketOrder {
    /// The room that it is for.
    room: Option<String>,
    /// The rooms that it is for.
    #[schema(min_items = 1, max_items = 64)]
    rooms: Option<Vec<String>>,
    /// All rooms whose names begin so.
    #[schema(min_length = 1)]
    room_prefix: Option<String>,
    /// What it permits: join, signal, broadcast, update, admin; all of them but admin, unless this says.
    perms: Option<Vec<String>>,
    /// The user that it names: 1 to 128 bytes.
    #[schema(min_length = 1, max_length = 128)]
    user: Option<String>,
    /// Most peers that the room may have.
    #[serde(default, deserialize_with = "body::whole")]
    #[schema(minimum = 1)]
    cap: Option<u64>,
    /// Laid over the client's own metadata.
    #[schema(value_type = Option<Object>)]
    meta: Option<Map<String, Value>>,
    /// How long the session may last, in milliseconds; at most `auth.max_ttl_ms`.
    #[serde(default, deserialize_with = "body::whole")]
    #[schema(minimum = 1, maximum = 86_400_000, default = 3_600_000)]
    ttl_ms: Option<u64>,
}

/// A ticket. It is shown in the place of a token: in `join.token`, or as the subprotocol `bearer.<ticket>`; never in a URL.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ticket {
    ticket: String,
    /// The time in which it can be redeemed: a minute, or `ttlMs` if that is less.
    expires_in_ms: u64,
}

/// Issues a ticket: it lets one connection in, within a minute.
#[utoipa::path(
    post,
    path = "/admin/v1/tickets",
    tag = "tickets",
    request_body = TicketOrder,
    responses((status = 201, body = Ticket))
)]
pub(super) async fn issue(ops: web::Data<Ops>, Order(order): Order<TicketOrder>) -> Answer {
    let ttl = order.ttl_ms.map_or(ops.facts.ticket_ttl, |ttl| Milliseconds(ttl).get());
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Now { since_epoch, instant: Instant::now() };
    let issued = ops.tickets.issue(order.claims(), ttl, now);
    let (ticket, life) = issued.map_err(|error| match error {
        TicketError::Refused(why) => ApiError::Ticket(reason(why)),
        TicketError::TooMany(wait) => {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::Tickets));
            ApiError::TooManyTickets(wait)
        }
    })?;
    let expires_in_ms = Milliseconds::rounded_down(life).0;
    Ok(HttpResponse::build(StatusCode::CREATED).json(Ticket { ticket, expires_in_ms }))
}

impl TicketOrder {
    /// As a token has them.
    fn claims(self) -> Map<String, Value> {
        let claims = [
            self.room.map(|room| ("room", room.into())),
            self.rooms.map(|rooms| ("rooms", rooms.into())),
            self.room_prefix.map(|prefix| ("room_prefix", prefix.into())),
            self.perms.map(|words| ("perms", words.into())),
            self.user.map(|user| ("sub", user.into())),
            self.cap.map(|cap| ("cap", cap.into())),
            self.meta.map(|meta| ("meta", Value::Object(meta))),
        ];
        claims.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn reason(error: TokenError) -> &'static str {
    match error {
        TokenError::Claims => {
            "exactly one of room, rooms (1 to 64) and roomPrefix; a user of 1 to 128 bytes, a cap of 1 at least, and a meta \
             of limits.meta_bytes at most"
        }
        TokenError::TooLongLived => "ttlMs is more than auth.max_ttl_ms",
        TokenError::Expired => "ttlMs must be 1 at least",
        TokenError::Join => "perms must have join",
        other => other.message(),
    }
}
