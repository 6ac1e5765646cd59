//! When a node counts as dead. Nobody's clock is believed: a node counts its heartbeats in Redis, and whoever watches measures
//! by its own clock how long the count has stood still, over one unbroken connection, while its own ticks came in time.

use std::collections::BTreeMap;

use super::names::Incarnation;

/// How long things take, in milliseconds of a node's own clock.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two heartbeats.
    pub beat: u64,
    /// So long a count stands still until the node's members are away: half of `cluster.node_timeout_ms`.
    pub away_after: u64,
    /// ... and until they have left: `cluster.node_timeout_ms`.
    pub dead_after: u64,
}

/// A node's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// Which life of its process.
    pub incarnation: u64,
    /// Its heartbeats so far.
    pub count: u64,
}

/// Why an incarnation may be reaped. The script compares it with what is so by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its name has a later incarnation.
    Successor,
    /// Its count has stood still at this; none: it has no lease.
    Silent(Option<u64>),
}

/// What is to become of the members of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Alive,
    /// Those that can be resumed are away, the others have left.
    Away(Proof),
    /// They have left.
    Dead(Proof),
}

/// What one node has seen of the others' counts.
#[derive(Debug, Default)]
pub struct Watch {
    /// The count, and since when.
    seen: BTreeMap<Incarnation, (Option<u64>, u64)>,
    last_tick: u64,
}

impl Watch {
    /// The connection is a new one: what was seen before says nothing of what came in between.
    pub fn begin(&mut self, now: u64) {
        self.seen.clear();
        self.last_tick = now;
    }

    /// The node's own tick. One that comes late says that this process stood still, and not the others.
    pub fn tick(&mut self, now: u64, timing: Timing) {
        if now.saturating_sub(self.last_tick) > 2 * timing.beat {
            self.seen.clear();
        }
        self.last_tick = now;
    }

    /// What becomes of `owner`, whose name has this lease.
    pub fn look(&mut self, owner: &Incarnation, lease: Option<Lease>, now: u64, timing: Timing) -> Fate {
        if lease.is_some_and(|lease| lease.incarnation > owner.number) {
            return Fate::Dead(Proof::Successor);
        }
        // A lease of an earlier incarnation is from before a failover: that of this one is still to come.
        let count = lease.filter(|lease| lease.incarnation == owner.number).map(|lease| lease.count);
        let (seen, since) = *self.seen.entry(owner.clone()).or_insert((count, now));
        if seen != count {
            self.seen.insert(owner.clone(), (count, now));
            return Fate::Alive;
        }
        match now.saturating_sub(since) {
            silent if silent >= timing.dead_after => Fate::Dead(Proof::Silent(count)),
            silent if silent >= timing.away_after => Fate::Away(Proof::Silent(count)),
            _ => Fate::Alive,
        }
    }

    /// Forgets who owns nothing any more.
    pub fn retain(&mut self, owners: impl Fn(&Incarnation) -> bool) {
        self.seen.retain(|owner, _| owners(owner));
    }
}

/// Whether that lease, as it is now, still bears the proof out.
#[must_use]
pub fn holds(proof: Proof, dead: &Incarnation, lease: Option<Lease>) -> bool {
    let of_it = lease.filter(|lease| lease.incarnation == dead.number);
    match proof {
        Proof::Successor => lease.is_some_and(|lease| lease.incarnation > dead.number),
        Proof::Silent(count) => of_it.map(|lease| lease.count) == count,
    }
}
