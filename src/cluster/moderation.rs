//! Bans and locks of rooms, as all nodes know them.

use std::collections::BTreeMap;

use crate::protocol::Who;

/// What was done to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moderation {
    /// The room is locked, or not.
    Lock(bool),
    /// This person may not join until then, in milliseconds of Redis' clock.
    Ban {
        /// Who.
        who: Who,
        /// Until when.
        until: u64,
    },
}

/// A room's bans and lock. What a join is judged by, in the script that seats it; replicas keep a copy, so that a loss of
/// data in Redis does not open a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomRules {
    /// Whether newcomers are refused.
    pub locked: bool,
    /// Where in the log that was said last: `(life, n)`. The latest one is right.
    said: (u64, u64),
    /// Who may not join, by the digits of `who`, with the end in milliseconds of Redis' clock.
    bans: BTreeMap<[u8; Who::TEXT_BYTES], u64>,
}

fn key(who: Who) -> [u8; Who::TEXT_BYTES] {
    let mut digits = [0; Who::TEXT_BYTES];
    let _ = who.encode(&mut digits);
    digits
}

/// `limits.bans_per_room`: no more are kept; the one that ends first goes.
pub const BANS: usize = 64;

impl RoomRules {
    /// As they were written down: lock, where that was said, and the bans with their ends.
    #[must_use]
    pub fn new(locked: bool, said: (u64, u64), bans: impl IntoIterator<Item = (Who, u64)>) -> Self {
        let mut rules = Self { locked, said, bans: BTreeMap::new() };
        for (who, until) in bans {
            rules.ban(key(who), until);
        }
        rules
    }

    /// Where in the log the lock was said last: `(life, n)`.
    #[must_use]
    pub fn said(&self) -> (u64, u64) {
        self.said
    }

    /// The bans: the digits of `who`, and the end in milliseconds of Redis' clock.
    pub fn all_bans(&self) -> impl Iterator<Item = (&[u8; Who::TEXT_BYTES], u64)> {
        self.bans.iter().map(|(who, until)| (who, *until))
    }

    /// What the entry at `(life, n)` says. After a lock comes no older one.
    pub fn apply(&mut self, moderation: Moderation, at: (u64, u64)) {
        match moderation {
            Moderation::Lock(locked) => {
                (self.locked, self.said) = (locked, at);
            }
            Moderation::Ban { who, until } => self.ban(key(who), until),
        }
    }

    fn ban(&mut self, who: [u8; Who::TEXT_BYTES], until: u64) {
        let end = self.bans.entry(who).or_default();
        *end = until.max(*end);
        if self.bans.len() > BANS {
            let first = self.bans.iter().min_by_key(|(_, until)| **until).map(|(who, _)| *who);
            first.map(|who| self.bans.remove(&who));
        }
    }

    /// Whether this person may not join at that time, in milliseconds of Redis' clock.
    #[must_use]
    pub fn bans(&self, who: Who, now: u64) -> bool {
        self.bans.get(&key(who)).is_some_and(|until| now < *until)
    }

    /// Whether there is nothing to be kept once nobody is in the room.
    #[must_use]
    pub fn is_void(&self, now: u64) -> bool {
        !self.locked && self.bans.values().all(|until| *until <= now)
    }

    /// After a loss of data, what another node knew: every ban that anybody knows of holds, and the lock is as the latest
    /// entry about it has it.
    pub fn merge(&mut self, other: &Self) {
        if other.said > self.said {
            (self.locked, self.said) = (other.locked, other.said);
        }
        for (who, until) in &other.bans {
            self.ban(*who, *until);
        }
    }
}
