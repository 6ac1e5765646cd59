//! When the sessions of one arbiter may read. All that it does comes of what they read, so whoever reads without end takes the
//! thread for itself: tasks are run in the order in which they were woken, and thousands of sessions that always have something
//! to read stand before each request, join and probe.
//!
//! So there are rounds. Once sessions have read for a [`SLICE`], none of them reads on before everything else that was ready has
//! had its turn. If none wants to meanwhile, the arbiter is not busy. Otherwise some of those that wait are read ([`Turns`]: who is new,
//! or had sent nothing more, comes first, and each address in its turn), then everything else has its turn again, and so on, until nobody waits.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::{Rc, Weak},
    sync::{
        Arc, OnceLock,
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
};

use super::{
    shared::SessionShared,
    turns::{Class, Turn, Turns},
};
use crate::{
    limits::Subnet,
    moment::Moment,
    telemetry::{self, Event},
};

/// The time after which it is asked whether anybody else waits for the thread. What it costs to ask is a thousandth of it.
const SLICE: Duration = Duration::from_millis(4);

/// Whoever wants to be woken by another thread. At most one of each arbiter waits.
static ECHO: OnceLock<Sender<Arc<Notify>>> = OnceLock::new();

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

/// Who waits.
enum Waits {
    /// To be read.
    Session(Weak<SessionShared>),
    /// A socket that is no session yet, or is none any more. Nobody listens where it has ended meanwhile.
    Socket(oneshot::Sender<()>),
}

/// See the module.
pub(super) struct Reading {
    /// When the present slice began.
    began: Cell<Moment>,
    /// Whether there is somebody who ends a round.
    is_kept: Cell<bool>,
    /// By the sites of their clients: those that the limits per address do not concern are one.
    turns: RefCell<Turns<Option<Subnet>, Waits>>,
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
        self.turns.borrow_mut().wait(Waits::Session(Rc::downgrade(session)), from, class);
    }

    /// The same of a socket that comes from there; `None` while nobody has to wait.
    fn wait_socket(&self, from: IpAddr) -> Option<oneshot::Receiver<()>> {
        if !is_busy() {
            self.has_read(Moment::now());
        }
        is_busy().then(|| {
            let (grant, granted) = oneshot::channel();
            self.turns.borrow_mut().wait(Waits::Socket(grant), Some(Subnet::of(from).site()), Class::Fresh);
            granted
        })
    }

    /// Everything else has had its turn, for which the thread has worked so long: some of those that wait may read now. Whether
    /// there are any; if not, a slice begins.
    fn next_round(&self, worked: Duration) -> bool {
        let round = self.turns.borrow_mut().next_round(worked);
        let is_busy = !round.is_empty();
        for one in round {
            match one {
                Waits::Session(session) => {
                    if let Some(session) = session.upgrade() {
                        session.turn.set(Turn::Granted);
                        session.kill_switch.wake();
                    }
                }
                // An error is one that has ended.
                Waits::Socket(grant) => _ = grant.send(()),
            }
        }
        BUSY.set(is_busy);
        is_busy
    }
}

/// Ready when it is the turn of a socket that comes from there, and that is no session: for its request, for its end, and for each piece
/// of what is read of it and thrown away. Thousands that come at once, or whose time is over at once, stand before everything else as
/// sessions do that are read.
pub async fn turn(from: IpAddr) {
    if let Some(granted) = READING.with(|reading| reading.wait_socket(from)) {
        // An error is a thread that ends.
        let _ = granted.await;
    }
}

