//! What went on in a room: as facts, and as a sequence diagram.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, SystemTime},
};

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{calls::concerns, error::ApiError};
use crate::{
    config::Milliseconds,
    http::ops::Ops,
    messages::listing::Question,
    recorder::{
        RecorderConfig, diagram,
        fact::{Blocks, Fact, ShortId, What},
        story::{self, Story},
    },
    telemetry::Label,
    utc::Rfc3339,
};

/// Facts of an answer at most, the newest: some 2 MB.
const FACTS_MAX: u32 = 10_000;
/// Facts of an answer, unless more or fewer are asked for: what a viewer of diagrams draws in a second.
const FACTS: u32 = 1000;

/// As what it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// Facts.
    #[default]
    Json,
    /// A sequence diagram in Mermaid's language.
    Mermaid,
}

/// How much, and as what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct RecorderQuery {
    /// As what.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Facts at most: the newest.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    limit: Option<u32>,
}

/// What went on in a room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recorded {
    room: String,
    /// Whether somebody is in it now. What is recorded of a room is kept for `recorder.keep_ms` after its end.
    is_open: bool,
    /// Those that the facts are about, as they first appear in them.
    peers: Vec<RecordedPeer>,
    /// In the order of time.
    facts: Vec<RecordedFact>,
    /// Offers that arrived and were not answered for a second at least, in the order in which they were made.
    unanswered: Vec<UnansweredOffer>,
    /// Facts before these: forgotten for want of room (`recorder.room_bytes`), or more than were asked for.
    older: u64,
}

/// A peer in a recording.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordedPeer {
    /// As everybody in the room knows it: 32 hex digits; the first 16, where no more of it is known any more.
    id: String,
    /// Whether it is in the room now.
    is_here: bool,
}

/// Something that happened. `peer` and `to` are ids as in `peers`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordedFact {
    /// When: RFC 3339, UTC.
    #[schema(format = DateTime)]
    at: String,
    /// What: a kind of signal (`offer`, `answer`, `candidate`, `app`), or `joined`, `left`, `away`, `back`, `resumed`,
    /// `join_refused`, `error`, `locked`, `unlocked` or `room_closed`.
    kind: &'static str,
    /// Who sent it, or the peer that it happened to; null: the room.
    #[schema(required)]
    peer: Option<String>,
    /// Of a signal: who it was for; `*`: all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Of a signal to all: how many others there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<u32>,
    /// Of a signal: its length, rounded up to 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u32>,
    /// Of a signal to one: what became of it, by the words of `switchboard_relays_total`, or `waiting`. Of `resumed`: `complete`
    /// or `incomplete`. Of `left`: the reason. Of `join_refused` and `error`: the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

/// An offer without an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnansweredOffer {
    /// Who made it.
    from: String,
    /// Who did not answer.
    to: String,
    /// When it was made: RFC 3339, UTC.
    #[schema(format = DateTime)]
    at: String,
    /// For how long nobody answered: until now, or until one of the two left.
    waited_ms: u64,
}

/// Shows what went on in a room: who sent signals of which kind to which peer, who came, went and was away, and what became of it. There is
/// nothing in it of what was sent.
///
/// 404 `room_not_found` when nothing is recorded of a room of that name; 409 `recorder_off` when nothing is recorded at all.
#[utoipa::path(
    get,
    path = "/admin/v1/rooms/{room}/recorder",
    tag = "rooms",
    params(
        ("room" = String, Path, description = "Its name, percent-encoded. A room named `.` or `..` has no path."),
        RecorderQuery,
    ),
    responses((status = 200, content((Recorded = "application/json"), (String = "text/plain"))))
)]
pub(super) async fn recorder(
    request: HttpRequest,
    ops: web::Data<Ops>,
    name: web::Path<String>,
    query: web::Query<RecorderQuery>,
) -> Result<HttpResponse, ApiError> {
    let RecorderQuery { format, limit } = query.into_inner();
    let limit = limit.unwrap_or(FACTS);
    if !(1..=FACTS_MAX).contains(&limit) {
        return Err(ApiError::Query(format!("limit must be from 1 to {FACTS_MAX}")));
    }
    let room = ops.room(&name)?;
    concerns(&request, room.clone());
    let config = ops.recordings.config;
    if !config.is_enabled() {
        return Err(ApiError::RecorderOff);
    }
    let asked = room.clone();
    let found = ops.questions.ask(|answer| Question::Room(asked, answer)).await.ok_or(ApiError::Unavailable)?;
    let members: Vec<_> = found.into_iter().flat_map(|room| room.members).map(|seat| seat.peer).collect();
    let (pieces, now) = ops.recordings.read(&room).await.ok_or(ApiError::Unavailable)?;
    if pieces.is_empty() {
        return Err(ApiError::RoomNotFound);
    }
    let story = Story::of(pieces, &members, config.time(now), limit as usize);
    Ok(match format {
        Format::Mermaid => HttpResponse::Ok().content_type(ContentType::plaintext()).body(diagram::mermaid(&story)),
        Format::Json => {
            let here = members.iter().map(|member| ShortId::of(*member)).collect();
            HttpResponse::Ok().json(Told::new(&story, config, now).recorded(room.as_str(), &here))
        }
    })
}

