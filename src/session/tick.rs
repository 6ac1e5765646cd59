//! One sweep per arbiter instead of timers per session: heartbeats, deadlines, drain, and the arbiter's report.
//!
//! Once a second, and each time it looks only at the connections for which there may be something to do: a wheel holds
//! them by the time of their next look. Whatever may bring that time forward (something was received or queued, a deadline
//! was set, a socket came) has the next sweep look ([`hurry`]), and only a sweep moves it back. So a connection whose
//! client only answers pings costs two or three looks per heartbeat interval.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{shared::SessionShared, wheel::Wheel};
use crate::{
    late::{LateGuard, Lateness},
    messages::session::{Control, Drain},
    protocol::EndReason,
    telemetry::{self, ArbiterReport, Event},
    ws::PING,
};

/// Sweeps come this often, or four times per heartbeat interval where that is shorter. A deadline is met within one.
const PERIOD: Duration = Duration::from_secs(1);
/// While the server drains: closings are to be spread, not gathered into one sweep a second.
const DRAIN_PERIOD: Duration = Duration::from_millis(50);
/// A sweep this much later than planned has seen a stopped process or a blocked arbiter, not silent clients.
const LATE: Duration = Duration::from_secs(2);

thread_local! {
    /// The arbiter's own connections: shared with nobody, asked by nobody else.
    static LINKS: RefCell<Wheel<SessionShared>> = RefCell::new(Wheel::new(Instant::now()));
    /// How many of them stand how.
    static STANDING: Cell<[usize; 3]> = const { Cell::new([0; 3]) };
    /// Whether this arbiter's sessions were told to go: one that comes after that, from a handshake under way, is told
    /// at once.
    static DRAINING: Cell<bool> = const { Cell::new(false) };
    /// Wakes the sweep when the drain begins.
    static NOTICE: Rc<Notify> = Rc::new(Notify::new());
}

/// When pings are due.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat {
    /// A client silent for this long is pinged.
    pub interval: Duration,
    /// A client silent for this long is gone.
    pub timeout: Duration,
}

impl Heartbeat {
    fn period(&self) -> Duration {
        (self.interval / 4).clamp(Duration::from_millis(10), PERIOD)
    }
}

/// What the sweep remembers of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    heard_at: Instant,
    pinged: bool,
}

/// What a sweep finds of one connection.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Whether it has a socket.
    attached: bool,
    /// Whether anything was received since the last look.
    received: bool,
    /// Whether it holds memory that an idle connection gives back.
    restless: bool,
    deadline: Option<(Instant, EndReason)>,
}

/// What is to be done about it, and when to look again if nothing happens to it; `None`: there is no need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    ping: bool,
    rest: bool,
    end: Option<EndReason>,
    again: Option<Instant>,
}

/// How a session stands, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Connected, in no room.
    Connected,
    /// Connected and in a room.
    Joined,
    /// Without a socket.
    Parked,
}

impl Beat {
    pub(super) fn since(now: Instant) -> Self {
        Self { heard_at: now, pinged: false }
    }

    /// The rule of heartbeats: one ping per silence, the end after `timeout`; a late sweep ends nobody.
    fn next(&mut self, received: bool, now: Instant, heartbeat: Heartbeat, late: bool) -> Due {
        if received {
            *self = Self::since(now);
            return Due::Nothing;
        }
        let silent = now.saturating_duration_since(self.heard_at);
        if silent >= heartbeat.timeout && self.pinged && !late {
            Due::Timeout
        } else if silent >= heartbeat.interval && !self.pinged {
            self.pinged = true;
            Due::Ping
        } else {
            Due::Nothing
        }
    }

    /// When the rule next asks for something, in silence.
    fn due(&self, heartbeat: Heartbeat) -> Instant {
        self.heard_at + if self.pinged { heartbeat.timeout } else { heartbeat.interval }
    }

