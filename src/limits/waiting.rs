//! The connections that are in no room, oldest first, so that those who only wait cannot fill the server: in all they hold
//! at most half of it, and those of one address half of its share. Beyond that, whoever has waited longest goes.
//!
//! Shared between threads on purpose: they are spread over all arbiters, and the one that goes may be another's.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::subnet::Subnet;
use crate::config::Settings;

/// Half of a share. One of three or fewer is not halved: whoever comes would send away the one before.
fn half(share: usize) -> usize {
    if share < 4 { share } else { share / 2 }
}

/// All that wait. `H` is how one is reached. Cloning shares it.
#[derive(Debug)]
pub struct Waiting<H>(Arc<Inner<H>>);

#[derive(Debug)]
struct Inner<H> {
    most: usize,
    most_of_address: usize,
    table: Mutex<Table<H>>,
}

#[derive(Debug)]
struct Table<H> {
    /// By when they came, as they were numbered.
    all: BTreeMap<u64, One<H>>,
    of_address: HashMap<Subnet, BTreeSet<u64>>,
    next: u64,
}

#[derive(Debug)]
struct One<H> {
    from: Option<Subnet>,
    handle: H,
}

/// One connection's place among those that wait; dropping it gives it up.
#[derive(Debug)]
pub struct WaitingPlace<H> {
    among: Waiting<H>,
    number: u64,
}

impl<H> Clone for Waiting<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H> From<&Settings> for Waiting<H> {
    fn from(settings: &Settings) -> Self {
        Self::new(settings.server.max_connections, settings.limits.connections_per_address)
    }
}

impl<H> Waiting<H> {
    /// Of a server that holds so many connections, and so many of one address.
    #[must_use]
    pub fn new(connections: usize, connections_per_address: usize) -> Self {
        let table = Table { all: BTreeMap::new(), of_address: HashMap::new(), next: 0 };
        let (most, most_of_address) = (half(connections), half(connections_per_address));
        Self(Arc::new(Inner { most, most_of_address, table: Mutex::new(table) }))
    }

    /// A connection is in no room from now on. `from`: its address, if the limits per address concern it. Beside its place,
    /// the one that has to go for it: it has no place any more.
    #[must_use]
    pub fn enter(&self, from: Option<Subnet>, handle: H) -> (WaitingPlace<H>, Option<H>) {
        let mut table = self.lock();
        let number = table.next;
        table.next += 1;
        table.all.insert(number, One { from, handle });
        let of_address = from.map(|from| table.of_address.entry(from).or_default());
        let of_address = of_address.and_then(|numbers| {
            numbers.insert(number);
            (numbers.len() > self.0.most_of_address).then(|| numbers.first().copied())?
        });
        let oldest = || (table.all.len() > self.0.most).then(|| table.all.keys().next().copied())?;
        let goes = of_address.or_else(oldest).and_then(|number| table.remove(number));
        drop(table);
        (WaitingPlace { among: self.clone(), number }, goes.map(|one| one.handle))
    }

    fn lock(&self) -> MutexGuard<'_, Table<H>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Table<H> {
    fn remove(&mut self, number: u64) -> Option<One<H>> {
        let one = self.all.remove(&number)?;
        if let Some(from) = one.from
            && let Some(numbers) = self.of_address.get_mut(&from)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.of_address.remove(&from);
            }
        }
        Some(one)
    }
}

impl<H> Drop for WaitingPlace<H> {
    fn drop(&mut self) {
        let one = self.among.lock().remove(self.number);
        // Outside of the lock, whatever it does.
        drop(one);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn from(last: u8) -> Option<Subnet> {
        (last > 0).then(|| Subnet::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))))
    }

    #[test]
    fn whoever_has_waited_longest_goes_first_of_its_address_then_of_all() {
        let waiting = Waiting::new(8, 4);
        let mut places = Vec::new();
        let mut enter = |who: u8, name: &'static str| {
            let (place, goes) = waiting.enter(from(who), name);
            places.push(place);
            goes
        };
        assert_eq!([enter(1, "a"), enter(1, "b"), enter(2, "c")], [None; 3]);
        assert_eq!(enter(1, "d"), Some("a"), "half of four");
        assert_eq!(enter(0, "e"), None, "four of all");
        assert_eq!(enter(0, "f"), Some("b"), "an address without limits counts in all");
        assert_eq!(enter(3, "g"), Some("c"));
        places.clear();
        assert!(waiting.lock().all.is_empty() && waiting.lock().of_address.is_empty());
    }

    #[test]
    fn a_share_of_few_is_not_halved() {
        assert_eq!([0, 1, 2, 3, 4, 5, 2000].map(half), [0, 1, 2, 3, 2, 2, 1000]);
    }

    proptest! {
        #[test]
        fn it_is_a_list_in_order_of_arrival(steps in prop::collection::vec((0..4_u8, any::<bool>(), any::<prop::sample::Index>()), 0..60)) {
            let waiting = Waiting::new(10, 6);
            // The model: who waits, oldest first; and every place that is held, given up or not.
            let mut list: Vec<(u8, usize)> = Vec::new();
            let mut places: Vec<(usize, WaitingPlace<usize>)> = Vec::new();
            for (name, (who, comes, pick)) in steps.into_iter().enumerate() {
                if comes || places.is_empty() {
                    let (place, goes) = waiting.enter(from(who), name);
                    places.push((name, place));
                    list.push((who, name));
                    let own: Vec<_> = list.iter().filter(|(other, _)| *other == who).collect();
                    let expected = if who > 0 && own.len() > 3 { Some(own[0].1) } else { (list.len() > 5).then(|| list[0].1) };
                    prop_assert_eq!(goes, expected);
                    list.retain(|(_, name)| Some(*name) != expected);
                } else {
                    let (name, place) = places.swap_remove(pick.index(places.len()));
                    drop(place);
                    list.retain(|(_, other)| *other != name);
                }
                prop_assert_eq!(waiting.lock().all.len(), list.len());
                prop_assert!(list.len() <= 5);
            }
        }
    }
}
