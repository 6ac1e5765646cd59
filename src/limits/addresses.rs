//! What each address has used up of its handshakes, requests and connections.
//!
//! Shared between threads on purpose: it is asked before any actor exists, for every request, by every arbiter. A look-up
//! takes a tenth of a microsecond under one lock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Bucket, Rate, Subnet};

/// Between two sweeps that a full table causes: an attacker with many addresses must not make every request one.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// What one address may do.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Upgrades to a WebSocket, whatever becomes of them.
    pub handshakes: Rate,
    /// Other HTTP requests.
    pub requests: Rate,
    /// Most WebSocket connections at a time.
    pub connections: usize,
    /// Addresses that are remembered at a time.
    pub addresses: usize,
}

/// The table of addresses. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Addresses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quotas: Quotas,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    entries: HashMap<Subnet, Entry>,
    swept: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    handshakes: Bucket,
    requests: Bucket,
    connections: usize,
}

/// One connection in its address's count; dropping it gives the place back.
#[derive(Debug)]
pub struct Place(Option<(Arc<Inner>, Subnet)>);

impl Place {
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
        let table = Mutex::new(Table { entries: HashMap::new(), swept: now });
        Self(Arc::new(Inner { quotas, table }))
    }

    /// One upgrade to a WebSocket.
    ///
    /// # Errors
    /// Too many; the time until the next may come.
    pub fn handshake(&self, from: Subnet, now: Instant) -> Result<(), Duration> {
        let rate = self.0.quotas.handshakes;
        self.0.with(from, now, |entry| entry.handshakes.take(rate, now)).unwrap_or(Ok(()))
    }

    /// One HTTP request.
    ///
    /// # Errors
    /// As above.
    pub fn request(&self, from: Subnet, now: Instant) -> Result<(), Duration> {
        let rate = self.0.quotas.requests;
        self.0.with(from, now, |entry| entry.requests.take(rate, now)).unwrap_or(Ok(()))
    }

    /// A place for one more connection, or `None` where the address has all it may. If the table is full, the place is
    /// not counted.
    #[must_use]
    pub fn connect(&self, from: Subnet, now: Instant) -> Option<Place> {
        let most = self.0.quotas.connections;
        let taken = self.0.with(from, now, |entry| {
            let fits = entry.connections < most;
            entry.connections += usize::from(fits);
            fits
        });
        match taken {
            Some(true) => Some(Place(Some((Arc::clone(&self.0), from)))),
            Some(false) => None,
            None => Some(Place::uncounted()),
        }
    }

    /// Forgets whom forgetting does not favour. Says how many addresses are left. To be called every few seconds.
    pub fn sweep(&self, now: Instant) -> usize {
        let mut table = self.0.lock();
        table.sweep(now);
        table.entries.len()
    }
}

impl Inner {
    /// `None` when the table is full of others. Such an address is let in uncounted: with that many addresses in play it
    /// is the server's own caps that protect it, and refusing would turn a flood into an outage for everybody else.
    fn with<T>(&self, from: Subnet, now: Instant, work: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut table = self.lock();
        if let Some(entry) = table.entries.get_mut(&from) {
            return Some(work(entry));
        }
        if table.entries.len() >= self.quotas.addresses && now.saturating_duration_since(table.swept) >= SWEEP_AGAIN {
            table.sweep(now);
        }
        if table.entries.len() >= self.quotas.addresses {
            return None;
        }
        Some(work(table.entries.entry(from).or_insert(Entry::new(now))))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn sweep(&mut self, now: Instant) {
        self.swept = now;
        self.entries.retain(|_, entry| !entry.is_unused(now));
        // A flood of addresses that is over gives its memory back.
        if self.entries.capacity() > 4 * self.entries.len() {
            self.entries.shrink_to(2 * self.entries.len());
        }
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        Self { handshakes: Bucket::full(now), requests: Bucket::full(now), connections: 0 }
    }

    fn is_unused(&self, now: Instant) -> bool {
        self.connections == 0 && self.handshakes.is_full(now) && self.requests.is_full(now)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((table, from)) = &self.0 else { return };
        if let Some(entry) = table.lock().entries.get_mut(from) {
            entry.connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn table(addresses: usize, now: Instant) -> Addresses {
        let rate = |burst| Rate::per_second(1, burst);
        Addresses::new(Quotas { handshakes: rate(2), requests: rate(3), connections: 2, addresses }, now)
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
    fn only_those_are_forgotten_whom_it_does_not_favour() {
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
    fn a_full_table_keeps_whom_it_knows_and_lets_others_in_uncounted() {
        let now = Instant::now();
        let table = table(3, now);
        let places: Vec<_> = (0..3).map(|who| table.connect(from(who), now)).collect();
        for _ in 0..10 {
            assert_eq!(table.handshake(from(9), now + SECOND), Ok(()));
            assert!(table.connect(from(9), now).is_some_and(|place| place.0.is_none()));
        }
        assert!((0..2).all(|_| table.handshake(from(1), now).is_ok()));
        assert!(table.handshake(from(1), now).is_err());
        drop(places);
        assert!(table.connect(from(9), now + 2 * SECOND).is_some_and(|place| place.0.is_some()), "it was swept");
    }
}
