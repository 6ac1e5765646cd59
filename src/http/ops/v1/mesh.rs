//! The mesh of a room: who reaches which peer, as its clients report it.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{calls::concerns, error::ApiError};
use crate::{
    http::ops::Ops,
    messages::{
        listing::Question,
        mesh::{MeshPair, MeshPeer, MeshView, Told, Verdict},
    },
    protocol::PeerId,
    telemetry::Label,
};

/// Who reaches which peer in a room.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mesh {
    room: String,
    /// Whether anything is known: false where nobody has reported, and in a room of more than 32.
    known: bool,
    /// In joining order.
    peers: Vec<PeerOfMesh>,
    /// Each pair once.
    pairs: Vec<Pair>,
}

/// A peer of a mesh.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PeerOfMesh {
    /// As everybody in the room knows it.
    id: String,
    /// Whether it has reported anything of its connections to others.
    reports: bool,
    /// Whether its client is away, and its seat kept.
    away: bool,
    /// To how many others it is connected.
    reaches: usize,
    /// Whether it has reached some of the others, and not all, for more than 15 s.
    fractured: bool,
}

/// Two peers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Pair {
    /// Their ids; the one that joined first comes first.
    peers: Vec<String>,
    /// `connected`, `failed`, `waiting` (neither), or `silent` (none of them reports).
    state: String,
    /// What those of them say who have said anything.
    told: Vec<Statement>,
}

/// What a peer last said of a pair.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Statement {
    /// Who says so.
    by: String,
    /// `trying`, `connected`, `failed` or `closed`.
    says: String,
    /// Where it is connected: the type of its own candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<String>,
    /// Where it has failed: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// For how long it has said so, in milliseconds.
    for_ms: u64,
    /// How long ago it said anything of this pair, in milliseconds.
    heard_ms: u64,
    /// The latest round trip to the other peer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_ms: Option<u32>,
    /// How often ICE was restarted.
    restarts: u32,
}

/// Shows who reaches which peer in a room, as its clients report it.
#[utoipa::path(
    get,
    path = "/admin/v1/rooms/{room}/mesh",
    tag = "rooms",
    params(("room" = String, Path, description = "Its name, percent-encoded.")),
    responses((status = 200, body = Mesh))
)]
pub(super) async fn mesh(
    request: HttpRequest,
    ops: web::Data<Ops>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let name = ops.room(&name)?;
    concerns(&request, name.clone());
    let asked = name.clone();
    let found = ops.questions.ask(|answer| Question::Room(asked, answer)).await.ok_or(ApiError::Unavailable)?;
    found.ok_or(ApiError::RoomNotFound)?;
    let asked = name.clone();
    let view = ops.questions.ask(|answer| Question::Mesh(asked, answer)).await.ok_or(ApiError::Unavailable)?;
    let (known, MeshView { peers, pairs }) =
        (view.is_some(), view.unwrap_or(MeshView { peers: Vec::new(), pairs: Vec::new() }));
    let (peers, pairs) = (peers.into_iter().map(PeerOfMesh::from).collect(), pairs.iter().map(Pair::from).collect());
    Ok(HttpResponse::Ok().json(Mesh { room: name.to_string(), known, peers, pairs }))
}

impl From<MeshPeer> for PeerOfMesh {
    fn from(MeshPeer { peer, reports, away, reaches, is_fractured }: MeshPeer) -> Self {
        Self { id: peer.to_string(), reports, away, reaches, fractured: is_fractured }
    }
}

impl From<&MeshPair> for Pair {
    fn from(MeshPair { peers, state, told }: &MeshPair) -> Self {
        let said = peers.iter().zip(told).filter_map(|(peer, told)| Some(statement(*peer, (*told)?)));
        Self {
            peers: peers.iter().map(PeerId::to_string).collect(),
            state: state.label().to_owned(),
            told: said.collect(),
        }
    }
}

fn statement(by: PeerId, told: Told) -> Statement {
    let (says, candidate, reason) = match told.verdict {
        Verdict::Trying => ("trying", None, None),
        Verdict::Connected(candidate) => ("connected", Some(candidate.as_str().to_owned()), None),
        Verdict::Failed(reason) => ("failed", None, Some(reason.as_str().to_owned())),
        Verdict::Closed => ("closed", None, None),
    };
    Statement {
        by: by.to_string(),
        says: says.to_owned(),
        candidate,
        reason,
        for_ms: milliseconds(told.since),
        heard_ms: milliseconds(told.heard),
        round_trip_ms: told.round_trip_ms,
        restarts: told.restarts,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
