//! What each address has used up of its handshakes, requests and connections.
//!
//! Shared between threads on purpose: it is asked before any actor exists, for every request, by every arbiter. A look-up
//! takes some tenths of a microsecond under one lock.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    bucket::{Bucket, Rate},
    bytes::ByteRate,
    subnet::Subnet,
    table::{self, Counted, Table},
};
use crate::config::Settings;

/// What one address may do. The IPv6 networks around it may do 4 and 16 times as much: see [`table`].
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Upgrades to a WebSocket, whatever becomes of them.
    pub handshakes: Rate,
    /// Other HTTP requests.
    pub requests: Rate,
    /// What all its connections send.
    pub bytes: ByteRate,
    /// Most WebSocket connections at a time.
    pub connections: usize,
    /// Addresses that are remembered at a time.
    pub addresses: usize,
}

impl From<&Settings> for Quotas {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            handshakes: Rate::per_second(limits.handshake_rate, limits.handshake_burst),
            requests: Rate::per_second(limits.http_rate, limits.http_burst),
            bytes: ByteRate::new(limits.byte_rate_per_address, limits.byte_burst_per_address),
            connections: limits.connections_per_address,
            addresses: limits.addresses,
        }
    }
}

impl From<&Settings> for Addresses {
    fn from(settings: &Settings) -> Self {
        Self::new(settings.into(), Instant::now())
    }
}

/// The table of addresses. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Addresses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quotas: Quotas,
    table: Mutex<Table<Entry>>,
}

/// What is counted of one address, or of one network of them: a bucket for what comes at a rate, a number for what is
/// held.
#[derive(Debug, Clone, Copy)]
struct Entry {
    handshakes: Bucket,
    requests: Bucket,
    bytes: Bucket,
    connections: usize,
}

/// One connection in its address's count; dropping it gives the place back.
#[derive(Debug)]
pub struct AddressPermit(Option<(Arc<Inner>, Counted)>);

impl AddressPermit {
    /// That of a connection whose address is not counted.
    #[must_use]
    pub fn uncounted() -> Self {
        Self(None)
    }
}

impl Addresses {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(quotas: Quotas, now: Instant) -> Self {
        let table = Mutex::new(Table::new(quotas.addresses, now));
        Self(Arc::new(Inner { quotas, table }))
    }

    /// One upgrade to a WebSocket.
    ///
    /// # Errors
    /// Too many from this address, or from a network that it is in; the time until the next may come.
    pub fn handshake(&self, from: Subnet, now: Instant) -> Result<(), Duration> {
        let rate = self.0.quotas.handshakes;
        table::take(&mut self.0.lock(), from, now, rate, |entry| &mut entry.handshakes)
    }

    /// One HTTP request.
    ///
    /// # Errors
    /// As above.
    pub fn request(&self, from: Subnet, now: Instant) -> Result<(), Duration> {
        let rate = self.0.quotas.requests;
        table::take(&mut self.0.lock(), from, now, rate, |entry| &mut entry.requests)
    }

    /// Bytes that were read from its connections. The time until what the address, or a network that it is in, has sent
    /// beyond what it may is made up for; zero where it has not.
    pub(super) fn bytes(&self, from: Subnet, bytes: u32, now: Instant) -> Duration {
        let rate = self.0.quotas.bytes;
        let mut wait = Duration::ZERO;
        let charge = |entry: &mut Entry, shares| {
            entry.bytes.charge(rate.times(shares).cost(bytes), now);
            wait = wait.max(entry.bytes.overdrawn(rate.span(), now));
        };
        // Whether it may or not: they have been read.
        let Ok(_) = self.0.lock().count(from, now, |_, _| Ok::<(), Infallible>(()), charge);
        wait
    }

    /// A place for one more connection, or `None` where the address, or a network that it is in, has all it may.
    #[must_use]
    pub fn connect(&self, from: Subnet, now: Instant) -> Option<AddressPermit> {
        self.connect_within(self.0.quotas.connections, from, now)
    }

    /// The same where an address holds fewer than `most`, instead of what it may.
    #[must_use]
    pub fn connect_within(&self, most: usize, from: Subnet, now: Instant) -> Option<AddressPermit> {
        let most = most.min(self.0.quotas.connections);
        let may = |entry: &mut Entry, shares: u32| {
            if entry.connections < most.saturating_mul(shares as usize) { Ok(()) } else { Err(()) }
        };
        let counted = self.0.lock().count(from, now, may, |entry, _| entry.connections += 1);
        counted.ok().map(|counted| AddressPermit(Some((Arc::clone(&self.0), counted))))
    }

