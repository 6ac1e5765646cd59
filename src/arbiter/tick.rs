//! One tick per arbiter, which sweeps its sessions and reports.

use std::time::{Duration, Instant};

use super::report::report;
use crate::{
    late::LateGuard,
    recorder,
    room::mesh::watch::{self, AlertShares},
    session::{drain, heartbeat::HeartbeatTimes, holdings, sweep},
    telemetry::{HeldReport, MeshReport},
};

/// Ticks come this often, or four times per heartbeat interval where that is shorter. A deadline is met within one.
const PERIOD: Duration = Duration::from_secs(1);
/// While the server drains: closings are to be spread, not gathered into one sweep a second.
const DRAIN_PERIOD: Duration = Duration::from_millis(50);
/// How often all sessions are asked what they hold, and the meshes of all rooms are looked at, in ticks: a look at ten thousand
/// sessions takes a millisecond, one at the meshes of a thousand rooms of ten some more.
const LOOKS_EVERY: u32 = 2;
/// A tick this much later than planned has seen a stopped process or a blocked arbiter, not silent clients.
const LATE: Duration = Duration::from_secs(2);

/// Ticks for ever. `index` names the arbiter in its reports; all arbiters have the same `shares`.
pub async fn run(index: usize, heartbeat: HeartbeatTimes, shares: AlertShares) {
    let usual = (heartbeat.interval / 4).clamp(Duration::from_millis(10), PERIOD);
    let mut ticks = LateGuard::new(Instant::now(), LATE);
    let (mut held, mut mesh, mut count, mut was_late) = (HeldReport::default(), MeshReport::default(), 0_u32, false);
    loop {
        let period = if drain::has_begun() { DRAIN_PERIOD } else { usual };
        // A drain that begins is another reason to look; the next round finds which of the two it was.
        let _ = tokio::time::timeout(period, drain::begins()).await;
        let now = Instant::now();
        let lateness = ticks.look(now, period);
        sweep::sweep(now, heartbeat, lateness.is_late);
        was_late |= lateness.is_late;
        if lateness.is_late {
            watch::late(lateness.behind);
        }
        if count.is_multiple_of(LOOKS_EVERY) {
            recorder::sweep(now, std::mem::take(&mut was_late));
            held = holdings::held();
            mesh = watch::look(now, &shares);
        }
        count = count.wrapping_add(1);
        report(index, held, mesh, lateness);
    }
}
