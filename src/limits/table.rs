//! What is remembered of addresses: an entry for each block of them that is in use, with a bound.
//!
//! An IPv4 address is in one block, an IPv6 address in three: its /64, its /56 and its /48, which may do 1, 4 and 16 times
//! what one address may. What somebody does is counted in all of its blocks, or in none when one of them refuses.
//!
//! A full table fails to a coarser count and never to none. A /64 or a /56 that finds no room is counted by what is
//! around it alone. An IPv4 address or a /48 that finds none shares an entry with those whose hash falls on the same of
//! [`SHARED`]: whoever fills the table with addresses gets no more by that than so many addresses may do, and those that
//! were known before go on as before.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    time::{Duration, Instant},
};

use super::{
    bucket::{Bucket, Rate},
    subnet::{Block, LEVELS, Size, Subnet},
};

/// Entries that are shared by whoever finds no room, at most; for each family. 1024 bound a flood, and make it unlikely
/// that a stranger shares the entry of a single flooder.
const SHARED: usize = 1024;
/// Between two sweeps that a full table causes: an attacker with many addresses must not make every request one.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// What is kept of one block.
pub trait Entry {
    /// Of a block that has done nothing.
    fn new(now: Instant) -> Self;

    /// Whether it is as a new one: forgetting it changes nothing.
    fn is_unused(&self, now: Instant) -> bool;
}

/// One limit alone is all that is remembered.
impl Entry for Bucket {
    fn new(now: Instant) -> Self {
        Self::full(now)
    }

    fn is_unused(&self, now: Instant) -> bool {
        self.is_full(now)
    }
}

/// The table.
#[derive(Debug)]
pub struct Table<E> {
    entries: HashMap<Block, E>,
    /// Entries for blocks of each size.
    sizes: Sizes,
    /// `limits.addresses`.
    bound: usize,
    swept: Instant,
}

/// Which blocks of a subnet something was counted in, so that it can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    from: Subnet,
    levels: [Level; LEVELS],
}

/// Where a block is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// In no entry: there is no such block, or a larger one counts for it.
    Nowhere,
    /// In its own.
    Own,
    /// In one that it shares.
    Shared,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    v4: usize,
    net64: usize,
    net56: usize,
    net48: usize,
}

/// Takes a token out of a bucket of every block of `from`, or out of none.
///
/// # Errors
/// There is none in one of them; the time until there is one in all.
pub fn take<E: Entry>(
    table: &mut Table<E>,
    from: Subnet,
    now: Instant,
    rate: Rate,
    bucket: impl Fn(&mut E) -> &mut Bucket,
) -> Result<(), Duration> {
    let may = |entry: &mut E, shares| match bucket(entry).wait(rate.times(shares), now) {
        Duration::ZERO => Ok(()),
        wait => Err(wait),
    };
    let counted = table.count(from, now, may, |entry, shares| {
        // There is one, as it was asked just now.
        let _ = bucket(entry).take(rate.times(shares), now);
    });
    counted.map(|_| ())
}

impl<E: Entry> Table<E> {
    /// Remembers `bound` IPv4 addresses and IPv6 /64 (of these no more than half as many), half as many /56 and half
    /// as many /48.
    pub fn new(bound: usize, now: Instant) -> Self {
        Self { entries: HashMap::new(), sizes: Sizes::default(), bound: bound.max(1), swept: now }
    }

    /// Does `count` in every block of `from`, if `may` (which changes nothing) has no objection in any of them; else
    /// returns the greatest objection, and nothing has changed. Both are told how many addresses' share the block has. A
    /// block that is not remembered is asked as a new one.
    ///
    /// # Errors
    /// What `may` said.
    pub fn count<R: Ord>(
        &mut self,
        from: Subnet,
        now: Instant,
        may: impl Fn(&mut E, u32) -> Result<(), R>,
        count: impl FnMut(&mut E, u32),
    ) -> Result<Counted, R> {
        let counted = self.locate(from, now);
        self.ask(&counted, now, may)?;
        self.add(&counted, now, count);
        Ok(counted)
    }

    /// Does `count` in every block of `from`, without asking.
    pub fn mark(&mut self, from: Subnet, now: Instant, mut count: impl FnMut(&mut E)) -> Counted {
        let counted = self.locate(from, now);
        self.add(&counted, now, |entry, _| count(entry));
        counted
    }

    /// Whether `may` has no objection in any block of `from`.
    ///
    /// # Errors
    /// The greatest objection.
    pub fn may<R: Ord>(
        &mut self,
        from: Subnet,
        now: Instant,
        may: impl Fn(&mut E, u32) -> Result<(), R>,
    ) -> Result<(), R> {
        let counted = self.locate(from, now);
        self.ask(&counted, now, may)
    }

