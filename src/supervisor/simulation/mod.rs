//! Supervisor, rooms and sessions together: the real rules with mailboxes in between that are emptied in random order,
//! rooms that die, and clients that come, leave and hang up at any moment.
//!
//! Played by the property tests, and by the fuzz target `seats`: hence the feature `fuzzing`.

#[cfg(test)]
mod properties;
mod session;
mod step;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

pub use self::step::Step;
use self::{
    session::{Phase, Ports, Session, ToSession},
    step::{CLIENTS, NAMES},
};
use super::{
    ParkedCaps, Shares,
    state::{Caps, GivenUp, Lost, SupervisorState},
};
use crate::{
    limits::{Rate, Subnet},
    protocol::{LeaveReason, PeerId, RoomName},
    room::state::{Effect, RoomState},
};

/// Plays a history, lets it come to rest, and compares; then everybody hangs up, and nothing may remain.
pub fn play(steps: impl IntoIterator<Item = Step>, newest_first: bool) {
    let mut world = World::new();
    steps.into_iter().for_each(|step| world.run(step));
    world.fall_quiet(newest_first);
    world.agree();
    (0..CLIENTS).for_each(|client| world.hang_up(client));
    world.fall_quiet(newest_first);
    world.agree();
    assert!(world.rules.is_blank(), "something of somebody is remembered");
}

/// A session, by number: each is used once.
type Who = usize;
/// A session on one of its stays: what the supervisor and a room know of it.
type Guest = (Who, u32);
#[derive(Debug, Clone, Copy)]
enum ToSupervisor {
    Join(Guest, usize),
    Leave(Who),
    Presence(Who, bool),
}

#[derive(Debug, Clone, Copy)]
enum ToRoom {
    Admit(Guest),
    Remove(Who),
}

#[derive(Debug, Default)]
struct Room {
    rules: RoomState<Guest>,
    mailbox: VecDeque<ToRoom>,
    gone: bool,
}

struct World {
    now: Instant,
    names: Vec<RoomName>,
    rules: SupervisorState<Guest, Ports>,
    inbox: VecDeque<ToSupervisor>,
    sessions: Vec<Session>,
    /// Which session each client has now.
    clients: [Who; CLIENTS],
    rooms: Vec<Room>,
    joins: usize,
    leaves: usize,
}

/// Small, so that histories meet them.
const CAPS: ParkedCaps = ParkedCaps { total: 2, per_room: 1, per_address: 2 };

fn limits() -> Caps {
    let often = Rate::per_minute(1_000_000);
    let address = Shares { joins: often, new_rooms: often, rooms: 2, addresses: CLIENTS };
    Caps { peers_per_room: 3, rooms: 2, address, parked: CAPS }
}

