//! What operators call is told and counted, and refusals get their body.

use std::net::SocketAddr;

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};

use super::error::ApiError;
use crate::{
    http::{ops::Guard, request_id},
    protocol::RoomName,
    telemetry::{self, Context, Event, OpsCall, RequestId},
};

/// The room that a call concerns: a handler leaves it with its request.
struct Concerns(RoomName);

/// What a call by that method is, on the route of that pattern. `None`: it tells nothing of anybody and changes nothing.
fn kind(pattern: &str, method: &Method) -> Option<OpsCall> {
    let changes = method != Method::GET && method != Method::HEAD;
    match pattern.trim_start_matches("/admin").trim_start_matches("/v1") {
        "/rooms" => Some(OpsCall::Rooms),
        "/rooms/{room}" => Some(OpsCall::Room),
        "/rooms/{room}/recorder" => Some(OpsCall::Recorder),
        "/rooms/{room}/mesh" => Some(OpsCall::Mesh),
        "/peers" => Some(OpsCall::Peers),
        "/drain" => Some(OpsCall::Drain),
        "/undrain" => Some(OpsCall::Undrain),
        "/log-level" if changes => Some(OpsCall::LogLevel),
        "/kick" => Some(OpsCall::Kick),
        "/bans" if changes => Some(OpsCall::LiftBan),
        "/bans" => Some(OpsCall::Bans),
        "/lock" => Some(OpsCall::Lock),
        "/close" => Some(OpsCall::Close),
        "/notice" => Some(OpsCall::Notice),
        "/tickets" => Some(OpsCall::Tickets),
        "/reload" => Some(OpsCall::Reload),
        _ => None,
    }
}

/// Leaves word of the room that a request concerns.
pub(super) fn concerns(request: &HttpRequest, room: RoomName) {
    request.extensions_mut().insert(Concerns(room));
}

/// Middleware of `/admin`: tells of calls, and answers what was refused.
pub(super) async fn tell(
    guard: web::Data<Guard>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let (remote, id) = (guard.remote(&request), request_id::kept(&request));
    let response = next.call(request).await?;
    let refused = response.response().error().and_then(ApiError::of);
    let response = match refused {
        None => response.map_into_left_body(),
        Some(error) => response.into_response(error.answer(&id)).map_into_right_body(),
    };
    emit(response.request(), response.status().as_u16(), remote, &id);
    Ok(response)
}

fn emit(request: &HttpRequest, status: u16, remote: SocketAddr, id: &RequestId) {
    let Some(call) = request.match_pattern().and_then(|pattern| kind(&pattern, request.method())) else { return };
    let extensions = request.extensions();
    let room = extensions.get::<Concerns>().map(|Concerns(room)| room);
    telemetry::emit(&Event::OperatorCall { context: Context::of_request(id).within(room), remote, call, status });
}
