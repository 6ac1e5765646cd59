//! `GET /metrics`.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web,
};

use super::{ports::Ops, scrapes::Asker};
use crate::{
    http::error,
    lifecycle::Phase,
    protocol::{ErrorBody, ErrorCode},
    telemetry::{self, RequestId},
};

/// The line by which a scrape tells that the server is going.
const DRAINING: &str = "switchboard_draining 1";

/// Prometheus text format 0.0.4.
pub(in crate::http) async fn metrics(
    request: HttpRequest,
    id: web::ReqData<RequestId>,
    ops: web::Data<Ops>,
) -> HttpResponse {
    let tickets = ops.tickets.count(Instant::now());
    telemetry::tally(|t| t.tickets = Some(tickets));
    match ops.metrics.text() {
        Ok(text) if ops.metrics.is_fed() => {
            let asker = Asker::of(request.headers(), request.peer_addr().map(|address| address.ip()));
            let told = ops.lifecycle.phase() == Phase::Draining && text.lines().any(|line| line == DRAINING);
            // The answer to HEAD tells nobody anything.
            if request.method() == Method::GET {
                ops.scrapes.served(asker, told, Instant::now());
            }
            HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
        }
        _ => unavailable(&id),
    }
}

/// What nobody aggregates any more is not shown as if it were true.
pub(super) fn unavailable(id: &RequestId) -> HttpResponse {
    let error = ErrorBody::new(ErrorCode::Internal, "the metrics actor does not answer");
    error::answer(StatusCode::SERVICE_UNAVAILABLE, &error, id)
}
