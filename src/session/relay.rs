//! A signal on its way to one, some or all: straight from session to session, past the room.

use std::sync::Arc;

use super::fan_out;
use crate::{
    messages::{
        Bounds, Busy, Mark,
        session::{Deliver, Member, Posted, Snapshot},
    },
    moment::Moment,
    protocol::{PeerId, SignalKind, TextFrame, client::To},
    recorder::{
        self, RoomRecording,
        fact::{Blocks, ShortId, What},
    },
    telemetry::{self, RelayOutcome},
};

/// One signal, encoded once, shared by all its receivers.
pub(super) struct Relay<'a> {
    pub(super) from: &'a Member,
    pub(super) bounds: &'a Bounds,
    pub(super) kind: SignalKind,
    pub(super) frame: TextFrame,
    pub(super) read_at: Option<Moment>,
    pub(super) record: Record<'a>,
}

/// Where it is recorded that a signal was sent, if it is, and since when.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) recording: Option<&'a RoomRecording>,
    pub(super) at: Moment,
}

/// Who did not get a signal, of those that it was for.
#[derive(Default)]
pub(super) struct Unsent<'t> {
    /// Peers that are not in the room.
    pub(super) missing: Vec<PeerId>,
    /// Names that are nobody's.
    pub(super) unknown: &'t [Box<str>],
    /// Those that have no room for it, and will have none for long.
    pub(super) busy: Vec<PeerId>,
    /// Those that have no room for it, and say when they do.
    pub(super) waiting: Vec<Arc<Member>>,
}

impl Unsent<'_> {
    #[cold]
    fn busy(&mut self, member: &Arc<Member>, busy: Busy) {
        match busy {
            Busy::Waits => self.waiting.push(Arc::clone(member)),
            Busy::StillWaits | Busy::Away => self.busy.push(member.peer),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.busy.is_empty() && self.waiting.is_empty()
    }
}

impl Relay<'_> {
    /// Posts the signal, and says who did not get it.
    pub(super) fn send<'t>(&self, room: &Snapshot, to: &'t To) -> Unsent<'t> {
        let mut unsent = Unsent::default();
        match to {
            To::Peer(peer) => self.one(room, *peer, &mut unsent),
            To::Peers { known, unknown } => {
                fan_out::to(known.len());
                for peer in known {
                    self.one(room, *peer, &mut unsent);
                }
                unsent.unknown = unknown;
            }
            To::Everyone => self.everyone(room, &mut unsent),
        }
        unsent
    }

    fn one(&self, room: &Snapshot, peer: PeerId, unsent: &mut Unsent<'_>) {
        let Some(member) = room.find(peer).filter(|member| member.peer != self.from.peer) else {
            telemetry::tally(|t| t.relays.add(RelayOutcome::PeerNotFound));
            self.note(peer, RelayOutcome::PeerNotFound);
            return unsent.missing.push(peer);
        };
        match self.post_noted(member) {
            Posted::Taken | Posted::Full => {}
            Posted::Gone => unsent.missing.push(peer),
            Posted::Busy(busy) => unsent.busy(member, busy),
        }
    }

    /// Recorded as one, and what did not arrive one by one.
    fn everyone(&self, room: &Snapshot, unsent: &mut Unsent<'_>) {
        let others = room.members.len().saturating_sub(1);
        fan_out::to(others);
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        self.write(What::Broadcast { others, kind: self.kind, size: self.size() });
        for (peer, member) in &room.members {
            if *peer == self.from.peer {
                continue;
            }
            match self.post(member) {
                Posted::Taken => {}
                Posted::Busy(busy) => {
                    self.note_busy(*peer, busy);
                    unsent.busy(member, busy);
                }
                Posted::Full => self.note(*peer, RelayOutcome::ReceiverFull),
                Posted::Gone => self.note(*peer, RelayOutcome::ReceiverGone),
            }
        }
    }

    /// Posts it to one member, and has it recorded. What was given up as busy is recorded by who gives it up.
    #[inline]
    fn post_noted(&self, member: &Member) -> Posted {
        let posted = self.post(member);
        match posted {
            Posted::Taken => self.note(member.peer, RelayOutcome::Delivered),
            Posted::Full => self.note(member.peer, RelayOutcome::ReceiverFull),
            Posted::Gone => self.note(member.peer, RelayOutcome::ReceiverGone),
            Posted::Busy(busy) => self.note_busy(member.peer, busy),
        }
        posted
    }

    #[cold]
    fn note_busy(&self, to: PeerId, busy: Busy) {
        match busy {
            Busy::Waits => {
                self.write(What::Waits { to: ShortId::of(to), kind: self.kind, size: self.size() });
            }
            Busy::StillWaits | Busy::Away => self.note(to, RelayOutcome::Busy),
        }
    }

    /// Records what became of it.
    #[inline]
    pub(super) fn note(&self, to: PeerId, outcome: RelayOutcome) {
        self.write(What::Signal { to: ShortId::of(to), kind: self.kind, size: self.size(), outcome });
    }

    #[inline]
    fn write(&self, what: What) {
        recorder::note(self.record.recording, self.record.at, Some(self.from.peer), what);
    }

    #[inline]
    fn size(&self) -> Blocks {
        Blocks::of(self.frame.as_bytes().len())
    }

    /// Posts it to one member. Those that are busy are counted when it is known what becomes of it.
    pub(super) fn post(&self, member: &Member) -> Posted {
        let (from, mark) = (self.from.peer, Mark::default());
        let message = Deliver { from, kind: self.kind, frame: self.frame.clone(), read_at: self.read_at, mark };
        let posted = member.post_signal(message, &self.from.kill_switch, self.bounds);
        let outcome = match posted {
            Posted::Taken => RelayOutcome::Delivered,
            Posted::Full => RelayOutcome::ReceiverFull,
            Posted::Gone => RelayOutcome::ReceiverGone,
            Posted::Busy(_) => return posted,
        };
        telemetry::tally(|t| t.relays.add(outcome));
        posted
    }
}
