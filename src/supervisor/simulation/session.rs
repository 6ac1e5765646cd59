//! What a session must do at least for its client to believe the truth in the end:
//! - a welcome or an eviction counts only of the stay that it names, and a welcome only until it has left;
//! - other news count only when they are of the very room that welcomed it (names are used anew, room actors are not);
//! - in no room, and before its welcome, it heeds no news.

use std::collections::{BTreeSet, VecDeque};

use crate::protocol::{PeerId, SessionId};

/// A room actor, by number: each is used once.
pub(super) type Ports = usize;

#[derive(Debug, Clone)]
pub(super) enum ToSession {
    Welcome(u32, Ports, BTreeSet<PeerId>),
    Joined(Ports, PeerId),
    Left(Ports, PeerId),
    Evict(u32),
}

#[derive(Debug, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Out,
    Joining,
    In(Ports, BTreeSet<PeerId>),
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) peer: PeerId,
    pub(super) phase: Phase,
    /// Which of its stays this is, or was; a new number for each `Join`.
    pub(super) stay: u32,
    pub(super) mailbox: VecDeque<ToSession>,
    pub(super) answer: Option<bool>,
    pub(super) gone: bool,
}

impl Session {
    pub(super) fn new() -> Self {
        let (id, peer) = (SessionId::random(), PeerId::random());
        Self { id, peer, phase: Phase::Out, stay: 0, mailbox: VecDeque::new(), answer: None, gone: false }
    }

    /// Asks for a room, if it is in none. Says whether it did.
    pub(super) fn join(&mut self) -> bool {
        let asks = self.phase == Phase::Out;
        if asks {
            self.stay += 1;
            self.phase = Phase::Joining;
        }
        asks
    }

    pub(super) fn handle(&mut self, letter: ToSession) {
        match (letter, &mut self.phase) {
            (ToSession::Welcome(stay, room, others), Phase::Joining) if stay == self.stay => {
                self.phase = Phase::In(room, others);
            }
            (ToSession::Joined(room, peer), Phase::In(mine, others)) if room == *mine => {
                others.insert(peer);
            }
            (ToSession::Left(room, peer), Phase::In(mine, others)) if room == *mine => {
                others.remove(&peer);
            }
            (ToSession::Evict(stay), _) if stay == self.stay => self.end(),
            _ => {}
        }
    }

    /// Out of whatever room it is in. An answer that is still awaited is not listened to any more.
    pub(super) fn end(&mut self) {
        self.answer = None;
        self.phase = Phase::Out;
    }
}
