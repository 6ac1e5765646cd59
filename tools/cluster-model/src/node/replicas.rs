//! Replicas: what is heard is applied in order, and told to the sessions of the room.

use std::sync::Arc;

use switchboard::{
    cluster::{
        Change, Replica, Seat, Seats, Signal, To,
        replica::{Answer, Next, Snapshot, Verdict},
        routes::receives,
        seats::Departure,
    },
    protocol::PeerId,
};

use super::Held;
use crate::{
    event::{Kind, LogEntry, Post, Reply, Room, Then, Uid},
    session::Phase,
    switch::Switch,
    world::World,
};

impl World {
    pub(super) fn replica(&mut self, n: usize, room: Room) {
        if !self.nodes[n].replicas.contains_key(&room) {
            let born = self.unique();
            self.nodes[n].replicas.insert(room, Held { born, replica: Replica::default() });
            self.subscribe(n, room);
        }
    }

    pub(super) fn forget_unused(&mut self, n: usize, room: Room) {
        let node = &self.nodes[n];
        let joins = |command: &crate::event::Command| {
            command.room == room && matches!(command.kind, Kind::Join(..) | Kind::Claim(..))
        };
        let busy = !self.local(n, room).is_empty()
            || node.adopting.values().any(|attempt| self.attempts[*attempt].room == room)
            || node.line.iter().any(joins);
        if !busy && self.nodes[n].replicas.remove(&room).is_some() {
            self.redis.channels.entry(room).or_default().remove(&n);
        }
    }

    /// The first snapshot is here.
    pub(super) fn begin_replica(&mut self, n: usize, room: Room, snapshot: &Snapshot) {
        if let Some(held) = self.nodes[n].replicas.get_mut(&room)
            && !held.replica.is_ready()
        {
            held.replica.rebuild(Some(snapshot));
            self.arrivals(n, room, false);
            self.catch_up(n, room);
        }
    }

    /// Own sessions whose entry is in the snapshot.
    fn arrivals(&mut self, n: usize, room: Room, missed: bool) {
        let Some(held) = self.nodes[n].replicas.get(&room) else { return };
        let (seats, head) = (held.replica.seats().clone(), held.replica.head());
        for ix in self.local(n, room) {
            let session = &self.sessions[ix];
            if !session.seated && session.phase == Phase::Joining && seats.contains_key(&session.peer) {
                self.enter(ix, seats.clone());
                if missed {
                    self.post(ix, Post::Gap);
                }
            }
        }
        let adopting: Vec<_> = self.nodes[n].adopting.values().copied().collect();
        for attempt in adopting {
            let of = &self.attempts[attempt];
            let mine = seats.get(&of.peer).is_some_and(|seat| seat.owner.as_ref() == Some(&self.nodes[n].me));
            if of.room == room && mine {
                let late = of
                    .answer
                    .as_ref()
                    .is_none_or(|claimed| switchboard::cluster::claim::is_late(claimed.snapshot.head, head));
                self.install(attempt, missed || late);
            }
        }
    }

    fn enter(&mut self, ix: usize, seats: Arc<Seats>) {
        self.sessions[ix].seated = true;
        self.post(ix, Post::Enter(seats));
    }

    pub(crate) fn heard(&mut self, n: usize, room: Room, entry: LogEntry) {
        let settling = self.nodes[n].settling;
        if let Some(held) = self.nodes[n].replicas.get_mut(&room) {
            held.replica.keep(entry);
            if !settling {
                self.catch_up(n, room);
            }
        }
    }

    fn catch_up(&mut self, n: usize, room: Room) {
        loop {
            let Some(held) = self.nodes[n].replicas.get_mut(&room) else { return };
            match held.replica.next_step() {
                Next::Wait => return,
                Next::Ask => return self.check(n, room),
                Next::Entry(entry) => self.apply(n, room, &entry),
            }
        }
    }

    pub(super) fn check(&mut self, n: usize, room: Room) {
        let Some(held) = self.nodes[n].replicas.get_mut(&room) else { return };
        let born = held.born;
        if let Some(question) = held.replica.question() {
            self.command(n, room, Kind::Check(question), Then::Checked(born));
        }
    }

