//! One node's copy of a room: what it applies, when it asks, and when it notices that the log was forked.
//!
//! What is published arrives in order but not surely: a subscription that was lost, or a failover, leaves out entries. An entry
//! is applied only behind the one that it names as its predecessor. Everything else is a question to Redis.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    changes::change,
    entry::{Change, Entry, Head, Signal},
    moderation::RoomRules,
    names::{Incarnation, NodeName},
    seats::{News, Seats, difference},
};
use crate::protocol::PeerId;

/// Entries that are kept while one before them is missing. More say nothing that the answer to the question does not.
pub const EARLY: usize = 256;

/// Peers that are remembered to have left. Asserted after a loss of data: who left in the part that was lost, and is in the
/// store in what is left of the data, would come back otherwise. As many as left within a resume window or so; a seat in the
/// store lives no longer.
pub const LEFT: usize = 256;

/// A room as Redis has it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry that is in it.
    pub head: Head,
    /// After a loss of data: the furthest `(life, n)` that any node had applied or heard of.
    pub best: (u64, u64),
    /// After a failover: nodes had applied different entries, so that there is no telling who has missed what.
    pub parted: bool,
    /// Incarnations whose members were ended because they were dead.
    pub reaped: BTreeSet<Incarnation>,
    /// The last command of each line that is in it.
    pub done: BTreeMap<Incarnation, u64>,
    /// Who is there.
    pub seats: Arc<Seats>,
    /// Bans and lock.
    pub rules: RoomRules,
}

/// What Redis is asked when something is missing, and with each heartbeat: the tail of a log may be lost without a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Up to here all is applied.
    pub applied: Head,
    /// The highest number heard of in that life.
    pub known: u64,
}

/// What Redis answers.
#[derive(Debug, Clone)]
pub enum Answer<D> {
    /// All entries behind the ones that are applied.
    Since(Vec<Arc<Entry<D>>>),
    /// They are not kept any more, or the room is in another life.
    Other(Box<Snapshot>),
    /// There is no such room.
    Gone,
    /// What this node has applied is not what Redis has: its data went back in time.
    Forked,
}

/// What to do next with what was heard.
#[derive(Debug)]
pub enum Next<D> {
    /// Nothing to do.
    Wait,
    /// Something is missing, or in doubt: ask.
    Ask,
    /// The entry that follows; [`Replica::apply`] it.
    Entry(Arc<Entry<D>>),
}

/// What an answer leads to.
#[derive(Debug)]
pub enum Verdict {
    /// It is about what is past.
    Nothing,
    /// There may be entries to apply.
    CatchUp,
    /// The replica has to be rebuilt from this, and members have missed something.
    Rebuild(Option<Box<Snapshot>>),
    /// A new generation has to be opened.
    Forked,
}

/// One node's copy of a room.
#[derive(Debug)]
pub struct Replica<D> {
    /// Up to here all is applied.
    head: Head,
    /// The highest number heard of in this life, applied or not.
    known: u64,
    seats: Arc<Seats>,
    rules: RoomRules,
    early: BTreeMap<(u64, u64, u64), Arc<Entry<D>>>,
    /// The last signal of each node's line that was seen here: a repeated one is not delivered again.
    numbers: BTreeMap<NodeName, (u64, u64)>,
    reaped: BTreeSet<Incarnation>,
    /// Who has left, latest last.
    left: VecDeque<PeerId>,
    asked: Option<u64>,
}

impl<D> Default for Replica<D> {
    fn default() -> Self {
        Self {
            head: Head::default(),
            known: 0,
            seats: Arc::default(),
            rules: RoomRules::default(),
            early: BTreeMap::new(),
            numbers: BTreeMap::new(),
            reaped: BTreeSet::new(),
            left: VecDeque::new(),
            asked: None,
        }
    }
}

