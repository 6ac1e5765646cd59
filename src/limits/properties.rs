//! The bucket against a naive one that is refilled step by step, and against what a rate means; the table of addresses
//! against a naive one that forgets nobody.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};

use super::{AddressPermit, Addresses, Bucket, ByteRate, Quotas, Rate, Subnet};

/// A bucket as one would explain it: a level that rises with time and sinks by a token's price.
struct Naive {
    level: u128,
    capacity: u128,
    price: u128,
    at: u128,
}

impl Naive {
    fn take(&mut self, now: u128) -> Result<(), u128> {
        self.level = self.capacity.min(self.level + (now - self.at));
        self.at = now;
        if self.level < self.price {
            return Err(self.price - self.level);
        }
        self.level -= self.price;
        Ok(())
    }
}

/// Pauses between takes in nanoseconds: none, a few, about a token's time, far more than the whole burst's.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    let pause =
        prop::sample::select(vec![0, 0, 0, 1, 999, 1_000_000, 19_999_999, 20_000_000, 20_000_001, 9_000_000_000]);
    prop::collection::vec(pause, 1..400)
}

proptest! {
    #[test]
    fn it_is_the_naive_bucket(tokens in 1_u32..2000, burst in 1_u32..300, pauses in pauses()) {
        let rate = Rate::per_second(tokens, burst);
        let price = u128::from(1_000_000_000 / u64::from(tokens));
        let capacity = price * u128::from(burst);
        let mut naive = Naive { level: capacity, capacity, price, at: 0 };
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut now = Duration::ZERO;
        for pause in pauses {
            now += Duration::from_nanos(pause);
            let expected = naive.take(now.as_nanos());
            let wait = bucket.wait(rate, start + now);
            prop_assert_eq!(bucket.take(rate, start + now).map_err(|wait| wait.as_nanos()), expected);
            prop_assert_eq!(wait.as_nanos(), expected.err().unwrap_or(0));
            prop_assert_eq!(bucket.is_full(start + now), naive.level == naive.capacity);
        }
    }

    #[test]
    fn no_window_of_time_lets_more_through_than_burst_and_rate(
        tokens in 1_u32..500, burst in 1_u32..40, pauses in pauses(),
    ) {
        let rate = Rate::per_second(tokens, burst);
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut now = start;
        let mut taken = Vec::new();
        for pause in pauses {
            now += Duration::from_nanos(pause);
            if bucket.take(rate, now).is_ok() {
                taken.push(now);
            }
        }
        let interval = Duration::from_secs(1) / tokens;
        for (from, first) in taken.iter().enumerate() {
            for (to, last) in taken.iter().enumerate().skip(from) {
                let most = u128::from(burst) + (*last - *first).as_nanos() / interval.as_nanos();
                prop_assert!((to - from + 1) as u128 <= most);
            }
        }
    }

    #[test]
    fn who_waits_as_long_as_it_is_told_gets_a_token(tokens in 1_u32..2000, burst in 1_u32..50) {
        let rate = Rate::per_second(tokens, burst);
        let mut now = Instant::now();
        let mut bucket = Bucket::full(now);
        for _ in 0..100 {
            if let Err(wait) = bucket.take(rate, now) {
                let almost = wait.saturating_sub(Duration::from_nanos(1));
                prop_assert!(bucket.take(rate, now + almost).is_err());
                now += wait;
                prop_assert_eq!(bucket.take(rate, now), Ok(()));
            }
        }
    }
}

/// How often an address's quota each of its networks has, with the bits that they leave out.
const NETWORKS: [(u32, u32); 3] = [(0, 1), (8, 4), (16, 16)];
const CONNECTIONS: usize = 1;
/// Bytes a second of one address; twice as many at once.
const BYTES: usize = 1000;

/// An address: a /64 out of two /48 with two /56 each, or an IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Who {
    V4(u32),
    V6(u64),
}

impl Who {
    fn subnet(self) -> Subnet {
        Subnet::of(match self {
            Self::V4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            Self::V6(bits) => IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits) << 64)),
        })
    }

    /// Everything that it is counted in: a key, and how many addresses' share that has.
    fn blocks(self) -> Vec<((u32, Self), u32)> {
        match self {
            Self::V4(_) => vec![((0, self), 1)],
            Self::V6(bits) => NETWORKS.map(|(left, shares)| ((left, Self::V6(bits >> left)), shares)).to_vec(),
        }
    }
}

fn who() -> impl Strategy<Value = Who> {
    let v6 = (0..2_u64, 0..2_u64, 0..9_u64).prop_map(|(a, b, c)| Who::V6(0x2001_0db8 << 32 | a << 16 | b << 8 | c));
    let v4 = (1..4_u32).prop_map(Who::V4);
    proptest::prop_oneof![4 => v6, 1 => v4]
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    Handshake(Who),
    Connect(Who),
    /// So many bytes were read.
    Bytes(Who, u32),
    /// The connection of that number ends.
    End(usize),
    Sweep,
    Wait(u64),
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = proptest::prop_oneof![
        8 => who().prop_map(Ask::Handshake),
        8 => who().prop_map(Ask::Connect),
        8 => (who(), 0..5000_u32).prop_map(|(who, bytes)| Ask::Bytes(who, bytes)),
        3 => (0..40_usize).prop_map(Ask::End),
        1 => proptest::prelude::Just(Ask::Sweep),
        1 => (0..1500_u64).prop_map(Ask::Wait),
    ];
    prop::collection::vec(ask, 1..300)
}

