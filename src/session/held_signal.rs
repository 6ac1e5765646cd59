//! A signal that some of its receivers have no room for yet. Its sender is read no further meanwhile, so there is one at most,
//! and nothing of the sender's overtakes it.

use std::{sync::Arc, time::Instant};

use super::{
    relay::{Record, Relay},
    state::Re,
};
use crate::{
    messages::{
        Bounds, Busy,
        session::{Member, Posted, Snapshot},
    },
    moment::Moment,
    protocol::{PeerId, SignalKind, TextFrame},
    recorder::{
        RoomRecording,
        fact::{Blocks, ShortId, What},
    },
    telemetry::RelayOutcome,
};

/// See the module.
pub(super) struct HeldSignal {
    kind: SignalKind,
    frame: TextFrame,
    read_at: Option<Moment>,
    /// The `id` of the client's frame.
    pub(super) re: Re,
    /// The receivers that it waits for.
    waiting: Vec<Arc<Member>>,
    /// When the wait is over.
    pub(super) until: Instant,
}

/// Who will not get it.
#[derive(Default)]
pub(super) struct Lost {
    /// Receivers that are not in the room any more.
    pub(super) missing: Vec<PeerId>,
    /// Receivers that have no room for it.
    pub(super) busy: Vec<PeerId>,
}

impl HeldSignal {
    pub(super) fn new(relay: Relay<'_>, re: Re, waiting: Vec<Arc<Member>>, until: Instant) -> Self {
        let Relay { kind, frame, read_at, .. } = relay;
        Self { kind, frame, read_at, re, waiting, until }
    }

    /// Whether nobody is left that it waits for.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What it takes. Its receivers share it, so that none of them answers for it before it has it.
    pub(super) fn bytes(&self) -> usize {
        self.frame.as_bytes().len()
    }

    /// Posts it to all that have room by now.
    pub(super) fn post(&mut self, from: &Member, bounds: &Bounds, recording: Option<&RoomRecording>) -> Lost {
        let (kind, frame, read_at) = (self.kind, self.frame.clone(), self.read_at);
        let record = Record { recording, at: Moment::now() };
        let relay = Relay { from, bounds, kind, frame, read_at, record };
        let mut lost = Lost::default();
        self.waiting.retain(|member| {
            let outcome = match relay.post(member) {
                Posted::Taken => RelayOutcome::Delivered,
                Posted::Full => RelayOutcome::ReceiverFull,
                Posted::Gone => {
                    lost.missing.push(member.peer);
                    RelayOutcome::ReceiverGone
                }
                Posted::Busy(Busy::Away) => {
                    lost.busy.push(member.peer);
                    RelayOutcome::Busy
                }
                Posted::Busy(Busy::Waits | Busy::StillWaits) => return true,
            };
            relay.note(member.peer, outcome);
            false
        });
        lost
    }

    /// What the flight recorder is told of it, for one of its receivers.
    pub(super) fn fact(&self, to: PeerId, outcome: RelayOutcome) -> What {
        What::Signal { to: ShortId::of(to), kind: self.kind, size: Blocks::of(self.bytes()), outcome }
    }

    /// Gives up those that are not in the room.
    pub(super) fn give_up_missing(&mut self, room: &Snapshot) -> Vec<PeerId> {
        let mut missing = Vec::new();
        self.waiting.retain(|member| {
            let is_there = room.find(member.peer).is_some();
            if !is_there {
                missing.push(member.peer);
            }
            is_there
        });
        missing
    }

    /// Gives up all.
    pub(super) fn give_up(&mut self) -> Vec<PeerId> {
        self.waiting.drain(..).map(|member| member.peer).collect()
    }
}