/// Ends the slices and begins the rounds of the calling arbiter, for ever.
pub async fn run() {
    let slice_over = READING.with(|reading| {
        reading.is_kept.set(true);
        Rc::clone(&reading.slice_over)
    });
    let echo = Echo::start();
    loop {
        slice_over.notified().await;
        yield_now().await;
        let mut worked = thread_time();
        while READING.with(|reading| reading.next_round(thread_time().saturating_sub(worked))) {
            worked = thread_time();
            telemetry::tally(|t| t.busy_rounds += 1);
            echo.everybody_else().await;
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

/// Lets everything else of this thread have its turn.
struct Echo {
    /// What the other thread wakes this one by.
    called: Arc<Notify>,
    /// Who waits for it has run.
    came: Rc<Notify>,
}

impl Echo {
    /// Of the calling thread.
    fn start() -> Self {
        let echo = Self { called: Arc::default(), came: Rc::default() };
        let (called, came) = (Arc::clone(&echo.called), Rc::clone(&echo.came));
        // A task of its own, since it has to be asleep when it is woken: one that runs is only put behind this thread's own tasks.
        actix_rt::spawn(async move {
            loop {
                called.notified().await;
                came.notify_one();
            }
        });
        echo
    }

    /// Ready when all tasks that are ready now have had their turn, and those that these wake.
    ///
    /// What is woken by other threads (requests that were accepted, answers to joins, signals of peers who live there) is in a queue of its
    /// own, of which the runtime takes one task in some thirty as long as there are others. So the way leads through that queue, too, and a
    /// round is as long as it takes: were the next one to begin before, a flood would have each of them wait for the length of the queue, thirty
    /// times over. The thread that wakes this one does nothing else, and so is not what it waits for.
    async fn everybody_else(&self) {
        let there = ECHO.get_or_init(start_echo).send(Arc::clone(&self.called));
        yield_now().await;
        yield_now().await;
        // Without that thread nobody would come.
        if there.is_ok() {
            self.came.notified().await;
        }
    }
}

fn start_echo() -> Sender<Arc<Notify>> {
    let (wake, wakes) = mpsc::channel::<Arc<Notify>>();
    let echo = move || wakes.into_iter().for_each(|called| called.notify_one());
    if let Err(error) = thread::Builder::new().name("rounds".into()).spawn(echo) {
        telemetry::emit(&Event::ServerFault {
            context: telemetry::Context::default(),
            doing: "starting a thread",
            error: &error,
        });
    }
    wake
}

/// The calling thread has more to do than it has time for, and a test says when a round begins.
#[cfg(test)]
pub(super) fn become_busy() {
    BUSY.set(true);
}

/// It has time again.
#[cfg(test)]
pub(super) fn become_idle() {
    while READING.with(|reading| reading.next_round(Duration::ZERO)) {}
}

#[cfg(test)]
pub(super) fn somebody_waits() -> bool {
    READING.with(|reading| !reading.turns.borrow().is_empty())
}

#[cfg(test)]
pub(super) fn begin_round() {
    READING.with(|reading| reading.next_round(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use futures_util::FutureExt;

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

    /// In between there is always somebody of this thread's own who is ready.
    #[actix::test]
    async fn a_round_is_over_when_all_that_other_threads_have_woken_had_its_turn() {
        const WOKEN: usize = 2000;
        let (over, had) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
        for _ in 0..50 {
            let over = Rc::clone(&over);
            actix_rt::spawn(poll_fn(move |cx| {
                if over.get() {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        }
        let wakers = (0..WOKEN).map(|_| oneshot::channel::<()>()).map(|(waker, woken)| {
            let had = Rc::clone(&had);
            actix_rt::spawn(async move {
                let _ = woken.await;
                had.set(had.get() + 1);
            });
            waker
        });
        let wakers: Vec<_> = wakers.collect();
        let echo = Echo::start();
        // It falls asleep, as those do that are to be woken.
        yield_now().await;
        thread::spawn(move || drop(wakers)).join().expect("it wakes them");
        echo.everybody_else().await;
        over.set(true);
        assert_eq!(had.get(), WOKEN, "so many had their turn");
    }

    #[actix::test]
    async fn a_socket_waits_only_while_the_thread_is_busy_and_then_for_one_round() {
        let from = IpAddr::from([192, 0, 2, 1]);
        turn(from).await;
        BUSY.set(true);
        let waits = READING.with(|reading| reading.wait_socket(from)).expect("it waits");
        let mut waits = pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none(), "before its turn");
        assert!(READING.with(|reading| reading.next_round(Duration::ZERO)));
        assert_eq!(waits.now_or_never(), Some(Ok(())));
        assert!(!READING.with(|reading| reading.next_round(Duration::ZERO)) && !is_busy());
        turn(from).await;
    }
}
