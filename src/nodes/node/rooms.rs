//! Replicas: what is heard is applied in order.

use std::{mem, sync::Arc};

use super::{
    Node, Own,
    told::{far, is_of, reason},
};
use crate::{
    cluster::{
        Change, Head, News, Seat, Seats, Signal, To,
        moderation::Moderation,
        replica::{Answer, Next, Snapshot, Verdict},
        routes::receives,
        seats::Departure,
    },
    messages::cluster::{Receiving, Told},
    nodes::{
        command::Kind,
        wire::{LogEntry, Sent, WireError},
    },
    protocol::{LeaveReason, PeerId, RoomName},
    telemetry::Resync,
};

impl Node {
    /// An entry was published.
    pub(in crate::nodes) fn heard(&mut self, name: &RoomName, entry: Result<LogEntry, WireError>, now: u64) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let Ok(entry) = entry else {
            self.counted.malformed += 1;
            return self.check(name, now);
        };
        room.replica.keep(Arc::new(entry));
        if !self.settling {
            self.catch_up(name, now);
        }
    }

    fn catch_up(&mut self, name: &RoomName, now: u64) {
        loop {
            let Some(room) = self.rooms.get_mut(name) else { return };
            match room.replica.next_step() {
                Next::Wait => return,
                Next::Ask => return self.check(name, now),
                Next::Entry(entry) => self.apply(name, &entry, now),
            }
        }
    }

    pub(super) fn check(&mut self, name: &RoomName, now: u64) {
        if !self.is_connected {
            return;
        }
        let Some(room) = self.rooms.get_mut(name) else { return };
        if let Some(question) = room.replica.question() {
            self.command(Some(name), Kind::Check(question), now);
        }
    }

    /// The first snapshot is here.
    pub(super) fn begin_replica(&mut self, name: &RoomName, snapshot: &Snapshot, now: u64) {
        let Some(room) = self.rooms.get_mut(name).filter(|room| !room.replica.is_ready()) else { return };
        room.replica.rebuild(Some(snapshot));
        self.arrivals(name, false);
        self.catch_up(name, now);
    }

    /// Own joins whose entry is in the snapshot.
    fn arrivals(&mut self, name: &RoomName, missed: bool) {
        let Some(room) = self.rooms.get(name) else { return };
        let seats = room.replica.seats().clone();
        let waiting = room.own.iter().filter(|(_, own)| !own.is_inside()).map(|(peer, _)| *peer);
        let mut came: Vec<_> = waiting.filter_map(|peer| Some((seats.get(&peer)?, peer))).collect();
        came.retain(|(seat, _)| is_of(Some(seat), &self.me));
        came.sort_by_key(|(seat, _)| seat.number);
        for (seat, peer) in came {
            if self.grant(name, peer, seat, &[]) && missed {
                self.tell(Told::Gap { room: name.clone(), peers: vec![peer] });
            }
        }
    }

    pub(super) fn check_answered(&mut self, name: &RoomName, born: u64, answer: Option<Answer<Sent>>, now: u64) {
        // Of a fork the new generation tells.
        if answer.is_some() && !matches!(answer, Some(Answer::Forked)) {
            self.unchecked.remove(name);
        }
        let settling = self.settling;
        let Some(room) = self.rooms.get_mut(name).filter(|room| room.born == born) else { return };
        let Head { n, .. } = room.replica.head();
        if matches!(&answer, Some(Answer::Since(entries)) if entries.first().is_some_and(|entry| entry.head.n > n)) {
            self.counted.holes += 1;
        }
        let life = room.replica.head().life;
        match room.replica.answered(answer, settling) {
            Verdict::Nothing => {}
            Verdict::CatchUp => self.catch_up(name, now),
            Verdict::Rebuild(snapshot) => {
                let why = snapshot.as_ref().map_or(Resync::Empty, |snapshot| {
                    if snapshot.head.life == life { Resync::Trimmed } else { Resync::Life }
                });
                self.rebuild(name, snapshot.as_deref(), Some(why), now);
            }
            Verdict::Forked => drop(self.command(None, Kind::Fork(self.generation), now)),
        }
    }

    pub(super) fn rebuild(&mut self, name: &RoomName, snapshot: Option<&Snapshot>, why: Option<Resync>, now: u64) {
        let gap = why.is_some();
        if let Some(why) = why {
            self.counted.resyncs.add(why);
        }
        self.tell_replaced(name);
        let me = self.me.clone();
        let Some(room) = self.rooms.get_mut(name) else { return };
        let (before, was_locked) = (room.replica.seats().clone(), room.replica.rules().locked);
        let news = room.replica.rebuild(snapshot);
        let (after, is_locked, is_told) = (room.replica.seats().clone(), room.replica.rules().locked, room.is_told);
        let lost = |(peer, own): &(&PeerId, &Own)| own.is_inside() && !is_of(after.get(peer), &me);
        let lost: Vec<_> = room.own.iter().filter(lost).map(|(peer, _)| *peer).collect();
        for peer in lost {
            room.own.remove(&peer);
            self.told.push_back(Told::Left { room: name.clone(), peer, reason: LeaveReason::Timeout });
        }
        let peers: Vec<_> = room.own.iter().filter(|(_, own)| own.is_inside()).map(|(peer, _)| *peer).collect();
        if is_told {
            for news in news {
                self.tell_difference(name, news, &before, &after);
            }
            if was_locked != is_locked {
                self.tell(Told::Locked { room: name.clone(), locked: is_locked });
            }
        }
        if gap && !peers.is_empty() {
            self.tell(Told::Gap { room: name.clone(), peers: peers.clone() });
        }
        for peer in peers {
            self.agree(name, peer, now);
        }
        self.arrivals(name, gap);
        self.forget_unused(name, now);
        self.catch_up(name, now);
    }

    fn tell_difference(&mut self, name: &RoomName, news: News, before: &Seats, after: &Seats) {
        let peer = news.subject();
        let seat = if matches!(news, News::Left { .. }) { before.get(&peer) } else { after.get(&peer) };
        let Some(seat) = seat.filter(|seat| !is_of(Some(seat), &self.me)) else { return };
        let room = name.clone();
        match news {
            News::Left { .. } => self.tell(Told::Left { room, peer, reason: LeaveReason::Timeout }),
            News::Joined { .. } => self.tell(Told::Joined { room, peer: far(peer, seat), replaced: Vec::new() }),
            News::Away { .. } => self.tell(Told::Away { room, peer, until_ms: seat.until }),
            // Who has just been told of as there is not told of as back.
            News::Back { .. } if !before.contains_key(&peer) => {}
            News::Back { .. } => self.tell(Told::Back { room, peer }),
            News::Updated { .. } => {
                let meta = seat.meta.clone();
                self.told.extend(meta.map(|meta| Told::Updated { room, peer, meta }));
            }
        }
    }

    /// The log says `away` of who is here, or the other way round.
    fn agree(&mut self, name: &RoomName, peer: PeerId, now: u64) {
        let Some(room) = self.rooms.get(name) else { return };
        let (Some(own), Some(seat)) = (room.own.get(&peer), room.replica.seats().get(&peer)) else { return };
        if own.is_inside() && seat.away != own.away.is_some() {
            let kind = own.away.map_or(Kind::Back(peer), |until| Kind::Away(peer, until));
            self.command(Some(name), kind, now);
        }
    }

    fn apply(&mut self, name: &RoomName, entry: &LogEntry, now: u64) {
        let takes_seats = matches!(entry.change, Change::Left { departure: Departure::Replaced, .. });
        if !takes_seats && !matches!(entry.change, Change::Joined { .. }) {
            self.tell_replaced(name);
        }
        let Some(room) = self.rooms.get_mut(name) else { return };
        let before = match &entry.change {
            Change::Left { peer, .. } => room.replica.seats().get(peer).cloned(),
            _ => None,
        };
        let news = room.replica.apply(entry);
        match &entry.change {
            Change::Signal(signal) => return self.apply_signal(name, signal),
            Change::Joined { peer, seat } => {
                let seat = Seat { number: entry.head.n, ..seat.clone() };
                self.apply_joined(name, *peer, &seat);
            }
            Change::Left { peer, departure, .. } => self.apply_left(name, *peer, before.as_ref(), *departure),
            Change::Moderated(Moderation::Lock(locked)) if room.is_told => {
                self.tell(Told::Locked { room: name.clone(), locked: *locked });
            }
            Change::Away { peer, .. } | Change::Back { peer } | Change::Updated { peer, .. } => {
                self.apply_to(name, *peer, news, now);
            }
            _ => {}
        }
        if !takes_seats {
            self.forget_unused(name, now);
        }
    }

    fn apply_joined(&mut self, name: &RoomName, peer: PeerId, seat: &Seat) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let replaced = mem::take(&mut room.replaced);
        if is_of(Some(seat), &self.me) {
            if !self.grant(name, peer, seat, &replaced)
                && let Some(room) = self.rooms.get_mut(name)
            {
                room.replaced = replaced;
                self.tell_replaced(name);
            }
        } else if room.is_told {
            self.tell(Told::Joined { room: name.clone(), peer: far(peer, seat), replaced });
        }
    }

    fn apply_left(&mut self, name: &RoomName, peer: PeerId, before: Option<&Seat>, departure: Departure) {
        let Some(room) = self.rooms.get_mut(name).filter(|_| before.is_some()) else { return };
        // While a join is under way it is an earlier seat that ends.
        let mine = room.own.get(&peer).is_some_and(Own::is_inside);
        if mine {
            room.own.remove(&peer);
        }
        let is_heard = mine || (room.is_told && !is_of(before, &self.me));
        if !is_heard {
        } else if departure == Departure::Replaced {
            room.replaced.push(peer);
        } else {
            self.tell(Told::Left { room: name.clone(), peer, reason: reason(departure) });
        }
    }

    fn apply_to(&mut self, name: &RoomName, peer: PeerId, news: Option<News>, now: u64) {
        let Some(room) = self.rooms.get(name) else { return };
        if is_of(room.replica.seats().get(&peer), &self.me) {
            return self.agree(name, peer, now);
        }
        if let Some(news) = news.filter(|_| room.is_told) {
            let seats = room.replica.seats().clone();
            self.tell_difference(name, news, &seats, &seats);
        }
    }

    fn apply_signal(&mut self, name: &RoomName, signal: &Signal<Sent>) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if !room.replica.is_first(signal) {
            return;
        }
        let To::Peers(to) = &signal.to else { return };
        let seats = room.replica.seats();
        let here = |peer: &PeerId| room.own.get(peer).is_some_and(Own::is_inside) && receives(seats, signal, *peer);
        let to: Vec<_> = to.iter().copied().filter(here).collect();
        if !to.is_empty() {
            let Sent { kind, frame } = signal.data.clone();
            let signal = Receiving { room: name.clone(), from: signal.sender, to, kind, frame, done: None };
            self.tell(Told::Signal(Box::new(signal)));
        }
    }
}
