//! `/healthz`, `/readyz`, `/health`: answered from what is known already, so that they answer whatever goes on.

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use tokio::sync::watch;

use super::health::{self, Check, Report, Status};
use crate::{
    http::socket::sockets::Sockets,
    lifecycle::{Lifecycle, Phase},
    liveness::Liveness,
    messages::supervisor::LatestHeadcount,
    nodes::{ClusterStatus, Link},
};

/// What the probes look at. Cloning shares it.
#[derive(Clone)]
pub struct Probes {
    /// The door.
    pub lifecycle: Lifecycle,
    /// The public listener's.
    pub sockets: Sockets,
    /// The latest round of checks.
    pub reports: watch::Receiver<Arc<Report>>,
    /// How many are here now.
    pub headcount: LatestHeadcount,
    /// When the server started.
    pub started: Instant,
    /// Who answers.
    pub liveness: Liveness,
    /// How it stands with the cluster; none: this server is alone.
    pub cluster: Option<ClusterStatus>,
}

/// The health document.
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

/// The Redis of the cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedisHealth {
    status: &'static str,
    /// For how long it has been so, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    /// How long the last heartbeat took.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    /// Connections that were made since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u64>,
    /// Commands that have no answer yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Probes {
    /// Whether new clients find the cluster here.
    pub(in crate::http) fn has_cluster(&self) -> bool {
        self.cluster.as_ref().is_none_or(ClusterStatus::is_ready)
    }
}

/// What a probe answers.
pub(in crate::http) struct Answer {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) content_type: &'static str,
    pub(in crate::http) body: String,
}

/// Where the probes are.
pub(in crate::http) const PATHS: [&str; 4] = ["/healthz", "/readyz", "/health", "/health/redis"];

/// The answer to the probe at `path`, if it is one.
pub(in crate::http) fn answer(path: &str, probes: &Probes) -> Option<Answer> {
    match path {
        "/healthz" => Some(healthz(probes)),
        "/readyz" => Some(readyz(probes)),
        "/health" => Some(health(probes)),
        "/health/redis" => Some(redis(probes)),
        _ => None,
    }
}

/// The same as a route.
pub(in crate::http) async fn route(request: HttpRequest, probes: web::Data<Probes>) -> HttpResponse {
    match answer(request.path(), &probes) {
        Some(answer) => HttpResponse::build(answer.status).content_type(answer.content_type).body(answer.body),
        None => HttpResponse::NotFound().finish(),
    }
}

/// Liveness: every thread and the supervisor answer the watchdog. Asks nothing outside the process, and waits for nobody.
fn healthz(probes: &Probes) -> Answer {
    if probes.liveness.alive() {
        plain(StatusCode::OK, "ok")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "a part of the server does not answer")
    }
}

/// Readiness: whether a balancer should send new clients here.
fn readyz(probes: &Probes) -> Answer {
    let not_ready = match probes.lifecycle.phase() {
        Phase::Starting => Some("starting"),
        Phase::Draining => Some("draining"),
        Phase::Ready if probes.lifecycle.saturated() || probes.sockets.is_full() => Some("saturated"),
        Phase::Ready if !probes.has_cluster() => Some("no redis"),
        Phase::Ready => None,
    };
    match not_ready {
        None => plain(StatusCode::OK, "ready"),
        Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// The whole picture: the latest round of checks, each with its time, and how many are here now. It waits for nobody, and
/// costs the supervisor nothing, however often it is asked.
fn health(probes: &Probes) -> Answer {
    let report = Arc::clone(&probes.reports.borrow());
    let status = report.status();
    let here = probes.headcount.get();
    let document = Health {
        status,
        uptime: (probes.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
        version: env!("CARGO_PKG_VERSION"),
        active_connections: probes.lifecycle.connections(),
        active_rooms: here.rooms,
        active_peers: here.peers,
        joins_per_minute: here.joins_per_minute,
        leaves_per_minute: here.leaves_per_minute,
        timestamp: health::now(),
        checks: &report.checks,
    };
    let code = if status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    // Numbers and texts: it cannot fail.
    let body = serde_json::to_string(&document).unwrap_or_default();
    Answer { status: code, content_type: "application/json", body }
}

/// 200 with latency and connections; 503 when it cannot be reached, or none is configured.
fn redis(probes: &Probes) -> Answer {
    let (code, found) = match &probes.cluster {
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            RedisHealth {
                status: "not_configured",
                seconds: None,
                latency_ms: None,
                connections: None,
                waiting: None,
                error: Some("cluster.redis_url is empty: this server is alone".to_owned()),
            },
        ),
        Some(status) => {
            let figures = status.get();
            let (code, word) = match figures.link {
                Link::Up => (StatusCode::OK, "up"),
                Link::Catching => (StatusCode::SERVICE_UNAVAILABLE, "recovering"),
                Link::Away => (StatusCode::SERVICE_UNAVAILABLE, "unreachable"),
            };
            let found = RedisHealth {
                status: word,
                seconds: Some(figures.since.elapsed().as_secs()),
                latency_ms: figures.latency.map(|took| (took.as_secs_f64() * 1e6).round() / 1e3),
                connections: Some(figures.connections),
                waiting: Some(figures.waiting),
                error: figures.error.map(|error| crate::telemetry::redaction::scrub(&error).into_owned()),
            };
            (code, found)
        }
    };
    // Numbers and texts: it cannot fail.
    let body = serde_json::to_string(&found).unwrap_or_default();
    Answer { status: code, content_type: "application/json", body }
}

fn plain(status: StatusCode, text: &str) -> Answer {
    Answer { status, content_type: "text/plain; charset=utf-8", body: text.to_owned() }
}
