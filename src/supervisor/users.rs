//! How many people there are, as far as the server can tell them apart. Pure.

use std::{collections::HashMap, sync::Arc};

use super::outcomes::Known;
use crate::protocol::Who;

/// What tells somebody apart: the user of a token, else who somebody is in a room by an identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum User {
    Named(Arc<str>),
    Who(Who),
}

/// Everybody with at least one seat, and how many seats. Nothing for who brings neither a user nor an identity. Bounded as the
/// seats are.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<User, usize>);

impl Users {
    /// One of them has a seat more.
    pub(super) fn seated(&mut self, known: &Known) {
        if let Some(user) = user(known) {
            *self.0.entry(user).or_default() += 1;
        }
    }

    /// One of them has a seat less.
    pub(super) fn stood_up(&mut self, known: &Known) {
        let Some(user) = user(known) else { return };
        let Some(seats) = self.0.get_mut(&user) else { return };
        *seats -= 1;
        if *seats == 0 {
            self.0.remove(&user);
        }
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

fn user(Known { who, user }: &Known) -> Option<User> {
    user.clone().map(User::Named).or(who.map(User::Who))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::RoomName;

    /// One of three users, or none; with one of two identities, or none, in one of two rooms.
    fn known(user: u8, identity: u8, room: u8) -> Known {
        let room = RoomName::parse(&room.to_string(), 128).expect("a name");
        let who = (identity > 0).then(|| Who::of(&identity.to_string().repeat(22), &room));
        Known { who, user: (user > 0).then(|| user.to_string().into()) }
    }

    proptest! {
        #[test]
        fn they_are_as_many_as_a_count_of_all_seats_finds(
            steps in prop::collection::vec((any::<bool>(), 0_u8..4, 0_u8..3, 0_u8..2), 0..80),
        ) {
            let (mut users, mut seats): (Users, Vec<Known>) = (Users::default(), Vec::new());
            for (joins, user, identity, room) in steps {
                if joins {
                    seats.push(known(user, identity, room));
                    users.seated(&known(user, identity, room));
                } else if let Some(at) = seats.len().checked_sub(1).map(|last| usize::from(user) % (last + 1)) {
                    users.stood_up(&seats.swap_remove(at));
                }
                let told_apart: HashSet<_> = seats.iter().filter_map(super::user).collect();
                prop_assert_eq!(users.count(), told_apart.len());
            }
        }
    }
}
