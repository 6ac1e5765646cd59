//! The latest errors, grouped by fingerprint, for somebody who has no log at hand. Time is passed in.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    messages::metrics::{BySeverity, ErrorExample, ErrorGroup, ErrorReport},
    telemetry::{ErrorNote, Fault, Label, Severity},
};

/// Errors that are kept.
const MAX_RECENT: usize = 200;
/// Kinds of errors that are told apart. The code knows some dozens; a bound, because causes come from libraries.
pub(super) const MAX_KINDS: usize = 256;
/// The grain of "the last 24 hours".
const SLOT: Duration = Duration::from_secs(15 * 60);
/// Slots in a day.
const SLOTS: u64 = 96;

/// The journal. Bounded in all directions.
#[derive(Debug, Default)]
pub struct ErrorJournal {
    kinds: BTreeMap<u64, Kind>,
    recent: VecDeque<ErrorNote>,
    total: BySeverity,
    day: VecDeque<(u64, BySeverity)>,
}

/// What is known of a kind since the start.
#[derive(Debug)]
struct Kind {
    count: u64,
    first_seen: SystemTime,
}

impl ErrorJournal {
    /// Keeps one note. When it is full, the oldest note of the commonest kind goes: a flood of one kind does not wash
    /// away the single error that matters.
    pub fn note(&mut self, note: ErrorNote) {
        if let Some(kind) = self.kinds.get_mut(&note.fingerprint) {
            kind.count += note.count;
        } else if self.kinds.len() < MAX_KINDS {
            self.kinds.insert(note.fingerprint, Kind { count: note.count, first_seen: note.at });
        }
        if self.recent.len() == MAX_RECENT {
            self.make_room();
        }
        self.recent.push_back(note);
    }

    /// Counts errors that happened at about `now`.
    pub fn count(&mut self, errors: BySeverity, now: SystemTime) {
        add(&mut self.total, errors);
        let slot = slot(now);
        match self.day.back_mut() {
            // A clock that was set back counts into the latest slot.
            Some((latest, counts)) if *latest >= slot => add(counts, errors),
            _ => self.day.push_back((slot, errors)),
        }
        while self.day.front().is_some_and(|(first, _)| first + SLOTS <= slot) {
            self.day.pop_front();
        }
    }

    /// Kinds of errors seen since the start, up to a bound.
    #[must_use]
    pub fn fingerprints(&self) -> usize {
        self.kinds.len()
    }

    /// What there is to tell at `now`.
    #[must_use]
    pub fn report(&self, now: SystemTime) -> ErrorReport {
        let mut last_24h = BySeverity::default();
        for (_, counts) in self.day.iter().filter(|(at, _)| at + SLOTS > slot(now)) {
            add(&mut last_24h, *counts);
        }
        ErrorReport {
            at: rfc3339(now),
            total: self.total,
            last_24h,
            fingerprints: self.fingerprints(),
            groups: self.groups(),
        }
    }