    /// Changes every entry that something was counted in.
    pub fn change(&mut self, counted: &Counted, mut change: impl FnMut(&mut E)) {
        for block in counted.blocks(self) {
            if let Some(entry) = self.entries.get_mut(&block) {
                change(entry);
            }
        }
    }

    /// Forgets the addresses that have nothing to gain by it.
    pub fn sweep(&mut self, now: Instant) {
        self.swept = now;
        let mut sizes = Sizes::default();
        self.entries.retain(|block, entry| {
            let used = !entry.is_unused(now);
            if used {
                sizes.add(block.size);
            }
            used
        });
        self.sizes = sizes;
        // A flood of addresses that is over gives its memory back.
        if self.entries.capacity() > 4 * self.entries.len() {
            self.entries.shrink_to(2 * self.entries.len());
        }
    }

    /// When it was swept last.
    pub fn swept(&self) -> Instant {
        self.swept
    }

    /// IPv4 addresses and IPv6 /64 that are remembered.
    pub fn addresses(&self) -> usize {
        self.sizes.v4 + self.sizes.net64
    }

    fn ask<R: Ord>(
        &mut self,
        counted: &Counted,
        now: Instant,
        may: impl Fn(&mut E, u32) -> Result<(), R>,
    ) -> Result<(), R> {
        let mut fresh = E::new(now);
        let objections = counted
            .blocks(self)
            .into_iter()
            .filter_map(|block| may(self.entries.get_mut(&block).unwrap_or(&mut fresh), block.size.shares()).err());
        objections.max().map_or(Ok(()), Err)
    }

    fn add(&mut self, counted: &Counted, now: Instant, mut count: impl FnMut(&mut E, u32)) {
        for block in counted.blocks(self) {
            let entry = self.entries.entry(block).or_insert_with(|| {
                self.sizes.add(block.size);
                E::new(now)
            });
            count(entry, block.size.shares());
        }
    }

    /// Where a subnet would be counted now.
    fn locate(&mut self, from: Subnet, now: Instant) -> Counted {
        self.sweep_if_full(from, now);
        let levels = from.blocks().map(|block| block.map_or(Level::Nowhere, |block| self.level(block)));
        Counted { from, levels }
    }

    fn level(&self, block: Block) -> Level {
        if self.entries.contains_key(&block) || self.has_room(block.size) {
            Level::Own
        } else if self.shared(block).is_some() {
            Level::Shared
        } else {
            Level::Nowhere
        }
    }

    /// What has something coarser to be counted by leaves half of the table to what has not.
    fn has_room(&self, size: Size) -> bool {
        let half = self.bound.div_ceil(2);
        match size {
            Size::V4 => self.addresses() < self.bound,
            Size::Net64 => self.addresses() < self.bound && self.sizes.net64 < half,
            Size::Net56 => self.sizes.net56 < half,
            Size::Net48 => self.sizes.net48 < half,
            Size::SharedV4 | Size::SharedV6 => true,
        }
    }

    fn shared(&self, block: Block) -> Option<Block> {
        // Seeded by chance: nobody can choose a neighbour to share with.
        let hash = self.entries.hasher().hash_one(block);
        block.shared(hash % SHARED.min(self.bound) as u64)
    }

    fn sweep_if_full(&mut self, from: Subnet, now: Instant) {
        let lacks = |block: Block| !self.entries.contains_key(&block) && !self.has_room(block.size);
        let full = now.saturating_duration_since(self.swept) >= SWEEP_AGAIN;
        if full && from.blocks().into_iter().flatten().any(lacks) {
            self.sweep(now);
        }
    }
}

impl Counted {
    fn blocks<E: Entry>(&self, table: &Table<E>) -> impl IntoIterator<Item = Block> + use<E> {
        let mut blocks = self.from.blocks();
        for (block, level) in blocks.iter_mut().zip(self.levels) {
            *block = match level {
                Level::Nowhere => None,
                Level::Own => *block,
                Level::Shared => block.and_then(|block| table.shared(block)),
            };
        }
        blocks.into_iter().flatten()
    }
}

impl Sizes {
    fn add(&mut self, size: Size) {
        match size {
            Size::V4 => self.v4 += 1,
            Size::Net64 => self.net64 += 1,
            Size::Net56 => self.net56 += 1,
            Size::Net48 => self.net48 += 1,
            Size::SharedV4 | Size::SharedV6 => {}
        }
    }
}
