//! The thread that watches over memory.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    account::{Account, Used},
    held::Outside,
    ladder::Ladder,
    pressure::Pressure,
};
use crate::telemetry::{self, Event, Label, MemoryReport, MemoryStep};

/// It looks again before a flood could use a [`PART`] of what is left. Over loopback floods of half as much were seen.
const FLOOD_BYTES_PER_SECOND: u64 = 256 << 20;
/// See [`FLOOD_BYTES_PER_SECOND`].
const PART: u64 = 4;
/// It looks no more often: a look takes some 0.2 ms, most of them the allocator's, which asks all its arenas.
const LOOK_OFTEN: Duration = Duration::from_millis(10);
/// It looks no less often, and so costs 10 000 idle connections a tenth of what their heartbeats do.
const LOOK_SELDOM: Duration = Duration::from_millis(500);
/// A look this late has seen a stopped process: nothing follows from how long memory was used meanwhile.
const LATE: Duration = Duration::from_millis(500);
/// How often the figures are reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// For so long after relief what is let go of is given back to the kernel soon: parked sessions end, and the allocator would keep the
/// pages of a whole flood for ten seconds more. Otherwise it may, since it mostly needs them again.
const SETTLES: Duration = Duration::from_secs(60);
/// Less than this part of the budget is not worth that.
const UNUSED_PART: u64 = 64;
/// Giving pages back takes locks that allocations need, too.
const PURGE_EVERY: Duration = Duration::from_millis(500);

/// What is watched.
pub struct Governor {
    /// `limits.memory_bytes`.
    pub budget: u64,
    /// The most that one socket may hold in the kernel.
    pub socket_bytes: u64,
    /// Open sockets.
    pub sockets: Box<dyn Fn() -> usize + Send>,
}

/// Starts the watch over memory, on a thread of its own. It ends when nobody listens any more.
///
/// # Errors
/// The thread could not be started, or the allocator has no figures.
pub fn start(governor: Governor) -> io::Result<watch::Receiver<Pressure>> {
    let Governor { budget, socket_bytes, sockets } = governor;
    let account = Account::open(socket_bytes, sockets).map_err(io::Error::other)?;
    let (publish, pressure) = watch::channel(Pressure::none(budget));
    thread::Builder::new().name("memory".into()).spawn(move || run(&account, &publish)).map(|_| pressure)
}

fn run(account: &Account, publish: &watch::Sender<Pressure>) {
    let mut ladder = Ladder::default();
    let (mut looked, mut reported, mut purged, mut relieved) = (Instant::now(), None, Instant::now(), None);
    while !publish.is_closed() {
        let before = *publish.borrow();
        let wait = until_next_look(before.used, before.budget);
        thread::sleep(wait);
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(looked);
        looked = now;
        let used = account.used();
        let step = ladder.look(used.all, before.budget, if elapsed > wait + LATE { Duration::ZERO } else { elapsed });
        let pressure = Pressure { used: used.all, tcp: used.tcp, step, ..before };
        if step.is_some() {
            relieved = Some(now);
        }
        let settles = relieved.is_some_and(|at| now.saturating_duration_since(at) < SETTLES);
        if may_purge(used, pressure, before, settles) && now.saturating_duration_since(purged) >= PURGE_EVERY {
            account.purge();
            purged = now;
        }
        // Whoever relieves memory looks again as long as there is something to relieve.
        publish.send_if_modified(|published| {
            *published = pressure;
            before.step != step || pressure.asks(MemoryStep::ReadLess)
        });
        if before.step != step || reported.is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY) {
            reported = Some(now);
            report(before.step, pressure);
        }
    }
}

/// How long the next look may wait, with so much of the budget used.
fn until_next_look(used: u64, budget: u64) -> Duration {
    let left = budget.saturating_sub(used) / PART;
    Duration::from_millis(left.saturating_mul(1000) / FLOOD_BYTES_PER_SECOND).clamp(LOOK_OFTEN, LOOK_SELDOM)
}

/// Whether pages are to be given back that the allocator keeps for later: before anybody loses anything for them, when they are what
/// exceeds the budget, and when there are many of them after a flood.
fn may_purge(used: Used, pressure: Pressure, before: Pressure, settles: bool) -> bool {
    let relief = pressure.asks(MemoryStep::EmptyResumeBuffers) || before.asks(MemoryStep::EmptyResumeBuffers);
    let unused = used.resident.saturating_sub(used.all);
    relief || used.resident > pressure.budget || (settles && unused > pressure.budget / UNUSED_PART)
}

fn report(before: Option<MemoryStep>, pressure: Pressure) {
    let Pressure { used, tcp, step, budget } = pressure;
    let (heads, transfers) = (Outside::Heads.bytes(), Outside::Transfers.bytes());
    telemetry::tally(|t| t.memory = Some(MemoryReport { used, tcp, heads, transfers, step }));
    if before != step {
        let step = step.map_or("none", Label::label);
        telemetry::emit(&Event::MemoryPressure { step, used, tcp, budget });
    }
    telemetry::flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn pages_are_given_back_where_they_are_missed_and_after_a_flood() {
        let none = Pressure::none(64 * MIB);
        let relief = Pressure { step: Some(MemoryStep::EmptyResumeBuffers), ..none };
        let used = |all, resident| Used { all: all * MIB, tcp: 0, resident: resident * MIB };
        assert!(!may_purge(used(8, 60), none, none, false), "they are of use");
        assert!(may_purge(used(8, 65), none, none, false), "they exceed the budget");
        assert!(may_purge(used(60, 60), relief, none, false) && may_purge(used(60, 60), none, relief, false));
        assert!(may_purge(used(8, 10), none, none, true) && !may_purge(used(8, 9), none, none, true));
    }

    #[test]
    fn the_less_is_left_the_sooner_it_looks_again() {
        for (used, budget, milliseconds) in [
            (0, 1 << 40, 500),
            (0, 256 * MIB, 250),
            (128 * MIB, 256 * MIB, 125),
            (0, 32 * MIB, 31),
            (31 * MIB, 32 * MIB, 10),
            (40 * MIB, 32 * MIB, 10),
        ] {
            assert_eq!(until_next_look(used, budget), Duration::from_millis(milliseconds), "{used} of {budget}");
        }
    }
}