/// A table that has room for this many addresses, in which each has one connection, two handshakes at once, and two a second.
fn table(addresses: usize, now: Instant) -> Addresses {
    let (rate, bytes) = (Rate::per_second(2, 2), ByteRate::new(BYTES, 2 * BYTES));
    Addresses::new(Quotas { handshakes: rate, requests: rate, bytes, connections: CONNECTIONS, addresses }, now)
}

/// What a block has sent and is not made up for, in the nanoseconds that it takes to be.
struct Overdraft {
    per_second: u128,
    nanos: u128,
    at: Instant,
}

impl Overdraft {
    fn new(shares: u32, now: Instant) -> Self {
        Self { per_second: BYTES as u128 * u128::from(shares), nanos: 0, at: now }
    }

    fn is_none(&mut self, now: Instant) -> bool {
        self.nanos = self.nanos.saturating_sub((now - self.at).as_nanos());
        self.at = now;
        self.nanos == 0
    }

    /// The time until no more than two seconds' worth is left.
    fn send(&mut self, bytes: u32, now: Instant) -> u128 {
        let _ = self.is_none(now);
        self.nanos += u128::from(bytes) * 1_000_000_000 / self.per_second;
        self.nanos.saturating_sub(2_000_000_000)
    }
}

proptest! {
    #[test]
    fn an_address_and_its_networks_never_have_more_than_their_shares_and_never_less(asks in asks()) {
        let mut now = Instant::now();
        let table = table(1000, now);
        let mut buckets: HashMap<(u32, Who), Bucket> = HashMap::new();
        // Of each block, when it sent how much.
        let mut sent: HashMap<(u32, Who), Overdraft> = HashMap::new();
        let mut held: Vec<(Who, AddressPermit)> = Vec::new();
        for ask in asks {
            match ask {
                Ask::Handshake(who) => {
                    let rate = |shares: u32| Rate::per_second(2 * shares, 2 * shares);
                    let wait = who.blocks().into_iter().map(|(block, shares)| {
                        buckets.entry(block).or_insert(Bucket::full(now)).wait(rate(shares), now)
                    }).max().expect("a block");
                    let expected = if wait.is_zero() { Ok(()) } else { Err(wait) };
                    prop_assert_eq!(table.handshake(who.subnet(), now), expected);
                    if expected.is_ok() {
                        for (block, shares) in who.blocks() {
                            let bucket = buckets.get_mut(&block).expect("asked");
                            prop_assert_eq!(bucket.take(rate(shares), now), Ok(()));
                        }
                    }
                }
                Ask::Connect(who) => {
                    let fits = who.blocks().into_iter().all(|(block, shares)| {
                        let inside = |other: &Who| other.blocks().iter().any(|(key, _)| *key == block);
                        held.iter().filter(|(other, _)| inside(other)).count() < CONNECTIONS * shares as usize
                    });
                    let place = table.connect(who.subnet(), now);
                    prop_assert_eq!(place.is_some(), fits);
                    held.extend(place.map(|place| (who, place)));
                }
                Ask::Bytes(who, bytes) => {
                    let wait = who.blocks().into_iter().map(|(block, shares)| {
                        sent.entry(block).or_insert(Overdraft::new(shares, now)).send(bytes, now)
                    }).max().expect("a block");
                    prop_assert_eq!(table.bytes(who.subnet(), bytes, now).as_nanos(), wait);
                }
                Ask::End(at) => {
                    if at < held.len() {
                        held.swap_remove(at);
                    }
                }
                Ask::Sweep => {
                    let left = table.sweep(now);
                    let mut known: Vec<_> = held.iter().map(|(who, _)| *who).collect();
                    let used = buckets.iter().filter(|((left, _), bucket)| *left == 0 && !bucket.is_full(now));
                    known.extend(used.map(|((_, who), _)| *who));
                    known.extend(sent.iter_mut().filter_map(|((left, who), sent)| {
                        (*left == 0 && !sent.is_none(now)).then_some(*who)
                    }));
                    known.sort_unstable();
                    known.dedup();
                    prop_assert_eq!(left, known.len(), "only those are forgotten that have nothing to gain by it");
                }
                Ask::Wait(ms) => now += Duration::from_millis(ms),
            }
        }
    }

    #[test]
    fn a_table_of_any_size_lets_in_no_more_than_its_entries_may_and_gives_everything_back(
        addresses in 1_usize..12, asks in asks(),
    ) {
        let mut now = Instant::now();
        let table = table(addresses, now);
        let mut held: Vec<(Who, AddressPermit)> = Vec::new();
        for ask in asks {
            match ask {
                Ask::Connect(who) => held.extend(table.connect(who.subnet(), now).map(|place| (who, place))),
                Ask::End(at) if at < held.len() => drop(held.swap_remove(at)),
                Ask::Sweep => drop(table.sweep(now)),
                Ask::Wait(ms) => now += Duration::from_millis(ms),
                _ => {}
            }
            let v4 = held.iter().filter(|(who, _)| matches!(who, Who::V4(_))).count();
            // Its own entries, and as many that are shared.
            prop_assert!(v4 <= 2 * addresses * CONNECTIONS);
            prop_assert!(held.len() - v4 <= 16 * (addresses.div_ceil(2) + addresses) * CONNECTIONS);
            prop_assert!(table.sweep(now) <= addresses);
        }
        held.clear();
        prop_assert_eq!(table.sweep(now + Duration::from_secs(60)), 0);
        prop_assert!((0..9).all(|n| table.connect(Who::V4(n).subnet(), now).is_some()) || addresses < 9);
    }
}
