//! When the sessions of one arbiter may read. All that it does comes of what they read, so whoever reads without end takes the
//! thread for itself: tasks are run in the order in which they were woken, and thousands of sessions that always have something
//! to read stand before each request, join and probe.
//!
//! So there are rounds. Once sessions have read for a [`SLICE`], none of them reads on before everything else that was ready has
//! had its turn. If none wants to meanwhile, the arbiter is not busy. Otherwise some of those that wait are read ([`Turns`]: who is new,
//! or had sent nothing more, comes first, and each address in its turn), then everything else has its turn again, and so on, until nobody waits.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use actix_rt::{ArbiterHandle, System};
use nix::time::{ClockId, clock_gettime};
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
    time::timeout,
};

use super::{
    shared::SessionShared,
    turns::{Class, Turn, Turns},
};
use crate::{limits::Subnet, moment::Moment, telemetry};

/// The time after which it is asked whether anybody else waits for the thread. What it costs to ask is a thousandth of it.
const SLICE: Duration = Duration::from_millis(4);

/// How long a round waits for the main thread, which may have work of its own: no longer than this one is to work for a round,
/// since a frame on its way waits, too.
const MAIN_THREAD: Duration = Duration::from_millis(5);

thread_local! {
    /// Whether sessions have to wait for their turn. Beside [`READING`], since it is asked before every read: what needs no
    /// constructor and no destructor costs nothing to reach.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// The arbiter's own: shared with nobody.
    pub(super) static READING: Reading = Reading::new(Moment::now());
}

/// Whether sessions of this arbiter have to wait for their turn.
#[inline]
pub(super) fn is_busy() -> bool {
    BUSY.get()
}

/// See the module.
pub(super) struct Reading {
    /// When the present slice began.
    began: Cell<Moment>,
    /// Whether there is somebody who ends a round.
    is_kept: Cell<bool>,
    /// By the sites of their clients: those that the limits per address do not concern are one.
    turns: RefCell<Turns<Option<Subnet>, Weak<SessionShared>>>,
    slice_over: Rc<Notify>,
}

impl Reading {
    fn new(now: Moment) -> Self {
        Self {
            began: Cell::new(now),
            is_kept: Cell::new(false),
            turns: RefCell::new(Turns::new()),
            slice_over: Rc::default(),
        }
    }

    /// A session has read.
    #[inline]
    pub(super) fn has_read(&self, now: Moment) {
        if !is_busy() && now.since(self.began.get()) >= SLICE {
            self.end_slice();
        }
    }

    #[cold]
    fn end_slice(&self) {
        if self.is_kept.get() {
            BUSY.set(true);
            self.slice_over.notify_one();
        }
    }

    /// The session waits for its turn.
    pub(super) fn wait(&self, session: &Rc<SessionShared>, class: Class) {
        session.turn.set(Turn::Waiting);
        let from = session.subnet.get().map(Subnet::site);
        self.turns.borrow_mut().wait(Rc::downgrade(session), from, class);
    }

    /// Everything else has had its turn, for which the thread has worked so long: some of those that wait may read now. Whether
    /// there are any; if not, a slice begins.
    fn next_round(&self, worked: Duration) -> bool {
        let round = self.turns.borrow_mut().next_round(worked);
        let is_busy = !round.is_empty();
        for session in round.iter().filter_map(Weak::upgrade) {
            session.turn.set(Turn::Granted);
            session.kill_switch.wake();
        }
        BUSY.set(is_busy);
        is_busy
    }
}

/// Ends the slices and begins the rounds of the calling arbiter, for ever.
pub async fn run() {
    let slice_over = READING.with(|reading| {
        reading.is_kept.set(true);
        Rc::clone(&reading.slice_over)
    });
    let main = System::current().arbiter().clone();
    loop {
        slice_over.notified().await;
        yield_now().await;
        let mut worked = thread_time();
        while READING.with(|reading| reading.next_round(thread_time().saturating_sub(worked))) {
            worked = thread_time();
            telemetry::tally(|t| t.busy_rounds += 1);
            everybody_else(&main).await;
        }
        READING.with(|reading| reading.began.set(Moment::now()));
    }
}

/// For how long this thread has worked, of whatever began: on a core that others want, too, it is less than the time that has
/// passed. Were that taken for the cost of what was read, less would be read the more others work, and none of it helps them.
fn thread_time() -> Duration {
    // The clock of the calling thread is always there. Without it no round would pass for a long one.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Ready when all tasks that are ready now have had their turn, and those that these wake.
///
/// What is woken by other threads (requests that were accepted, answers to joins) is in a queue of its own, of which the
/// runtime takes a task only now and then as long as there are others. So the way leads through that queue, too.
async fn everybody_else(main: &ArbiterHandle) {
    let (there, back) = oneshot::channel::<()>();
    // Whether it answers or is gone: there it was.
    main.spawn_fn(move || drop(there));
    yield_now().await;
    yield_now().await;
    let _ = timeout(MAIN_THREAD, back).await;
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use actix_rt::Arbiter;

    use super::*;

    /// Works until the calling thread has worked so long since.
    fn work_for(time: Duration) {
        let until = thread_time() + time;
        while thread_time() < until {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn what_other_threads_work_meanwhile_is_no_work_of_this_one() {
        let (much, before) = (Duration::from_millis(100), thread_time());
        thread::spawn(move || work_for(much)).join().expect("it works");
        assert!(thread_time() < before + much / 2);
        work_for(much / 2);
        assert!(thread_time() >= before + much / 2);
    }

    #[actix::test]
    async fn a_round_does_not_wait_for_a_main_thread_that_has_no_time() {
        let main = Arbiter::new();
        let (release, blocked) = mpsc::channel::<()>();
        main.spawn_fn(move || _ = blocked.recv());
        timeout(Duration::from_secs(10), everybody_else(&main.handle())).await.expect("the round goes on");
        drop(release);
        main.stop();
        main.join().expect("it had only been blocked");
    }
}