    /// All that a sweep decides about one connection. To ask it of a connection that is not due does no harm.
    fn judge(&mut self, found: Found, now: Instant, heartbeat: Heartbeat, late: bool) -> Verdict {
        let Found { attached, received, restless, deadline } = found;
        let mut verdict = Verdict { ping: false, rest: attached && !received && restless, end: None, again: None };
        if attached {
            match self.next(received, now, heartbeat, late) {
                Due::Nothing => {}
                Due::Ping => verdict.ping = true,
                Due::Timeout => verdict.end = Some(EndReason::PingTimeout),
            }
            // One that was heard gives memory back if the next sweep hears nothing more.
            verdict.again = Some(if received && restless { now } else { self.due(heartbeat) });
        }
        if let Some((at, why)) = deadline {
            if now >= at && !late {
                verdict.end = verdict.end.or(Some(why));
            }
            verdict.again = Some(verdict.again.map_or(at, |again| again.min(at)));
        }
        verdict
    }
}

/// What heartbeats ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Ping,
    Timeout,
}

/// Sweeps this arbiter's connections for ever. `index` names the arbiter in its reports.
pub async fn run(index: usize, heartbeat: Heartbeat) {
    let mut sweeps = LateGuard::new(Instant::now(), LATE);
    loop {
        let period = if DRAINING.get() { DRAIN_PERIOD } else { heartbeat.period() };
        wait(period).await;
        let now = Instant::now();
        let Lateness { behind: late, is_late } = sweeps.look(now, period);
        for shared in LINKS.with_borrow_mut(|links| links.take_due(now)) {
            let again = sweep(&shared, now, heartbeat, is_late);
            LINKS.with_borrow_mut(|links| links.put_back(shared, again));
        }
        let [connected, joined, parked] = STANDING.get();
        debug_assert_eq!([connected, joined, parked], counted(), "connected, joined and parked sessions");
        let connections = connected + joined;
        telemetry::tally(|t| t.report(ArbiterReport { arbiter: index, connections, joined, parked, tick_delay: late }));
        if is_late {
            telemetry::emit(&Event::TickLate { arbiter: index, late });
        }
        telemetry::flush();
    }
}

/// Waits for a sweep's time, or for the drain to begin.
async fn wait(period: Duration) {
    let began = NOTICE.with(Rc::clone);
    // Whichever comes first: the next round looks for itself.
    let _ = tokio::time::timeout(period, began.notified()).await;
}

/// Looks at one connection; when to look again.
fn sweep(shared: &SessionShared, now: Instant, heartbeat: Heartbeat, late: bool) -> Option<Instant> {
    let mut beat = shared.beat.get();
    let found = Found {
        attached: shared.attached(),
        received: shared.has_received(),
        restless: shared.is_restless(),
        deadline: shared.deadline.get(),
    };
    let verdict = beat.judge(found, now, heartbeat, late);
    shared.beat.set(beat);
    if verdict.ping {
        ping(shared);
    }
    if verdict.rest || verdict.ping {
        shared.rest();
    }
    if let Some(why) = verdict.end {
        shared.kill_switch.kill(why);
    }
    // A socket that takes no more: what waits has kept its memory.
    let jammed = (verdict.rest || verdict.ping) && shared.is_restless();
    if jammed { Some(now) } else { verdict.again }
}

/// The arbiter's sessions by how they stand, counted anew.
fn counted() -> [usize; 3] {
    LINKS.with_borrow(|links| {
        links.iter().fold([0; 3], |mut counts, shared| {
            counts[shared.standing() as usize] += 1;
            counts
        })
    })
}

/// Writes the ping at once where nothing waits before it: waking the pump for two bytes would cost more than they do.
fn ping(shared: &SessionShared) {
    telemetry::tally(|t| t.pings_sent += 1);
    shared.queue(PING);
    shared.flush();
}

/// How the clients' departures are spread. All arbiters take places from one count, so that the spread is even however
/// the connections are distributed over them. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Share {
    over: Duration,
    connections: u32,
    next: Arc<AtomicU32>,
}

impl Share {
    /// So many connections over that time.
    #[must_use]
    pub fn new(over: Duration, connections: usize) -> Self {
        let connections = u32::try_from(connections).unwrap_or(u32::MAX).max(1);
        Self { over, connections, next: Arc::default() }
    }

    /// The next place. No later than the last one, should there be more to place than were counted.
    fn take(&self) -> Duration {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.over.mul_f64((f64::from(place) / f64::from(self.connections)).min(1.0))
    }
}

