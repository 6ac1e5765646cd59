//! One sweep per arbiter instead of timers per session: heartbeats, deadlines, drain, and the arbiter's report.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::link::Link;
use crate::{
    messages::session::{Drain, ToSession},
    protocol::EndReason,
    telemetry::{self, ArbiterReport, Event},
};

/// An empty ping (RFC 6455 section 5.5.2).
const PING: Bytes = Bytes::from_static(&[0x89, 0x00]);
/// Sweeps come this often, or four times per heartbeat interval where that is shorter. A deadline is met within one.
const PERIOD: Duration = Duration::from_secs(1);
/// While the server drains: closings are to be spread, not gathered into one sweep a second.
const DRAIN_PERIOD: Duration = Duration::from_millis(50);
/// A sweep this much later than planned has seen a stopped process or a blocked arbiter, not silent clients.
const LATE: Duration = Duration::from_secs(2);

thread_local! {
    /// The arbiter's own connections: shared with nobody, asked by nobody else.
    static LINKS: RefCell<Vec<Rc<Link>>> = const { RefCell::new(Vec::new()) };
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

/// What the sweep does about one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Ping,
    Timeout,
}

impl Beat {
    pub(super) fn since(now: Instant) -> Self {
        Self { heard_at: now, pinged: false }
    }

    /// The rule of heartbeats: one ping per silence, the end after `timeout`; a late sweep ends nobody.
    fn next(&mut self, heard: bool, now: Instant, heartbeat: Heartbeat, late: bool) -> Due {
        if heard {
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
}

/// Sweeps this arbiter's connections for ever. `index` names the arbiter in its reports.
pub async fn run(index: usize, heartbeat: Heartbeat) {
    let mut last = Instant::now();
    loop {
        let period = if DRAINING.get() { DRAIN_PERIOD } else { heartbeat.period() };
        wait(period).await;
        let now = Instant::now();
        let late = now.saturating_duration_since(last).saturating_sub(period);
        last = now;
        let (connections, joined, parked) = LINKS.with_borrow(|links| {
            // Once over all of them, and what is asked of one is asked together: ten thousand are more than a cache holds.
            let (mut attached, mut joined) = (0, 0);
            for link in links {
                sweep(link, now, heartbeat, late > LATE);
                let here = link.attached();
                attached += usize::from(here);
                joined += usize::from(here && link.inside.borrow().is_some());
            }
            (attached, joined, links.len() - attached)
        });
        telemetry::tally(|t| t.report(ArbiterReport { arbiter: index, connections, joined, parked, tick_delay: late }));
        if late > LATE {
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

fn sweep(link: &Link, now: Instant, heartbeat: Heartbeat, late: bool) {
    if link.attached() {
        let mut beat = link.beat.get();
        let heard = link.was_heard();
        if !heard {
            link.rest();
        }
        match beat.next(heard, now, heartbeat, late) {
            Due::Nothing => {}
            Due::Ping => ping(link),
            Due::Timeout => link.cut.pull(EndReason::PingTimeout),
        }
        link.beat.set(beat);
    }
    if let Some((at, why)) = link.deadline.get()
        && now >= at
        && !late
    {
        link.cut.pull(why);
    }
}

/// Writes the ping at once where nothing waits before it: waking the pump for two octets would cost more than they do.
fn ping(link: &Link) {
    telemetry::tally(|t| t.pings_sent += 1);
    link.queue(PING);
    link.flush();
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
    let links = LINKS.with_borrow(Clone::clone);
    let now = Instant::now();
    for link in links {
        // One that is away has nobody to tell, and needs no place among those who come back.
        let after = if link.attached() { share.take() } else { share.over };
        link.deadline.set(Some((now + after, EndReason::ServerDraining)));
        let Some(member) = link.member.get() else {
            // Its actor has not started, and would set a deadline of its own.
            link.cut.pull(EndReason::ServerDraining);
            continue;
        };
        let close_after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        // Full: it is cut already. Gone: it has ended.
        let _ = member.post(ToSession::Drain(Drain { close_after_ms }));
    }
}

/// Sessions of this arbiter, those included that have no connection.
#[must_use]
pub fn sessions() -> usize {
    LINKS.with_borrow(Vec::len)
}

/// Ends every session of this arbiter now: the drain's deadline has come, or nobody has a connection any more.
pub fn end_all() {
    LINKS.with_borrow(|links| {
        for link in links {
            link.cut.pull(EndReason::ServerDraining);
        }
    });
}

pub(super) fn enlist(link: &Rc<Link>) {
    if DRAINING.get() {
        link.cut.pull(EndReason::ServerDraining);
    }
    LINKS.with_borrow_mut(|links| {
        link.place.set(links.len());
        links.push(Rc::clone(link));
    });
}

pub(super) fn dismiss(link: &Link) {
    let removed = LINKS.with_borrow_mut(|links| {
        let place = link.place.get();
        let removed = links.swap_remove(place);
        if let Some(moved) = links.get(place) {
            moved.place.set(place);
        }
        removed
    });
    // Dropped outside the borrow: a link's last owner may close a socket.
    drop(removed);
}

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
        let mut due = |seconds, heard| beat.next(heard, at(start, seconds), HEARTBEAT, false);
        assert_eq!(due(29, false), Due::Nothing);
        assert_eq!(due(30, false), Due::Ping);
        assert_eq!(due(31, false), Due::Nothing);
        assert_eq!(due(60, false), Due::Timeout);
    }

    #[test]
    fn one_octet_begins_the_silence_anew() {
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
