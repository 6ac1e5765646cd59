//! In how many rooms an address counts for what alerts see: so a client that lies, and whatever it opens rooms for, pages nobody. No
//! actix, no clock.
//!
//! A room counts where one of its pairs does, and a pair does where both of its peers' addresses may count for this room.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// Rooms that one address counts for. Alerts begin beyond that.
pub const ROOMS_PER_ADDRESS: usize = 5;
/// In this time, and the time since which it does no more.
pub const PERIOD: Duration = Duration::from_secs(600);
/// Addresses that are remembered: each takes some 200 bytes. Beyond them a new one counts for nothing until others are forgotten.
pub const MOST_ADDRESSES: usize = 10_000;

/// The rooms that each address counts for.
#[derive(Debug)]
pub struct Shares<A, R> {
    /// With when it last did.
    counted: HashMap<A, Vec<(R, Instant)>>,
}

impl<A, R> Default for Shares<A, R> {
    fn default() -> Self {
        Self { counted: HashMap::new() }
    }
}

impl<A: Copy + Eq + Hash, R: Clone + Eq> Shares<A, R> {
    /// Whether the room counts, because of one of these pairs.
    pub fn count(&mut self, room: &R, pairs: &[(A, A)], now: Instant) -> bool {
        // All of them: addresses that count go on to.
        pairs.iter().filter(|(first, second)| self.both(room, *first, *second, now)).count() > 0
    }

    fn both(&mut self, room: &R, first: A, second: A, now: Instant) -> bool {
        let may = self.may(room, first, now) && self.may(room, second, now);
        if may {
            for address in [first, second] {
                let rooms = self.counted.entry(address).or_default();
                rooms.retain(|(counted, at)| counted != room && is_recent(*at, now));
                rooms.push((room.clone(), now));
            }
        }
        may
    }

    fn may(&self, room: &R, address: A, now: Instant) -> bool {
        match self.counted.get(&address) {
            Some(rooms) => {
                let mut recent = rooms.iter().filter(|(_, at)| is_recent(*at, now));
                rooms.iter().any(|(counted, _)| counted == room) || recent.by_ref().count() < ROOMS_PER_ADDRESS
            }
            // One more for each of a pair.
            None => self.counted.len() + 2 <= MOST_ADDRESSES,
        }
    }

    /// Forgets what is over.
    pub fn sweep(&mut self, now: Instant) {
        self.counted.retain(|_, rooms| {
            rooms.retain(|(_, at)| is_recent(*at, now));
            !rooms.is_empty()
        });
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < PERIOD
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_lies_counts_for_five_rooms_and_no_more() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        let counted = (0..100).filter(|room| shares.count(room, &[(1, 1)], now)).count();
        assert_eq!(counted, ROOMS_PER_ADDRESS);
        // Those go on to count, and no other.
        let later = now + PERIOD.saturating_sub(SECOND);
        let counted: Vec<u32> = (0..100).filter(|room| shares.count(room, &[(1, 1)], later)).collect();
        assert_eq!(counted, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn who_does_not_connect_in_the_rooms_of_others_counts_for_five_of_them() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        let counted = (0..100).filter(|room| shares.count(room, &[(1, 1000 + *room)], now)).count();
        assert_eq!(counted, ROOMS_PER_ADDRESS);
    }

    #[test]
    fn a_room_counts_for_one_pair_that_does_and_after_a_while_for_others() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        for room in 0..5 {
            assert!(shares.count(&room, &[(1, 1)], now));
        }
        assert!(!shares.count(&5, &[(1, 2)], now) && shares.count(&5, &[(1, 2), (2, 3)], now));
        assert!(shares.count(&6, &[(1, 1)], now + PERIOD));
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_goes_with_its_time() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        let most = MOST_ADDRESSES / 2;
        let counted = (0..MOST_ADDRESSES).filter(|n| shares.count(n, &[(2 * n, 2 * n + 1)], now)).count();
        assert_eq!((counted, shares.counted.len()), (most, MOST_ADDRESSES));
        shares.sweep(now + PERIOD);
        assert!(shares.counted.is_empty());
        assert!(shares.count(&0, &[(7, 8)], now + PERIOD));
    }
}
