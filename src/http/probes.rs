//! `/healthz`, `/readyz`, `/health`: answered from what is known already, so that they answer whatever goes on.

use std::{sync::Arc, time::Instant};

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;
use tokio::sync::watch;

use super::{
    gate::{Gate, Phase},
    health::{self, Check, Report, Status},
};
use crate::{messages::supervisor::Headcount, watchdog::Vitals};

/// What the probes look at. Cloning shares it.
#[derive(Clone)]
pub struct Probes {
    /// The door.
    pub gate: Gate,
    /// The latest round of checks.
    pub reports: watch::Receiver<Arc<Report>>,
    /// How many are here now.
    pub headcount: watch::Receiver<Headcount>,
    /// When the server started.
    pub started: Instant,
    /// What the watchdog saw.
    pub vitals: Vitals,
}

/// The user's health document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health<'a> {
    status: Status,
    uptime: f64,
    version: &'static str,
    active_connections: usize,
    active_rooms: usize,
    active_peers: usize,
    joins_per_minute: u64,
    leaves_per_minute: u64,
    timestamp: String,
    checks: &'a [Check],
}

/// Liveness: every thread and the supervisor answer the watchdog. Asks nothing outside the process, and waits for nobody.
pub(super) async fn healthz(probes: web::Data<Probes>) -> HttpResponse {
    if probes.vitals.alive() {
        plain(StatusCode::OK, "ok")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "a part of the server does not answer")
    }
}

/// Readiness: whether a balancer should send new clients here.
pub(super) async fn readyz(probes: web::Data<Probes>) -> HttpResponse {
    let not_ready = match probes.gate.phase() {
        Phase::Starting => Some("starting"),
        Phase::Draining => Some("draining"),
        Phase::Ready if probes.gate.saturated() => Some("saturated"),
        Phase::Ready => None,
    };
    match not_ready {
        None => plain(StatusCode::OK, "ready"),
        Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// The whole picture: the latest round of checks, each with its time, and how many are here now. It waits for nobody, and
/// costs the supervisor nothing, however often it is asked.
pub(super) async fn health(probes: web::Data<Probes>) -> HttpResponse {
    let report = Arc::clone(&probes.reports.borrow());
    let status = report.status();
    let here = *probes.headcount.borrow();
    let document = Health {
        status,
        uptime: (probes.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
        version: env!("CARGO_PKG_VERSION"),
        active_connections: probes.gate.connections(),
        active_rooms: here.rooms,
        active_peers: here.peers,
        joins_per_minute: here.joins_per_minute,
        leaves_per_minute: here.leaves_per_minute,
        timestamp: health::now(),
        checks: &report.checks,
    };
    let code = if status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    HttpResponse::build(code).json(document)
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
}
