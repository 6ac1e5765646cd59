//! Who is in a room with each other: the members of a room are a ring, each knowing the next.

use hashbrown::HashTable;

/// Marks a connection that is in no room.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Place {
    next: u32,
    /// Of its room's name.
    hash: u32,
}

#[derive(Debug)]
struct Room {
    name: Box<[u8]>,
    /// The member that joined last; the one after it in the ring is the first.
    last: u32,
}

/// All rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    table: HashTable<Room>,
    /// By connection.
    places: Vec<Place>,
}

impl Rooms {
    /// Puts a connection that is in no room into this one.
    pub(super) fn join(&mut self, who: u32, name: &[u8]) {
        let hash = hash(name);
        if self.places.len() <= who as usize {
            self.places.resize(who as usize + 1, Place { next: NONE, hash: 0 });
        }
        let next = if let Some(room) = self.table.find_mut(spread(hash), |room| *room.name == *name) {
            let last = std::mem::replace(&mut room.last, who);
            std::mem::replace(&mut self.places[last as usize].next, who)
        } else {
            let rehash = |room: &Room| spread(self::hash(&room.name));
            self.table.insert_unique(spread(hash), Room { name: name.into(), last: who }, rehash);
            who
        };
        self.places[who as usize] = Place { next, hash };
    }

    /// The other members of its room, in the order of joining behind it; to be gone through with [`Rooms::after`].
    pub(super) fn first_other(&self, who: u32) -> Option<u32> {
        self.after(who, who)
    }

    /// The member after `member`, unless the round has come back to `who`.
    #[inline]
    pub(super) fn after(&self, who: u32, member: u32) -> Option<u32> {
        let next = self.places.get(member as usize)?.next;
        (next != who && next != NONE).then_some(next)
    }

    /// Takes a connection out of its room; whether it was in one.
    pub(super) fn leave(&mut self, who: u32) -> bool {
        let Some(place) = self.places.get(who as usize).copied().filter(|p| p.next != NONE) else { return false };
        let mut before = who;
        while let Some(member) = self.after(who, before) {
            before = member;
        }
        self.places[before as usize].next = place.next;
        self.places[who as usize].next = NONE;
        if let Ok(mut room) = self.table.find_entry(spread(place.hash), |room| room.last == who) {
            if before == who {
                room.remove();
            } else {
                room.get_mut().last = before;
            }
        }
        true
    }
}

/// FNV-1a: names are short.
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// For a table that looks at the first and at the last bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(rooms: &Rooms, who: u32) -> Vec<u32> {
        let mut others: Vec<u32> =
            std::iter::successors(rooms.first_other(who), |member| rooms.after(who, *member)).collect();
        others.sort_unstable();
        others
    }

    #[test]
    fn everybody_sees_the_others_of_the_same_room_whoever_left() {
        let mut rooms = Rooms::default();
        for who in [5, 9, 2, 7] {
            rooms.join(who, b"red");
            rooms.join(who + 10, format!("alone-{who}").as_bytes());
        }
        assert_eq!((others(&rooms, 5), others(&rooms, 15)), (vec![2, 7, 9], vec![]));
        // The last one, one in the middle, the first one, and the only one.
        for (gone, left) in [(7, vec![5, 9, 2]), (9, vec![5, 2]), (5, vec![2]), (2, vec![])] {
            assert!(rooms.leave(gone) && !rooms.leave(gone));
            assert!(others(&rooms, gone).is_empty());
            for who in &left {
                let mut wanted: Vec<u32> = left.iter().copied().filter(|w| w != who).collect();
                wanted.sort_unstable();
                assert_eq!(others(&rooms, *who), wanted);
            }
        }
        assert_eq!(rooms.table.len(), 4);
        rooms.join(7, b"red");
        assert!(others(&rooms, 7).is_empty());
    }

    #[test]
    fn whoever_was_in_no_room_leaves_none() {
        let mut rooms = Rooms::default();
        assert!(!rooms.leave(3));
        assert_eq!(rooms.first_other(3), None);
        rooms.join(9, b"x");
        assert!(!rooms.leave(3));
    }
}
