//! One room: the shipped rules, with a mailbox before them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::messages::{Guest, News, Picture, RoomId, ToRoom, ToSession, Who};
use crate::{
    messages::session::Snapshot,
    protocol::{LeaveReason, PeerId, RoomName},
    room::state::{Effect, RoomState},
};

pub(super) struct Room {
    at: RoomId,
    name: RoomName,
    pub(super) rules: RoomState<Guest>,
    picture: Option<Picture>,
    pub(super) mailbox: VecDeque<ToRoom>,
    pub(super) gone: bool,
}

impl Room {
    pub(super) fn new(at: RoomId, name: RoomName) -> Self {
        Self { at, name, rules: RoomState::default(), picture: None, mailbox: VecDeque::new(), gone: false }
    }

    pub(super) fn kill(&mut self) {
        self.gone = true;
        self.mailbox.clear();
    }

    /// Handles its oldest message. Says who is sent what.
    pub(super) fn run(&mut self, peer_of: impl Fn(Who) -> PeerId) -> Vec<(Who, ToSession)> {
        let Some(message) = self.mailbox.pop_front() else { return Vec::new() };
        let (effects, join_seq) = match message {
            ToRoom::Admit(guest) => (self.rules.admit(peer_of(guest.0), None, None, guest), guest.1),
            ToRoom::Remove(who) => (self.rules.remove(peer_of(who), LeaveReason::Left), 0),
            ToRoom::Away(who) => (self.rules.away(peer_of(who), 0), 0),
            ToRoom::Back(who) => (self.rules.back(peer_of(who)), 0),
            ToRoom::Resync((who, join_seq)) => (self.rules.resync(peer_of(who)), join_seq),
        };
        if let ToRoom::Admit(_) | ToRoom::Remove(_) = message {
            assert!(!effects.is_empty(), "the supervisor admits nobody twice and removes only who is there");
            let (room, members) = (self.name.clone(), self.rules.sorted());
            self.picture = Some(Arc::new(Snapshot { room, capacity: members.len(), members, port: self.at }));
        }
        effects.into_iter().flat_map(|effect| self.carry_out(effect, join_seq)).collect()
    }

    fn carry_out(&mut self, effect: Effect, join_seq: u32) -> Vec<(Who, ToSession)> {
        match effect {
            Effect::NotifyJoined(peer) => self.others(peer, &News::Came(peer)),
            Effect::NotifyLeft(peer, _) => self.others(peer, &News::Left(peer)),
            Effect::NotifyAway(peer, _) | Effect::NotifyBack(peer) => self.others(peer, &News::Presence),
            Effect::Welcome(peer) => vec![self.whole(peer, |others| News::Joined(join_seq, others))],
            Effect::Resync(peer) => vec![self.whole(peer, News::Resynced)],
            Effect::Stop => {
                assert!(self.mailbox.is_empty(), "nobody is sent to a room that has ended");
                self.kill();
                Vec::new()
            }
            Effect::NotifyUpdated(_) | Effect::Confirm(_) | Effect::CountStray(_) => Vec::new(),
        }
    }

    fn others(&self, about: PeerId, news: &News) -> Vec<(Who, ToSession)> {
        self.rules.others(about).map(|other| (other.member.0, self.roster(news.clone()))).collect()
    }

    fn whole(&self, peer: PeerId, news: impl FnOnce(BTreeSet<PeerId>) -> News) -> (Who, ToSession) {
        let others = self.rules.seen_by(peer).map(|other| other.id).collect();
        let (who, _) = self.rules.occupant(peer).expect("it was let in").member;
        (who, self.roster(news(others)))
    }

    fn roster(&self, news: News) -> ToSession {
        ToSession::Roster(Arc::clone(self.picture.as_ref().expect("somebody was let in")), news)
    }
}
