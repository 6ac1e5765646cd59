//! The thread that watches over memory.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    account::{Account, Used},
    ladder::Ladder,
    pressure::Pressure,
};
use crate::telemetry::{self, Event, Label, MemoryReport, MemoryStep};

/// How often it looks. Most of a look is the allocator's, which asks all its arenas: 0.8 ms on two cores without
/// optimization.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same once half of the budget is used: a flood over loopback takes some 6 MB in that time.
const LOOK_OFTEN: Duration = Duration::from_millis(10);
/// A look this late has seen a stopped process: nothing follows from how long memory was used meanwhile.
const LATE: Duration = Duration::from_millis(500);
/// How often the figures are reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);
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
    let (mut looked, mut reported, mut purged) = (Instant::now(), None, Instant::now());
    while !publish.is_closed() {
        let before = *publish.borrow();
        thread::sleep(if before.used > before.budget / 2 { LOOK_OFTEN } else { LOOK_EVERY });
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(looked);
        looked = now;
        let used = account.used();
        let step = ladder.look(used.all, before.budget, if elapsed > LATE { Duration::ZERO } else { elapsed });
        let pressure = Pressure { used: used.all, tcp: used.tcp, step, ..before };
        if may_purge(used, pressure, before) && now.saturating_duration_since(purged) >= PURGE_EVERY {
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

/// Whether pages are to be given back that the allocator keeps for later: before anybody loses anything for them, and when
/// they are what exceeds the budget.
fn may_purge(used: Used, pressure: Pressure, before: Pressure) -> bool {
    let relief = pressure.asks(MemoryStep::EmptyResumeBuffers) || before.asks(MemoryStep::EmptyResumeBuffers);
    relief || used.resident > pressure.budget
}

fn report(before: Option<MemoryStep>, pressure: Pressure) {
    let Pressure { used, tcp, step, budget } = pressure;
    telemetry::tally(|t| t.memory = Some(MemoryReport { used, tcp, step }));
    if before != step {
        let step = step.map_or("none", Label::label);
        telemetry::emit(&Event::MemoryPressure { step, used, tcp, budget });
    }
    telemetry::flush();
}