    fn groups(&self) -> Vec<ErrorGroup> {
        let mut notes: Vec<&ErrorNote> = self.recent.iter().collect();
        notes.sort_by_key(|note| std::cmp::Reverse(note.at));
        let mut groups: Vec<(u64, ErrorGroup)> = Vec::new();
        for note in notes {
            match groups.iter_mut().find(|(fingerprint, _)| *fingerprint == note.fingerprint) {
                Some((_, group)) => group.examples.push(example(note)),
                None => groups.push((note.fingerprint, self.group(note))),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// A group that begins with its latest note.
    fn group(&self, note: &ErrorNote) -> ErrorGroup {
        let kind = self.kinds.get(&note.fingerprint);
        ErrorGroup {
            fingerprint: Fault::fingerprint_hex(note.fingerprint),
            class: note.code.category().as_str(),
            code: note.code.as_str(),
            severity: note.severity.label(),
            doing: note.doing,
            count: kind.map_or(note.count, |k| k.count),
            first_seen: rfc3339(kind.map_or(note.at, |k| k.first_seen)),
            last_seen: rfc3339(note.at),
            examples: vec![example(note)],
        }
    }

    fn make_room(&mut self) {
        let mut notes: BTreeMap<u64, usize> = BTreeMap::new();
        for note in &self.recent {
            *notes.entry(note.fingerprint).or_default() += 1;
        }
        let commonest = notes.into_iter().max_by_key(|(_, count)| *count).map(|(fingerprint, _)| fingerprint);
        let oldest = self.recent.iter().position(|note| Some(note.fingerprint) == commonest);
        self.recent.remove(oldest.unwrap_or(0));
    }
}

/// One row of counts out of a tally.
pub(super) fn by_severity(count: impl Fn(Severity) -> u64) -> BySeverity {
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

fn example(note: &ErrorNote) -> ErrorExample {
    let whom = note.whom.clone();
    ErrorExample {
        at: rfc3339(note.at),
        count: note.count,
        cause: note.cause.clone(),
        request_id: whom.request,
        session_id: whom.session,
        peer_id: whom.peer,
        room: whom.room,
    }
}

fn slot(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / SLOT.as_secs()
}

fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protocol::ErrorCode, telemetry::Whom};

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 * SLOT.as_secs() + seconds)
    }

    fn note(fingerprint: u64, seconds: u64) -> ErrorNote {
        ErrorNote {
            fingerprint,
            code: ErrorCode::Internal,
            severity: Severity::High,
            doing: "testing",
            cause: None,
            at: at(seconds),
            count: 2,
            whom: Whom::default(),
        }
    }

    #[test]
    fn errors_of_one_kind_are_one_group_the_latest_first() {
        let mut journal = ErrorJournal::default();
        for (fingerprint, seconds) in [(1, 10), (2, 20), (1, 30)] {
            journal.note(note(fingerprint, seconds));
        }
        let report = journal.report(at(40));
        let groups: Vec<_> =
            report.groups.iter().map(|g| (g.fingerprint.as_str(), g.count, g.examples.len())).collect();
        assert_eq!(groups, [("0000000000000001", 4, 2), ("0000000000000002", 2, 1)]);
        assert_eq!(report.groups[0].first_seen, rfc3339(at(10)));
        assert_eq!(report.groups[0].last_seen, rfc3339(at(30)));
        assert_eq!(report.fingerprints, 2);
    }

    #[test]
    fn a_flood_of_one_kind_does_not_wash_away_the_others() {
        let mut journal = ErrorJournal::default();
        journal.note(note(7, 0));
        for second in 1..1000 {
            journal.note(note(8, second));
        }
        let report = journal.report(at(1000));
        assert_eq!(report.groups.len(), 2);
        assert_eq!(report.groups.iter().map(|g| g.examples.len()).sum::<usize>(), MAX_RECENT);
        assert_eq!(report.groups[0].count, 2 * 999, "counted beyond what is kept");
    }

    #[test]
    fn kinds_without_end_do_not_grow_it_without_end() {
        let mut journal = ErrorJournal::default();
        for fingerprint in 0..10_000 {
            journal.note(note(fingerprint, fingerprint));
        }
        assert_eq!(journal.fingerprints(), MAX_KINDS);
        assert_eq!(journal.report(at(0)).groups.len(), MAX_RECENT);
    }

    #[test]
    fn a_day_later_an_error_is_in_the_total_only() {
        let mut journal = ErrorJournal::default();
        journal.count(BySeverity { low: 3, ..BySeverity::default() }, at(0));
        journal.count(BySeverity { high: 1, ..BySeverity::default() }, at(12 * HOUR));
        let day = |seconds| journal.report(at(seconds)).last_24h;
        assert_eq!(day(23 * HOUR), BySeverity { low: 3, high: 1, ..BySeverity::default() });
        assert_eq!(day(24 * HOUR), BySeverity { high: 1, ..BySeverity::default() });
        assert_eq!(day(36 * HOUR), BySeverity::default());
        assert_eq!(journal.report(at(36 * HOUR)).total, BySeverity { low: 3, high: 1, ..BySeverity::default() });
    }
}
