//! Numbered letters: each sender numbers what it says to one peer, and what it says to all, within its stay. A receiver
//! that was there all the time must hear 1, 2, 3 and so on.

use std::collections::HashMap;

use serde_json::{Value, json};

/// The last number heard of one series, and what may come next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Series {
    last: u64,
    /// Some may be missing before the next one: the receiver was told so, or has just come.
    gap: bool,
}

impl Series {
    fn hear(&mut self, number: u64) -> Result<(), String> {
        let next = self.last + 1;
        if number == next || (self.gap && number > self.last) {
            *self = Self { last: number, gap: false };
            return Ok(());
        }
        Err(format!("number {number} instead of {next}{}", if self.gap { " or a later one" } else { "" }))
    }
}

/// What was heard of one sender's stay.
#[derive(Debug, Clone, Copy, Default)]
struct From {
    told: Series,
    cast: Series,
}

/// What was said and heard in one stay. Peers are known by the numbers of their stays.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    told: HashMap<u64, u64>,
    cast: u64,
    /// Whoever was there at a broadcast, with its number.
    audience: HashMap<u64, u64>,
    heard: HashMap<u64, From>,
}

impl Letters {
    /// What is said to some: `to` by name and stay.
    pub(crate) fn tell<'p>(&mut self, own: u64, to: impl Iterator<Item = (&'p str, u64)>, padding: usize) -> Value {
        let numbers: serde_json::Map<String, Value> = to
            .map(|(id, stay)| {
                let number = self.told.entry(stay).or_default();
                *number += 1;
                (id.to_owned(), json!([stay, *number]))
            })
            .collect();
        json!({"stay": own, "told": numbers, "pad": "x".repeat(padding)})
    }

    /// What is said to all, who are those stays.
    pub(crate) fn cast(&mut self, own: u64, to: impl Iterator<Item = u64>, padding: usize) -> Value {
        self.cast += 1;
        self.audience.extend(to.map(|stay| (stay, self.cast)));
        json!({"stay": own, "cast": self.cast, "pad": "x".repeat(padding)})
    }

    /// That peer is there: since before this one if `already`, and else from its first word.
    pub(crate) fn meet(&mut self, stay: u64, already: bool) {
        let cast = Series { last: 0, gap: already };
        self.heard.insert(stay, From { told: Series::default(), cast });
    }

    /// Of all those who are there, something may be lost.
    pub(crate) fn missed_some(&mut self, there: impl Iterator<Item = u64>) {
        let before = std::mem::take(&mut self.heard);
        for stay in there {
            let mut from = before.get(&stay).copied().unwrap_or_default();
            (from.told.gap, from.cast.gap) = (true, true);
            self.heard.insert(stay, from);
        }
    }

    /// A letter of that stay came to `me` in my stay `own`.
    pub(crate) fn hear(&mut self, data: &Value, me: &str, own: u64) -> Result<(), String> {
        let stay = data["stay"].as_u64().unwrap_or_default();
        let from = self.heard.get_mut(&stay).ok_or("it is from a stay that is not here")?;
        if let Some(number) = data["cast"].as_u64() {
            return from.cast.hear(number);
        }
        let (to, number) = (data["told"][me][0].as_u64(), data["told"][me][1].as_u64());
        // One that was meant for a former stay of this connection in this room may still come.
        if to != Some(own) {
            return if to.is_some_and(|to| to < own) { Ok(()) } else { Err("it is not for this peer".into()) };
        }
        from.told.hear(number.unwrap_or_default())
    }

    /// Compares what this peer said to another with what that one heard, both still being there.
    pub(crate) fn compare(&self, own: u64, theirs: &Self, their: u64) -> Result<(), String> {
        let heard = theirs.heard.get(&own).ok_or("the sender was never met")?;
        let told = self.told.get(&their).copied().unwrap_or_default();
        if heard.told.last != told && !heard.told.gap {
            return Err(format!("{told} letters were said to it, {} heard", heard.told.last));
        }
        // If it was there at the last broadcast, it must have heard it.
        let cast = self.audience.get(&their).copied().unwrap_or_default();
        if heard.cast.last < cast && !heard.cast.gap {
            return Err(format!("it was there at broadcast {cast}, and has heard {}", heard.cast.last));
        }
        Ok(())
    }
}

#[test]
fn every_gap_and_every_repetition_is_found() {
    let mut series = Series::default();
    assert!(series.hear(2).is_err());
    assert!(series.hear(1).is_ok() && series.hear(2).is_ok());
    assert!(series.hear(2).is_err() && series.hear(4).is_err());
    series.gap = true;
    assert!(series.hear(2).is_err(), "what was heard before never comes again");
    assert!(series.hear(7).is_ok());
    assert!(series.hear(9).is_err(), "one gap only");
}

#[test]
fn what_was_said_and_not_heard_is_found() {
    let (mut ada, mut grace) = (Letters::default(), Letters::default());
    ada.meet(2, false);
    grace.meet(1, true);
    let first = ada.tell(1, [("grace", 2)].into_iter(), 0);
    assert!(ada.compare(1, &grace, 2).is_err());
    grace.hear(&first, "grace", 2).unwrap();
    ada.compare(1, &grace, 2).unwrap();
    assert!(grace.hear(&first, "grace", 2).is_err(), "twice");
    assert!(grace.hear(&first, "carol", 2).is_err(), "somebody else's");
    let all = ada.cast(1, [2].into_iter(), 0);
    grace.hear(&all, "grace", 2).unwrap();
    ada.cast(1, [2].into_iter(), 0);
    assert!(ada.compare(1, &grace, 2).is_err());
    grace.missed_some([1].into_iter());
    ada.compare(1, &grace, 2).unwrap();
}
