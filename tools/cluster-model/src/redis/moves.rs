//! The store: release, claim, where.

use std::rc::Rc;

use switchboard::{
    cluster::{Change, Incarnation, claim},
    protocol::{PeerId, ResumeSecret},
};

use super::Redis;
use crate::{
    event::{Claimed, LogEntry, Record, Reply, Room},
    switch::Switch,
};

impl Redis {
    pub(super) fn release(&mut self, me: &Incarnation, name: Room, peer: PeerId, record: &Rc<Record>) -> Reply {
        let (until, tell) = (self.window_end(), !self.keeps(Switch::QuietMoves));
        let Some(kept) = self.owned(me, name, peer) else { return Reply::Gone };
        kept.seat.owner = None;
        kept.seat.away |= tell;
        kept.until = until;
        self.data.records.insert(peer, record.clone());
        self.append(name, Change::Released { peer, tell });
        Reply::Done
    }

    pub(super) fn find(&self, name: Room, peer: PeerId) -> Reply {
        match self.data.rooms.get(&name).and_then(|room| room.seats.get(&peer)) {
            None => Reply::Nowhere,
            Some(kept) => kept.seat.owner.clone().map_or(Reply::InStore, Reply::At),
        }
    }

    pub(super) fn claim(&mut self, me: &Incarnation, name: Room, peer: PeerId, secret: &ResumeSecret) -> Reply {
        if self.asserting().is_some() {
            return Reply::Unavailable;
        }
        let seat = self.data.rooms.get(&name).and_then(|room| room.seats.get(&peer));
        let stored = seat.is_some_and(|kept| kept.seat.owner.is_none());
        let Some(record) = self.data.records.get(&peer).filter(|_| stored).cloned() else {
            return Reply::Unavailable;
        };
        if !record.buffer.knows(secret) {
            return Reply::Nowhere;
        }
        self.data.records.remove(&peer);
        let room = self.data.rooms.get_mut(&name).expect("looked up above");
        let kept = room.seats.get_mut(&peer).expect("looked up above");
        (kept.seat.owner, kept.seat.away) = (Some(me.clone()), false);
        kept.seat.version += 1;
        let version = kept.seat.version;
        let since: Vec<LogEntry> = room.stream.iter().filter(|entry| entry.head.n > record.mark.1).cloned().collect();
        let whole = claim::is_whole(record.mark, room.head, since.len());
        self.append(name, Change::Claimed { peer, owner: me.clone(), version });
        let snapshot = Rc::new(self.snapshot(&self.data.rooms[&name]));
        Reply::Claimed(Rc::new(Claimed { record, since: whole.then_some(since), snapshot }))
    }
}
