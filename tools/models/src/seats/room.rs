//! One room: the shipped rules, with a mailbox before them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::messages::{Guest, News, RoomId, ToRoom, ToSession, Who};
use switchboard::{
    messages::session::Snapshot,
    protocol::{LeaveReason, PeerId, RoomName},
    room::{
        gather::{ForMember, Gathered, Happening},
        state::{Effect, RoomState},
    },
};

/// What happened to that peer: for all others.
struct Happened(PeerId, News);

impl Happening for Happened {
    fn concerns(&self, member: PeerId) -> bool {
        self.0 != member
    }
}

pub(super) struct Room {
    at: RoomId,
    name: RoomName,
    pub(super) rules: RoomState<Guest>,
    gathered: Gathered<Happened, News>,
    pub(super) mailbox: VecDeque<ToRoom>,
    pub(super) gone: bool,
}

impl Room {
    pub(super) fn new(at: RoomId, name: RoomName) -> Self {
        Self {
            at,
            name,
            rules: RoomState::default(),
            gathered: Gathered::default(),
            mailbox: VecDeque::new(),
            gone: false,
        }
    }

    pub(super) fn kill(&mut self) {
        self.gone = true;
        self.mailbox.clear();
    }

    /// Handles its oldest message. Says who is sent what, when none is left.
    pub(super) fn run(&mut self, peer_of: impl Fn(Who) -> PeerId) -> Vec<(Who, ToSession)> {
        let Some(message) = self.mailbox.pop_front() else { return Vec::new() };
        let changes = matches!(message, ToRoom::Admit(..) | ToRoom::Remove(_));
        let (effects, join_seq) = match message {
            ToRoom::Admit(guest, replaced) => {
                let replaced: Vec<_> = replaced.into_iter().map(&peer_of).collect();
                let mut effects = self.rules.replace(&replaced);
                effects.extend(self.rules.admit(peer_of(guest.0), None, None, None, replaced.last().copied(), guest));
                (effects, guest.1)
            }
            ToRoom::Remove(who) => (self.rules.remove(peer_of(who), LeaveReason::Left), 0),
            ToRoom::Away(who) => (self.rules.away(peer_of(who), 0), 0),
            ToRoom::Back(who) => (self.rules.back(peer_of(who)), 0),
            ToRoom::Resync((who, join_seq)) => (self.rules.resync(peer_of(who)), join_seq),
        };
        if changes {
            assert!(!effects.is_empty(), "the supervisor admits nobody twice and removes only who is there");
        }
        for effect in effects {
            self.carry_out(effect, join_seq);
        }
        if self.mailbox.is_empty() || self.gathered.is_full() { self.notify() } else { Vec::new() }
    }

    fn carry_out(&mut self, effect: Effect, join_seq: u32) {
        match effect {
            Effect::NotifyJoined(peer, _) => self.gathered.add(Happened(peer, News::Came(peer))),
            Effect::NotifyLeft(peer, _) => self.gathered.add(Happened(peer, News::Left(peer))),
            Effect::NotifyAway(peer, _) | Effect::NotifyBack(peer) => {
                self.gathered.add(Happened(peer, News::Presence));
            }
            Effect::Welcome(peer) => self.gathered.welcome(peer, News::Joined(join_seq, self.others(peer))),
            Effect::Resync(peer) => self.gathered.resync(peer, News::Resynced(self.others(peer))),
            Effect::Stop => {
                assert!(self.mailbox.is_empty(), "nobody is sent to a room that has ended");
                self.kill();
            }
            Effect::NotifyUpdated(_) | Effect::CountStray(_) => {}
        }
    }

    fn others(&self, peer: PeerId) -> BTreeSet<PeerId> {
        self.rules.seen_by(peer).map(|other| other.id).collect()
    }

    /// As the shipped room does it.
    fn notify(&mut self) -> Vec<(Who, ToSession)> {
        let (room, members) = (self.name.clone(), self.rules.sorted());
        let picture = Arc::new(Snapshot { room, capacity: members.len(), members, port: self.at });
        let mut gathered = std::mem::take(&mut self.gathered);
        let mut posts = Vec::new();
        for one in self.rules.occupants() {
            let ForMember { from, whole } = gathered.take_for(one.peer);
            let news = |from| gathered.events(from, one.peer).map(|Happened(_, news)| news.clone());
            let news: Vec<_> = match whole {
                Some((at, whole)) => {
                    let before = gathered.events(from, one.peer).count() - gathered.events(at, one.peer).count();
                    news(from).take(before).chain([whole]).chain(news(at)).collect()
                }
                None => news(from).collect(),
            };
            if !news.is_empty() {
                posts.push((one.member.0, ToSession::Roster(Arc::clone(&picture), news)));
            }
        }
        posts
    }
}
