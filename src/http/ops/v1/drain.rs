//! The drain, and taking it back.

use std::time::{Instant, SystemTime};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{error::Answer, order::Order, server::Nothing};
use crate::{config::Milliseconds, http::ops::Ops, lifecycle::Call, telemetry::RequestId, utc::Rfc3339};

/// How `drain_started` names this way.
const BY: &str = "POST /admin/v1/drain";
/// The path that was there before, for the same.
pub(super) const FORMER_PATH: &str = "/admin/drain";
/// How it is named by that.
const BY_FORMER_PATH: &str = "POST /admin/drain";

/// What becomes of the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Draining {
    /// `draining`, or `already_draining` when somebody had asked before.
    status: &'static str,
    /// Those that are still there.
    connections: usize,
    /// The time over which they are closed.
    drain_ms: u64,
    /// The time that is left until the process ends, whoever is still there.
    deadline_ms: u64,
    /// The same as a time of day: RFC 3339, UTC.
    #[schema(format = DateTime)]
    deadline: String,
}

/// The server goes on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Undrained {
    /// `ready`.
    status: &'static str,
    /// Those that stay.
    connections: usize,
    /// How long the drain had gone on.
    drained_ms: u64,
}

/// Has the server end, over `server.drain_ms`: every client is told when to come back, and relayed for until then.
///
/// 202 and the deadline; 200 and the same deadline, when the server is on its way out already.
#[utoipa::path(
    post,
    path = "/admin/v1/drain",
    tag = "server",
    request_body = Nothing,
    responses((status = 202, body = Draining), (status = 200, body = Draining))
)]
pub(super) async fn drain(
    request: HttpRequest,
    id: web::ReqData<RequestId>,
    ops: web::Data<Ops>,
    Order(Nothing {}): Order<Nothing>,
) -> HttpResponse {
    let by = if request.match_pattern().as_deref() == Some(FORMER_PATH) { BY_FORMER_PATH } else { BY };
    let (first, call) = ops.lifecycle.call_drain(by, Some(id.into_inner()));
    let status = if first { StatusCode::ACCEPTED } else { StatusCode::OK };
    HttpResponse::build(status).json(report(&ops, first, &call))
}

/// Takes the drain back, as long as it has closed no connection: 409 `drain_closing` afterwards. Nobody is disconnected, and
/// everybody is let in again.
#[utoipa::path(
    post,
    path = "/admin/v1/undrain",
    tag = "server",
    request_body = Nothing,
    responses((status = 200, body = Undrained))
)]
pub(super) async fn undrain(ops: web::Data<Ops>, Order(Nothing {}): Order<Nothing>) -> Answer {
    let call = ops.lifecycle.withdraw_drain()?;
    Ok(HttpResponse::Ok().json(Undrained {
        status: "ready",
        connections: ops.lifecycle.connections(),
        drained_ms: Milliseconds::rounded_down(call.at.elapsed()).0,
    }))
}

fn report(ops: &Ops, first: bool, call: &Call) -> Draining {
    let left = (call.at + ops.drain.deadline).saturating_duration_since(Instant::now());
    Draining {
        status: if first { "draining" } else { "already_draining" },
        connections: ops.lifecycle.connections(),
        drain_ms: Milliseconds::rounded_down(ops.drain.spread).0,
        deadline_ms: Milliseconds::rounded_down(left).0,
        deadline: Rfc3339(SystemTime::now() + left).to_string(),
    }
}
