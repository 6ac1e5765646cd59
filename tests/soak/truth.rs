//! What must hold once it is calm.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    membership::Membership,
    peer::{Shared, Slot, look},
    support::Scrape,
};

/// Pongs after which all that was sent before is known to have arrived.
const PONGS: u64 = 3;

/// Every peer is in a room, its view is the room, and all that was sent was received. `Err` says what is not so (yet).
pub(crate) fn holds(slots: &[Shared]) -> Result<Truth, String> {
    let slots: Vec<_> = slots.iter().map(look).collect();
    let mut rooms: BTreeMap<&str, BTreeMap<&str, &Membership>> = BTreeMap::new();
    for (index, slot) in slots.iter().enumerate() {
        let membership = settled(slot).map_err(|why| format!("peer {index} {why}"))?;
        if rooms.entry(&membership.room).or_default().insert(&membership.id, membership).is_some() {
            return Err(format!("two peers are {}", membership.id));
        }
    }
    for (name, room) in &rooms {
        for membership in room.values() {
            sees(membership, room)
                .map_err(|why| format!("{} (join {}) in {name}: {why}", membership.id, membership.join_seq))?;
        }
    }
    Ok(Truth { peers: slots.len(), rooms: rooms.len() })
}

fn settled(slot: &Slot) -> Result<&Membership, String> {
    let membership = slot.membership.as_ref().ok_or("is in no room")?;
    if !slot.connected {
        return Err("is not connected".into());
    }
    if membership.pongs < PONGS || membership.leaving {
        return Err("has not settled".into());
    }
    if !membership.asked.is_empty() {
        return Err(format!("still waits for {:?}", membership.asked));
    }
    if membership.token.is_some() && membership.counts.kept().next().is_some() {
        return Err("has sent what is not acknowledged".into());
    }
    Ok(membership)
}

fn sees(membership: &Membership, room: &BTreeMap<&str, &Membership>) -> Result<(), String> {
    let there: BTreeSet<&str> = room.keys().copied().filter(|id| *id != membership.id).collect();
    let seen: BTreeSet<&str> = membership.view.keys().map(String::as_str).collect();
    if there != seen {
        return Err(format!("sees {seen:?} instead of {there:?}"));
    }
    for (id, seen) in &membership.view {
        let other = room[id.as_str()];
        if seen.away || (seen.join_seq, seen.version) != (other.join_seq, other.version) {
            return Err(format!("sees {id} as {seen:?} instead of join {}, version {}", other.join_seq, other.version));
        }
        if other.view.get(&membership.id).is_none_or(|me| me.polite == seen.polite) {
            return Err(format!("and {id} are both polite, or neither"));
        }
        if membership.not_found.contains(&other.join_seq) {
            return Err(format!("was told that {id} is not there"));
        }
        membership
            .numbering
            .compare(membership.join_seq, &other.numbering, other.join_seq)
            .map_err(|why| format!("to {id}: {why}"))?;
    }
    Ok(())
}

/// What there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth {
    pub(crate) peers: usize,
    pub(crate) rooms: usize,
}

impl Truth {
    /// Nobody.
    pub(crate) const NOBODY: Self = Self { peers: 0, rooms: 0 };

    /// Whether the gauges say so, and nothing went wrong in the server.
    #[expect(clippy::cast_precision_loss, reason = "hundreds of peers")]
    pub(crate) fn is_told_by(&self, scrape: &Scrape) -> Result<(), String> {
        let (peers, rooms) = (self.peers as f64, self.rooms as f64);
        let gauges = [
            ("switchboard_connections", peers),
            ("switchboard_joined_connections", peers),
            ("switchboard_peers", peers),
            ("switchboard_rooms", rooms),
            ("switchboard_room_peers_count", rooms),
            ("switchboard_room_peers_sum", peers),
            ("switchboard_parked_sessions", 0.0),
            ("switchboard_panics_total", 0.0),
            ("switchboard_rooms_lost_total", 0.0),
        ];
        let all = |name: &str| scrape.sum(name, "");
        let balances = [
            (
                "connections",
                all("switchboard_connections_opened_total"),
                all("switchboard_connections_closed_total"),
                peers,
            ),
            ("memberships", all("switchboard_joins_total"), all("switchboard_leaves_total"), peers),
            ("rooms", all("switchboard_rooms_opened_total"), all("switchboard_rooms_ended_total"), rooms),
        ];
        let gauges = gauges.into_iter().filter(|(name, wanted)| scrape.value(name) != *wanted);
        let mut wrong: Vec<String> =
            gauges.map(|(name, wanted)| format!("{name} is {} instead of {wanted}", scrape.value(name))).collect();
        let balances = balances.into_iter().filter(|(_, began, ended, now)| began - ended != *now);
        wrong.extend(
            balances.map(|(what, began, ended, now)| format!("{what}: {began} began, {ended} ended, {now} now")),
        );
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}
