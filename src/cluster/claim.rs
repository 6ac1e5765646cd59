//! What a session has missed between the mark at which its record was cut and the entry by which a node claims it.

use std::sync::Arc;

use super::{
    changes::change,
    entry::{Entry, Head, Signal},
    routes::{receives, signal},
    seats::{News, Seats},
};
use crate::protocol::PeerId;

/// One thing that was missed, in the order of the log.
#[derive(Debug)]
pub enum Missed<'a, D> {
    /// Somebody came or went.
    News(News),
    /// Somebody sent something.
    Signal(&'a Signal<D>),
}

/// Whether a slice of that many entries is all that came between the mark, `(life, n)`, and the head: else the client has
/// a gap.
#[must_use]
pub fn is_whole(mark: (u64, u64), head: Head, entries: usize) -> bool {
    mark.0 == head.life && mark.1 + entries as u64 == head.n
}

/// Whether the replica had applied more than the entry of the claim before the session was installed: what came in between
/// was posted to nobody. So was all of a later life, whose numbers begin anew.
#[must_use]
pub fn is_late(claimed_at: Head, replica: Head) -> bool {
    (claimed_at.life, claimed_at.n) < (replica.life, replica.n)
}

/// What `peer` has missed, whose record knows these seats.
#[must_use]
pub fn replay<'a, D>(seats: &Seats, slice: &'a [Arc<Entry<D>>], peer: PeerId) -> Vec<Missed<'a, D>> {
    let mut seats = seats.clone();
    let mut missed = Vec::new();
    for entry in slice {
        match signal(entry) {
            Some(signal) if receives(&seats, signal, peer) => missed.push(Missed::Signal(signal)),
            Some(_) => {}
            None => {
                let news = change(&mut seats, entry).filter(|news| news.subject() != peer);
                missed.extend(news.map(Missed::News));
            }
        }
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_late_where_the_replica_is_further_in_this_life_or_in_a_later_one() {
        let head = |life, n| Head { life, n, tag: 0 };
        for (claimed, replica, late) in [
            (head(2, 7), head(2, 7), false),
            (head(2, 7), head(2, 8), true),
            (head(2, 7), head(1, 9), false),
            (head(2, 7), head(3, 1), true),
        ] {
            assert_eq!(is_late(claimed, replica), late, "{claimed:?} {replica:?}");
        }
    }
}