/// Tells every session of this arbiter that the server goes, each with its place in the server's spread.
pub fn drain(share: &Share) {
    DRAINING.set(true);
    NOTICE.with(|notice| notice.notify_one());
    let links: Vec<Rc<SessionShared>> = LINKS.with_borrow(|links| links.iter().cloned().collect());
    let now = Instant::now();
    for shared in links {
        // One that is away has nobody to tell, and needs no place among those who come back.
        let after = if shared.attached() { share.take() } else { share.over };
        shared.deadline.set(Some((now + after, EndReason::ServerDraining)));
        hurry(&shared);
        let Some(member) = shared.member.get() else {
            // Its actor has not started, and would set a deadline of its own.
            shared.kill_switch.kill(EndReason::ServerDraining);
            continue;
        };
        let close_after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        // Full: it is cut already. Gone: it has ended.
        let _ = member.post(Control::Drain(Drain { close_after_ms }));
    }
}

/// Sessions of this arbiter, those included that have no connection.
#[must_use]
pub fn sessions() -> usize {
    LINKS.with_borrow(Wheel::len)
}

/// Ends every session of this arbiter now: the drain's deadline has come, or nobody has a connection any more.
pub fn end_all() {
    LINKS.with_borrow(|links| {
        for shared in links.iter() {
            shared.kill_switch.kill(EndReason::ServerDraining);
        }
    });
}

pub(super) fn enlist(shared: &Rc<SessionShared>) {
    if DRAINING.get() {
        shared.kill_switch.kill(EndReason::ServerDraining);
    }
    LINKS.with_borrow_mut(|links| links.insert(Rc::clone(shared)));
    recount(shared, Some(shared.standing()));
}

pub(super) fn dismiss(shared: &SessionShared) {
    recount(shared, None);
    let removed = LINKS.with_borrow_mut(|links| links.remove(shared));
    // Dropped outside the borrow: a link's last owner may close a socket.
    drop(removed);
}

/// Has the next sweep look at the connection.
pub(super) fn hurry(shared: &SessionShared) {
    LINKS.with_borrow_mut(|links| links.hurry(shared));
}

/// Counts the session where it stands now, and no longer where it stood. Each remembers as what it is counted.
pub(super) fn recount(shared: &SessionShared, now: Option<Standing>) {
    let before = shared.counted.replace(now);
    let mut counts = STANDING.get();
    if let Some(before) = before {
        counts[before as usize] -= 1;
    }
    if let Some(now) = now {
        counts[now as usize] += 1;
    }
    STANDING.set(counts);
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Heartbeat = Heartbeat { interval: Duration::from_secs(30), timeout: Duration::from_secs(60) };

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_pinged_once_and_then_ended() {
        let start = Instant::now();
        let mut beat = Beat::since(start);
        let mut due = |seconds, received| beat.next(received, at(start, seconds), HEARTBEAT, false);
        assert_eq!(due(29, false), Due::Nothing);
        assert_eq!(due(30, false), Due::Ping);
        assert_eq!(due(31, false), Due::Nothing);
        assert_eq!(due(60, false), Due::Timeout);
    }

    #[test]
    fn one_byte_begins_the_silence_anew() {
        let start = Instant::now();
        let mut beat = Beat::since(start);
        assert_eq!(beat.next(false, at(start, 30), HEARTBEAT, false), Due::Ping);
        assert_eq!(beat.next(true, at(start, 59), HEARTBEAT, false), Due::Nothing);
        assert_eq!(beat.next(false, at(start, 60), HEARTBEAT, false), Due::Nothing);
        assert_eq!(beat.next(false, at(start, 89), HEARTBEAT, false), Due::Ping);
    }

    #[test]
    fn departures_are_spread_evenly_whoever_asks_for_the_next_place() {
        let share = Share::new(Duration::from_secs(20), 4);
        let twin = share.clone();
        let places = [share.take(), twin.take(), twin.take(), share.take(), twin.take(), share.take()];
        assert_eq!(places.map(|place| place.as_secs()), [0, 5, 10, 15, 20, 20]);
    }

    #[test]
    fn a_late_sweep_pings_but_ends_nobody() {
        let start = Instant::now();
        let mut beat = Beat::since(start);
        assert_eq!(beat.next(false, at(start, 500), HEARTBEAT, true), Due::Ping);
        assert_eq!(beat.next(false, at(start, 501), HEARTBEAT, true), Due::Nothing);
    }
}
