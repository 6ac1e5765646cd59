//! Named checks, run periodically by one task and published for every probe to read: a probe never waits for an actor.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::sync::watch;

use crate::{
    http::socket::sockets::Sockets,
    ice_checks::IceHealth,
    lifecycle::{Lifecycle, Phase},
    liveness::{Liveness, Part},
    metrics::Exposition,
    nodes::{ClusterStatus, Link},
    telemetry::{self, Event},
};

/// One that needs longer than this is slow enough to say so.
const SLOW: Duration = Duration::from_millis(250);

/// How a check went, and all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Healthy,
    /// In service, with something to look at.
    Degraded,
    /// Not in service.
    Unhealthy,
}

impl Status {
    /// The word in `/health` and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One check's latest outcome.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it was.
    pub status: Status,
    /// How long the answer took, in milliseconds.
    pub response_time_ms: f64,
    /// RFC 3339, UTC.
    pub last_checked: String,
    /// What is wrong, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// All checks of one round.
#[derive(Debug, Clone)]
pub struct Report {
    /// One per name.
    pub checks: Vec<Check>,
}

impl Report {
    /// Before the first round.
    #[must_use]
    pub fn first() -> Self {
        Self { checks: Vec::new() }
    }

    /// The worst of all checks.
    #[must_use]
    pub fn status(&self) -> Status {
        self.checks.iter().map(|check| check.status).max().unwrap_or(Status::Healthy)
    }
}

/// What the checks ask.
pub struct Subjects {
    /// Is what is scraped kept up?
    pub metrics: Exposition,
    /// Do workers and supervisor answer?
    pub liveness: Liveness,
    /// Is there room?
    pub lifecycle: Lifecycle,
    /// For sockets, too?
    pub sockets: Sockets,
    /// Do the STUN and TURN servers work that clients are told of?
    pub ice: watch::Receiver<IceHealth>,
    /// Is the cluster's Redis there?
    pub cluster: Option<ClusterStatus>,
}

/// Runs the checks for ever, `interval` apart.
pub async fn run(subjects: Subjects, interval: Duration, publish: watch::Sender<Arc<Report>>) {
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let before = Arc::clone(&publish.borrow());
        let report = round(&subjects);
        if report.status() != before.status() {
            telemetry::emit(&Event::HealthChanged { from: before.status().as_str(), to: report.status().as_str() });
        }
        publish.send_replace(Arc::new(report));
        let full = subjects.lifecycle.saturated() || subjects.sockets.is_full();
        let cluster = subjects.cluster.as_ref().is_none_or(ClusterStatus::is_ready);
        let ready = subjects.lifecycle.phase() == Phase::Ready && !full && cluster;
        telemetry::tally(|t| t.ready = Some(ready));
    }
}

fn round(subjects: &Subjects) -> Report {
    let Subjects { liveness, ice: found, .. } = subjects;
    let mut checks =
        vec![supervisor(liveness), arbiters(liveness), metrics(subjects), room(subjects), ice(&found.borrow())];
    checks.extend(subjects.cluster.as_ref().map(redis));
    Report { checks }
}

/// The watchdog asks, this one reads: a part is silent after `watchdog.silent_ms`.
fn supervisor(liveness: &Liveness) -> Check {
    let seen = liveness.worst_of(|part| part == Part::Supervisor);
    check("supervisor", seen.took, seen.silent.then_some((Status::Unhealthy, "the supervisor does not answer")))
}

fn arbiters(liveness: &Liveness) -> Check {
    let seen = liveness.worst_of(|part| matches!(part, Part::Worker(_)));
    check("arbiters", seen.took, seen.silent.then_some((Status::Unhealthy, "an arbiter does not answer")))
}

/// Without metrics the rooms go on: that is degraded, not unhealthy.
fn metrics(subjects: &Subjects) -> Check {
    let seen = subjects.liveness.worst_of(|part| part == Part::Metrics);
    let failed = seen.silent || !subjects.metrics.is_fed();
    check("metrics", seen.took, failed.then_some((Status::Degraded, "the metrics actor does not answer")))
}

fn room(subjects: &Subjects) -> Check {
    let problem = match subjects.lifecycle.phase() {
        Phase::Draining => Some((Status::Degraded, "the server is draining")),
        _ if subjects.lifecycle.saturated() => Some((
            Status::Degraded,
            "there are as many connections as server.max_connections or file descriptors allow",
        )),
        _ if subjects.sockets.is_full() => {
            Some((Status::Degraded, "there are as many sockets as limits.sockets or file descriptors allow"))
        }
        _ => None,
    };
    check("capacity", Duration::ZERO, problem)
}

/// Rooms go on without them, and so does whoever needs none: never more than degraded. They may be far away, and slow for that.
fn ice(found: &IceHealth) -> Check {
    outcome("ice", found.slowest, found.problem.as_deref().map(|problem| (Status::Degraded, problem)))
}

/// Peers of this node talk to each other without it: degraded, not unhealthy.
fn redis(status: &ClusterStatus) -> Check {
    let figures = status.get();
    let problem = match figures.link {
        Link::Up => None,
        Link::Catching => Some((Status::Degraded, "redis is there, and this node finds out what it has missed")),
        Link::Away => Some((Status::Degraded, "redis cannot be reached")),
    };
    check("redis", figures.latency.unwrap_or_default(), problem)
}

fn check(name: &'static str, took: Duration, problem: Option<(Status, &str)>) -> Check {
    let slow = (took > SLOW).then_some((Status::Degraded, "slow to answer"));
    outcome(name, took, problem.or(slow))
}

fn outcome(name: &'static str, took: Duration, problem: Option<(Status, &str)>) -> Check {
    Check {
        name,
        status: problem.map_or(Status::Healthy, |(status, _)| status),
        response_time_ms: (took.as_secs_f64() * 1e6).round() / 1e3,
        last_checked: now(),
        message: problem.map(|(_, message)| message.to_owned()),
    }
}

/// RFC 3339, UTC, milliseconds.
pub(in crate::http) fn now() -> String {
    crate::utc::Rfc3339(SystemTime::now()).to_string()
}
