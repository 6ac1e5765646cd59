//! Lines that clients may cause any number of are gathered: beyond a burst they are counted, and the count is one line.
//!
//! One table for all threads, since a bound per address is to hold however many threads serve it. Its lock is held for a
//! tenth of a microsecond, by an event that is logged, and such a line waits for the queue's lock anyway; what is only
//! counted or relayed never comes here.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use slog::Level;

use super::repeat::{Burst, Repeat};
use crate::telemetry::event::{fault::Fault, source::Source, table::Event};

/// When lines are gathered.
#[derive(Debug, Clone, Copy)]
pub struct GatherRules {
    /// `log.gather_ms`: the time from the first line of its kind to the one with the count.
    pub window: Duration,
    /// `log.burst_lines`.
    pub lines: usize,
    /// `log.burst_refusals`.
    pub refusals: usize,
    /// `log.event_lines`.
    pub event_lines: usize,
}

/// What stands for several lines.
#[derive(Debug, PartialEq)]
pub(in crate::telemetry) struct Gathered {
    /// The event's.
    pub(in crate::telemetry) event: &'static str,
    /// The event's.
    pub(in crate::telemetry) message: &'static str,
    /// The event's.
    pub(in crate::telemetry) level: Level,
    /// What they have in common, with the field it is written in; of all addresses together, nothing.
    pub(in crate::telemetry) kind: Option<(&'static str, &'static str)>,
    /// Their address, if it is one.
    pub(in crate::telemetry) source: Option<Source>,
    /// The error in them, without the cause, which varies.
    pub(in crate::telemetry) fault: Option<Fault<'static>>,
    /// How many were not written.
    pub(in crate::telemetry) more: u64,
    /// Over which time.
    pub(in crate::telemetry) over: Duration,
}

/// Decides, line by line.
pub(in crate::telemetry) struct Gatherer {
    rules: GatherRules,
    table: Mutex<Table>,
}

/// Windows that have begun. As many as lines were written within the last one, at most: each began with a line.
#[derive(Default)]
struct Table {
    windows: HashMap<Key, Window>,
    /// All of them, the oldest first: they are equally long.
    order: VecDeque<(Instant, Key)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    event: &'static str,
    /// `None`: all of this event.
    of: Option<(&'static str, Source)>,
}

struct Window {
    written: usize,
    /// What the line says that tells of the rest.
    gathered: Gathered,
}

impl Gatherer {
    pub(in crate::telemetry) fn new(rules: GatherRules) -> Self {
        Self { rules, table: Mutex::default() }
    }

    /// Whether the event gets a line of its own; otherwise it is counted. Before that, `tell` hears of windows that are over.
    pub(in crate::telemetry) fn admits(
        &self,
        event: &Event<'_>,
        fault: Option<&Fault<'_>>,
        repeat: &Repeat,
        now: Instant,
        tell: impl FnMut(&Gathered),
    ) -> bool {
        let mut table = self.table();
        let over = table.expire(now, &self.rules);
        let admitted = table.admit(event, fault, repeat, now, &self.rules);
        drop(table);
        over.iter().for_each(tell);
        admitted
    }

    /// Tells of the windows that are over.
    pub(in crate::telemetry) fn sweep(&self, now: Instant, tell: impl FnMut(&Gathered)) {
        let over = self.table().expire(now, &self.rules);
        over.iter().for_each(tell);
    }

