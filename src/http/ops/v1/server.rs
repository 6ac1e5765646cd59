//! The server itself: which one it is, what it is held to, and what of that changes while it runs.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::{
    error::{Answer, ApiError},
    order::Order,
};
use crate::{
    config::{LogLevel, Milliseconds},
    http::{
        ops::{Ops, ReloadRequest, Reloaded, ServerFacts},
        public::handshake::SUBPROTOCOL,
    },
    lifecycle::Phase,
    metrics::BuildInfo,
    telemetry::{self, Event},
    utc::Rfc3339,
};

/// Which server this is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    #[serde(rename = "version")]
    number: &'static str,
    /// The commit that it was built of, or `unknown`.
    revision: &'static str,
    /// The compiler, or `unknown`.
    rustc: &'static str,
    /// What it speaks with clients.
    protocol: &'static str,
    /// `server.node`.
    #[schema(required)]
    node: Option<String>,
    /// When it started: RFC 3339, UTC.
    #[schema(format = DateTime)]
    started: String,
    uptime_ms: u64,
    /// `starting`, `ready` or `draining`.
    phase: &'static str,
}

/// Every limit in force, by the names of `switchboard_limit`; times in seconds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Limits {
    #[schema(value_type = BTreeMap<String, f64>)]
    limits: BTreeMap<String, Number>,
}

/// The least important level that is logged.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LevelNow {
    level: Level,
}

/// Another level for the log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelWanted {
    level: Level,
}

/// As `log.level`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Critical,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Nothing is to be said: an empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Says which server this is.
#[utoipa::path(get, path = "/admin/v1/version", tag = "server", responses((status = 200, body = Version)))]
pub(super) async fn version(ops: web::Data<Ops>) -> HttpResponse {
    let BuildInfo { version, revision, rustc } = BuildInfo::current();
    let ServerFacts { node, started: (began, at), .. } = &*ops.facts;
    HttpResponse::Ok().json(Version {
        number: version,
        revision,
        rustc,
        protocol: SUBPROTOCOL,
        node: node.clone(),
        started: Rfc3339(*at).to_string(),
        uptime_ms: Milliseconds::rounded_down(began.elapsed()).0,
        phase: match ops.lifecycle.phase() {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Draining => "draining",
        },
    })
}

/// Lists the limits in force.
#[utoipa::path(get, path = "/admin/v1/limits", tag = "server", responses((status = 200, body = Limits)))]
pub(super) async fn limits(ops: web::Data<Ops>) -> HttpResponse {
    HttpResponse::Ok().json(Limits { limits: ops.facts.limits.clone() })
}

/// Says down to which level is logged.
#[utoipa::path(get, path = "/admin/v1/log-level", tag = "server", responses((status = 200, body = LevelNow)))]
pub(super) async fn log_level() -> HttpResponse {
    HttpResponse::Ok().json(LevelNow { level: telemetry::log_level().into() })
}

/// Sets down to which level is logged, until the next reload or restart.
#[utoipa::path(
    put,
    path = "/admin/v1/log-level",
    tag = "server",
    request_body = LevelWanted,
    responses((status = 200, body = LevelNow))
)]
pub(super) async fn set_log_level(Order(LevelWanted { level }): Order<LevelWanted>) -> HttpResponse {
    let (from, to) = (telemetry::log_level(), LogLevel::from(level));
    telemetry::set_log_level(from.max(to));
    telemetry::emit(&Event::LogLevelSet { from: from.as_str(), to: to.as_str() });
    telemetry::set_log_level(to);
    HttpResponse::Ok().json(LevelNow { level })
}

/// Reads the configuration again, and takes over what can change while the server runs: as `SIGHUP` does.
#[utoipa::path(
    post,
    path = "/admin/v1/reload",
    tag = "server",
    request_body = Nothing,
    responses((status = 200, body = Reloaded))
)]
pub(super) async fn reload(ops: web::Data<Ops>, Order(Nothing {}): Order<Nothing>) -> Answer {
    let (answer, answered) = oneshot::channel();
    ops.reload.try_send(ReloadRequest(answer)).map_err(|_| ApiError::ReloadUnderWay)?;
    // Whoever reads it has files to read, which end; it is gone when the server is.
    let reloaded = answered.await.map_err(|_| ApiError::Unavailable)?;
    Ok(HttpResponse::Ok().json(reloaded.map_err(ApiError::Reload)?))
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Critical => Self::Critical,
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Critical => Self::Critical,
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}
