//! The way out: readiness off, every client told when to come back, relaying until then, and the time it took.

mod handover;
mod record;
mod server;
mod signals;

use std::time::{Duration, Instant};

use actix::Addr;
use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

use self::{handover::Outcome, signals::INTERRUPT};
pub use self::{
    record::{ShutdownRecord, Taken},
    server::{Plan, Server},
    signals::{Others, Signals, listen},
};

use crate::{
    http::ops::scrapes::Scrapes,
    lifecycle::{Call, Lifecycle},
    liveness::{Liveness, Part},
    messages::{send_unbounded, supervisor::Ping},
    session::drain::{self, DrainSpread},
    supervisor::Supervisor,
    telemetry::{self, Context, Event},
    webhooks::Ending,
};

/// How often it is looked whether everybody has gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After the deadline, this long for the last close frames. Together with the drain deadline it is all a supervisor of
/// processes has to wait.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainEnd {
    /// Nobody is left here, and the next process goes on with the sessions.
    HandedOver,
    /// Nobody is left, or the deadline has come.
    Over,
    /// It was taken back in time, and the server goes on.
    Withdrawn,
}

/// Drains the server. When this returns, the last to go have left their rooms, and all of it is told and counted.
pub async fn drain(server: Server<'_>, call: &Call, signals: &mut Signals) -> DrainEnd {
    let Server { lifecycle, supervisor, arbiters, plan, store, .. } = server;
    let context = call.request.as_ref().map(Context::of_request).unwrap_or_default();
    telemetry::emit(&Event::DrainStarted {
        context,
        by: call.by,
        connections: lifecycle.connections(),
        drain: plan.drain,
    });
    if let Some(store) = store.filter(|_| plan.hands_over) {
        match handover::hand_over(&server, store, call).await {
            Outcome::Done => {
                finish(&server, call, 0).await;
                return DrainEnd::HandedOver;
            }
            Outcome::Withdrawn => return withdrawn(lifecycle, call),
            Outcome::Failed => {}
        }
    }
    let spread = DrainSpread::new(plan.drain, lifecycle, call);
    for arbiter in arbiters {
        let spread = spread.clone();
        // `false` is an arbiter that has ended, and its connections with it.
        arbiter.spawn_fn(move || drain::begin(&spread));
    }
    let last_call = call.at + plan.deadline.saturating_sub(LAST_CALL);
    tokio::select! {
        () = empty_by(lifecycle, last_call) => {}
        () = signals.hurry() => {}
        () = lifecycle.withdrawn(call.number) => {}
    }
    if !lifecycle.begin_closing(call.number) {
        for arbiter in arbiters {
            arbiter.spawn_fn(drain::withdraw);
        }
        return withdrawn(lifecycle, call);
    }
    let stragglers = lifecycle.connections();
    // Those who are away have no connection to wait for, and leave as everybody does.
    for arbiter in arbiters {
        arbiter.spawn_fn(drain::end_all);
    }
    finish(&server, call, stragglers).await;
    if let Some(store) = store {
        handover::keep_moderation(supervisor, store, plan.max_bytes).await;
    }
    DrainEnd::Over
}

/// Waits for the last words, and tells that the drain is over.
async fn finish(server: &Server<'_>, call: &Call, stragglers: usize) {
    let last = Instant::now() + LAST_CALL;
    empty_by(server.lifecycle, last).await;
    let _ = tokio::time::timeout_at(last.into(), all_over(server.arbiters, server.liveness)).await;
    let _ = tokio::time::timeout_at(last.into(), all_left(server.supervisor)).await;
    telemetry::emit(&Event::DrainFinished { took: call.at.elapsed(), stragglers });
}

fn withdrawn(lifecycle: &Lifecycle, call: &Call) -> DrainEnd {
    telemetry::emit(&Event::DrainWithdrawn { after: call.at.elapsed(), connections: lifecycle.connections() });
    DrainEnd::Withdrawn
}

async fn empty_by(lifecycle: &Lifecycle, deadline: Instant) {
    while lifecycle.connections() > 0 && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until no arbiter has a session any more, with or without a connection. One that is known not to answer is not
/// waited for: it has a watch that ends it.
async fn all_over(arbiters: &[ArbiterHandle], liveness: &Liveness) {
    loop {
        let answers = |index| !liveness.worst_of(|part| part == Part::Worker(index)).silent;
        let answering = arbiters.iter().enumerate().filter(|(index, _)| answers(*index));
        let counts = answering.map(|(_, arbiter)| {
            let (answer, answered) = oneshot::channel();
            // A dropped sender is an arbiter that has ended, and its sessions with it.
            arbiter.spawn_fn(move || {
                let _ = answer.send(drain::sessions());
            });
            answered
        });
        let counts = futures_util::future::join_all(counts).await;
        if counts.into_iter().all(|count| count.unwrap_or(0) == 0) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the supervisor has handled what the last sessions left behind: their `Leave`, and whatever was before it.
async fn all_left(supervisor: &Addr<Supervisor>) {
    let (answer, answered) = oneshot::channel::<()>();
    let ping = Ping(Box::new(move || drop(answer)));
    // It ends without an answer, too: nobody handles anything any more.
    if send_unbounded(&supervisor.clone().recipient(), ping) {
        let _ = answered.await;
    }
}

/// Has what waits for the receiver of webhooks delivered, by the drain's deadline at the latest. How many events it has not got
/// since the start; `None`: there is no receiver.
pub async fn deliver(ending: Option<Ending>, call: &Call, plan: Plan, signals: &mut Signals) -> Option<u64> {
    let ending = ending?;
    let until = Instant::now().max(call.at + plan.deadline);
    tokio::select! {
        dropped = ending.finish(until) => return Some(dropped),
        () = signals.hurry() => {}
    }
    Some(ending.finish(Instant::now()).await)
}

/// Stays until a scrape has carried the news, if somebody is likely to come for it: otherwise an end that was planned
/// looks to Prometheus like any other. Not for whoever pressed Ctrl-C.
pub async fn be_scraped(scrapes: &Scrapes, call: &Call, plan: Plan, signals: &mut Signals) {
    let Some(last) = scrapes.last() else { return };
    let until = (last + plan.scrape).min(call.at + plan.deadline);
    let most = until.saturating_duration_since(Instant::now());
    if most.is_zero() || call.by == INTERRUPT || scrapes.was_drain_scraped() {
        return;
    }
    telemetry::emit(&Event::ScrapeAwaited { most });
    tokio::select! {
        () = scrapes.drain_scraped() => {}
        () = tokio::time::sleep(most) => {}
        () = signals.hurry() => {}
    }
}
