//! A story as a sequence diagram in Mermaid's language (<https://mermaid.js.org/syntax/sequenceDiagram.html>). All of it is words
//! and ids of the server's own, so nothing in it can end a line or begin a directive.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

use super::{
    fact::{Blocks, Fact, ShortId, What},
    story::Story,
};
use crate::{
    protocol::SignalKind,
    telemetry::{Label, RelayOutcome},
};

/// Digits of an id that tell peers of one room apart.
const DIGITS: usize = 8;

/// The diagram.
#[must_use]
pub fn mermaid(story: &Story) -> String {
    let mut text = String::new();
    // A string takes all that is written to it.
    let _ = Diagram::of(story).write(&mut text);
    text
}

struct Diagram<'s> {
    story: &'s Story,
    /// Each peer's column, from 1 on, and its label.
    columns: BTreeMap<ShortId, (usize, &'s str)>,
    /// The moment that all others are told from.
    began: u64,
}

impl<'s> Diagram<'s> {
    fn of(story: &'s Story) -> Self {
        let columns = story.peers.iter().zip(1..);
        let columns = columns.map(|((peer, id), column)| (*peer, (column, id.get(..DIGITS).unwrap_or(id)))).collect();
        Self { story, columns, began: story.facts.first().map_or(0, |fact| fact.at) }
    }

    fn column(&self, peer: ShortId) -> usize {
        self.columns.get(&peer).map_or(1, |(column, _)| *column)
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "sequenceDiagram")?;
        for (column, label) in self.story.peers.iter().filter_map(|(peer, _)| self.columns.get(peer)) {
            writeln!(out, "    participant P{column} as {label}")?;
        }
        match (self.story.older, self.story.peers.len()) {
            (0, 0) => writeln!(out, "    %% nothing is recorded")?,
            (0, _) | (_, 0) => {}
            (older, _) => writeln!(out, "    Note over P1: {older} earlier facts are not shown")?,
        }
        for (fact, count) in self.story.grouped() {
            self.fact(&fact, count, out)?;
        }
        for offer in &self.story.unanswered {
            let (to, label) = self.columns.get(&offer.to).copied().unwrap_or((1, ""));
            let (from, waited) = (self.column(offer.from), Seconds(offer.waited));
            let (left, right) = (from.min(to), from.max(to));
            writeln!(out, "    Note over P{left},P{right}: no answer from {label} for {waited}")?;
        }
        Ok(())
    }

    fn fact(&self, fact: &Fact, count: usize, out: &mut String) -> fmt::Result {
        let (who, at) = (self.column(fact.who), Seconds(fact.at.saturating_sub(self.began)));
        let mut signal = |arrow, to, kind, size, outcome| {
            let (to, signal) = (self.column(to), Signal { kind, size, count });
            writeln!(out, "    P{who}{arrow}P{to}: +{at} {signal}{outcome}")
        };
        match fact.what {
            What::Signal { to, kind, size, outcome: RelayOutcome::Delivered } => signal("->>", to, kind, size, ""),
            What::Signal { to, kind, size, outcome } => {
                signal("-x", to, kind, size, &format!(" lost: {}", outcome.label()))
            }
            What::Waits { to, kind, size } => signal("--)", to, kind, size, " waits for room"),
            What::Locked(locked) => {
                let last = self.story.peers.len().max(1);
                writeln!(out, "    Note over P1,P{last}: +{at} {}", if locked { "locked" } else { "unlocked" })
            }
            What::Broadcast { others, kind, size } => {
                let signal = Signal { kind, size, count };
                writeln!(out, "    Note over P{who}: +{at} {signal} to all {others} others")
            }
            what => writeln!(out, "    Note over P{who}: +{at} {}", words(&what)),
        }
    }
}

/// What happened to one peer.
fn words(what: &What) -> String {
    match what {
        What::Joined(_) => "joined".to_owned(),
        What::Left(_, reason) => format!("left: {}", reason.as_str()),
        What::Away(_) => "away".to_owned(),
        What::Back(_) => "back".to_owned(),
        What::Resumed(true) => "resumed".to_owned(),
        What::Resumed(false) => "resumed, with a gap".to_owned(),
        What::JoinRefused(code) => format!("not let in: {}", code.as_str()),
        What::Error(code) => format!("error: {}", code.as_str()),
        What::RoomClosed => "the room died".to_owned(),
        What::Signal { .. } | What::Waits { .. } | What::Broadcast { .. } | What::Locked(_) => String::new(),
    }
}

struct Signal {
    kind: SignalKind,
    size: Blocks,
    count: usize,
}

/// `offer`, or `3 × candidate`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        match self.count {
            1 => write!(f, "{kind} ({} bytes)", self.size.bytes()),
            count => write!(f, "{count} × {kind}"),
        }
    }
}

/// Nanoseconds, as people read them.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", Duration::from_nanos(self.0).as_secs_f64())
    }
}
