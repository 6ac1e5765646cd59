//! The one ordered line of commands that a node has to Redis, for all its rooms. A pool of connections would break the order and
//! repeat commands out of it.
//!
//! Commands are numbered. When the connection is lost, those whose answer did not come are repeated in order under their numbers
//! on the next one: the scripts answer a repeated one as they did, replicas skip a repeated signal. So what was written is never
//! failed by a timeout: it may have been executed.

use std::collections::VecDeque;

/// What kind of command it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Changes a room: numbered, repeated, in order.
    Change,
    /// Asked again by whoever wants to know: fails with the connection.
    Question,
    /// As a question, and goes out while all else is held: before the heads were compared on a new connection, and while a new
    /// generation is being agreed on.
    Upkeep,
}

/// What the line has to know of a command.
pub trait Command {
    /// What kind it is.
    fn class(&self) -> Class;
    /// What it holds in memory, in bytes, where clients decide how much: a signal's. Others are bounded by their cause.
    fn bytes(&self) -> usize;
}

/// `cluster.waiting_bytes` of signals wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signals of {limit} bytes wait for Redis already")]
pub struct Full {
    /// The limit in bytes.
    pub limit: usize,
}

#[derive(Debug)]
struct Waiting<C> {
    number: u64,
    command: C,
    sent: bool,
    /// It went out on a connection that is gone: perhaps it was executed.
    perhaps: bool,
}

/// The commands that have no answer yet.
#[derive(Debug)]
pub struct Line<C> {
    queue: VecDeque<Waiting<C>>,
    last: u64,
    bytes: usize,
    limit: usize,
}

impl<C: Command> Line<C> {
    /// An empty one, for signals of `limit` bytes in all.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), last: 0, bytes: 0, limit }
    }

    /// Adds a command; its number.
    ///
    /// # Errors
    /// [`Full`], for a command that has bytes, when too many of them wait. The command is dropped.
    pub fn push(&mut self, command: C) -> Result<u64, Full> {
        let bytes = command.bytes();
        if bytes > 0 && self.bytes + bytes > self.limit {
            return Err(Full { limit: self.limit });
        }
        self.last += 1;
        self.bytes += bytes;
        let waiting = Waiting { number: self.last, command, sent: false, perhaps: false };
        if waiting.command.class() == Class::Upkeep {
            self.put_ahead(waiting);
        } else {
            self.queue.push_back(waiting);
        }
        Ok(self.last)
    }

    /// Upkeep is in no order with the rest, and must not wait behind it.
    fn put_ahead(&mut self, waiting: Waiting<C>) {
        let unsent = self.unsent();
        let at = self.queue.range(unsent..).position(|other| other.command.class() != Class::Upkeep);
        self.queue.insert(at.map_or(self.queue.len(), |at| unsent + at), waiting);
    }

    /// Where those begin that were not sent on this connection. What is sent is the first of what waits, always: while only upkeep
    /// goes out, it is put before the rest.
    fn unsent(&self) -> usize {
        self.queue.partition_point(|waiting| waiting.sent)
    }

    /// What goes out now, in order; `held`: upkeep only.
    pub fn to_send(&mut self, held: bool) -> Vec<(u64, &C)> {
        let goes = |waiting: &Waiting<C>| !held || waiting.command.class() == Class::Upkeep;
        let unsent = self.unsent();
        let ready = self.queue.range_mut(unsent..).take_while(|waiting| goes(waiting));
        ready
            .map(|waiting| {
                waiting.sent = true;
                (waiting.number, &waiting.command)
            })
            .collect()
    }

    /// The connection is lost: what changes rooms is repeated on the next one. Gives back the questions, which fail, with their
    /// numbers.
    pub fn lost(&mut self) -> Vec<(u64, C)> {
        for waiting in &mut self.queue {
            waiting.perhaps |= waiting.sent;
            waiting.sent = false;
        }
        self.withdraw(|command, _| command.class() != Class::Change)
    }

    /// The answer to that command is here. Nothing if it was withdrawn.
    pub fn answered(&mut self, number: u64) -> Option<C> {
        let at = self.queue.iter().position(|waiting| waiting.number == number)?;
        self.remove(at)
    }

    /// That command has waited too long: gives it back, unless it may have been executed.
    pub fn expire(&mut self, number: u64) -> Option<C> {
        let at = self.queue.iter().position(|waiting| waiting.number == number)?;
        let untouched = !self.queue[at].sent && !self.queue[at].perhaps;
        if untouched { self.remove(at) } else { None }
    }

    /// Takes commands out, with their numbers, whether or not they were executed; `which` is told whether one may have been on
    /// a connection that is gone.
    pub fn withdraw(&mut self, which: impl Fn(&C, bool) -> bool) -> Vec<(u64, C)> {
        let (out, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.queue).into_iter().partition(|waiting| which(&waiting.command, waiting.perhaps));
        self.queue = kept;
        self.bytes -= out.iter().map(|waiting| waiting.command.bytes()).sum::<usize>();
        out.into_iter().map(|waiting| (waiting.number, waiting.command)).collect()
    }

    /// The command of that number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&C> {
        self.queue.iter().find(|waiting| waiting.number == number).map(|waiting| &waiting.command)
    }

    /// All that wait, in order.
    pub fn iter(&self) -> impl Iterator<Item = &C> {
        self.queue.iter().map(|waiting| &waiting.command)
    }

    /// The latest of those that were surely not executed which is `wanted`. Its class and its bytes are to stay as they are.
    pub fn untouched(&mut self, wanted: impl Fn(&C) -> bool) -> Option<&mut C> {
        let unsent = self.unsent();
        let untouched = self.queue.range_mut(unsent..).rev().filter(|waiting| !waiting.perhaps);
        untouched.map(|waiting| &mut waiting.command).find(|command| wanted(command))
    }

    /// All that wait, in order, with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &C)> {
        self.queue.iter().map(|waiting| (waiting.number, &waiting.command))
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What waits, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All lower numbers were answered: Redis may forget what it answered to them.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        // Changes stand in the order of their numbers.
        let first = self.queue.iter().find(|waiting| waiting.command.class() == Class::Change);
        first.map_or(self.last + 1, |waiting| waiting.number)
    }

    fn remove(&mut self, at: usize) -> Option<C> {
        let waiting = self.queue.remove(at)?;
        self.bytes -= waiting.command.bytes();
        Some(waiting.command)
    }
}
