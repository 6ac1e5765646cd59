//! Those that only wait, oldest first, so that they cannot fill the server: connections that are in no room, and sockets whose request
//! has not come. There is a bound for all, and one for each address; beyond the latter whoever of it has waited longest goes, and
//! beyond the former the same of whoever has most of them waiting. So a flood that waits sends away itself, and nobody who came from
//! elsewhere.
//!
//! Shared between threads on purpose: they are spread over all arbiters, and the one that goes may be another's.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
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
    of_address: HashMap<Subnet, Numbers>,
    of_owner: Owners,
    next: u64,
}

#[derive(Debug)]
struct One<H> {
    from: Option<Subnet>,
    handle: H,
}

/// The numbers of those that wait, by who is likely to own where they come from ([`Subnet::site`]); those that the limits per
/// address do not concern are one owner's.
#[derive(Debug, Default)]
struct Owners {
    numbers: HashMap<Option<Subnet>, Numbers>,
    /// How many each owner has, and its oldest: who has most is the last, and of those with as many the one whose oldest is oldest.
    order: BTreeSet<Rank>,
}

/// The numbers of one address or owner, which mostly has one: then nothing is allocated for it, whenever somebody joins or leaves.
#[derive(Debug)]
enum Numbers {
    One(u64),
    /// None at first, and in the end.
    Several(BTreeSet<u64>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Several(BTreeSet::new())
    }
}

impl Numbers {
    fn insert(&mut self, number: u64) {
        match self {
            Self::One(first) => *self = Self::Several(BTreeSet::from([*first, number])),
            Self::Several(none) if none.is_empty() => *self = Self::One(number),
            Self::Several(numbers) => drop(numbers.insert(number)),
        }
    }

    fn remove(&mut self, number: u64) {
        match self {
            Self::One(one) if *one == number => *self = Self::default(),
            Self::One(_) => {}
            Self::Several(numbers) => drop(numbers.remove(&number)),
        }
    }

    fn oldest(&self) -> Option<u64> {
        match self {
            Self::One(one) => Some(*one),
            Self::Several(numbers) => numbers.first().copied(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(numbers) => numbers.len(),
        }
    }
}

/// How many somebody has, and the oldest of them.
type Rank = (usize, Reverse<u64>);

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
    /// Connections that are in no room: at most half of all that there may be, and half of an address's share.
    fn from(settings: &Settings) -> Self {
        Self::new(half(settings.server.max_connections), half(settings.limits.connections_per_address))
    }
}

impl<H> Waiting<H> {
    /// Of which there may be so many, and so many of one address.
    #[must_use]
    pub fn new(most: usize, most_of_address: usize) -> Self {
        let (all, of_address, of_owner) = (BTreeMap::new(), HashMap::new(), Owners::default());
        let table = Mutex::new(Table { all, of_address, of_owner, next: 0 });
        Self(Arc::new(Inner { most, most_of_address, table }))
    }

    /// One more waits from now on. `from`: its address, if the limits per address concern it. Beside its place,
    /// the one that has to go for it: it has no place any more.
    #[must_use]
    pub fn enter(&self, from: Option<Subnet>, handle: H) -> (WaitingPlace<H>, Option<H>) {
        let mut table = self.lock();
        let number = table.add(One { from, handle });
        let own = from.and_then(|from| table.of_address.get(&from)).filter(|own| own.len() > self.0.most_of_address);
        let goes = match own.and_then(Numbers::oldest) {
            Some(oldest) => table.remove(oldest),
            None if table.all.len() > self.0.most => table.remove_of_most(),
            None => None,
        };
        drop(table);
        (WaitingPlace { among: self.clone(), number }, goes.map(|one| one.handle))
    }

    /// Whoever has to go where room is needed for others, if anybody waits: it has no place any more.
    #[must_use]
    pub fn evict(&self) -> Option<H> {
        self.lock().remove_of_most().map(|one| one.handle)
    }

    fn lock(&self) -> MutexGuard<'_, Table<H>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Table<H> {
    fn add(&mut self, one: One<H>) -> u64 {
        let number = self.next;
        self.next += 1;
        if let Some(from) = one.from {
            self.of_address.entry(from).or_default().insert(number);
        }
        self.of_owner.add(one.from, number);
        self.all.insert(number, one);
        number
    }

    fn remove(&mut self, number: u64) -> Option<One<H>> {
        let one = self.all.remove(&number)?;
        if let Some(from) = one.from
            && let Entry::Occupied(mut numbers) = self.of_address.entry(from)
        {
            numbers.get_mut().remove(number);
            if numbers.get().len() == 0 {
                numbers.remove();
            }
        }
        self.of_owner.remove(one.from, number);
        Some(one)
    }

    /// The oldest of whoever has most.
    fn remove_of_most(&mut self) -> Option<One<H>> {
        let (_, Reverse(oldest)) = *self.of_owner.order.last()?;
        self.remove(oldest)
    }
}

impl Owners {
    fn add(&mut self, from: Option<Subnet>, number: u64) {
        match self.numbers.entry(from.map(Subnet::site)) {
            Entry::Vacant(place) => {
                place.insert(Numbers::One(number));
                self.order.insert((1, Reverse(number)));
            }
            Entry::Occupied(mut numbers) => {
                let after = changed(&mut self.order, numbers.get_mut(), |numbers| numbers.insert(number));
                self.order.extend(after);
            }
        }
    }