impl<D> Replica<D> {
    /// Whether it has had a snapshot: before that, entries are only kept.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.head.life > 0
    }

    /// Up to where all is applied.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The highest number heard of.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.known
    }

    /// Who is in the room.
    #[must_use]
    pub fn seats(&self) -> &Arc<Seats> {
        &self.seats
    }

    /// Bans and lock.
    #[must_use]
    pub fn rules(&self) -> &RoomRules {
        &self.rules
    }

    /// Incarnations whose members were ended here because they were dead.
    #[must_use]
    pub fn reaped(&self) -> &BTreeSet<Incarnation> {
        &self.reaped
    }

    /// The last [`LEFT`] peers of which members were told that they left.
    pub fn left(&self) -> impl Iterator<Item = PeerId> {
        self.left.iter().copied()
    }

    fn remember(&mut self, news: &[News]) {
        for news in news {
            if let News::Left { peer } = news {
                self.left.push_back(*peer);
            }
        }
        let beyond = self.left.len().saturating_sub(LEFT);
        self.left.drain(..beyond);
    }

    /// An entry was heard. Beyond [`EARLY`] none is kept: the question that is open will bring them.
    pub fn keep(&mut self, entry: Arc<Entry<D>>) {
        let head = entry.head;
        if head.life == self.head.life {
            self.known = self.known.max(head.n);
        }
        if self.early.len() < EARLY {
            self.early.insert((head.life, head.n, head.tag), entry);
        }
    }

    /// It is known from an answer that the log has come this far.
    pub fn heard_of(&mut self, life: u64, n: u64) {
        if life == self.head.life {
            self.known = self.known.max(n);
        }
    }

    /// What to do with what was heard.
    pub fn next_step(&mut self) -> Next<D> {
        while self.is_ready()
            && let Some(first) = self.early.first_entry()
        {
            let (life, n, tag) = *first.key();
            if life > self.head.life {
                return Next::Ask;
            }
            if life < self.head.life || n <= self.head.n {
                first.remove();
                if life == self.head.life && n == self.head.n && tag != self.head.tag {
                    return Next::Ask;
                }
                continue;
            }
            if n > self.head.n + 1 || first.get().previous != self.head.tag {
                return Next::Ask;
            }
            return Next::Entry(first.remove());
        }
        Next::Wait
    }

    /// Applies the entry that [`next_step`](Self::next_step) gave; says what members are told.
    pub fn apply(&mut self, entry: &Entry<D>) -> Option<News> {
        self.head = entry.head;
        self.known = self.known.max(entry.head.n);
        match &entry.change {
            Change::Left { reaped: Some(dead), .. } => {
                self.reaped.insert(dead.clone());
            }
            Change::Moderated(moderation) => self.rules.apply(*moderation, (entry.head.life, entry.head.n)),
            _ => {}
        }
        let news = change(Arc::make_mut(&mut self.seats), entry);
        self.remember(news.as_slice());
        news
    }

    /// Whether this signal was not seen here before. A line is in order: what has a lower number was repeated.
    pub fn is_first(&mut self, signal: &Signal<D>) -> bool {
        let last = self.numbers.entry(signal.origin.node.clone()).or_default();
        let this = (signal.origin.number, signal.number);
        // A command of a process that is dead since is repeated by nobody.
        let first = this > *last || signal.origin.number < last.0;
        *last = this.max(*last);
        first
    }

    /// What to ask now; nothing while a question is open, or before there was a snapshot.
    pub fn question(&mut self) -> Option<Question> {
        if !self.is_ready() || self.asked.is_some() {
            return None;
        }
        self.asked = Some(self.head.life);
        Some(Question { applied: self.head, known: self.known })
    }

    /// The connection that a question went out on is gone.
    pub fn forget_question(&mut self) {
        self.asked = None;
    }

    /// What the answer to the open question leads to. `settling`: a new generation is being agreed on, so that only that
    /// the question is not open any more counts.
    pub fn answered(&mut self, answer: Option<Answer<D>>, settling: bool) -> Verdict {
        let asked = self.asked.take();
        let Some(answer) = answer else { return Verdict::Nothing };
        if settling || asked != Some(self.head.life) {
            return Verdict::Nothing;
        }
        match answer {
            Answer::Since(entries) => {
                self.forget_older();
                for entry in entries {
                    // What the log has at that place now takes the place of what a branch of it had that is lost.
                    let Head { life, n, tag } = entry.head;
                    self.early.retain(|at, _| (at.0, at.1) != (life, n));
                    self.early.insert((life, n, tag), entry);
                }
                Verdict::CatchUp
            }
            Answer::Other(snapshot) => {
                let newer = (snapshot.head.life, snapshot.head.n) > (self.head.life, self.head.n);
                if newer { Verdict::Rebuild(Some(snapshot)) } else { Verdict::Nothing }
            }
            Answer::Gone => Verdict::Rebuild(None),
            Answer::Forked => Verdict::Forked,
        }
    }

    /// Takes the room as it is in the snapshot, or empty; says what turns what members knew into that.
    pub fn rebuild(&mut self, snapshot: Option<&Snapshot>) -> Vec<News> {
        let after = snapshot.map(|snapshot| snapshot.seats.clone()).unwrap_or_default();
        let news = difference(&self.seats, &after);
        self.seats = after;
        if let Some(snapshot) = snapshot {
            self.head = snapshot.head;
            self.known = snapshot.head.n;
            self.rules = snapshot.rules.clone();
            self.reaped.extend(snapshot.reaped.iter().cloned());
            for (line, number) in &snapshot.done {
                let last = self.numbers.entry(line.node.clone()).or_default();
                *last = (line.number, *number).max(*last);
            }
        }
        self.remember(&news);
        self.forget_older();
        news
    }

    fn forget_older(&mut self) {
        let life = self.head.life;
        self.early.retain(|(of, ..), _| *of >= life);
        let known = self.early.range((life, 0, 0)..(life + 1, 0, 0)).next_back().map(|(at, _)| at.1);
        self.known = self.known.max(known.unwrap_or_default());
    }
}
