//! Numbered messages: each sender numbers what it sends to one peer, and what it sends to all, within its membership. A
//! receiver that was there all the time must get 1, 2, 3 and so on.

use std::collections::HashMap;

use serde_json::{Value, json};

/// The last number received of one series, and what may come next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Series {
    last: u64,
    /// Some may be missing before the next one: the receiver was told so, or has just come.
    gap: bool,
}

impl Series {
    fn receive(&mut self, number: u64) -> Result<(), String> {
        let next = self.last + 1;
        if number == next || (self.gap && number > self.last) {
            *self = Self { last: number, gap: false };
            return Ok(());
        }
        Err(format!("number {number} instead of {next}{}", if self.gap { " or a later one" } else { "" }))
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
        let all = Series { last: 0, gap: already };
        self.received.insert(join_seq, From { some: Series::default(), all });
    }

    /// Of all those who are there, something may be lost.
    pub(crate) fn missed_some(&mut self, there: impl Iterator<Item = u64>) {
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
        if received.some.last != some && !received.some.gap {
            return Err(format!("{some} messages were sent to it, {} received", received.some.last));
        }
        // If it was there at the last broadcast, it must have received it.
        let all = self.audience.get(&their).copied().unwrap_or_default();
        if received.all.last < all && !received.all.gap {
            return Err(format!("it was there at broadcast {all}, and has received {}", received.all.last));
        }
        Ok(())
    }
}

#[test]
fn every_gap_and_every_repetition_is_found() {
    let mut series = Series::default();
    assert!(series.receive(2).is_err());
    assert!(series.receive(1).is_ok() && series.receive(2).is_ok());
    assert!(series.receive(2).is_err() && series.receive(4).is_err());
    series.gap = true;
    assert!(series.receive(2).is_err(), "what was received before never comes again");
    assert!(series.receive(7).is_ok());
    assert!(series.receive(9).is_err(), "one gap only");
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
    grace.missed_some([1].into_iter());
    ada.compare(1, &grace, 2).unwrap();
}
