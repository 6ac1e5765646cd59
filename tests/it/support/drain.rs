//! The server's log, read as it is written. What must never be in a log is a failure of whatever test caused it.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::Value;
use switchboard::telemetry::redaction::leaks;

use super::wait::PATIENCE;

/// One line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Line {
    /// The event's name.
    pub(crate) fn event(&self) -> &str {
        self.json["event"].as_str().unwrap_or_default()
    }

    /// Whether a fact is in it.
    pub(crate) fn says(&self, key: &str, value: &str) -> bool {
        self.json[key] == value
    }
}

/// Whether the drain reads on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Tap {
    #[default]
    Open,
    Shut,
    Gone,
}

#[derive(Default)]
struct Written {
    tap: Tap,
    lines: Vec<Line>,
    complaints: Vec<String>,
    ended: bool,
}

/// Reads a child's standard output in a thread of its own.
pub(crate) struct LogDrain {
    written: Arc<(Mutex<Written>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl LogDrain {
    /// Starts reading.
    pub(crate) fn on(output: impl Read + Send + 'static) -> Self {
        let written = Arc::new((Mutex::new(Written::default()), Condvar::new()));
        let shared = Arc::clone(&written);
        let reader = thread::spawn(move || {
            read_lines(BufReader::new(output), |line| {
                shared.1.notify_all_after(&shared.0, |w| w.take(line));
                let tap = shared.1.wait_while(shared.0.lock().unwrap(), |w| w.tap == Tap::Shut).unwrap().tap;
                tap == Tap::Open
            });
            shared.1.notify_all_after(&shared.0, |w| w.ended = true);
        });
        Self { written, reader: Some(reader) }
    }

    /// Reads no further than the line it is at.
    pub(crate) fn hold(&self) {
        self.turn(Tap::Shut);
    }

    /// Reads on.
    pub(crate) fn release(&self) {
        self.turn(Tap::Open);
    }

    /// Stops reading for good, and closes the pipe once the next line has come.
    pub(crate) fn abandon(&self) {
        self.turn(Tap::Gone);
    }

    fn turn(&self, tap: Tap) {
        self.written.1.notify_all_after(&self.written.0, |w| w.tap = tap);
    }

    /// Waits until all that the child wrote has been read, once it has ended. Not while reading is held up.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let (written, changed) = &*self.written;
        let unread = |w: &mut Written| w.tap == Tap::Open && !w.ended;
        let waited = changed.wait_timeout_while(written.lock().unwrap(), PATIENCE, unread).unwrap().1;
        assert!(!waited.timed_out(), "the log of a process that is gone has no end");
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.written.0.lock().unwrap().lines.clone()
    }

    /// All lines of that event so far.
    pub(crate) fn lines_where(&self, event: &str) -> Vec<Line> {
        self.lines().into_iter().filter(|line| line.event() == event).collect()
    }

    /// The first line that `is_it` accepts; waits for it.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Line) -> bool) -> Line {
        let (written, changed) = &*self.written;
        let deadline = Instant::now() + PATIENCE;
        let mut written = written.lock().unwrap();
        loop {
            if let Some(line) = written.lines.iter().find(|line| is_it(line)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || written.ended {
                break;
            }
            written = changed.wait_timeout(written, left).unwrap().0;
        }
        let ended = written.ended;
        drop(written);
        panic!("no log line: {what} (log ended: {ended}); the log:\n{}", self.text());
    }

    /// The log as text.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<_> = self.lines().into_iter().map(|line| line.text).collect();
        lines.join("\n")
    }

    /// Waits until the child has closed its output, and returns what was wrong with it.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            if self.written.0.lock().unwrap().tap == Tap::Shut {
                self.release();
            }
            reader.join().expect("the log's reader");
        }
        self.written.0.lock().unwrap().complaints.clone()
    }
}

impl Written {
    fn take(&mut self, text: String) {
        match check(&text) {
            Ok(json) => self.lines.push(Line { text, json }),
            Err(complaint) => self.complaints.push(complaint),
        }
    }
}

trait NotifyAfter {
    fn notify_all_after<T>(&self, state: &Mutex<T>, change: impl FnOnce(&mut T));
}

impl NotifyAfter for Condvar {
    fn notify_all_after<T>(&self, state: &Mutex<T>, change: impl FnOnce(&mut T)) {
        change(&mut state.lock().unwrap());
        self.notify_all();
    }
}

/// Hands on every complete line until `take` has had enough. What follows the last line end was cut off by a kill.
fn read_lines(mut from: impl BufRead, mut take: impl FnMut(String) -> bool) {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if line.pop() == Some(b'\n') && !take(String::from_utf8_lossy(&line).into_owned()) {
            return;
        }
        line.clear();
    }
}

/// What every line of the log must be: one JSON object with time, level, event and message, and nothing private in it.
fn check(text: &str) -> Result<Value, String> {
    if let Some(what) = leaks(text) {
        return Err(format!("the log gives away {what}: {text}"));
    }
    let json: Value = serde_json::from_str(text).map_err(|e| format!("a log line that is not JSON ({e}): {text}"))?;
    let has_text = |key: &str| json[key].as_str().is_some_and(|text| !text.is_empty());
    if let Some(key) = ["event", "msg"].into_iter().find(|key| !has_text(key)) {
        return Err(format!("a log line without {key}: {text}"));
    }
    let levels = ["trace", "debug", "info", "warning", "error", "critical"];
    if !levels.iter().any(|level| json["level"] == *level) {
        return Err(format!("a log line without a level: {text}"));
    }
    if !json["ts"].as_str().is_some_and(is_utc_time) {
        return Err(format!("a log line without a time in UTC: {text}"));
    }
    Ok(json)
}

/// Whether it is a moment in RFC 3339, in UTC: `2026-01-31T23:59:59.123Z`.
pub(crate) fn is_utc_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let fraction = shape.strip_prefix("0000-00-00T00:00:00").and_then(|rest| rest.strip_suffix('Z'));
    fraction.is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && rest.len() > 1))
}

#[test]
fn a_log_line_with_a_candidate_or_without_json_is_a_complaint() {
    let good = r#"{"ts":"2026-01-01T00:00:00Z","level":"info","event":"joined","msg":"peer joined"}"#;
    let text = [
        good,
        &good.replace("peer joined", "candidate:1 1 udp 1 10.0.0.1 9 typ host"),
        "plain text",
        &good.replace("info", "INFO"),
        &good.replace("00Z", "00+01:00"),
        &good.replace("joined", ""),
        "{\"cut off",
    ]
    .join("\n");
    let mut drain = LogDrain::on(std::io::Cursor::new(text));
    let complaints = drain.finish();
    assert_eq!(complaints.len(), 5, "{complaints:?}");
    assert!(complaints[0].contains("gives away") && complaints[1].contains("not JSON"), "{complaints:?}");
    assert_eq!(drain.lines_where("joined").len(), 1);
}
