//! What the sessions of one arbiter give up when memory is nearly used (see [`crate::memory`]): those that hold most, and
//! never one that holds little.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    busy,
    registry::Registry,
    shared::{SESSIONS, SessionShared},
};
use crate::{
    memory::{Contribution, LEAST_INTAKE, LITTLE, Pressure, Totals, largest},
    protocol::EndReason,
    recorder,
    telemetry::{self, MemoryStep},
};

/// A look at all sessions takes some 100 ns for each, and a system call where the kernel's part matters.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Who holds most is read no further for so long at a time.
const PAUSE: Duration = Duration::from_millis(250);

/// Connections that are ended in one turn: some 4 ms, as long as a round of readers is to take. In between everything that is
/// ready has its turn, the flood's own work among it, of which there is no more than that in a round.
const AT_ONCE: usize = 64;

/// What one session holds, in bytes.
struct Holding {
    session: Rc<SessionShared>,
    all: u64,
    /// The part of it that is its resume buffer's.
    resume: u64,
}

impl Holding {
    fn of(session: Rc<SessionShared>, with_kernel: bool) -> Self {
        let resume = session.resume_buffer.borrow().as_ref().map_or(0, |buffer| buffer.kept().1 as u64);
        let kernel = if with_kernel { session.connection.kernel_bytes() } else { 0 };
        let all = resume + session.connection.held_bytes() + busy::held_bytes(&session) + kernel;
        Self { session, all, resume }
    }
}

/// Relieves memory whenever it is asked for, for ever.
pub async fn run(mut pressure: watch::Receiver<Pressure>, totals: Totals) {
    let mut mine = totals.contribution();
    while pressure.changed().await.is_ok() {
        let now = *pressure.borrow_and_update();
        recorder::relieve(now.step);
        if now.asks(MemoryStep::ReadLess) {
            relieve(now, &mut mine).await;
            tokio::time::sleep(LOOK_EVERY).await;
        } else {
            mine.set(0, 0);
        }
    }
}

/// One look at all sessions of this arbiter.
async fn relieve(pressure: Pressure, mine: &mut Contribution) {
    // Where the kernel's part is small it decides nothing, and need not be asked for.
    let with_kernel = pressure.tcp > pressure.used / 4;
    let sessions = SESSIONS.with(Registry::all);
    let mut holdings: Vec<_> = sessions.into_iter().map(|session| Holding::of(session, with_kernel)).collect();
    mine.set(holdings.len() as u64, holdings.iter().map(|holding| holding.all).sum());
    let (share, mut excess) =
        (mine.equal_share(pressure.target(), pressure.used, LITTLE), mine.part_of(pressure.excess()));
    read_less(&holdings, share);
    if pressure.asks(MemoryStep::EmptyResumeBuffers) {
        let with_most = holdings.iter_mut().filter(|holding| holding.all > share);
        for holding in largest(with_most, |holding| holding.resume, LITTLE, excess) {
            if let Some(buffer) = holding.session.resume_buffer.borrow_mut().as_mut() {
                buffer.let_go();
            }
            if !holding.session.attached() {
                holding.session.publish_kept();
            }
            excess = excess.saturating_sub(holding.resume);
            holding.all -= std::mem::take(&mut holding.resume);
            count(MemoryStep::EmptyResumeBuffers);
        }
    }
    if pressure.asks(MemoryStep::EndConnections) {
        for ending in largest(&holdings, |holding| holding.all, share, excess).chunks(AT_ONCE) {
            for holding in ending {
                holding.session.kill_switch.kill(EndReason::MemoryPressure);
                count(MemoryStep::EndConnections);
            }
            // They end in their own tasks; the others have their turn in between.
            tokio::task::yield_now().await;
        }
    }
}

fn read_less(holdings: &[Holding], share: u64) {
    let now = Instant::now();
    for holding in holdings.iter().filter(|holding| holding.all > share) {
        let session = &holding.session;
        let mut bucket = session.bucket.get();
        bucket.hold_back(session.setup.pace.rate, now, PAUSE);
        session.bucket.set(bucket);
        if !session.held_back.replace(true) {
            // What waits there already stays; with more, each that was found with an equal share would go on to fill its buffer.
            session.connection.set_receive_buffer(LEAST_INTAKE);
            count(MemoryStep::ReadLess);
        }
    }
}

impl SessionShared {
    /// The reader waits for memory no longer.
    pub(super) fn reads_on(&self) {
        if self.held_back.replace(false) {
            self.take_in_as_others();
        }
    }
}

fn count(step: MemoryStep) {
    telemetry::tally(|t| t.memory_relief.add(step));
}
