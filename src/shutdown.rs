//! The way out: readiness off, every client told when to come back, relaying until then, and the time it took.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use actix_rt::{ArbiterHandle, signal::unix};
use tokio::sync::oneshot;

use crate::{
    files,
    http::{
        gate::{Call, Gate},
        scrapes::Scrapes,
    },
    session::tick::{self, Share},
    telemetry::{self, Event, Ids},
};

/// How often it is looked whether everybody has gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After the deadline, this long for the last close frames. Together with the drain deadline it is all a supervisor of
/// processes has to wait.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Where the time that a shutdown took is kept for the next start to expose.
const RECORD: &str = "last-shutdown-seconds";
/// What is kept is for the server and its group.
const STATE_MODES: (u32, u32) = (0o750, 0o640);
/// How `drain_started` names the signal of a person at the keyboard.
const INTERRUPT: &str = "SIGINT";

/// How long the parts of a shutdown may take.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The clients' departures are spread over this.
    pub drain: Duration,
    /// By then the process ends, whoever is left.
    pub deadline: Duration,
    /// A scrape is waited for if the last one is no longer ago than this.
    pub scrape: Duration,
}

/// The signals that ask a server to go.
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Before anything else is started, so that none is missed.
    ///
    /// # Errors
    /// The system gives no signal handling.
    pub fn listen() -> io::Result<Self> {
        let on = unix::signal;
        Ok(Self { terminate: on(unix::SignalKind::terminate())?, interrupt: on(unix::SignalKind::interrupt())? })
    }

    /// Waits until somebody asks the server to go: a signal, or the operator at the gate.
    pub async fn or_call(&mut self, gate: &Gate) -> Call {
        let by = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => INTERRUPT,
            call = gate.drain_called() => return call.clone(),
        };
        gate.call_drain(by, None).1.clone()
    }

    /// Ctrl-C, when the server is going already: whoever sits there does not want to wait.
    async fn hurry(&mut self) {
        if self.interrupt.recv().await.is_none() {
            // The runtime ends, and this with it.
            std::future::pending::<()>().await;
        }
    }
}

/// Drains the server; returns when nobody is left or the deadline has come.
pub async fn drain(gate: &Gate, call: &Call, arbiters: &[ArbiterHandle], plan: Plan, signals: &mut Signals) {
    let ids = Ids { request: call.request.as_ref(), ..Ids::default() };
    telemetry::emit(&Event::DrainStarted { ids, by: call.by, connections: gate.connections(), drain: plan.drain });
    let share = Share::new(plan.drain, gate.connections());
    for arbiter in arbiters {
        let share = share.clone();
        // `false` is an arbiter that has ended, and its connections with it.
        arbiter.spawn_fn(move || tick::drain(&share));
    }
    let last_call = call.at + plan.deadline.saturating_sub(LAST_CALL);
    tokio::select! {
        () = empty_by(gate, last_call) => {}
        () = signals.hurry() => {}
    }
    let stragglers = gate.connections();
    // Those who are away have no connection to wait for, and leave as everybody does.
    for arbiter in arbiters {
        arbiter.spawn_fn(tick::end_all);
    }
    let last = Instant::now() + LAST_CALL;
    empty_by(gate, last).await;
    // An arbiter that does not answer has a watch that ends it.
    let _ = tokio::time::timeout_at(last.into(), all_over(arbiters)).await;
    telemetry::emit(&Event::DrainFinished { took: call.at.elapsed(), stragglers });
}

async fn empty_by(gate: &Gate, deadline: Instant) {
    while gate.connections() > 0 && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until no arbiter has a session any more, with or without a connection.
async fn all_over(arbiters: &[ArbiterHandle]) {
    loop {
        let counts = arbiters.iter().map(|arbiter| {
            let (answer, answered) = oneshot::channel();
            // A dropped sender is an arbiter that has ended, and its sessions with it.
            arbiter.spawn_fn(move || {
                let _ = answer.send(tick::sessions());
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

/// Stays until a scrape has carried the news, if somebody is likely to come for it: otherwise an end that was planned
/// looks to Prometheus like any other. Not for whoever pressed Ctrl-C.
pub async fn be_scraped(scrapes: &Scrapes, call: &Call, plan: Plan, signals: &mut Signals) {
    let Some(last) = scrapes.last() else { return };
    let until = (last + plan.scrape).min(call.at + plan.deadline);
    let most = until.saturating_duration_since(Instant::now());
    if most.is_zero() || call.by == INTERRUPT || scrapes.was_told() {
        return;
    }
    telemetry::emit(&Event::ScrapeAwaited { most });
    tokio::select! {
        () = scrapes.told() => {}
        () = tokio::time::sleep(most) => {}
        () = signals.hurry() => {}
    }
}

/// Keeps the time for the next start.
pub fn keep_record(state_dir: &Path, took: Duration) -> io::Result<()> {
    files::make_folder(state_dir, STATE_MODES.0)?;
    files::write(&record(state_dir), format!("{:.3}\n", took.as_secs_f64()).as_bytes(), STATE_MODES.1)
}

/// The time that the last shutdown took, if there was one and its record can be read.
#[must_use]
pub fn last_record(state_dir: &Path) -> Option<Duration> {
    let text = fs::read_to_string(record(state_dir)).ok()?;
    text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// Whether a record can be kept here: asked at the start, when somebody reads the log.
pub fn check_writable(state_dir: &Path) -> io::Result<()> {
    files::make_folder(state_dir, STATE_MODES.0)?;
    let probe = state_dir.join(".writable");
    files::write(&probe, b"", STATE_MODES.1)?;
    fs::remove_file(probe)
}

fn record(state_dir: &Path) -> PathBuf {
    state_dir.join(RECORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_survives_to_the_next_start() {
        let dir = std::env::temp_dir().join(format!("switchboard-{}", uuid::Uuid::new_v4()));
        assert_eq!(last_record(&dir), None);
        check_writable(&dir).unwrap();
        keep_record(&dir, Duration::from_millis(1_234)).unwrap();
        assert_eq!(last_record(&dir), Some(Duration::from_millis(1_234)));
        fs::write(record(&dir), "soon").unwrap();
        assert_eq!(last_record(&dir), None);
        fs::remove_dir_all(dir).unwrap();
    }
}