/// What is to be told, and by which clock.
struct Told<'s> {
    story: &'s Story,
    ids: BTreeMap<ShortId, &'s str>,
    config: RecorderConfig,
    now: (Instant, SystemTime),
}

impl<'s> Told<'s> {
    fn new(story: &'s Story, config: RecorderConfig, now: Instant) -> Self {
        let ids = story.peers.iter().map(|(short, id)| (*short, id.as_str())).collect();
        Self { story, ids, config, now: (now, SystemTime::now()) }
    }

    fn recorded(&self, room: &str, here: &BTreeSet<ShortId>) -> Recorded {
        let peers = self.story.peers.iter();
        Recorded {
            room: room.to_owned(),
            is_open: !here.is_empty(),
            peers: peers.map(|(short, id)| RecordedPeer { id: id.clone(), is_here: here.contains(short) }).collect(),
            facts: self.story.facts.iter().map(|fact| self.fact(fact)).collect(),
            unanswered: self.story.unanswered.iter().map(|offer| self.offer(offer)).collect(),
            older: self.story.older,
        }
    }

    fn time(&self, at: u64) -> String {
        let (now, time) = self.now;
        let at = time.checked_sub(self.config.ago(at, now)).unwrap_or(SystemTime::UNIX_EPOCH);
        Rfc3339(at).to_string()
    }

    fn id(&self, short: ShortId) -> Option<String> {
        self.ids.get(&short).map(|id| (*id).to_owned())
    }

    fn fact(&self, fact: &Fact) -> RecordedFact {
        let (kind, outcome) = words(&fact.what);
        let (to, others, size) = match fact.what {
            What::Signal { to, size, .. } | What::Waits { to, size, .. } => (self.id(to), None, Some(size)),
            What::Broadcast { others, size, .. } => (Some("*".to_owned()), Some(others), Some(size)),
            _ => (None, None, None),
        };
        let (at, peer, bytes) =
            (self.time(fact.at), fact.peer().and_then(|peer| self.id(peer)), size.map(Blocks::bytes));
        RecordedFact { at, kind, peer, to, others, bytes, outcome }
    }

    fn offer(&self, offer: &story::Unanswered) -> UnansweredOffer {
        UnansweredOffer {
            from: self.id(offer.from).unwrap_or_default(),
            to: self.id(offer.to).unwrap_or_default(),
            at: self.time(offer.at),
            waited_ms: Milliseconds::rounded_down(Duration::from_nanos(offer.waited)).0,
        }
    }
}

/// What happened, and what became of it.
fn words(what: &What) -> (&'static str, Option<&'static str>) {
    match what {
        What::Signal { kind, outcome, .. } => (kind.as_str(), Some(outcome.label())),
        What::Waits { kind, .. } => (kind.as_str(), Some("waiting")),
        What::Broadcast { kind, .. } => (kind.as_str(), None),
        What::Joined(_) => ("joined", None),
        What::Left(_, reason) => ("left", Some(reason.as_str())),
        What::Away(_) => ("away", None),
        What::Back(_) => ("back", None),
        What::Resumed(complete) => ("resumed", Some(if *complete { "complete" } else { "incomplete" })),
        What::JoinRefused(code) => ("join_refused", Some(code.as_str())),
        What::Error(code) => ("error", Some(code.as_str())),
        What::Locked(true) => ("locked", None),
        What::Locked(false) => ("unlocked", None),
        What::RoomClosed => ("room_closed", None),
    }
}
