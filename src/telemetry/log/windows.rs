//! The table of what repeats: beyond a burst lines are counted, and the count is one line.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use slog::{BorrowedKV, KV, Level, Record, RecordStatic, Serializer};

use super::{
    record::{HERE, error},
    repeat::{Burst, Repeat},
};
use crate::{
    config,
    telemetry::event::{fault::Fault, field::Field, source::Source, table::Event},
};

/// When lines are gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct GatherRules {
    /// `log.gather_ms`: the time from the first line of its kind to the one with the count.
    pub(super) window: Duration,
    /// `log.burst_lines`.
    pub(super) lines: usize,
    /// `log.burst_refusals`.
    pub(super) refusals: usize,
    /// `log.event_lines`.
    pub(super) event_lines: usize,
}

impl GatherRules {
    /// `None`: nothing is gathered.
    pub(super) fn configured(log: &config::Log) -> Option<Self> {
        log.gather().map(|window| Self {
            window,
            lines: log.burst_lines,
            refusals: log.burst_refusals,
            event_lines: log.event_lines,
        })
    }
}

/// What stands for several lines.
#[derive(Debug, PartialEq)]
pub(in crate::telemetry) struct Gathered {
    /// The event's.
    event: &'static str,
    /// The event's.
    message: &'static str,
    /// The event's.
    level: Level,
    /// What they have in common, with the field it is written in; of all addresses together, nothing.
    kind: Option<(&'static str, &'static str)>,
    /// Their address, if it is one.
    source: Option<Source>,
    /// The error in them, without the cause, which varies.
    fault: Option<Fault<'static>>,
    /// How many were not written.
    more: u64,
    /// Over which time.
    over: Duration,
}

/// Windows that have begun. As many as lines were written within the last one, at most: each began with a line.
#[derive(Default)]
pub(in crate::telemetry) struct Windows {
    windows: HashMap<WindowKey, Window>,
    /// All of them, the oldest first: they are equally long.
    order: VecDeque<(Instant, WindowKey)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct WindowKey {
    event: &'static str,
    /// As a number. What one event tells at several levels is read as several.
    level: usize,
    /// `None`: all of this event and level.
    of: Option<(&'static str, Source)>,
}

struct Window {
    written: usize,
    /// What the line says that tells of the rest.
    gathered: Gathered,
}

impl Windows {
    /// Whether it gets a line of its own; otherwise it is counted.
    pub(in crate::telemetry) fn admit(
        &mut self,
        event: &Event<'_>,
        fault: Option<&Fault<'_>>,
        repeat: Repeat,
        now: Instant,
        rules: &GatherRules,
    ) -> bool {
        let all = WindowKey { event: event.key(), level: event.level().as_usize(), of: None };
        let one = repeat.source.map(|source| WindowKey { of: Some((repeat.kind, source)), ..all });
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
        let whole = self.open(all, now, || Gathered::of(event, fault, repeat, rules).of_all());
        if whole.written >= rules.event_lines {
            whole.gathered.more += 1;
            return false;
        }
        whole.written += 1;
        if let Some(key) = one {
            self.open(key, now, || Gathered::of(event, fault, repeat, rules)).written += 1;
        }
        true
    }

    fn open(&mut self, key: WindowKey, now: Instant, gathered: impl FnOnce() -> Gathered) -> &mut Window {
        self.windows.entry(key).or_insert_with(|| {
            self.order.push_back((now, key));
            Window { written: 0, gathered: gathered() }
        })
    }

    /// Takes out the windows that are over; those with something to tell. Their lines count for the event as others do:
    /// where there are too many, they are gathered, too.
    pub(in crate::telemetry) fn expire(&mut self, now: Instant, rules: &GatherRules) -> Vec<Gathered> {
        let mut over = Vec::new();
        while self.order.front().is_some_and(|(began, _)| now.saturating_duration_since(*began) >= rules.window) {
            let Some((_, key)) = self.order.pop_front() else { break };
            let Some(Window { gathered, .. }) = self.windows.remove(&key) else { continue };
            if gathered.more == 0 {
                continue;
            }
            if key.of.is_some() {
                let whole = self.open(WindowKey { of: None, ..key }, now, || gathered.of_all());
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

    /// Takes out all of them, as far as they have come; those with something to tell.
    pub(in crate::telemetry) fn end(self, now: Instant, rules: &GatherRules) -> Vec<Gathered> {
        let Self { mut windows, order } = self;
        let over = order.into_iter().filter_map(|(began, key)| {
            let mut gathered = windows.remove(&key)?.gathered;
            gathered.over = now.saturating_duration_since(began).min(rules.window);
            Some(gathered)
        });
        over.filter(|gathered| gathered.more > 0).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }
}

impl Gathered {
    fn of(event: &Event<'_>, fault: Option<&Fault<'_>>, repeat: Repeat, rules: &GatherRules) -> Self {
        Self {
            event: event.key(),
            message: event.message(),
            level: event.level(),
            kind: Some((repeat.field, repeat.kind)),
            source: repeat.source,
            fault: fault.map(Fault::without_cause),
            more: 0,
            over: rules.window,
        }
    }

    /// The same of all addresses and kinds.
    fn of_all(&self) -> Self {
        Self { kind: None, source: None, fault: None, more: 0, ..*self }
    }

    /// Lends out the record that tells of them.
    pub(in crate::telemetry) fn record<T>(&self, lend: impl FnOnce(&Record<'_>) -> T) -> T {
        let Self { message, more, over, .. } = self;
        let seconds = over.as_secs_f64().ceil();
        let facts = RecordStatic { location: &HERE, tag: self.event, level: self.level };
        lend(&Record::new(&facts, &format_args!("{message}, and {more} more in {seconds} s"), BorrowedKV(self)))
    }
}

impl KV for Gathered {
    fn serialize(&self, _: &Record<'_>, out: &mut dyn Serializer) -> slog::Result {
        out.emit_u64("more", self.more)?;
        Field::emit(&self.over, "window_ms", out)?;
        Field::emit(&self.source, "remote", out)?;
        if let Some((field, kind)) = self.kind {
            Field::emit(&kind, field, out)?;
        }
        self.fault.as_ref().map_or(Ok(()), |fault| error(fault, out))
    }
}