    /// Tells of all windows, as far as they have come: the process ends.
    pub(in crate::telemetry) fn finish(&self, now: Instant, tell: impl FnMut(&Gathered)) {
        let open = std::mem::take(&mut *self.table());
        let mut windows = open.windows;
        let over = open.order.into_iter().filter_map(|(began, key)| {
            let Gathered { over, .. } = &mut windows.get_mut(&key)?.gathered;
            *over = now.saturating_duration_since(began).min(self.rules.window);
            windows.remove(&key).map(|window| window.gathered)
        });
        over.filter(|gathered| gathered.more > 0).collect::<Vec<_>>().iter().for_each(tell);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn admit(
        &mut self,
        event: &Event<'_>,
        fault: Option<&Fault<'_>>,
        repeat: &Repeat,
        now: Instant,
        rules: &GatherRules,
    ) -> bool {
        let all = Key { event: event.key(), of: None };
        let one = repeat.source.map(|source| Key { of: Some((repeat.kind, source)), ..all });
        let burst = match repeat.burst {
            Burst::Life => rules.lines,
            Burst::Refusal => rules.refusals,
        };
        if let Some(window) = one.and_then(|key| self.windows.get_mut(&key))
            && window.written >= burst
        {
            window.gathered.more += 1;
            return false;
        }
        let whole = self.open(all, now, || Gathered::of(event, None, None, rules));
        if whole.written >= rules.event_lines {
            whole.gathered.more += 1;
            return false;
        }
        whole.written += 1;
        if let Some(key) = one {
            self.open(key, now, || Gathered::of(event, Some(repeat), fault, rules)).written += 1;
        }
        true
    }

    fn open(&mut self, key: Key, now: Instant, gathered: impl FnOnce() -> Gathered) -> &mut Window {
        self.windows.entry(key).or_insert_with(|| {
            self.order.push_back((now, key));
            Window { written: 0, gathered: gathered() }
        })
    }

    /// Takes out the windows that are over; those with something to tell. Their lines count for the event as others do:
    /// where there are too many, they are gathered, too.
    fn expire(&mut self, now: Instant, rules: &GatherRules) -> Vec<Gathered> {
        let mut over = Vec::new();
        while self.order.front().is_some_and(|(began, _)| now.saturating_duration_since(*began) >= rules.window) {
            let Some((_, key)) = self.order.pop_front() else { break };
            let Some(Window { gathered, .. }) = self.windows.remove(&key) else { continue };
            if gathered.more == 0 {
                continue;
            }
            if key.of.is_some() {
                let whole = self.open(Key { of: None, ..key }, now, || gathered.of_all());
                if whole.written >= rules.event_lines {
                    whole.gathered.more += gathered.more;
                    continue;
                }
                whole.written += 1;
            }
            over.push(gathered);
        }
        over
    }
}

impl Gathered {
    fn of(event: &Event<'_>, repeat: Option<&Repeat>, fault: Option<&Fault<'_>>, rules: &GatherRules) -> Self {
        Self {
            event: event.key(),
            message: event.message(),
            level: event.level(),
            kind: repeat.map(|repeat| (repeat.field, repeat.kind)),
            source: repeat.and_then(|repeat| repeat.source),
            fault: fault.map(Fault::without_cause),
            more: 0,
            over: rules.window,
        }
    }

    /// The same of all addresses and kinds.
    fn of_all(&self) -> Self {
        Self { kind: None, source: None, fault: None, more: 0, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use super::*;
    use crate::{
        protocol::{EndReason, ErrorCode},
        telemetry::{event::context::Context, log::repeat},
    };

    const WINDOW: Duration = Duration::from_secs(10);

    fn gatherer() -> Gatherer {
        Gatherer::new(GatherRules { window: WINDOW, lines: 5, refusals: 2, event_lines: 12 })
    }

    fn address(n: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(n)), 1)
    }

    fn refused(n: u32, code: ErrorCode) -> Event<'static> {
        Event::HandshakeRefused { context: Context::default(), remote: Some(address(n)), code, status: 400, detail: "" }
    }

    fn opened(n: u32) -> Event<'static> {
        Event::ConnectionOpened { context: Context::default(), remote: Some(address(n)) }
    }

    /// A log of the gatherer: lines that were written, and those that tell of more.
    struct Log {
        gatherer: Gatherer,
        start: Instant,
        written: usize,
        told: Vec<(String, u64, u128)>,
    }

    impl Log {
        fn new() -> Self {
            Self { gatherer: gatherer(), start: Instant::now(), written: 0, told: Vec::new() }
        }

        fn emit(&mut self, event: &Event<'_>, seconds: u64, times: usize) {
            let (repeat, fault) = (repeat::of(event).expect("it repeats"), Fault::of(event));
            let now = self.start + Duration::from_secs(seconds);
            for _ in 0..times {
                let tell = |gathered: &Gathered| self.told.push(said(gathered));
                self.written += usize::from(self.gatherer.admits(event, fault.as_ref(), &repeat, now, tell));
            }
        }

        fn sweep(&mut self, seconds: u64) {
            self.gatherer.sweep(self.start + Duration::from_secs(seconds), |gathered| self.told.push(said(gathered)));
        }

        /// Everything, written or told.
        fn all(&self) -> u64 {
            self.written as u64 + self.told.iter().map(|(_, more, _)| more).sum::<u64>()
        }
    }

    fn said(gathered: &Gathered) -> (String, u64, u128) {
        let source = gathered.source.map_or("all".to_owned(), |source| source.to_string());
        (format!("{} {source}", gathered.event), gathered.more, gathered.over.as_millis())
    }