    fn remove(&mut self, from: Option<Subnet>, number: u64) {
        // An owner that is found is not looked for twice: who joins a room comes through here.
        if let Entry::Occupied(mut numbers) = self.numbers.entry(from.map(Subnet::site)) {
            match changed(&mut self.order, numbers.get_mut(), |numbers| numbers.remove(number)) {
                None => drop(numbers.remove()),
                after => self.order.extend(after),
            }
        }
    }
}

/// Changes an owner's numbers, and takes it out of its place in the order; its new one.
fn changed(order: &mut BTreeSet<Rank>, numbers: &mut Numbers, change: impl FnOnce(&mut Numbers)) -> Option<Rank> {
    let rank = |numbers: &Numbers| numbers.oldest().map(|oldest| (numbers.len(), Reverse(oldest)));
    if let Some(before) = rank(numbers) {
        order.remove(&before);
    }
    change(numbers);
    rank(numbers)
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
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn from(last: u8) -> Option<Subnet> {
        (last > 0).then(|| Subnet::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))))
    }

    #[test]
    fn whoever_has_waited_longest_goes_of_its_address_or_of_the_one_that_has_most() {
        let waiting = Waiting::new(4, 2);
        let mut places = Vec::new();
        let mut enter = |who: u8, name: &'static str| {
            let (place, goes) = waiting.enter(from(who), name);
            places.push(place);
            goes
        };
        assert_eq!([enter(3, "first"), enter(1, "a"), enter(1, "b")], [None; 3]);
        assert_eq!(enter(1, "c"), Some("a"), "two of one address");
        assert_eq!(enter(0, "d"), None, "four of all");
        assert_eq!(enter(0, "e"), Some("b"), "an address has two, and so have those without limits, who came later");
        assert_eq!(enter(2, "f"), Some("d"), "and now those have most");
        assert_eq!(enter(4, "g"), Some("first"), "all have one");
        assert_eq!([waiting.evict(), waiting.evict()], [Some("c"), Some("e")]);
        places.clear();
        assert_eq!(waiting.evict(), None);
        let table = waiting.lock();
        assert!(table.all.is_empty() && table.of_address.is_empty());
        assert!(table.of_owner.numbers.is_empty() && table.of_owner.order.is_empty());
    }

    #[test]
    fn neighbouring_networks_of_ipv6_are_one_owner() {
        let network = |bits: u64| Some(Subnet::of(IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits) << 64))));
        let waiting = Waiting::new(3, 3);
        let enter = |from, name| waiting.enter(from, name);
        let _places = [enter(from(1), "a"), enter(from(1), "b"), enter(network(1), "c"), enter(network(2), "d")];
        let (_place, goes) = enter(network(3), "e");
        assert_eq!(goes, Some("c"));
    }

    #[test]
    fn a_share_of_few_is_not_halved() {
        assert_eq!([0, 1, 2, 3, 4, 5, 2000].map(half), [0, 1, 2, 3, 2, 2, 1000]);
    }

    /// Of a list, oldest first: the oldest of whoever is in it most often, and of those the one that comes first.
    fn expected_to_go(list: &[(u8, usize)]) -> Option<usize> {
        let count = |who: u8| list.iter().filter(|(other, _)| *other == who).count();
        let most = list.iter().map(|(who, _)| count(*who)).max()?;
        list.iter().find(|(who, _)| count(*who) == most).map(|(_, name)| *name)
    }

    proptest! {
        #[test]
        fn it_is_a_list_in_order_of_arrival(steps in prop::collection::vec((0..5_u8, 0..8_u8, any::<prop::sample::Index>()), 0..80)) {
            let waiting = Waiting::new(7, 3);
            // The model: who waits, oldest first; and every place that is held, given up or not.
            let mut list: Vec<(u8, usize)> = Vec::new();
            let mut places: Vec<(usize, WaitingPlace<usize>)> = Vec::new();
            for (name, (who, step, pick)) in steps.into_iter().enumerate() {
                if step == 0 {
                    let expected = expected_to_go(&list);
                    prop_assert_eq!(waiting.evict(), expected);
                    list.retain(|(_, name)| Some(*name) != expected);
                } else if step < 6 || places.is_empty() {
                    let (place, goes) = waiting.enter(from(who), name);
                    places.push((name, place));
                    list.push((who, name));
                    let own: Vec<_> = list.iter().filter(|(other, _)| *other == who).collect();
                    let expected = if who > 0 && own.len() > 3 {
                        Some(own[0].1)
                    } else if list.len() > 7 {
                        expected_to_go(&list)
                    } else {
                        None
                    };
                    prop_assert_eq!(goes, expected);
                    list.retain(|(_, name)| Some(*name) != expected);
                } else {
                    let (name, place) = places.swap_remove(pick.index(places.len()));
                    drop(place);
                    list.retain(|(_, other)| *other != name);
                }
                prop_assert_eq!(waiting.lock().all.len(), list.len());
                prop_assert!(list.len() <= 7);
            }
        }
    }
}
