//! The drain that gathers, between records of events and a drain that keeps what reaches it.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use slog::{Drain, KV, Level, Logger, Never, OwnedKV, OwnedKVList, Record, Serializer};

use super::Gather;
use crate::{
    protocol::{EndReason, ErrorCode},
    telemetry::{
        event::{context::Context, fault::Fault, table::Event},
        log::{
            line,
            repeat::{self, Repeat},
            windows::GatherRules,
        },
    },
};

const WINDOW: Duration = Duration::from_secs(10);
const RULES: GatherRules = GatherRules { window: WINDOW, lines: 5, refusals: 2, event_lines: 12 };

/// A record, as it came out.
#[derive(Debug, Default, Clone)]
struct Line {
    event: String,
    level: Option<Level>,
    keys: BTreeMap<&'static str, String>,
    json: String,
}

impl Serializer for Line {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        self.keys.insert(key, value.to_string());
        Ok(())
    }
}

impl Line {
    /// How many it stands for; `None`: it is itself.
    fn more(&self) -> Option<u64> {
        self.keys.get("more").map(|more| more.parse().expect("a number"))
    }

    fn summary(&self) -> (String, u64, &str) {
        let source = self.keys.get("remote").map_or("all", String::as_str);
        (format!("{} {source}", self.event), self.more().expect("it stands for several"), &self.keys["window_ms"])
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Line>>>);

impl Drain for Kept {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        let mut kept = Line { event: record.tag().to_owned(), level: Some(record.level()), ..Line::default() };
        record.kv().serialize(record, &mut kept).expect("it takes anything");
        line::format(record, values, |line| kept.json = String::from_utf8_lossy(line).into_owned());
        self.0.lock().expect("no panic").push(kept);
        Ok(())
    }
}

/// Lines that were written, and those that tell of more.
struct Log {
    gather: Gather,
    kept: Kept,
    start: Instant,
}

impl Log {
    fn new() -> Self {
        let kept = Kept::default();
        let gather = Gather::new(Some(RULES), Logger::root(kept.clone(), OwnedKV(())));
        Self { gather, kept, start: Instant::now() }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn emit(&self, event: &Event<'_>, seconds: u64, times: usize) {
        assert!(repeat::of(event).is_some(), "it repeats");
        let (fault, now) = (Fault::of(event), self.at(seconds));
        for _ in 0..times {
            self.gather.take(event, fault.as_ref(), now);
        }
    }

    fn sweep(&self, seconds: u64) {
        self.gather.sweep(self.at(seconds));
    }

    fn lines(&self) -> Vec<Line> {
        self.kept.0.lock().expect("no panic").clone()
    }

    fn written(&self) -> usize {
        self.lines().iter().filter(|line| line.more().is_none()).count()
    }

    fn gathered(&self) -> Vec<Line> {
        self.lines().into_iter().filter(|line| line.more().is_some()).collect()
    }

    #[track_caller]
    fn assert_gathered(&self, expected: &[(&str, u64, &str)]) {
        let gathered = self.gathered();
        let summaries: Vec<_> = gathered.iter().map(Line::summary).collect();
        let summaries: Vec<_> = summaries.iter().map(|(what, more, over)| (what.as_str(), *more, *over)).collect();
        assert_eq!(summaries, expected);
    }

    /// Everything, written or told.
    fn all(&self) -> u64 {
        self.written() as u64 + self.gathered().iter().filter_map(Line::more).sum::<u64>()
    }
}

fn address(n: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(n)), 1)
}

fn refused(n: u32, code: ErrorCode) -> Event<'static> {
    let remote = Some(address(n));
    Event::HandshakeRefused { context: Context::default(), remote, code, status: 400, detail: "a detail" }
}

fn opened(n: u32) -> Event<'static> {
    Event::ConnectionOpened { context: Context::default(), remote: Some(address(n)) }
}

fn of_dependency(level: Level) -> Event<'static> {
    Event::DependencyLog { level, target: "actix_http::h1", text: "a client hung up" }
}

#[test]
fn what_one_address_repeats_is_a_burst_and_one_line_with_the_count_of_the_rest() {
    let log = Log::new();
    log.emit(&refused(1, ErrorCode::BadHandshake), 0, 1000);
    assert_eq!((log.written(), log.gathered().len()), (2, 0));
    log.sweep(9);
    assert!(log.gathered().is_empty(), "the window is not over");
    log.sweep(10);
    log.assert_gathered(&[("handshake_refused 0.0.0.1", 998, "10000")]);
    log.sweep(60);
    assert_eq!(log.gathered().len(), 1, "told once");
    log.emit(&refused(1, ErrorCode::BadHandshake), 61, 1);
    assert_eq!(log.written(), 3, "and begun anew");
}