    #[test]
    fn what_one_address_repeats_is_a_burst_and_one_line_with_the_count_of_the_rest() {
        let mut log = Log::new();
        log.emit(&refused(1, ErrorCode::BadHandshake), 0, 1000);
        assert_eq!((log.written, log.told.len()), (2, 0));
        log.sweep(9);
        assert!(log.told.is_empty(), "the window is not over");
        log.sweep(10);
        assert_eq!(log.told, [("handshake_refused 0.0.0.1".to_owned(), 998, 10_000)]);
        log.sweep(60);
        assert_eq!(log.told.len(), 1, "told once");
        log.emit(&refused(1, ErrorCode::BadHandshake), 61, 1);
        assert_eq!(log.written, 3, "and begun anew");
    }

    #[test]
    fn others_and_other_things_have_bursts_of_their_own() {
        let mut log = Log::new();
        log.emit(&refused(1, ErrorCode::BadHandshake), 0, 100);
        log.emit(&refused(1, ErrorCode::RateLimited), 1, 100);
        log.emit(&refused(2, ErrorCode::BadHandshake), 2, 100);
        assert_eq!(log.written, 6);
        log.emit(&opened(1), 3, 100);
        assert_eq!(log.written, 11, "what is no refusal has a larger one");
        log.sweep(20);
        assert_eq!((log.told.len(), log.all()), (4, 400), "and none is lost");
    }

    #[test]
    fn a_window_that_is_over_is_told_before_the_line_that_finds_it_so() {
        let mut log = Log::new();
        log.emit(&opened(1), 0, 7);
        log.emit(&opened(1), 30, 1);
        assert_eq!((log.written, log.told), (6, vec![("connection_opened 0.0.0.1".to_owned(), 2, 10_000)]));
    }

    #[test]
    fn many_addresses_are_bounded_together_and_so_is_what_is_remembered_of_them() {
        let mut log = Log::new();
        for n in 0..10_000 {
            log.emit(&opened(n), 0, 1);
        }
        assert_eq!(log.written, 12);
        assert!(log.gatherer.table().windows.len() <= 13);
        log.sweep(10);
        assert_eq!(log.told, [("connection_opened all".to_owned(), 9_988, 10_000)]);
    }

    #[test]
    fn counts_of_many_addresses_are_gathered_themselves() {
        let mut log = Log::new();
        for n in 0..6 {
            log.emit(&opened(n), 0, 2);
        }
        // All twelve lines are used; each address goes on in the next window, and beyond its burst there.
        for second in [10, 20, 30] {
            for n in 0..40 {
                log.emit(&opened(n), second, 50);
            }
        }
        for second in 40..100 {
            log.sweep(second);
        }
        assert_eq!(log.all(), 12 + 3 * 40 * 50, "none is lost");
        let lines = log.written + log.told.len();
        assert!(lines <= 9 * 13, "{lines} lines in nine windows");
    }

    #[test]
    fn what_has_no_address_is_bounded_by_its_event_alone() {
        let mut log = Log::new();
        let event = Event::HttpServed {
            context: Context::default(),
            method: "GET",
            route: "/",
            status: 200,
            took: Duration::ZERO,
        };
        log.emit(&event, 0, 100);
        log.sweep(10);
        assert_eq!((log.written, log.all()), (12, 100));
    }

    #[test]
    fn the_end_of_the_process_tells_what_was_gathered_so_far() {
        let mut log = Log::new();
        log.emit(&refused(1, ErrorCode::BadHandshake), 0, 10);
        log.emit(&opened(1), 1, 3);
        let mut told = Vec::new();
        log.gatherer.finish(log.start + Duration::from_secs(4), |gathered| told.push(said(gathered)));
        assert_eq!(told, [("handshake_refused 0.0.0.1".to_owned(), 8, 4_000)]);
        log.sweep(100);
        assert!(log.told.is_empty());
    }

    #[test]
    fn a_gathered_error_keeps_what_its_lines_have_in_common() {
        let gatherer = gatherer();
        let event = refused(1, ErrorCode::BadHandshake);
        let (repeat, fault, now) = (repeat::of(&event).expect("it repeats"), Fault::of(&event), Instant::now());
        for _ in 0..3 {
            gatherer.admits(&event, fault.as_ref(), &repeat, now, |_| panic!("too early"));
        }
        let mut told = 0;
        gatherer.finish(now, |gathered| {
            told += 1;
            let common = gathered.fault.as_ref().expect("an error");
            assert_eq!((common.code, &common.cause), (ErrorCode::BadHandshake, &None));
            assert_eq!(common.fingerprint, fault.as_ref().expect("an error").fingerprint);
        });
        assert_eq!(told, 1);
        let closed = |reason| Event::ConnectionClosed {
            context: Context::default(),
            reason,
            duration: Duration::ZERO,
            frames_in: 2,
            frames_out: 3,
        };
        assert_eq!(repeat::of(&closed(EndReason::Disconnected)).map(|repeat| repeat.kind), Some("disconnected"));
    }
}
