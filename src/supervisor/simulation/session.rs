//! The session here is what a session must do at least for its client to believe the truth in the end:
//! - in no room, it heeds no roster;
//! - a welcome always counts as long as it wants to be in a room, and replaces what it believed;
//! - a refusal means that it is in no room, whatever it believed;
//! - other news count only when they are of the very room that welcomed it (names are used anew, room actors are not);
//! - evicted from the room it is in or on its way into, it sends `Leave`, for the letter may be about a former room of
//!   that name while a seat in the new one is already its own.

use std::collections::{BTreeSet, VecDeque};

use crate::protocol::{PeerId, SessionId};

/// A room actor, by number: each is used once.
pub(super) type Ports = usize;

#[derive(Debug, Clone)]
pub(super) enum ToSession {
    Welcome(Ports, BTreeSet<PeerId>),
    Joined(Ports, PeerId),
    Left(Ports, PeerId),
    Evict(usize),
}

#[derive(Debug, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Out,
    Joining(usize),
    In(usize, Ports, BTreeSet<PeerId>),
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) peer: PeerId,
    pub(super) phase: Phase,
    pub(super) mailbox: VecDeque<ToSession>,
    pub(super) answer: Option<bool>,
    pub(super) gone: bool,
}

impl Session {
    pub(super) fn new() -> Self {
        let (id, peer) = (SessionId::random(), PeerId::random());
        Self { id, peer, phase: Phase::Out, mailbox: VecDeque::new(), answer: None, gone: false }
    }

    /// Says whether it sends `Leave`.
    pub(super) fn handle(&mut self, letter: ToSession) -> bool {
        match (letter, &mut self.phase) {
            (ToSession::Welcome(room, others), Phase::Joining(name) | Phase::In(name, ..)) => {
                self.phase = Phase::In(*name, room, others);
            }
            (ToSession::Joined(room, peer), Phase::In(_, mine, others)) if room == *mine => {
                others.insert(peer);
            }
            (ToSession::Left(room, peer), Phase::In(_, mine, others)) if room == *mine => {
                others.remove(&peer);
            }
            (ToSession::Evict(room), Phase::Joining(name) | Phase::In(name, ..)) if room == *name => return self.end(),
            _ => {}
        }
        false
    }

    /// Out of whatever room it is in. An answer that is still awaited is not listened to any more.
    pub(super) fn end(&mut self) -> bool {
        self.answer = None;
        std::mem::take(&mut self.phase) != Phase::Out
    }
}
