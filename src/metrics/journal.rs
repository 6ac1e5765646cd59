//! The latest errors, grouped by fingerprint, for somebody who has no log at hand. Time is passed in.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant, SystemTime},
};

use super::report::{BySeverity, ErrorExample, ErrorGroup, ErrorReport};
use crate::{
    protocol::Severity,
    telemetry::{ErrorSample, Fault, Label, Tally},
    utc::Rfc3339,
};

/// Errors that are kept.
const MAX_RECENT: usize = 200;
/// Kinds of errors that are told apart. The code knows some dozens; a bound, because causes come from libraries.
pub(super) const MAX_KINDS: usize = 256;
/// The grain of "the last 24 hours".
const SLOT: Duration = Duration::from_secs(15 * 60);
/// Slots in a day.
const SLOTS: u64 = 96;

/// The journal. Bounded in all directions. What it counts by time it counts by the clock that nobody sets: a wall clock
/// that jumps would otherwise make it forget a day's errors.
#[derive(Debug)]
pub(super) struct ErrorJournal {
    began: Instant,
    kinds: BTreeMap<u64, KindTotal>,
    recent: VecDeque<ErrorSample>,
    day: VecDeque<(u64, BySeverity)>,
}

/// What is known of a kind since the start.
#[derive(Debug)]
struct KindTotal {
    count: u64,
    first_seen: SystemTime,
}

