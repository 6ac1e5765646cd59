//! What several threads have recorded of one room, put together: in one order, with whole ids, and with the offers that nobody
//! has answered. No clock, no thread.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    fact::{Fact, ShortId, What},
    state::Piece,
};
use crate::{
    protocol::{PeerId, SignalKind},
    telemetry::RelayOutcome,
};

/// An answer may take this long before the offer counts as not answered: a phone that wakes up needs a good part of it.
const ANSWER_NS: u64 = 1_000_000_000;
/// Offers that are waited for at a time, at most. A room of 32, each of which has offered to all others, has fewer; beyond that the
/// list would tell nobody anything.
const WAITING_MOST: usize = 1024;

/// An offer that nobody has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// Who made it.
    pub from: ShortId,
    /// Who did not answer.
    pub to: ShortId,
    /// When it was made.
    pub at: u64,
    /// How long it was waited for: until now, or until one of the two left.
    pub waited: u64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Those that the facts are about, as they first appear, with as much of their ids as is known: all 32 digits, or the first
    /// 16.
    pub peers: Vec<(ShortId, String)>,
    /// The newest, in the order of time.
    pub facts: Vec<Fact>,
    /// By when they were made.
    pub unanswered: Vec<Unanswered>,
    /// Facts before those: forgotten, or more than were asked for.
    pub older: u64,
}

impl Story {
    /// Of what each thread has recorded. `members` are those that are in the room `now`; of the facts the newest are told, `most`
    /// at most.
    #[must_use]
    pub fn of(pieces: Vec<Piece>, members: &[PeerId], now: u64, most: usize) -> Self {
        let lost: u64 = pieces.iter().map(|piece| piece.lost).sum();
        let mut facts: Vec<Fact> = pieces.into_iter().flat_map(|piece| piece.facts).collect();
        // Each thread's are in its own order, which a stable sort keeps. A sender's are all of one thread.
        facts.sort_by_key(|fact| fact.at);
        let whole = facts.iter().filter_map(Fact::whole_id).chain(members.iter().copied());
        let whole: BTreeMap<_, _> = whole.map(|peer| (ShortId::of(peer), peer)).collect();
        let unanswered = unanswered(&facts, now);
        let cut = facts.len().saturating_sub(most);
        facts.drain(..cut);
        let known = |short: ShortId| whole.get(&short).map_or_else(|| short.to_string(), PeerId::to_string);
        let offers = unanswered.iter().flat_map(|offer| [offer.from, offer.to]);
        let named = facts.iter().flat_map(|fact| [fact.peer(), fact.what.to()]).flatten().chain(offers);
        let mut seen = BTreeSet::new();
        let peers = named.filter(|peer| seen.insert(*peer)).map(|peer| (peer, known(peer))).collect();
        Self { peers, facts, unanswered, older: lost + cut as u64 }
    }

    /// The facts, of which such signals as follow each other without anything in between are one, with their number: a peer's
    /// candidates, mostly.
    #[must_use]
    pub fn grouped(&self) -> Vec<(Fact, usize)> {
        let mut groups: Vec<(Fact, usize)> = Vec::new();
        for fact in &self.facts {
            match groups.last_mut() {
                Some((first, count)) if is_alike(first, fact) => *count += 1,
                _ => groups.push((*fact, 1)),
            }
        }
        groups
    }
}

/// Signals that differ by time and size alone.
fn is_alike(one: &Fact, other: &Fact) -> bool {
    let is_same = match (one.what, other.what) {
        (
            What::Signal { to, kind, outcome, .. },
            What::Signal { to: other_to, kind: other_kind, outcome: other_outcome, .. },
        ) => (to, kind, outcome) == (other_to, other_kind, other_outcome),
        _ => false,
    };
    is_same && one.who == other.who
}

/// Offers that wait for an answer, by who made them and who is to answer.
#[derive(Default)]
struct Waiting {
    since: BTreeMap<(ShortId, ShortId), u64>,
    present: BTreeSet<ShortId>,
    found: Vec<Unanswered>,
}

/// The offers that reached their receivers and were not answered. Who answers an offer has none of its own under way: if it made
/// one to the same peer, it has taken that back (glare, RFC 8829 section 4.1.8.2), so an answer ends both.
fn unanswered(facts: &[Fact], now: u64) -> Vec<Unanswered> {
    let mut waiting = Waiting::default();
    for fact in facts {
        let who = fact.who;
        match fact.what {
            What::Signal { to, kind, outcome: RelayOutcome::Delivered, .. } => waiting.signal(who, to, kind, fact.at),
            What::Broadcast { kind, .. } => {
                let others: Vec<_> = waiting.present.iter().copied().filter(|other| *other != who).collect();
                for other in others {
                    waiting.signal(who, other, kind, fact.at);
                }
            }
            What::Joined(_) => _ = waiting.present.insert(who),
            What::Left(..) => waiting.leave(who, fact.at),
            _ => {}
        }
    }
    waiting.give_up(now, |_| true);
    waiting.found.sort_by_key(|offer| offer.at);
    waiting.found
}

impl Waiting {
    fn signal(&mut self, from: ShortId, to: ShortId, kind: SignalKind, at: u64) {
        match kind {
            SignalKind::Offer if self.since.len() < WAITING_MOST => _ = self.since.entry((from, to)).or_insert(at),
            SignalKind::Answer => {
                self.since.remove(&(to, from));
                self.since.remove(&(from, to));
            }
            SignalKind::Offer | SignalKind::Candidate | SignalKind::App => {}
        }
    }

    fn leave(&mut self, who: ShortId, at: u64) {
        self.present.remove(&who);
        self.give_up(at, |(from, to)| who == *from || who == *to);
    }

    /// Nobody waits for those any more.
    fn give_up(&mut self, at: u64, is_meant: impl Fn(&(ShortId, ShortId)) -> bool) {
        let found = &mut self.found;
        self.since.retain(|pair, since| {
            let is_over = is_meant(pair);
            let waited = at.saturating_sub(*since);
            if is_over && waited >= ANSWER_NS && found.len() < WAITING_MOST {
                found.push(Unanswered { from: pair.0, to: pair.1, at: *since, waited });
            }
            !is_over
        });
    }
}

#[cfg(test)]
mod tests;