    pub(super) fn check_answered(&mut self, n: usize, room: Room, born: u64, reply: Reply) {
        let answer = match reply {
            Reply::Check(answer) => Some(answer),
            _ => None,
        };
        let node = &mut self.nodes[n];
        if node.unchecked.contains(&room) {
            // Of a fork the new generation tells.
            if !matches!(answer, Some(Answer::Forked)) {
                node.unchecked.remove(&room);
            }
            self.flush_soon(n);
        }
        let gone_counts = self.keeps(Switch::RoomLives);
        let node = &mut self.nodes[n];
        let Some(held) = node.replicas.get_mut(&room).filter(|held| held.born == born) else { return };
        let answer = answer.filter(|answer| gone_counts || !matches!(answer, Answer::Gone));
        let head = held.replica.head();
        if matches!(&answer, Some(Answer::Since(entries)) if entries.first().is_some_and(|entry| entry.head.n > head.n))
        {
            *self.counts.entry("holes filled").or_default() += 1;
        }
        match held.replica.answered(answer, node.settling) {
            Verdict::Nothing => {}
            Verdict::CatchUp => self.catch_up(n, room),
            Verdict::Rebuild(snapshot) => self.rebuild(n, room, snapshot.as_deref(), true),
            Verdict::Forked => {
                let generation = self.nodes[n].generation;
                self.command(n, room, Kind::Fork(generation), Then::Nothing);
            }
        }
    }

    fn flush_soon(&mut self, n: usize) {
        // At once would be within the answer that opened the line; what is sent takes its time anyway.
        self.flush(n);
    }

    pub(super) fn rebuild(&mut self, n: usize, room: Room, snapshot: Option<&Snapshot>, gap: bool) {
        self.count(if gap { "rebuilt with a gap" } else { "rebuilt" });
        let node = &mut self.nodes[n];
        let Some(held) = node.replicas.get_mut(&room) else { return };
        let news = held.replica.rebuild(snapshot);
        let (after, me) = (held.replica.seats().clone(), node.me.clone());
        for ix in self.local(n, room) {
            let session = &self.sessions[ix];
            let seat = after.get(&session.peer);
            if session.seated && seat.and_then(|seat| seat.owner.as_ref()) != Some(&me) {
                let moved = seat.is_some();
                self.ended_by_log(ix, moved);
            }
        }
        for ix in self.local(n, room) {
            if !self.sessions[ix].seated {
                continue;
            }
            if news.is_empty() {
                self.post(ix, Post::News(None, after.clone()));
            }
            for news in &news {
                self.post(ix, Post::News(Some(*news), after.clone()));
            }
            let line = &self.nodes[n].line;
            self.sessions[ix].routes.rebuilt(|number| line.get(number).is_some());
            if gap {
                self.post(ix, Post::Gap);
            }
            self.agree(ix, &after);
        }
        self.arrivals(n, room, gap);
        self.forget_unused(n, room);
        self.catch_up(n, room);
    }

    /// The log says `away` of who is here, or the other way round.
    fn agree(&mut self, ix: usize, seats: &Seats) {
        let session = &self.sessions[ix];
        if session.phase == Phase::Inside
            && session.release.is_none()
            && let Some(seat) = seats.get(&session.peer)
            && seat.away != session.socket.is_none()
        {
            let (n, room, peer) = (session.node, session.room, session.peer);
            let kind = if session.socket.is_none() { Kind::Away(peer) } else { Kind::Back(peer) };
            self.command(n, room, kind, Then::Nothing);
        }
    }

    fn apply(&mut self, n: usize, room: Room, entry: &LogEntry) {
        let held = self.nodes[n].replicas.get_mut(&room).expect("its entry");
        let before = held.replica.seats().clone();
        let news = held.replica.apply(entry);
        let seats = held.replica.seats().clone();
        let here = self.local(n, room).into_iter().filter(|ix| {
            let session = &self.sessions[*ix];
            session.seated && !session.is_marked() && before.contains_key(&session.peer)
        });
        let here: Vec<_> = here.collect();
        if let Change::Signal(signal) = &entry.change {
            return self.apply_signal(n, room, signal, &here);
        }
        let subject = subject(&entry.change);
        for ix in here {
            let leaves = matches!(entry.change, Change::Left { .. }) && subject == Some(self.sessions[ix].peer);
            if !leaves {
                self.post(ix, Post::News(news, seats.clone()));
            }
        }
        if let Some(peer) = subject {
            self.apply_to_own(n, room, entry, peer, &seats);
        }
        self.forget_unused(n, room);
    }