#[test]
fn others_and_other_things_have_bursts_of_their_own() {
    let log = Log::new();
    log.emit(&refused(1, ErrorCode::BadHandshake), 0, 100);
    log.emit(&refused(1, ErrorCode::RateLimited), 1, 100);
    log.emit(&refused(2, ErrorCode::BadHandshake), 2, 100);
    assert_eq!(log.written(), 6);
    log.emit(&opened(1), 3, 100);
    assert_eq!(log.written(), 11, "what is no refusal has a larger one");
    log.sweep(20);
    assert_eq!((log.gathered().len(), log.all()), (4, 400), "and none is lost");
}

#[test]
fn a_window_that_is_over_is_told_before_the_line_that_finds_it_so() {
    let log = Log::new();
    log.emit(&opened(1), 0, 7);
    log.emit(&opened(1), 30, 1);
    assert_eq!(log.written(), 6);
    log.assert_gathered(&[("connection_opened 0.0.0.1", 2, "10000")]);
    assert_eq!(log.lines()[5].more(), Some(2), "before the last one");
}

#[test]
fn many_addresses_are_bounded_together_and_so_is_what_is_remembered_of_them() {
    let log = Log::new();
    for n in 0..10_000 {
        log.emit(&opened(n), 0, 1);
    }
    assert_eq!(log.written(), 12);
    assert!(log.gather.windows().len() <= 13);
    log.sweep(10);
    log.assert_gathered(&[("connection_opened all", 9_988, "10000")]);
}

#[test]
fn counts_of_many_addresses_are_gathered_themselves() {
    let log = Log::new();
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
    let lines = log.lines().len();
    assert!(lines <= 9 * 13, "{lines} lines in nine windows");
}

#[test]
fn what_has_no_address_is_bounded_by_its_event_alone() {
    let log = Log::new();
    let (context, took) = (Context::default(), Duration::ZERO);
    log.emit(&Event::HttpServed { context, method: "GET", route: "/", status: 200, took }, 0, 100);
    log.sweep(10);
    assert_eq!((log.written(), log.all()), (12, 100));
}

#[test]
fn what_one_event_tells_at_two_levels_is_gathered_as_two() {
    let log = Log::new();
    log.emit(&of_dependency(Level::Info), 0, 100);
    log.emit(&of_dependency(Level::Error), 1, 30);
    assert_eq!(log.written(), 24, "many of one level keep none of the other out");
    log.sweep(20);
    let gathered: Vec<_> = log.gathered().iter().map(|line| (line.level, line.more())).collect();
    assert_eq!(gathered, [(Some(Level::Info), Some(88)), (Some(Level::Error), Some(18))]);
}

#[test]
fn the_end_of_the_process_tells_what_was_gathered_so_far() {
    let log = Log::new();
    log.emit(&refused(1, ErrorCode::BadHandshake), 0, 10);
    log.emit(&opened(1), 1, 3);
    log.gather.finish(log.at(4));
    log.assert_gathered(&[("handshake_refused 0.0.0.1", 8, "4000")]);
    log.sweep(100);
    assert_eq!(log.gathered().len(), 1);
}

#[test]
fn gathered_lines_are_found_by_the_event_and_keep_what_they_have_in_common() {
    let log = Log::new();
    let event = refused(0xC000_0207, ErrorCode::BadHandshake);
    log.emit(&event, 0, 4814);
    log.sweep(10);
    let mut line: serde_json::Value = serde_json::from_str(&log.gathered()[0].json).expect("JSON");
    line["ts"].take();
    let fingerprint = Fault::fingerprint_hex(Fault::of(&event).expect("an error").fingerprint);
    assert_eq!(
        line,
        serde_json::json!({
            "ts": null, "level": "info", "msg": "handshake refused, and 4812 more in 10 s",
            "event": "handshake_refused", "more": 4812, "window_ms": 10_000.0, "remote": "192.0.2.7",
            "class": "WS_ERROR", "code": "bad_handshake", "severity": "low", "doing": "upgrading a connection",
            "fingerprint": fingerprint,
        })
    );
}

#[test]
fn the_end_of_a_connection_is_like_others_for_the_same_reason() {
    let (context, duration) = (Context::default(), Duration::ZERO);
    let reason = EndReason::Disconnected;
    let closed = Event::ConnectionClosed { context, reason, duration, frames_in: 2, frames_out: 3 };
    assert_eq!(repeat::of(&closed).map(|Repeat { kind, .. }| kind), Some("disconnected"));
}

#[test]
fn without_rules_every_line_is_handed_on() {
    let kept = Kept::default();
    let gather = Gather::new(None, Logger::root(kept.clone(), OwnedKV(())));
    for _ in 0..100 {
        gather.take(&opened(1), None, Instant::now());
    }
    assert_eq!(kept.0.lock().expect("no panic").len(), 100);
}
