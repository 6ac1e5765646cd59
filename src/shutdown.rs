//! The way out: readiness off, every client told when to come back, relaying until then, and the time it took.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use actix_rt::ArbiterHandle;

use crate::{
    http::gate::{Gate, Phase},
    session::tick::{self, Share},
    telemetry::{self, Event},
};

/// How often it is looked whether everybody has gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After the deadline, this long for the last close frames. Together with the drain deadline it is all a supervisor of
/// processes has to wait.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Where the time that a shutdown took is kept for the next start to expose.
const RECORD: &str = "last-shutdown-seconds";

/// How long the parts of a shutdown may take.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The clients' departures are spread over this.
    pub drain: Duration,
    /// By then the process ends, whoever is left.
    pub deadline: Duration,
}

/// Drains the server; returns when nobody is left or the deadline has come.
pub async fn drain(gate: &Gate, arbiters: &[ArbiterHandle], plan: Plan) -> Duration {
    let began = Instant::now();
    gate.enter(Phase::Draining);
    telemetry::emit(&Event::DrainStarted { connections: gate.connections(), drain: plan.drain });
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for (at, arbiter) in (0..).zip(arbiters) {
        let share = Share {
            over: plan.drain,
            arbiter: at,
            arbiters: count(arbiters.len()),
            connections: count(gate.connections()),
        };
        // `false` is an arbiter that has ended, and its connections with it.
        arbiter.spawn_fn(move || tick::drain(share));
    }
    empty_by(gate, began + plan.deadline.saturating_sub(LAST_CALL)).await;
    let stragglers = gate.connections();
    if stragglers > 0 {
        for arbiter in arbiters {
            arbiter.spawn_fn(tick::end_all);
        }
        empty_by(gate, began + plan.deadline).await;
    }
    let took = began.elapsed();
    telemetry::emit(&Event::DrainFinished { took, stragglers });
    took
}

async fn empty_by(gate: &Gate, deadline: Instant) {
    while gate.connections() > 0 && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Keeps the time for the next start.
pub fn keep_record(state_dir: &Path, took: Duration) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    fs::write(record(state_dir), format!("{:.3}\n", took.as_secs_f64()))
}

/// The time that the last shutdown took, if there was one and its record can be read.
#[must_use]
pub fn last_record(state_dir: &Path) -> Option<Duration> {
    let text = fs::read_to_string(record(state_dir)).ok()?;
    text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// Whether a record can be kept here: asked at the start, when somebody reads the log.
pub fn check_writable(state_dir: &Path) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let probe = state_dir.join(".writable");
    fs::write(&probe, b"")?;
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
