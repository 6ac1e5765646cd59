//! Which way a signal goes: from mailbox to mailbox while both peers are on one node, else through the log. Both ways have an
//! order of their own, so a peer may change from one to the other only when nothing is under way.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    entry::{Change, Entry, Signal, To},
    names::Incarnation,
    seats::Seats,
};
use crate::protocol::PeerId;

/// What one session knows of the ways to its room's members.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Own signals that are in the log, or on the way to it, and were not applied on this node yet, by the number of their
    /// command: a mailbox would overtake them.
    pending: BTreeMap<u64, Vec<PeerId>>,
    /// Peers on this node that are about to be released: what is put into their mailboxes now might come behind the mark.
    releasing: BTreeSet<PeerId>,
}

impl Routes {
    /// Whether a signal to that peer can go to its mailbox: its session is on this node, `me`.
    #[must_use]
    pub fn is_near(&self, peer: PeerId, seats: &Seats, me: &Incarnation) -> bool {
        let owner = seats.get(&peer).and_then(|seat| seat.owner.as_ref());
        owner == Some(me) && !self.awaits(peer) && !self.releasing.contains(&peer)
    }

    fn awaits(&self, peer: PeerId) -> bool {
        self.pending.values().any(|peers| peers.contains(&peer))
    }

    /// A signal to these goes through the log, as the line's command of that number.
    pub fn sent(&mut self, number: u64, peers: Vec<PeerId>) {
        self.pending.insert(number, peers);
    }

    /// It was applied on this node, or it failed; who it was for.
    pub fn arrived(&mut self, number: u64) -> Option<Vec<PeerId>> {
        self.pending.remove(&number)
    }

    /// The replica was rebuilt: what was answered is in it, or lost, and then members are told that something is missing. What
    /// still waits in the line does so.
    pub fn rebuilt(&mut self, waits: impl Fn(u64) -> bool) {
        self.pending.retain(|number, _| waits(*number));
    }

    /// That peer is about to be released. To be confirmed through its mailbox: what was put there before is before the mark.
    pub fn releasing(&mut self, peer: PeerId) {
        self.releasing.insert(peer);
    }

    /// The roster is this now: who has left this node, or was released and came back, needs no care.
    pub fn roster(&mut self, seats: &Seats, me: &Incarnation) {
        self.releasing.retain(|peer| seats.get(peer).is_some_and(|seat| seat.owner.as_ref() == Some(me)));
    }
}

/// Whether this signal is for that peer, in a room with these seats. It is void when its sender is not there, or belongs to
/// another node by now: that one speaks for it.
#[must_use]
pub fn receives<D>(seats: &Seats, signal: &Signal<D>, peer: PeerId) -> bool {
    let Some(sender) = seats.get(&signal.sender) else { return false };
    if peer == signal.sender || sender.owner.as_ref() != Some(&signal.origin) {
        return false;
    }
    match &signal.to {
        To::Peers(peers) => peers.contains(&peer),
        To::All => {
            let seen = seats.get(&peer).is_none_or(|seat| seat.number <= signal.seen);
            seen && !signal.served.contains(&peer)
        }
    }
}

/// The signal in an entry.
#[must_use]
pub fn signal<D>(entry: &Entry<D>) -> Option<&Signal<D>> {
    match &entry.change {
        Change::Signal(signal) => Some(signal),
        _ => None,
    }
}
