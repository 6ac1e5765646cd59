//! What each address has used up of its joins and rooms. Pure, like the rules it belongs to.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::{
    limits::{Bucket, Rate, Subnet},
    protocol::RoomName,
};

/// How often addresses are forgotten that have no room and a full bucket.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// How often at most, when the table is full.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// What one address may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// `limits.joins_per_minute`; a refused join counts, too.
    pub joins: Rate,
    /// `limits.rooms_per_address`: open rooms whose first peer came from there.
    pub rooms: usize,
    /// `limits.addresses`: how many are remembered. Others are not limited: with that many in play it is the server's own
    /// caps that protect it.
    pub addresses: usize,
}

/// The addresses with rooms, or with joins of late.
#[derive(Debug)]
pub(super) struct Origins {
    shares: Shares,
    entries: HashMap<Subnet, Entry>,
    swept: Instant,
}

#[derive(Debug)]
struct Entry {
    joins: Bucket,
    /// By name, so that a count cannot drift.
    rooms: HashSet<RoomName>,
}

impl Origins {
    pub(super) fn new(shares: Shares, now: Instant) -> Self {
        Self { shares, entries: HashMap::new(), swept: now }
    }

    /// Counts a join; the time until the next may come, if it is one too many.
    pub(super) fn join(&mut self, from: Subnet, now: Instant) -> Result<(), Duration> {
        let rate = self.shares.joins;
        self.entry(from, now).map_or(Ok(()), |entry| entry.joins.take(rate, now))
    }

    /// Whether it may open one more room.
    pub(super) fn may_open(&self, from: Subnet) -> bool {
        self.entries.get(&from).is_none_or(|entry| entry.rooms.len() < self.shares.rooms)
    }

    /// It opened that room.
    pub(super) fn opened(&mut self, from: Subnet, room: &RoomName, now: Instant) {
        if let Some(entry) = self.entry(from, now) {
            entry.rooms.insert(room.clone());
        }
    }

    /// That room of its is gone.
    pub(super) fn ended(&mut self, from: Subnet, room: &RoomName) {
        if let Some(entry) = self.entries.get_mut(&from) {
            entry.rooms.remove(room);
        }
    }

    /// Forgets whom forgetting does not favour, if it is time.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.sweep_after(SWEEP_EVERY, now);
    }

    fn sweep_after(&mut self, pause: Duration, now: Instant) {
        if now.saturating_duration_since(self.swept) >= pause {
            self.swept = now;
            self.entries.retain(|_, entry| !(entry.rooms.is_empty() && entry.joins.is_full(now)));
        }
    }

    fn entry(&mut self, from: Subnet, now: Instant) -> Option<&mut Entry> {
        if self.entries.len() >= self.shares.addresses && !self.entries.contains_key(&from) {
            self.sweep_after(SWEEP_AGAIN, now);
            if self.entries.len() >= self.shares.addresses {
                return None;
            }
        }
        let fresh = || Entry { joins: Bucket::full(now), rooms: HashSet::new() };
        Some(self.entries.entry(from).or_insert_with(fresh))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn from(last: u32) -> Subnet {
        Subnet::of(IpAddr::V4(Ipv4Addr::from_bits(last)))
    }

    fn room() -> RoomName {
        RoomName::parse("r", 128).expect("a sane name")
    }

    #[test]
    fn addresses_are_forgotten_when_they_have_no_room_and_a_full_bucket() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut origins = Origins::new(Shares { joins: Rate::per_minute(2), rooms: 1, addresses: 10 }, start);
        for who in [1, 2] {
            origins.join(from(who), at(0)).expect("the first");
        }
        origins.opened(from(1), &room(), at(0));
        origins.sweep(at(29));
        assert_eq!(origins.entries.len(), 2, "half a bucket is news");
        origins.sweep(at(39));
        assert_eq!(origins.entries.len(), 1, "a room is news");
        origins.ended(from(1), &room());
        origins.sweep(at(40));
        assert_eq!(origins.entries.len(), 1, "it is not swept all the time");
        origins.sweep(at(49));
        assert_eq!(origins.entries.len(), 0);
    }

    #[test]
    fn a_full_table_limits_whom_it_knows_and_nobody_else() {
        let start = Instant::now();
        let mut origins = Origins::new(Shares { joins: Rate::per_minute(1), rooms: 1, addresses: 1 }, start);
        origins.join(from(1), start).expect("the first");
        assert!(origins.join(from(1), start).is_err());
        for _ in 0..3 {
            assert!(origins.join(from(2), start).is_ok());
            origins.opened(from(2), &room(), start);
            assert!(origins.may_open(from(2)));
        }
        assert_eq!(origins.entries.len(), 1);
        let later = start + Duration::from_secs(60);
        assert!(origins.join(from(2), later).is_ok());
        assert!(origins.join(from(2), later).is_err(), "room was made for it");
    }
}
