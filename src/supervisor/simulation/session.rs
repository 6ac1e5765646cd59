//! What a session must do at least for its client to believe the truth in the end:
//! - a welcome or an eviction counts only of the stay that it names, and a welcome only until it has left;
//! - other news count only when they are of the very room that welcomed it (names are used anew, room actors are not);
//! - in no room, and before its welcome, it heeds no news;
//! - asked to end because too many are away, it does so if it is away still, and not if it came back meanwhile.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    limits::Subnet,
    protocol::{PeerId, SessionId},
};

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

/// Whether a session is to end without its client's doing.
#[derive(Debug, Default, PartialEq)]
enum Ending {
    #[default]
    No,
    /// It was asked to, and has not looked yet whether it is away.
    Asked,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) peer: PeerId,
    pub(super) phase: Phase,
    /// Which of its stays this is, or was; a new number for each `Join`.
    pub(super) join_seq: u32,
    pub(super) mailbox: VecDeque<ToSession>,
    pub(super) answer: Option<bool>,
    pub(super) gone: bool,
    pub(super) from: Option<Subnet>,
    /// Whether its socket is gone.
    pub(super) away: bool,
    /// Whether it is to end if it is away, and has not looked yet.
    ending: Ending,
}

impl Session {
    pub(super) fn new(from: Option<Subnet>) -> Self {
        Self {
            id: SessionId::random(),
            peer: PeerId::random(),
            phase: Phase::Out,
            join_seq: 0,
            mailbox: VecDeque::new(),
            answer: None,
            gone: false,
            from,
            away: false,
            ending: Ending::No,
        }
    }

    /// Its socket is lost, or there is one again. Says whether that is news.
    pub(super) fn set_away(&mut self, away: bool) -> bool {
        let changes = matches!(self.phase, Phase::In(..)) && self.away != away;
        if changes {
            self.away = away;
        }
        changes
    }

    /// Whether it is to end now, without its client's doing. Whoever is back is not.
    pub(super) fn is_to_end(&mut self) -> bool {
        let ending = std::mem::take(&mut self.ending);
        !self.gone && self.away && ending != Ending::No
    }

    /// More are away than may be, and this one is to go.
    pub(super) fn give_up(&mut self) {
        self.ending = Ending::Asked;
    }

    /// Whether it has not looked yet whether it is to end.
    pub(super) fn is_asked_to_end(&self) -> bool {
        !self.gone && self.ending != Ending::No
    }

    /// Asks for a room, if it is in none. Says whether it did.
    pub(super) fn join(&mut self) -> bool {
        let asks = self.phase == Phase::Out && !self.away;
        if asks {
            self.join_seq += 1;
            self.phase = Phase::Joining;
        }
        asks
    }

    pub(super) fn handle(&mut self, message: ToSession) {
        match (message, &mut self.phase) {
            (ToSession::Welcome(join_seq, room, others), Phase::Joining) if join_seq == self.join_seq => {
                self.phase = Phase::In(room, others);
            }
            (ToSession::Joined(room, peer), Phase::In(mine, others)) if room == *mine => {
                others.insert(peer);
            }
            (ToSession::Left(room, peer), Phase::In(mine, others)) if room == *mine => {
                others.remove(&peer);
            }
            (ToSession::Evict(join_seq), _) if join_seq == self.join_seq => {
                self.end();
                if self.away {
                    // There is nothing to come back to.
                    self.ending = Ending::Asked;
                }
            }
            _ => {}
        }
    }

    /// Out of whatever room it is in. An answer that is still awaited is not listened to any more.
    pub(super) fn end(&mut self) {
        self.answer = None;
        self.phase = Phase::Out;
    }
}
