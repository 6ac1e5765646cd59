//! Named checks, run periodically by one task and published for every probe to read: a probe never waits for an actor.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use actix::{Message, Recipient};
use actix_rt::ArbiterHandle;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use crate::{
    http::socket::sockets::Sockets,
    lifecycle::{Lifecycle, Phase},
    messages::{metrics::Scrape, supervisor::TakeCensus},
    telemetry::{self, Event},
};

/// An actor or arbiter that has not answered by then fails its check.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
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

/// Whom the checks ask.
pub struct Subjects {
    /// Do you answer?
    pub census: Recipient<TakeCensus>,
    /// Can you be scraped?
    pub scrape: Recipient<Scrape>,
    /// Do you run what you are given?
    pub arbiters: Vec<ArbiterHandle>,
    /// Is there room?
    pub lifecycle: Lifecycle,
    /// For sockets, too?
    pub sockets: Sockets,
}

/// Runs the checks for ever, `interval` apart.
pub async fn run(subjects: Subjects, interval: Duration, publish: watch::Sender<Arc<Report>>) {
    let mut timer = tokio::time::interval(interval);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let before = Arc::clone(&publish.borrow());
        let report = round(&subjects).await;
        if report.status() != before.status() {
            telemetry::emit(&Event::HealthChanged { from: before.status().as_str(), to: report.status().as_str() });
        }
        publish.send_replace(Arc::new(report));
        let full = subjects.lifecycle.saturated() || subjects.sockets.is_full();
        let ready = subjects.lifecycle.phase() == Phase::Ready && !full;
        telemetry::tally(|t| t.ready = Some(ready));
    }
}

async fn round(subjects: &Subjects) -> Report {
    let checks = vec![
        supervisor(&subjects.census).await,
        arbiters(&subjects.arbiters).await,
        metrics(&subjects.scrape).await,
        room(subjects),
    ];
    Report { checks }
}

async fn supervisor(port: &Recipient<TakeCensus>) -> Check {
    let began = Instant::now();
    let failed = ask(port, TakeCensus).await.is_none();
    check("supervisor", began, failed.then_some((Status::Unhealthy, "the supervisor does not answer")))
}

/// Without metrics the rooms go on: that is degraded, not unhealthy.
async fn metrics(port: &Recipient<Scrape>) -> Check {
    let began = Instant::now();
    let answer = ask(port, Scrape).await;
    let failed = !matches!(answer, Some(Ok(_)));
    check("metrics", began, failed.then_some((Status::Degraded, "the metrics actor does not answer")))
}

async fn arbiters(arbiters: &[ArbiterHandle]) -> Check {
    let began = Instant::now();
    let answers = arbiters.iter().map(|arbiter| {
        let (answer, answered) = oneshot::channel();
        // A dropped sender is a failed answer.
        let asked = arbiter.spawn_fn(move || {
            let _ = answer.send(());
        });
        async move { asked && answered.await.is_ok() }
    });
    let all = futures_util::future::join_all(answers);
    let well = matches!(tokio::time::timeout(ANSWER_WITHIN, all).await, Ok(all) if all.iter().all(|one| *one));
    check("arbiters", began, (!well).then_some((Status::Unhealthy, "an arbiter does not answer")))
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
    check("capacity", Instant::now(), problem)
}

async fn ask<M>(port: &Recipient<M>, letter: M) -> Option<M::Result>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    tokio::time::timeout(ANSWER_WITHIN, port.send(letter)).await.ok()?.ok()
}

fn check(name: &'static str, began: Instant, problem: Option<(Status, &str)>) -> Check {
    let took = began.elapsed();
    let slow = (took > SLOW).then_some((Status::Degraded, "slow to answer"));
    let problem = problem.or(slow);
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
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
