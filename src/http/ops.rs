//! What only an operator should see.

use std::time::{Duration, Instant};

use actix::Recipient;
use actix_web::{HttpRequest, HttpResponse, http::Method, web};

use super::{
    admin::Drain,
    lifecycle::{Lifecycle, Phase},
    scrapes::{Asker, Scrapes},
};
use crate::{
    messages::metrics::{Scrape, TakeErrors},
    protocol::{ErrorCode, http_error},
    telemetry::RequestId,
};

/// A scrape that takes longer than this is given up: Prometheus has given up, too (its default is 10 s).
const SCRAPE_WITHIN: Duration = Duration::from_secs(10);
/// The line by which a scrape tells that the server is going.
const DRAINING: &str = "switchboard_draining 1";

/// What the operator's routes need. Cloning is cheap and done once per arbiter.
#[derive(Clone)]
pub struct Ops {
    /// `/metrics`.
    pub scrape: Recipient<Scrape>,
    /// `/errors`.
    pub errors: Recipient<TakeErrors>,
    /// The phase.
    pub lifecycle: Lifecycle,
    /// Who scrapes.
    pub scrapes: Scrapes,
    /// `/admin/drain`.
    pub drain: Drain,
    /// `/fault/…`, in test builds only.
    #[cfg(feature = "fault-injection")]
    pub faults: Recipient<crate::messages::supervisor::Fault>,
}

/// Prometheus text format 0.0.4.
pub(super) async fn metrics(request: HttpRequest, id: web::ReqData<RequestId>, ops: web::Data<Ops>) -> HttpResponse {
    match tokio::time::timeout(SCRAPE_WITHIN, ops.scrape.send(Scrape)).await {
        Ok(Ok(Ok(text))) => {
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

/// The latest errors, grouped by fingerprint, as JSON.
pub(super) async fn errors(id: web::ReqData<RequestId>, ops: web::Data<Ops>) -> HttpResponse {
    match tokio::time::timeout(SCRAPE_WITHIN, ops.errors.send(TakeErrors)).await {
        Ok(Ok(errors)) => HttpResponse::Ok().json(errors),
        _ => unavailable(&id),
    }
}

fn unavailable(id: &RequestId) -> HttpResponse {
    let body = http_error(ErrorCode::Internal, "the metrics actor does not answer", None, &id.to_string());
    HttpResponse::ServiceUnavailable().content_type("application/json").body(body)
}
