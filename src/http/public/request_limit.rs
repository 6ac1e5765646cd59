//! The limit on requests per address, as a middleware of the public listener.

use std::{rc::Rc, time::Duration};

use actix_web::{
    Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};

use super::probes;
use crate::{
    http::{
        client::{Clients, retry_after_seconds},
        error, request_id,
        socket::single_request::Input,
    },
    protocol::{ErrorBody, ErrorCode},
    telemetry::RequestId,
};

/// The middleware.
pub(in crate::http) async fn limit(
    clients: web::Data<Clients>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(wait) = too_many(&clients, &request) {
        let refusal = refusal(wait, &request_id::kept(&request));
        return Ok(request.into_response(refusal).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// The time until this client's address may ask again, if it has asked too often.
fn too_many(clients: &Clients, request: &ServiceRequest) -> Option<Duration> {
    // A balancer's probes must not depend on what else comes from its address.
    if probes::PATHS.contains(&request.path()) {
        return None;
    }
    let known_by = request.conn_data::<Rc<Input>>().map(|input| input.known_by.get()).unwrap_or_default();
    let client = clients.identify(request.peer_addr()?, known_by, request.headers());
    clients.request(client).err()
}

fn refusal(wait: Duration, id: &RequestId) -> HttpResponse {
    let seconds = retry_after_seconds(wait);
    let error = ErrorBody::new(ErrorCode::RateLimited, "more requests from this address than it may make");
    error::answer(StatusCode::TOO_MANY_REQUESTS, &error.after(Some(seconds * 1_000)), id)
}