impl ErrorJournal {
    /// Nothing has happened yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, kinds: BTreeMap::new(), recent: VecDeque::new(), day: VecDeque::new() }
    }

    /// Keeps one note. When it is full, the oldest note of the commonest kind goes: a flood of one kind does not wash
    /// away the single error that matters.
    pub(super) fn sample(&mut self, sample: ErrorSample) {
        if let Some(kind) = self.kinds.get_mut(&sample.fingerprint) {
            kind.count += sample.count;
        } else if self.kinds.len() < MAX_KINDS {
            self.kinds.insert(sample.fingerprint, KindTotal { count: sample.count, first_seen: sample.at });
        }
        if self.recent.len() == MAX_RECENT {
            self.make_room();
        }
        self.recent.push_back(sample);
    }

    /// Counts errors that happened at about `now`.
    pub(super) fn count(&mut self, errors: BySeverity, now: Instant) {
        let slot = self.slot(now);
        match self.day.back_mut() {
            Some((latest, counts)) if *latest >= slot => add(counts, errors),
            _ => self.day.push_back((slot, errors)),
        }
        while self.day.front().is_some_and(|(first, _)| first + SLOTS <= slot) {
            self.day.pop_front();
        }
    }

    /// Kinds of errors seen since the start, up to a bound.
    pub(super) fn fingerprints(&self) -> usize {
        self.kinds.len()
    }

    /// What there is to tell at `now`, which is called `time`; `total` is what was counted since the start.
    pub(super) fn report(&self, total: BySeverity, now: Instant, time: SystemTime) -> ErrorReport {
        let mut last_24h = BySeverity::default();
        for (_, counts) in self.day.iter().filter(|(at, _)| at + SLOTS > self.slot(now)) {
            add(&mut last_24h, *counts);
        }
        ErrorReport { at: rfc3339(time), total, last_24h, fingerprints: self.fingerprints(), groups: self.groups() }
    }

    fn slot(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_secs() / SLOT.as_secs()
    }

    fn groups(&self) -> Vec<ErrorGroup> {
        let mut groups: Vec<(u64, ErrorGroup)> = Vec::new();
        // The latest first, by the order in which they came: their times are a clock's that may jump.
        for sample in self.recent.iter().rev() {
            match groups.iter_mut().find(|(fingerprint, _)| *fingerprint == sample.fingerprint) {
                Some((_, group)) => group.examples.push(example(sample)),
                None => groups.push((sample.fingerprint, self.group(sample))),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// A group that begins with its latest note.
    fn group(&self, sample: &ErrorSample) -> ErrorGroup {
        let kind = self.kinds.get(&sample.fingerprint);
        ErrorGroup {
            fingerprint: Fault::fingerprint_hex(sample.fingerprint),
            class: sample.code.category().as_str(),
            code: sample.code.as_str(),
            severity: sample.severity.label(),
            doing: sample.doing,
            count: kind.map_or(sample.count, |k| k.count),
            first_seen: rfc3339(kind.map_or(sample.at, |k| k.first_seen)),
            last_seen: rfc3339(sample.at),
            examples: vec![example(sample)],
        }
    }

    fn make_room(&mut self) {
        let mut error_samples: BTreeMap<u64, usize> = BTreeMap::new();
        for sample in &self.recent {
            *error_samples.entry(sample.fingerprint).or_default() += 1;
        }
        let commonest = error_samples.into_iter().max_by_key(|(_, count)| *count).map(|(fingerprint, _)| fingerprint);
        let oldest = self.recent.iter().position(|sample| Some(sample.fingerprint) == commonest);
        self.recent.remove(oldest.unwrap_or(0));
    }
}

/// The errors of a tally.
pub(super) fn by_severity(tally: &Tally) -> BySeverity {
    let count = |severity: Severity| tally.errors[severity as usize].total();
    BySeverity {
        low: count(Severity::Low),
        medium: count(Severity::Medium),
        high: count(Severity::High),
        critical: count(Severity::Critical),
    }
}

fn add(to: &mut BySeverity, more: BySeverity) {
    to.low += more.low;
    to.medium += more.medium;
    to.high += more.high;
    to.critical += more.critical;
}

fn example(sample: &ErrorSample) -> ErrorExample {
    let sample_ids = sample.sample_ids.clone();
    ErrorExample {
        at: rfc3339(sample.at),
        count: sample.count,
        cause: sample.cause.clone(),
        request_id: sample_ids.request,
        session_id: sample_ids.session,
        peer_id: sample_ids.peer,
        room: sample_ids.room,
    }
}

fn rfc3339(at: SystemTime) -> String {
    Rfc3339(at).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{protocol::ErrorCode, telemetry::SampleIds};

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 * SLOT.as_secs() + seconds)
    }

    fn journal() -> ErrorJournal {
        ErrorJournal::new(Instant::now())
    }

    fn report(journal: &ErrorJournal, seconds: u64) -> ErrorReport {
        journal.report(BySeverity::default(), journal.began + Duration::from_secs(seconds), at(seconds))
    }

    fn sample(fingerprint: u64, seconds: u64) -> ErrorSample {
        ErrorSample {
            fingerprint,
            code: ErrorCode::Internal,
            severity: Severity::High,
            doing: "testing",
            cause: None,
            at: at(seconds),
            count: 2,
            sample_ids: SampleIds::default(),
        }
    }

    #[test]
    fn errors_of_one_kind_are_one_group_the_latest_first() {
        let mut journal = journal();
        for (fingerprint, seconds) in [(1, 10), (2, 20), (1, 30)] {
            journal.sample(sample(fingerprint, seconds));
        }
        let report = report(&journal, 40);
        let groups: Vec<_> =
            report.groups.iter().map(|g| (g.fingerprint.as_str(), g.count, g.examples.len())).collect();
        assert_eq!(groups, [("0000000000000001", 4, 2), ("0000000000000002", 2, 1)]);
        assert_eq!(report.groups[0].first_seen, rfc3339(at(10)));
        assert_eq!(report.groups[0].last_seen, rfc3339(at(30)));
        assert_eq!(report.fingerprints, 2);
    }

    #[test]
    fn a_flood_of_one_kind_does_not_wash_away_the_others() {
        let mut journal = journal();
        journal.sample(sample(7, 0));
        for second in 1..1000 {
            journal.sample(sample(8, second));
        }
        let report = report(&journal, 1000);
        assert_eq!(report.groups.len(), 2);
        assert_eq!(report.groups.iter().map(|g| g.examples.len()).sum::<usize>(), MAX_RECENT);
        assert_eq!(report.groups[0].count, 2 * 999, "counted beyond what is kept");
    }

    #[test]
    fn kinds_without_end_do_not_grow_it_without_end() {
        let mut journal = journal();
        for fingerprint in 0..10_000 {
            journal.sample(sample(fingerprint, fingerprint));
        }
        assert_eq!(journal.fingerprints(), MAX_KINDS);
        assert_eq!(report(&journal, 0).groups.len(), MAX_RECENT);
    }

    #[test]
    fn a_day_later_an_error_is_none_of_the_last_day() {
        let mut journal = journal();
        let began = journal.began;
        journal.count(BySeverity { low: 3, ..BySeverity::default() }, began);
        journal.count(BySeverity { high: 1, ..BySeverity::default() }, began + Duration::from_secs(12 * HOUR));
        let day = |seconds| report(&journal, seconds).last_24h;
        assert_eq!(day(23 * HOUR), BySeverity { low: 3, high: 1, ..BySeverity::default() });
        assert_eq!(day(24 * HOUR), BySeverity { high: 1, ..BySeverity::default() });
        assert_eq!(day(36 * HOUR), BySeverity::default());
    }
}