    /// The session that an entry is about, if it is here.
    fn apply_to_own(&mut self, n: usize, room: Room, entry: &LogEntry, peer: PeerId, seats: &Arc<Seats>) {
        let mine = self.nodes[n].sessions.get(&peer).copied();
        let me = &self.nodes[n].me;
        match (&entry.change, mine) {
            (Change::Joined { seat: Seat { owner: Some(owner), .. }, .. }, _) if owner == me => {
                if let Some(ix) = mine.filter(|ix| !self.sessions[*ix].seated) {
                    self.enter(ix, seats.clone());
                }
            }
            (Change::Claimed { owner, .. }, _) if owner == me => {
                if let Some(attempt) = self.nodes[n].adopting.get(&peer).copied() {
                    self.install(attempt, false);
                }
            }
            (Change::Left { departure, .. }, Some(ix)) => {
                let session = &self.sessions[ix];
                let stopped = *departure == Departure::Timeout && session.socket.is_some();
                if stopped && !self.keeps(Switch::LeftIsFinal) {
                    let kind = Kind::Join(peer, session.who, session.resumable);
                    self.command(n, room, kind, Then::Nothing);
                } else {
                    self.ended_by_log(ix, false);
                }
            }
            (Change::Released { .. }, Some(ix)) => self.ended_by_log(ix, true),
            (_, Some(ix)) => self.agree(ix, seats),
            (_, None) => {}
        }
    }

    fn apply_signal(&mut self, n: usize, room: Room, signal: &Signal<Uid>, here: &[usize]) {
        let numbered = self.keeps(Switch::NumberCommands);
        let replica = &mut self.nodes[n].replicas.get_mut(&room).expect("its entry").replica;
        let first = replica.is_first(signal) || !numbered;
        let seats = replica.seats().clone();
        for ix in here {
            if first && self.receives(&seats, signal, self.sessions[*ix].peer) {
                self.post(*ix, Post::Deliver(signal.sender, signal.data));
            }
        }
        let sender = self.nodes[n].sessions.get(&signal.sender).copied();
        if let Some(ix) = sender.filter(|_| signal.origin == self.nodes[n].me) {
            self.post(ix, Post::Applied(signal.number));
        }
    }

    /// Whether a signal is for that peer: the server's rule, unless that is broken.
    pub(super) fn receives(&self, seats: &Seats, signal: &Signal<Uid>, peer: PeerId) -> bool {
        match self.broken {
            Some(Switch::Fence) => {
                let owner = seats.get(&signal.sender).and_then(|seat| seat.owner.clone());
                let origin = owner.unwrap_or_else(|| signal.origin.clone());
                let unowned = seats.get(&signal.sender).is_some_and(|seat| seat.owner.is_none());
                let mut seats = seats.clone();
                if unowned && let Some(seat) = seats.get_mut(&signal.sender) {
                    seat.owner = Some(origin.clone());
                }
                receives(&seats, &Signal { origin, ..signal.clone() }, peer)
            }
            Some(Switch::OnlyWhoWasSeen) => receives(seats, &Signal { seen: u64::MAX, ..signal.clone() }, peer),
            Some(Switch::NameTheServed) if signal.to == To::All => {
                let elsewhere = seats.get(&peer).is_none_or(|seat| seat.owner.as_ref() != Some(&signal.origin));
                elsewhere && receives(seats, &Signal { served: Vec::new(), ..signal.clone() }, peer)
            }
            _ => receives(seats, signal, peer),
        }
    }

    fn ended_by_log(&mut self, ix: usize, moved: bool) {
        if let Some(socket) = self.sessions[ix].socket {
            if moved {
                self.close_from_server(socket);
            } else {
                self.say_uncounted(ix, crate::event::Frame::RoomClosed);
                self.sockets[socket].session = None;
            }
        }
        self.over(ix, moved);
        if moved {
            let session = &self.sessions[ix];
            self.nodes[session.node].departed.insert(session.peer, ix);
        }
    }
}

/// Which peer an entry is about.
fn subject<D>(change: &Change<D>) -> Option<PeerId> {
    match change {
        Change::Joined { peer, .. }
        | Change::Left { peer, .. }
        | Change::Away { peer, .. }
        | Change::Back { peer }
        | Change::Updated { peer, .. }
        | Change::Released { peer, .. }
        | Change::Claimed { peer, .. } => Some(*peer),
        Change::Moderated(_) | Change::Asserted | Change::Settled | Change::Signal(_) => None,
    }
}
