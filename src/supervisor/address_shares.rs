//! What each address has used up of its joins and rooms. Pure, like the rules it belongs to.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::{
    config::Settings,
    limits::{Bucket, Counted, Rate, Subnet, Table, table},
    protocol::RoomName,
    telemetry::LimitHit,
};

/// How often addresses are forgotten that have no room and full buckets.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Least time for whoever was refused too often: no less than clients wait that are told to by the room, or all that wait there
/// would come at once.
const LEAST_WAIT: Duration = Duration::from_secs(5);

/// What one address may do. The IPv6 networks around it may do 4 and 16 times as much: see [`table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// `limits.joins_per_minute`; a refused join counts, too.
    pub joins: Rate,
    /// `limits.refused_joins_per_minute`: joins that rooms refuse.
    pub refused_joins: Rate,
    /// `limits.new_rooms_per_minute` and `limits.new_rooms_burst`: joins to rooms that the address is not in.
    pub new_rooms: Rate,
    /// `limits.rooms_per_address`: open rooms whose first peer came from there.
    pub rooms: usize,
    /// `limits.addresses`: how many are remembered.
    pub addresses: usize,
}

impl From<&Settings> for Shares {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            joins: Rate::per_minute(limits.joins_per_minute),
            refused_joins: Rate::per_minute(limits.refused_joins_per_minute),
            new_rooms: Rate::new(limits.new_rooms_per_minute, Duration::from_secs(60), limits.new_rooms_burst),
            rooms: limits.rooms_per_address,
            addresses: limits.addresses,
        }
    }
}

/// The addresses with rooms, or with joins of late.
#[derive(Debug)]
pub(super) struct AddressShares {
    shares: Shares,
    table: Table<Entry>,
    /// How many seats an address has in a room. Bounded as the seats are.
    seats: HashMap<(Subnet, RoomName), u32>,
}

#[derive(Debug)]
struct Entry {
    joins: Bucket,
    refused_joins: Bucket,
    new_rooms: Bucket,
    /// By name, so that a count cannot drift.
    rooms: HashSet<RoomName>,
}

impl table::Entry for Entry {
    fn new(now: Instant) -> Self {
        let full = Bucket::full(now);
        Self { joins: full, refused_joins: full, new_rooms: full, rooms: HashSet::new() }
    }

    fn is_unused(&self, now: Instant) -> bool {
        let buckets = [self.joins, self.refused_joins, self.new_rooms];
        self.rooms.is_empty() && buckets.iter().all(|bucket| bucket.is_full(now))
    }
}

impl AddressShares {
    pub(super) fn new(shares: Shares, now: Instant) -> Self {
        Self { shares, table: Table::new(shares.addresses, now), seats: HashMap::new() }
    }

    /// Counts a join; the time until the next may come, if it is one too many, or too many were refused.
    pub(super) fn join(&mut self, from: Subnet, now: Instant) -> Result<(), (Duration, LimitHit)> {
        let Shares { joins, refused_joins, .. } = self.shares;
        let may = |entry: &mut Entry, shares| {
            let wait = entry.joins.wait(joins.times(shares), now);
            if !wait.is_zero() {
                return Err((wait, LimitHit::JoinsPerMinute));
            }
            match entry.refused_joins.wait(refused_joins.times(shares), now) {
                Duration::ZERO => Ok(()),
                wait => Err((wait.max(LEAST_WAIT), LimitHit::RefusedJoins)),
            }
        };
        let counted = self.table.count(from, now, may, |entry, shares| {
            // There is one, as it was asked just now.
            let _ = entry.joins.take(joins.times(shares), now);
        });
        counted.map(|_| ())
    }

    /// A room refused a join of that address.
    pub(super) fn refused(&mut self, from: Subnet, now: Instant) {
        let rate = self.shares.refused_joins;
        // Of the last ones that may be, all are counted: who asks next waits.
        let _ = table::take(&mut self.table, from, now, rate, |entry| &mut entry.refused_joins);
    }

    /// Counts a join to a room that the address is not in, whether or not there is such a room; the time until the next
    /// may come, if it is one too many.
    pub(super) fn look_into(&mut self, from: Subnet, room: &RoomName, now: Instant) -> Result<(), Duration> {
        // Whoever is in the room already learns nothing by another seat there.
        if self.seats.contains_key(&(from, room.clone())) {
            return Ok(());
        }
        table::take(&mut self.table, from, now, self.shares.new_rooms, |entry| &mut entry.new_rooms)
    }

    /// It has a seat in that room.
    pub(super) fn seated(&mut self, from: Subnet, room: RoomName) {
        *self.seats.entry((from, room)).or_default() += 1;
    }

    /// It has one seat less there.
    pub(super) fn stood_up(&mut self, from: Subnet, room: RoomName) {
        let key = (from, room);
        match self.seats.get_mut(&key) {
            Some(seats @ 2..) => *seats -= 1,
            _ => drop(self.seats.remove(&key)),
        }
    }