/// Three of one address, and one that has no limits.
fn address_of(client: usize) -> Option<Subnet> {
    (client > 0).then(|| Subnet::of([192, 0, 2, 1].into()))
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let name = |n: usize| RoomName::parse(&format!("room-{n}"), 128).expect("a sane name");
        Self {
            now,
            names: (0..NAMES).map(name).collect(),
            rules: SupervisorState::new(limits(), now),
            inbox: VecDeque::new(),
            sessions: (0..CLIENTS).map(|client| Session::new(address_of(client))).collect(),
            clients: std::array::from_fn(|client| client),
            rooms: Vec::new(),
            joins: 0,
            leaves: 0,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Join(client, name) => self.ask(self.clients[client], name),
            Step::Leave(client) if self.sessions[self.clients[client]].away => {}
            Step::Leave(client) => self.end(self.clients[client], |phase| matches!(phase, Phase::In(..))),
            Step::GiveUp(client) => self.end(self.clients[client], |phase| *phase == Phase::Joining),
            Step::HangUp(client) => self.hang_up(client),
            Step::Park(client) => self.set_away(self.clients[client], true),
            Step::Resume(client) => self.set_away(self.clients[client], false),
            Step::RunSession(client) => self.run_session(self.clients[client]),
            Step::HearAnswer(client) => self.hear_answer(self.clients[client]),
            Step::RunSupervisor => self.run_supervisor(),
            Step::RunRoom(pick) => {
                let busy: Vec<_> = (0..self.rooms.len()).filter(|at| !self.rooms[*at].mailbox.is_empty()).collect();
                if let Some(at) = busy.get(pick % busy.len().max(1)) {
                    self.run_room(*at);
                }
            }
            Step::Kill(name) => {
                if let Some(room) = self.rules.port(&self.names[name]).copied() {
                    self.kill(room);
                }
            }
            Step::Sweep => self.sweep(),
        }
    }

    fn ask(&mut self, who: Who, name: usize) {
        let session = &mut self.sessions[who];
        if session.join() {
            self.inbox.push_back(ToSupervisor::Join((who, session.join_seq), name));
        }
    }

    fn end(&mut self, who: Who, may_end: impl Fn(&Phase) -> bool) {
        let session = &mut self.sessions[who];
        if may_end(&session.phase) {
            session.end();
            self.inbox.push_back(ToSupervisor::Leave(who));
        }
    }

    fn set_away(&mut self, who: Who, away: bool) {
        if self.sessions[who].set_away(away) {
            self.inbox.push_back(ToSupervisor::Presence(who, away));
        }
    }

    fn hang_up(&mut self, client: usize) {
        self.end_session(self.clients[client]);
    }

    /// The session is over; another takes its place.
    fn end_session(&mut self, who: Who) {
        let session = &mut self.sessions[who];
        session.end();
        session.mailbox.clear();
        session.gone = true;
        self.inbox.push_back(ToSupervisor::Leave(who));
        // A client of the same address comes.
        if let Some(client) = self.clients.iter().position(|one| *one == who) {
            self.clients[client] = self.sessions.len();
            self.sessions.push(Session::new(self.sessions[who].from));
        }
    }

    fn run_session(&mut self, who: Who) {
        let session = &mut self.sessions[who];
        if let Some(message) = session.mailbox.pop_front() {
            session.handle(message);
        }
        // As the pump does it: messages first, and then whether it is parked still.
        if session.is_to_end() {
            self.end_session(who);
        }
    }

    fn hear_answer(&mut self, who: Who) {
        if self.sessions[who].answer.take() == Some(false) {
            self.sessions[who].end();
        }
    }

    fn run_supervisor(&mut self) {
        match self.inbox.pop_front() {
            Some(ToSupervisor::Join(guest, name)) => self.join(guest, name),
            Some(ToSupervisor::Leave(who)) => self.leave(who),
            Some(ToSupervisor::Presence(who, true)) => {
                let given_up = self.rules.away(self.sessions[who].id);
                self.give_up(given_up);
            }
            Some(ToSupervisor::Presence(who, false)) => self.rules.back(self.sessions[who].id),
            None => {}
        }
    }

    fn give_up(&mut self, given_up: Option<GivenUp>) {
        if let Some(GivenUp { session, .. }) = given_up {
            let of_that_name = self.sessions.iter_mut().find(|one| one.id == session);
            of_that_name.expect("one of ours").give_up();
        }
    }

    /// As `Supervisor::join` does it.
    fn join(&mut self, guest: Guest, name: usize) {
        let (who, join_seq) = guest;
        if self.rules.port(&self.names[name]).is_some_and(|room| self.rooms[*room].gone) {
            self.lose(name);
        }
        let id = self.sessions[who].id;
        let rooms = &mut self.rooms;
        let open = || {
            rooms.push(Room::default());
            rooms.len() - 1
        };
        let answer = self.rules.join(id, guest, &self.names[name], self.sessions[who].from, self.now, open);
        if self.sessions[who].phase == Phase::Joining && self.sessions[who].join_seq == join_seq {
            self.sessions[who].answer = Some(answer.is_ok());
        }
        if let Ok(granted) = answer {
            self.joins += 1;
            self.give_up(granted.given_up);
            self.rooms[granted.port].mailbox.push_back(ToRoom::Admit(guest));
        }
    }

    /// As `Supervisor::leave` does it.
    fn leave(&mut self, who: Who) {
        let Some(left) = self.rules.leave(self.sessions[who].id, self.now) else { return };
        self.leaves += 1;
        let there = !self.rooms[left.port].gone;
        if there {
            self.rooms[left.port].mailbox.push_back(ToRoom::Remove(who));
        } else if left.ended.is_none() {
            self.lose(self.names.iter().position(|name| *name == left.room).expect("one of ours"));
        }
    }

    fn lose(&mut self, name: usize) {
        if let Some(lost) = self.rules.lose(&self.names[name], self.now) {
            self.evict(&lost);
        }
    }

    fn sweep(&mut self) {
        let rooms = &self.rooms;
        let lost = self.rules.sweep(self.now, |room| !rooms[*room].gone);
        for lost in lost {
            self.evict(&lost);
        }
    }

    fn evict(&mut self, lost: &Lost<Guest>) {
        for seat in &lost.seats {
            self.leaves += 1;
            let (who, join_seq) = seat.member;
            self.post(who, ToSession::Evict(join_seq));
        }
    }

    fn run_room(&mut self, at: Ports) {
        let Some(message) = self.rooms[at].mailbox.pop_front() else { return };
        let rules = &mut self.rooms[at].rules;
        let effects = match message {
            ToRoom::Admit(guest) => rules.admit(self.sessions[guest.0].peer, None, guest),
            ToRoom::Remove(who) => rules.remove(self.sessions[who].peer, LeaveReason::Left),
        };
        assert!(!effects.is_empty(), "the supervisor admits nobody twice and removes only who is there");
        for effect in effects {
            self.carry_out(at, effect);
        }
    }

    fn carry_out(&mut self, at: Ports, effect: Effect) {
        let rules = &self.rooms[at].rules;
        match effect {
            Effect::NotifyJoined(peer) => self.notify_others(at, peer, &ToSession::Joined(at, peer)),
            Effect::NotifyLeft(peer, _) => self.notify_others(at, peer, &ToSession::Left(at, peer)),
            Effect::Welcome(peer) => {
                let here = rules.seen_by(peer).map(|other| other.id).collect();
                let (who, join_seq) = rules.occupant(peer).expect("it was let in").member;
                self.post(who, ToSession::Welcome(join_seq, at, here));
            }
            Effect::Stop => {
                assert!(self.rooms[at].mailbox.is_empty(), "nobody is sent to a room that has ended");
                self.kill(at);
            }
            Effect::NotifyUpdated(_)
            | Effect::NotifyAway(..)
            | Effect::NotifyBack(_)
            | Effect::Resync(_)
            | Effect::Confirm(_)
            | Effect::CountStray(_) => {}
        }
    }

    fn notify_others(&mut self, at: Ports, about: PeerId, message: &ToSession) {
        let others: Vec<_> = self.rooms[at].rules.others(about).map(|o| o.member).collect();
        for (who, _) in others {
            self.post(who, message.clone());
        }
    }

    fn kill(&mut self, room: Ports) {
        self.rooms[room].gone = true;
        self.rooms[room].mailbox.clear();
    }

    fn post(&mut self, who: Who, message: ToSession) {
        if !self.sessions[who].gone {
            self.sessions[who].mailbox.push_back(message);
        }
    }

    /// Lets every message arrive. A room that is slower than its successor is what `newest_first` is for.
    fn fall_quiet(&mut self, newest_first: bool) {
        loop {
            self.sweep();
            let rooms = 0..self.rooms.len();
            rooms.clone().for_each(|at| self.run_room(if newest_first { rooms.end - 1 - at } else { at }));
            (0..self.sessions.len()).for_each(|who| self.hear_answer(who));
            (0..self.sessions.len()).for_each(|who| self.run_session(who));
            self.run_supervisor();
            let messages =
                self.sessions.iter().any(|s| !s.mailbox.is_empty() || s.answer.is_some() || s.is_asked_to_end());
            if self.inbox.is_empty() && !messages && self.rooms.iter().all(|room| room.mailbox.is_empty()) {
                return;
            }
        }
    }

    /// What each client believes is what the supervisor and the rooms know.
    fn agree(&self) {
        let mut seated = 0;
        for session in &self.sessions {
            let Phase::In(room, others) = &session.phase else {
                assert_eq!(&session.phase, &Phase::Out, "nobody waits for ever");
                continue;
            };
            seated += 1;
            assert!(self.names.iter().any(|name| self.rules.port(name) == Some(room)), "its room is a former one");
            let here: BTreeSet<_> = self.rooms[*room].rules.occupants().iter().map(|o| o.peer).collect();
            let believed: BTreeSet<_> = others.iter().copied().chain([session.peer]).collect();
            assert_eq!(believed, here);
        }
        let census = self.rules.census(self.now);
        assert_eq!((census.peers, self.joins - self.leaves), (seated, seated));
        assert_eq!(census.rooms, self.rooms.iter().filter(|room| !room.gone).count());
        let away = self.sessions.iter().filter(|s| s.away && !s.gone).count();
        assert_eq!(self.rules.parked(), away, "who is away is known to be, and nobody else");
        assert!(away <= CAPS.total);
    }
}