    /// Forgets the addresses that have nothing to gain by it. Says how many are left. To be called every few seconds.
    pub fn sweep(&self, now: Instant) -> usize {
        let mut table = self.0.lock();
        table.sweep(now);
        table.addresses()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Table<Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl table::Entry for Entry {
    fn new(now: Instant) -> Self {
        let full = Bucket::full(now);
        Self { handshakes: full, requests: full, bytes: full, connections: 0 }
    }

    fn is_unused(&self, now: Instant) -> bool {
        let buckets = [self.handshakes, self.requests, self.bytes];
        self.connections == 0 && buckets.iter().all(|bucket| bucket.is_full(now))
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if let Some((inner, counted)) = &self.0 {
            inner.lock().change(counted, |entry| entry.connections -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn table(addresses: usize, now: Instant) -> Addresses {
        let rate = |burst| Rate::per_second(1, burst);
        let bytes = ByteRate::new(1000, 5000);
        Addresses::new(Quotas { handshakes: rate(2), requests: rate(3), bytes, connections: 2, addresses }, now)
    }

    fn from(last: u32) -> Subnet {
        Subnet::of(IpAddr::V4(Ipv4Addr::from_bits(last)))
    }

    #[test]
    fn each_address_has_buckets_of_its_own() {
        let now = Instant::now();
        let table = table(10, now);
        for who in [1, 2] {
            assert!((0..2).all(|_| table.handshake(from(who), now).is_ok()));
            assert_eq!(table.handshake(from(who), now), Err(SECOND));
            assert!((0..3).all(|_| table.request(from(who), now).is_ok()), "requests are counted apart");
            assert_eq!(table.request(from(who), now), Err(SECOND));
        }
    }

    #[test]
    fn a_connection_that_ends_makes_room_for_the_next_of_its_address() {
        let now = Instant::now();
        let table = table(10, now);
        let first = table.connect(from(1), now).expect("a place");
        let _second = table.connect(from(1), now).expect("a place");
        assert!(table.connect(from(1), now).is_none());
        assert!(table.connect(from(2), now).is_some());
        drop(first);
        assert!(table.connect(from(1), now).is_some());
    }

    #[test]
    fn where_few_may_connect_those_count_that_are_there_and_no_address_has_more_than_it_may() {
        let now = Instant::now();
        let table = table(10, now);
        let _first = table.connect_within(1, from(1), now).expect("none is there");
        assert!(table.connect_within(1, from(1), now).is_none());
        let _second = table.connect(from(1), now).expect("a place");
        assert!(table.connect_within(9, from(1), now).is_none());
        assert!(table.connect_within(1, from(2), now).is_some());
    }

    #[test]
    fn only_those_that_it_does_not_favour_are_forgotten() {
        let now = Instant::now();
        let table = table(10, now);
        let place = table.connect(from(1), now);
        table.handshake(from(2), now).expect("the first");
        assert_eq!(table.sweep(now + SECOND / 2), 2);
        assert_eq!(table.sweep(now + SECOND), 1, "a full bucket is no news");
        drop(place);
        assert_eq!(table.sweep(now + SECOND), 0);
    }

    #[test]
    fn a_full_table_keeps_those_it_knows_and_counts_others_together() {
        let now = Instant::now();
        let table = table(1, now);
        let place = table.connect(from(1), now);
        assert!((2..4).all(|who| table.handshake(from(who), now).is_ok()));
        assert!((4..9).all(|who| table.handshake(from(who), now).is_err()), "all others are one");
        assert!((0..2).all(|_| table.handshake(from(1), now).is_ok()), "and this one is not among them");
        let others: Vec<_> = (2..9).filter_map(|who| table.connect(from(who), now)).collect();
        assert_eq!(others.len(), 2);
        drop(place);
        let later = now + 3 * SECOND;
        let own: Vec<_> = (0..3).map(|_| table.connect(from(9), later)).collect();
        assert_eq!(own.iter().flatten().count(), 2, "it was swept, and the next has an entry of its own");
        drop(others);
        assert!(table.connect(from(9), later).is_none(), "what was counted elsewhere is given back there");
        drop(own);
        assert_eq!(table.sweep(later + 3 * SECOND), 0);
    }

    fn network(bits: u64) -> Subnet {
        Subnet::of(IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits) << 64)))
    }

    #[test]
    fn neighbouring_networks_of_ipv6_share_four_and_sixteen_times_what_one_may_do() {
        let now = Instant::now();
        let ends_at = |step: u64| {
            let table = table(1000, now);
            let networks = || (0..).map(|n: u64| network(n * step));
            let handshakes = networks().take(200).filter(|from| table.handshake(*from, now).is_ok()).count();
            let places: Vec<_> = networks().take(200).filter_map(|from| table.connect(from, now)).collect();
            (handshakes, places.len())
        };
        assert_eq!(ends_at(0), (2, 2), "a /64");
        assert_eq!(ends_at(1), (8, 8), "all in a /56");
        assert_eq!(ends_at(1 << 8), (32, 32), "all in a /48");
        assert_eq!(ends_at(1 << 16), (200, 200), "each in a /48 of its own");
    }
}