    /// Whether it may open one more room.
    pub(super) fn may_open(&mut self, from: Subnet, now: Instant) -> bool {
        let most = self.shares.rooms;
        let fits = |entry: &mut Entry, shares: u32| {
            if entry.rooms.len() < most.saturating_mul(shares as usize) { Ok(()) } else { Err(()) }
        };
        self.table.may(from, now, fits).is_ok()
    }

    /// It opened that room.
    pub(super) fn opened(&mut self, from: Subnet, room: &RoomName, now: Instant) -> Counted {
        self.table.mark(from, now, |entry| {
            entry.rooms.insert(room.clone());
        })
    }

    /// That room of its is gone.
    pub(super) fn ended(&mut self, opened: &Counted, room: &RoomName) {
        self.table.change(opened, |entry| {
            entry.rooms.remove(room);
        });
    }

    /// Forgets the addresses that have nothing to gain by it, if it is time.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.table.swept()) >= SWEEP_EVERY {
            self.table.sweep(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    fn from(last: u32) -> Subnet {
        Subnet::of(IpAddr::V4(Ipv4Addr::from_bits(last)))
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name, 128).expect("a sane name")
    }

    fn shares() -> Shares {
        Shares {
            joins: Rate::per_minute(2),
            refused_joins: Rate::per_minute(2),
            new_rooms: Rate::per_minute(2),
            rooms: 1,
            addresses: 10,
        }
    }

    #[test]
    fn addresses_are_forgotten_when_they_have_no_room_and_full_buckets() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut address_shares = AddressShares::new(shares(), start);
        address_shares.join(from(1), at(0)).expect("the first");
        address_shares.look_into(from(2), &room("a"), at(0)).expect("the first");
        let opened = address_shares.opened(from(1), &room("a"), at(0));
        address_shares.sweep(at(29));
        assert_eq!(address_shares.table.addresses(), 2, "half a bucket is news");
        address_shares.sweep(at(39));
        assert_eq!(address_shares.table.addresses(), 1, "a room is news");
        address_shares.ended(&opened, &room("a"));
        address_shares.sweep(at(40));
        assert_eq!(address_shares.table.addresses(), 1, "it is not swept all the time");
        address_shares.sweep(at(49));
        assert_eq!(address_shares.table.addresses(), 0);
    }

    #[test]
    fn a_full_table_limits_those_it_knows_and_all_others_together() {
        let start = Instant::now();
        let mut address_shares =
            AddressShares::new(Shares { joins: Rate::per_minute(1), addresses: 1, ..shares() }, start);
        address_shares.join(from(1), start).expect("the first");
        assert!(address_shares.join(from(1), start).is_err());
        address_shares.join(from(2), start).expect("the first of all others");
        let opened = address_shares.opened(from(2), &room("a"), start);
        assert!(address_shares.join(from(3), start).is_err() && !address_shares.may_open(from(3), start));
        assert!(address_shares.may_open(from(1), start));
        let later = start + Duration::from_secs(60);
        assert!(address_shares.join(from(3), later).is_ok());
        assert!(address_shares.join(from(3), later).is_err(), "room was made for it");
        assert!(address_shares.may_open(from(3), later), "and it is no other any more");
        assert!(!address_shares.may_open(from(2), later));
        address_shares.ended(&opened, &room("a"));
        assert!(address_shares.may_open(from(2), later), "what was counted elsewhere is given back there");
    }

    #[test]
    fn a_room_is_new_to_an_address_that_has_no_seat_in_it() {
        let now = Instant::now();
        let mut address_shares = AddressShares::new(shares(), now);
        let (a, b) = (room("a"), room("b"));
        assert_eq!(address_shares.look_into(from(1), &a, now), Ok(()));
        address_shares.seated(from(1), a.clone());
        address_shares.seated(from(1), a.clone());
        assert!((0..9).all(|_| address_shares.look_into(from(1), &a, now).is_ok()), "it is in there");
        assert_eq!(address_shares.look_into(from(1), &b, now), Ok(()));
        assert_eq!(address_shares.look_into(from(1), &b, now), Err(Duration::from_secs(30)), "it is not in there");
        address_shares.stood_up(from(1), a.clone());
        assert_eq!(address_shares.look_into(from(1), &a, now), Ok(()), "one seat is left");
        address_shares.stood_up(from(1), a.clone());
        assert!(address_shares.look_into(from(1), &a, now).is_err(), "leaving and joining does not get around it");
        assert!(address_shares.look_into(from(2), &a, now).is_ok());
        assert!(address_shares.seats.is_empty());
    }

    #[test]
    fn networks_of_ipv6_have_four_and_sixteen_times_the_rooms() {
        let now = Instant::now();
        let opens = |step: u64| {
            let mut address_shares = AddressShares::new(Shares { addresses: 1000, ..shares() }, now);
            let open = |n: u64| {
                let from = Subnet::of(IpAddr::V6(Ipv6Addr::from_bits(u128::from(n * step) << 64)));
                let fits = address_shares.may_open(from, now);
                if fits {
                    address_shares.opened(from, &room(&n.to_string()), now);
                }
                fits
            };
            (0..50).map(open).filter(|fits| *fits).count()
        };
        assert_eq!([0, 1, 1 << 8, 1 << 16].map(opens), [1, 4, 16, 50]);
    }
}
