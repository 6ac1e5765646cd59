//! What must hold once it is calm.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    peer::{Shared, Slot, look},
    stay::Stay,
    support::Scrape,
};

/// Pongs after which all that was said before is known to have arrived.
const PONGS: u64 = 3;

/// Every peer is in a room, its view is the room, and all that was said was heard. `Err` says what is not so (yet).
pub(crate) fn holds(slots: &[Shared]) -> Result<Truth, String> {
    let slots: Vec<_> = slots.iter().map(look).collect();
    let mut rooms: BTreeMap<&str, BTreeMap<&str, &Stay>> = BTreeMap::new();
    for (index, slot) in slots.iter().enumerate() {
        let stay = settled(slot).map_err(|why| format!("peer {index} {why}"))?;
        if rooms.entry(&stay.room).or_default().insert(&stay.id, stay).is_some() {
            return Err(format!("two peers are {}", stay.id));
        }
    }
    for (name, room) in &rooms {
        for stay in room.values() {
            sees(stay, room).map_err(|why| format!("{} (stay {}) in {name}: {why}", stay.id, stay.number))?;
        }
    }
    Ok(Truth { peers: slots.len(), rooms: rooms.len() })
}

fn settled(slot: &Slot) -> Result<&Stay, String> {
    let stay = slot.stay.as_ref().ok_or("is in no room")?;
    if !slot.connected {
        return Err("is not connected".into());
    }
    if stay.pongs < PONGS || stay.leaving {
        return Err("has not settled".into());
    }
    if !stay.asked.is_empty() {
        return Err(format!("still waits for {:?}", stay.asked));
    }
    if stay.token.is_some() && stay.counts.kept().next().is_some() {
        return Err("has said what is not acknowledged".into());
    }
    Ok(stay)
}

fn sees(stay: &Stay, room: &BTreeMap<&str, &Stay>) -> Result<(), String> {
    let there: BTreeSet<&str> = room.keys().copied().filter(|id| *id != stay.id).collect();
    let seen: BTreeSet<&str> = stay.view.keys().map(String::as_str).collect();
    if there != seen {
        return Err(format!("sees {seen:?} instead of {there:?}"));
    }
    for (id, seen) in &stay.view {
        let other = room[id.as_str()];
        if seen.away || (seen.stay, seen.version) != (other.number, other.version) {
            return Err(format!("sees {id} as {seen:?} instead of stay {}, version {}", other.number, other.version));
        }
        if other.view.get(&stay.id).is_none_or(|me| me.polite == seen.polite) {
            return Err(format!("and {id} are both polite, or neither"));
        }
        if stay.not_found.contains(&other.number) {
            return Err(format!("was told that {id} is not there"));
        }
        stay.letters.compare(stay.number, &other.letters, other.number).map_err(|why| format!("to {id}: {why}"))?;
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
            ("stays", all("switchboard_joins_total"), all("switchboard_leaves_total"), peers),
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
