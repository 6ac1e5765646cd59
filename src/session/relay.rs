//! A signal on its way to one, some or all: straight from session to session, past the room.

use std::time::Instant;

use crate::{
    messages::session::{Deliver, Member, Posted, Snapshot, ToMember},
    protocol::{PeerId, SignalKind, TextFrame, client::To},
    telemetry::{self, RelayOutcome},
};

/// One signal, encoded once, shared by all its receivers.
pub(super) struct Relay<'a> {
    pub(super) room: &'a Snapshot,
    pub(super) from: PeerId,
    pub(super) kind: SignalKind,
    pub(super) frame: TextFrame,
    pub(super) read_at: Option<Instant>,
}

impl Relay<'_> {
    /// Posts the signal and says which of the named peers are not there: those that could be, and those whose names are
    /// nobody's.
    pub(super) fn send<'t>(&self, to: &'t To) -> (Vec<PeerId>, &'t [Box<str>]) {
        match to {
            To::Peer(peer) => (self.one(*peer).into_iter().collect(), &[]),
            To::Peers { known, unknown } => (known.iter().filter_map(|peer| self.one(*peer)).collect(), unknown),
            To::Everyone => {
                self.everyone();
                (Vec::new(), &[])
            }
        }
    }

    /// The peer, if it is not there.
    fn one(&self, peer: PeerId) -> Option<PeerId> {
        let Some(member) = self.room.find(peer).filter(|member| member.peer != self.from) else {
            telemetry::tally(|t| t.relays.add(RelayOutcome::PeerNotFound));
            return Some(peer);
        };
        (self.post(member) == Posted::Gone).then_some(peer)
    }

    fn everyone(&self) {
        for (peer, member) in &self.room.members {
            if *peer != self.from {
                self.post(member);
            }
        }
    }

    fn post(&self, member: &Member) -> Posted {
        let message = Deliver { from: self.from, kind: self.kind, frame: self.frame.clone(), read_at: self.read_at };
        let posted = member.post(ToMember::Deliver(message));
        telemetry::tally(|t| {
            t.relays.add(match posted {
                Posted::Taken => RelayOutcome::Delivered,
                Posted::Full => RelayOutcome::ReceiverFull,
                Posted::Gone => RelayOutcome::ReceiverGone,
            });
        });
        posted
    }
}
