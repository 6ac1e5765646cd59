//! Numbered messages: each sender numbers what it sends to one peer, and what it sends to all, within its membership. A
//! receiver that was there all the time must get 1, 2, 3 and so on, but for those that their sender was told were refused for it.

use std::collections::HashMap;

use serde_json::{Value, json};

/// The last number received of one series, and what may come next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Series {
    last: u64,
    /// Some may be missing before the next one: the receiver was told so, or has just come.
    gap: bool,
    /// Missing ones that this receiver was told nothing of: their sender must have been.
    missing: u64,
}

impl Series {
    fn receive(&mut self, number: u64) -> Result<(), String> {
        let next = self.last + 1;
        if number < next {
            return Err(format!("number {number} instead of {next} or a later one"));
        }
        if !self.gap {
            self.missing += number - next;
        }
        (self.last, self.gap) = (number, false);
        Ok(())
    }

    /// What is missing of so many, without this receiver having been told.
    fn missing_of(&self, sent: u64) -> u64 {
        self.missing + if self.gap { 0 } else { sent.saturating_sub(self.last) }
    }
}

/// What was received of one sender's membership.
#[derive(Debug, Clone, Copy, Default)]
struct From {
    some: Series,
    all: Series,
}

/// What was sent and received in one membership. Peers are known by the numbers of their joins.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    some: HashMap<u64, u64>,
    all: u64,
    /// Whoever was there at a broadcast, with its number.
    audience: HashMap<u64, u64>,
    received: HashMap<u64, From>,
    /// How many were refused for each receiver, by what this sender was told.
    refused: HashMap<u64, u64>,
    /// Whether it may not have been told of some.
    missed: bool,
}

impl Numbering {
    /// What is sent to some: `to` by name and join.
    pub(crate) fn for_some<'p>(&mut self, own: u64, to: impl Iterator<Item = (&'p str, u64)>, padding: usize) -> Value {
        let numbers: serde_json::Map<String, Value> = to
            .map(|(id, join_seq)| {
                let number = self.some.entry(join_seq).or_default();
                *number += 1;
                (id.to_owned(), json!([join_seq, *number]))
            })
            .collect();
        json!({"join_seq": own, "some": numbers, "pad": "x".repeat(padding)})
    }

    /// What is sent to all, by the numbers of their joins.
    pub(crate) fn for_all(&mut self, own: u64, to: impl Iterator<Item = u64>, padding: usize) -> Value {
        self.all += 1;
        self.audience.extend(to.map(|join_seq| (join_seq, self.all)));
        json!({"join_seq": own, "all": self.all, "pad": "x".repeat(padding)})
    }

    /// That peer is there: since before this one if `already`, and else from its first message.
    pub(crate) fn meet(&mut self, join_seq: u64, already: bool) {
        let all = Series { gap: already, ..Series::default() };
        self.received.insert(join_seq, From { some: Series::default(), all });
    }

    /// One was refused for those.
    pub(crate) fn refused(&mut self, there: impl Iterator<Item = u64>) {
        there.for_each(|join_seq| *self.refused.entry(join_seq).or_default() += 1);
    }

    /// Of all those who are there, something may be lost, and answers of the server's with it.
    pub(crate) fn missed_some(&mut self, there: impl Iterator<Item = u64>) {
        self.missed = true;
        let before = std::mem::take(&mut self.received);
        for join_seq in there {
            let mut from = before.get(&join_seq).copied().unwrap_or_default();
            (from.some.gap, from.all.gap) = (true, true);
            self.received.insert(join_seq, from);
        }
    }

    /// A message of that join came to `me`, whose join is `own`.
    pub(crate) fn receive(&mut self, data: &Value, me: &str, own: u64) -> Result<(), String> {
        let join_seq = data["join_seq"].as_u64().unwrap_or_default();
        let from = self.received.get_mut(&join_seq).ok_or("it is from a join that is not here")?;
        if let Some(number) = data["all"].as_u64() {
            return from.all.receive(number);
        }
        let (to, number) = (data["some"][me][0].as_u64(), data["some"][me][1].as_u64());
        // One that was meant for a former join of this connection in this room may still come.
        if to != Some(own) {
            return if to.is_some_and(|to| to < own) { Ok(()) } else { Err("it is not for this peer".into()) };
        }
        from.some.receive(number.unwrap_or_default())
    }

    /// Compares what this peer sent to another with what that one received, both still being there.
    pub(crate) fn compare(&self, own: u64, theirs: &Self, their: u64) -> Result<(), String> {
        let received = theirs.received.get(&own).ok_or("the sender was never met")?;
        let some = self.some.get(&their).copied().unwrap_or_default();
        // If it was there at the last broadcast, it must have received it.
        let all = self.audience.get(&their).copied().unwrap_or_default();
        let missing = received.some.missing_of(some) + received.all.missing_of(all);
        let refused = self.refused.get(&their).copied().unwrap_or_default();
        if missing > refused && !self.missed {
            return Err(format!(
                "{some} messages and broadcast {all} were sent, {missing} are missing, {refused} refused: {received:?}"
            ));
        }
        Ok(())
    }
}

#[test]
fn every_gap_and_every_repetition_is_found() {
    let mut series = Series::default();
    assert!(series.receive(2).is_ok() && series.missing_of(2) == 1);
    assert!(series.receive(2).is_err() && series.receive(1).is_err());
    series.gap = true;
    assert!(series.receive(2).is_err(), "what was received before never comes again");
    assert!(series.receive(7).is_ok() && series.missing_of(8) == 2);
    assert!(series.receive(9).is_ok() && series.missing_of(9) == 2, "one gap only");
}

#[test]
fn what_was_sent_and_not_received_is_found() {
    let (mut ada, mut grace) = (Numbering::default(), Numbering::default());
    ada.meet(2, false);
    grace.meet(1, true);
    let first = ada.for_some(1, [("grace", 2)].into_iter(), 0);
    assert!(ada.compare(1, &grace, 2).is_err());
    grace.receive(&first, "grace", 2).unwrap();
    ada.compare(1, &grace, 2).unwrap();
    assert!(grace.receive(&first, "grace", 2).is_err(), "twice");
    assert!(grace.receive(&first, "carol", 2).is_err(), "somebody else's");
    let all = ada.for_all(1, [2].into_iter(), 0);
    grace.receive(&all, "grace", 2).unwrap();
    ada.for_all(1, [2].into_iter(), 0);
    assert!(ada.compare(1, &grace, 2).is_err());
    ada.refused([2].into_iter());
    ada.compare(1, &grace, 2).unwrap();
    ada.for_all(1, [2].into_iter(), 0);
    assert!(ada.compare(1, &grace, 2).is_err());
    grace.missed_some([1].into_iter());
    ada.compare(1, &grace, 2).unwrap();
}
