//! What becomes of a room when Redis loses data: a restart with nothing, or a failover to a copy that lacks the last entries.
//!
//! A new generation of the data begins. For one node timeout, nodes only assert what they have; then one `settled` entry says
//! what that comes to, and all go on from it.

use std::collections::BTreeSet;

use super::{
    moderation::RoomRules,
    names::Incarnation,
    replica::{Replica, Snapshot},
    seats::Seats,
};
use crate::protocol::PeerId;

/// What a node says of a room that it has a replica of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The furthest `(life, n)` that it has applied or heard of.
    pub best: (u64, u64),
    /// The tag at that place; none: it has heard of more than it has applied.
    pub tag: Option<u64>,
    /// Incarnations whose members were ended. They assert nothing any more.
    pub reaped: BTreeSet<Incarnation>,
    /// Peers of which its members were told that they left. They are in no room any more, whatever is left of the data.
    pub left: BTreeSet<PeerId>,
    /// The seats of its own sessions.
    pub seats: Seats,
    /// Bans and lock.
    pub rules: RoomRules,
}

impl Assertion {
    /// Of that replica, by the node `me`. `session` says of a peer whether its session is here, and if so whether it is away.
    #[must_use]
    pub fn of<D>(replica: &Replica<D>, me: &Incarnation, session: impl Fn(PeerId) -> Option<bool>) -> Self {
        let head = replica.head();
        let own = replica.seats().iter().filter_map(|(peer, seat)| {
            let away = session(*peer)?;
            let mut seat = seat.clone();
            (seat.owner, seat.away) = (Some(me.clone()), away);
            Some((*peer, seat))
        });
        Self {
            best: (head.life, head.n.max(replica.known())),
            tag: (head.n >= replica.known()).then_some(head.tag),
            reaped: replica.reaped().clone(),
            left: replica.left().collect(),
            seats: own.collect(),
            rules: replica.rules().clone(),
        }
    }
}

/// Whether members of that replica have missed something, now that the room is settled like this: others had more, or had
/// something else, or somebody who was there did not assert.
#[must_use]
pub fn has_gap<D>(replica: &Replica<D>, settled: Option<&Snapshot>) -> bool {
    let Some(settled) = settled else { return true };
    let head = replica.head();
    let behind = (head.life, head.n) < settled.best || settled.parted;
    let owners: BTreeSet<_> = settled.seats.values().filter_map(|seat| seat.owner.as_ref()).collect();
    let mut before = replica.seats().values().filter_map(|seat| seat.owner.as_ref());
    behind || before.any(|owner| !owners.contains(owner))
}
