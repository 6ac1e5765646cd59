//! Supervisor, rooms and sessions together: the shipped rules of all three, with mailboxes in between that are emptied in
//! random order, rooms that die, and clients that come, signal, leave, hang up, are lost and come back at any moment.

mod client;
mod messages;
mod room;
mod session;
mod step;

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use switchboard::{
    limits::{Rate, Subnet},
    messages::moderation::ModerationError,
    protocol::{EndReason, ErrorCode, PeerId, RoomName, Who as Person, client::Identified},
    supervisor::{
        Caps, ModerationCaps, ParkedCaps, SeatsOf, Shares,
        outcomes::{GivenUp, Left, Lost},
        state::{Applicant, SupervisorState},
    },
};

pub use self::step::Step;
use self::{
    messages::{Effect, Guest, RoomId, Signal, ToRoom, ToSession, ToSupervisor, Who},
    room::Room,
    session::Session,
    step::{CLIENTS, NAMES},
};

/// Plays a history, lets it come to rest, and compares; then everybody hangs up, and nothing may remain.
pub fn play(steps: impl IntoIterator<Item = Step>, newest_first: bool) {
    let mut world = World::new();
    steps.into_iter().for_each(|step| world.run(step));
    world.fall_quiet(newest_first);
    world.agree();
    (0..CLIENTS).for_each(|client| world.come_back(client));
    world.fall_quiet(newest_first);
    world.agree();
    (0..CLIENTS).for_each(|client| world.hang_up(client));
    world.fall_quiet(newest_first);
    world.agree();
    assert!(world.rules.is_blank(), "something of somebody is remembered");
}

struct World {
    now: Instant,
    names: Vec<RoomName>,
    rules: SupervisorState<Guest, RoomId>,
    inbox: VecDeque<ToSupervisor>,
    sessions: Vec<Session>,
    /// Which session each client has now.
    clients: [Who; CLIENTS],
    rooms: Vec<Room>,
    joins: usize,
    leaves: usize,
    signals: usize,
    /// Who is kept out of which room, as the naive know it.
    bans: Vec<Ban>,
    locked: [bool; NAMES],
}

struct Ban {
    name: usize,
    identity: Option<&'static str>,
    from: Option<Subnet>,
    until: Instant,
}

/// The shortest there is.
const BAN: Duration = Duration::from_secs(1);
/// Small, so that histories meet them.
const CAPS: ParkedCaps = ParkedCaps { total: 2, per_room: 1, per_address: 2 };

fn limits() -> Caps {
    let often = Rate::per_minute(1_000_000);
    let address = Shares { joins: often, refused_joins: often, new_rooms: often, rooms: 2, addresses: CLIENTS };
    Caps {
        peers_per_room: 3,
        rooms: 2,
        address,
        parked: CAPS,
        moderation: ModerationCaps { bans_per_room: 2, gone: 2 },
    }
}

/// Two of one address, one of another, and one that has no limits.
fn address_of(client: usize) -> Option<Subnet> {
    [None, Some(1), Some(1), Some(2)][client].map(|last| Subnet::of([192, 0, 2, last].into()))
}

/// Two are the same person, from two addresses; one is another. One does not say who it is: there is nothing to ban it by.
fn identity_of(client: usize) -> Option<&'static str> {
    [None, Some("the first of two persons"), Some("the second of two persons"), Some("the first of two persons")]
        [client]
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
            sessions: (0..CLIENTS)
                .map(|client| Session::new(client, address_of(client), identity_of(client)))
                .collect(),
            clients: std::array::from_fn(|client| client),
            rooms: Vec::new(),
            joins: 0,
            leaves: 0,
            signals: 0,
            bans: Vec::new(),
            locked: [false; NAMES],
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Join(client, name, replace) => self.ask(self.clients[client], name, replace),
            Step::Leave(client) => {
                let effects = self.sessions[self.clients[client]].ask_to_leave();
                self.carry_out(self.clients[client], effects);
            }
            Step::GiveUp(client) => {
                if self.sessions[self.clients[client]].has_deadline() {
                    self.end_session(self.clients[client]);
                }
            }
            Step::HangUp(client) => self.hang_up(client),
            Step::Park(client) => self.sessions[self.clients[client]].lose_socket(),
            Step::Resume(client) => self.ask_to_resume(self.clients[client]),
            Step::RunSession(client) => self.run_session(self.clients[client]),
            Step::Signal(client) => self.signal(self.clients[client]),
            Step::RunSupervisor => self.run_supervisor(),
            Step::RunRoom(pick) => {
                let busy: Vec<_> = (0..self.rooms.len()).filter(|at| !self.rooms[*at].mailbox.is_empty()).collect();
                if let Some(at) = busy.get(pick % busy.len().max(1)) {
                    self.run_room(*at);
                }
            }
            Step::Kill(name) => {
                if let Some(room) = self.rules.port(&self.names[name]).copied() {
                    self.rooms[room].kill();
                }
            }
            Step::Sweep => self.sweep(),
            Step::Kick(client, is_banned) => self.kick(self.clients[client], is_banned),
            Step::Lock(name, locked) => {
                if self.rules.lock(&self.names[name], locked, self.now).is_ok() {
                    self.locked[name] = locked;
                }
            }
            Step::Wait => self.now += BAN / 3,
            Step::Settle => {
                self.fall_quiet(false);
                self.agree();
            }
        }
    }

    fn ask(&mut self, who: Who, name: usize, replace: bool) {
        if let Some(join_seq) = self.sessions[who].join(&self.names[name]) {
            self.send_to_supervisor(ToSupervisor::Join((who, join_seq), name, replace));
        }
    }

    fn ask_to_resume(&mut self, who: Who) {
        if self.sessions[who].asks_to_resume() {
            self.send_to_supervisor(ToSupervisor::Resume(who));
        }
    }

    /// As `Relay` does it, to everyone.
    fn signal(&mut self, who: Who) {
        let Some(picture) = self.sessions[who].signal() else { return };
        let from = self.sessions[who].peer;
        self.signals += 1;
        for (_, (to, _)) in picture.members.iter().filter(|(peer, _)| *peer != from) {
            self.post(*to, ToSession::Deliver(Signal { from, number: self.signals }));
        }
    }

    /// Whoever is away comes back.
    fn come_back(&mut self, client: usize) {
        if !self.sessions[self.clients[client]].attached {
            self.ask_to_resume(self.clients[client]);
        }
    }

    fn hang_up(&mut self, client: usize) {
        self.end_session(self.clients[client]);
    }

    /// The session is over; another takes its place.
    fn end_session(&mut self, who: Who) {
        let session = &mut self.sessions[who];
        session.mailbox.clear();
        session.gone = true;
        if session.rules.may_be_seated() {
            self.send_to_supervisor(ToSupervisor::Leave(who));
        }
        // A client of the same address comes.
        if let Some(client) = self.clients.iter().position(|one| *one == who) {
            let next = self.sessions.len();
            self.clients[client] = next;
            self.sessions.push(Session::new(next, self.sessions[who].from, self.sessions[who].identity));
        }
    }

    fn run_session(&mut self, who: Who) {
        if self.sessions[who].is_busy() {
            let effects = self.sessions[who].run();
            self.carry_out(who, effects);
        }
    }

    fn carry_out(&mut self, who: Who, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ToSupervisor(message) => self.send_to_supervisor(message),
                Effect::ToRoom(room, message) if !self.rooms[room].gone => {
                    self.rooms[room].mailbox.push_back(message);
                }
                Effect::ToRoom(..) => {}
                Effect::Over => self.end_session(who),
            }
        }
    }

    fn send_to_supervisor(&mut self, message: ToSupervisor) {
        self.inbox.push_back(message);
        let Some(sender) = self.inbox.back().and_then(ToSupervisor::sender) else { return };
        let waiting: Vec<_> = self.inbox.iter().filter(|message| message.sender() == Some(sender)).collect();
        let count = |is: fn(&ToSupervisor) -> bool| waiting.iter().filter(|message| is(message)).count();
        let joins = count(|message| matches!(message, ToSupervisor::Join(..)));
        let leaves = count(|message| matches!(message, ToSupervisor::Leave(_)));
        let presences = count(|message| matches!(message, ToSupervisor::Presence(_)));
        assert!(
            joins <= 1 && leaves <= 2 && presences <= 1,
            "more waits of one session than its rules let: {waiting:?}"
        );
    }

    fn run_supervisor(&mut self) {
        match self.inbox.pop_front() {
            Some(ToSupervisor::Join(guest, name, replace)) => self.join(guest, name, replace),
            Some(ToSupervisor::Leave(who)) => self.leave(who),
            Some(ToSupervisor::Presence(who)) => {
                self.rules.back(self.sessions[who].id);
                if self.sessions[who].presence.take() {
                    let given_up = self.rules.away(self.sessions[who].id);
                    self.give_up(given_up);
                }
            }
            // Who has no seat is no session.
            Some(ToSupervisor::Resume(who)) => {
                let is_seated = self.rules.seated(self.sessions[who].id).is_some();
                self.sessions[who].resume_asked(is_seated);
            }
            None => {}
        }
    }

    fn give_up(&mut self, given_up: Option<GivenUp>) {
        if let Some(GivenUp { session, .. }) = given_up {
            let of_that_name = self.sessions.iter_mut().find(|one| one.id == session);
            of_that_name.expect("one of ours").given_up = true;
        }
    }

    /// As `Supervisor::join` does it.
    fn join(&mut self, guest: Guest, name: usize, replace: bool) {
        let (who, join_seq) = guest;
        if self.rules.port(&self.names[name]).is_some_and(|room| self.rooms[*room].gone) {
            self.lose(name);
        }
        let Session { id: session, from: subnet, identity, .. } = self.sessions[who];
        let person = identity.map(|identity| Person::of(identity, &self.names[name]));
        let identified = person.map(|who| Identified { who, replace });
        let is_banned = self.is_banned(who, name);
        let (rooms, room) = (&mut self.rooms, &self.names[name]);
        let open = || {
            rooms.push(Room::new(rooms.len(), room.clone()));
            rooms.len() - 1
        };
        let applicant = Applicant { session, member: guest, subnet, cap: None, identified, user: None };
        let answer = self.rules.join(applicant, &self.names[name], self.now, open);
        match answer {
            Ok(granted) => {
                assert!(!is_banned, "somebody was let in who is kept out");
                let replaces_itself = !granted.replaced.is_empty();
                assert!(!self.locked[name] || replaces_itself, "a locked room let somebody in");
                self.joins += 1;
                self.give_up(granted.given_up);
                let replaced: Vec<_> = granted.replaced.iter().map(|seat| seat.member).collect();
                self.replaced(who, &replaced, replace);
                let replaced = replaced.into_iter().map(|(who, _)| who).collect();
                self.rooms[granted.port].mailbox.push_back(ToRoom::Admit(guest, replaced));
            }
            Err(refused) => {
                assert!(refused.code != ErrorCode::Banned || is_banned, "nobody has banned it");
                assert!(refused.code != ErrorCode::RoomLocked || self.locked[name], "the room is not locked");
                self.post(who, ToSession::JoinFailed(join_seq));
            }
        }
    }

    /// Somebody has their seats now.
    fn replaced(&mut self, by: Who, replaced: &[Guest], replace: bool) {
        for &(who, join_seq) in replaced {
            self.leaves += 1;
            assert_ne!(self.sessions[by].identity, None, "who does not say who it is takes nobody's seat");
            assert_eq!(self.sessions[who].identity, self.sessions[by].identity, "nobody takes a stranger's seat");
            self.sessions[who].unseat(join_seq, EndReason::SessionTaken);
            let is_back = self.sessions[who].attached;
            let under_way = self.inbox.iter().any(|m| matches!(m, ToSupervisor::Presence(one) if *one == who));
            assert!(replace || !is_back || under_way, "who is known to be connected keeps its seat");
        }
    }

    /// An operator sends it out of the room that it has a seat in, and keeps it out or not. As `Supervisor::kick` does it.
    fn kick(&mut self, who: Who, is_banned: bool) {
        let Session { id, from, identity, .. } = self.sessions[who];
        let Some(room) = self.rules.room_of(id).cloned() else { return };
        let ban = is_banned.then_some(BAN);
        let kicked = self.rules.kick(&room, SeatsOf::Session(id), ban, self.now);
        if is_banned && identity.is_none() && from.is_none() {
            assert!(matches!(kicked, Err(ModerationError::NothingToBanBy)), "it is as it was, and its moderator knows");
            return;
        }
        // There may be as many bans as there may be.
        let Ok(left) = kicked else { return };
        assert_eq!(left.len(), 1, "it leaves once");
        let name = self.names.iter().position(|name| *name == room).expect("one of ours");
        if is_banned {
            self.bans.push(Ban { name, identity, from, until: self.now + BAN });
        }
        for left in left {
            let (who, join_seq) = left.seat.member;
            self.sessions[who].unseat(join_seq, EndReason::Kicked);
            self.left(who, &left);
        }
    }

    fn is_banned(&self, who: Who, name: usize) -> bool {
        let Session { from, identity, .. } = self.sessions[who];
        let same = |ban: &Ban| identity.is_some() && ban.identity == identity || from.is_some() && ban.from == from;
        self.bans.iter().any(|ban| ban.name == name && self.now < ban.until && same(ban))
    }

    /// As `Supervisor::leave` does it.
    fn leave(&mut self, who: Who) {
        let Some(left) = self.rules.leave(self.sessions[who].id, self.now) else { return };
        self.left(who, &left);
    }

    /// As `Supervisor::seat_freed` does it.
    fn left(&mut self, who: Who, left: &Left<Guest, RoomId>) {
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
        // Those who were in it can come back.
        self.locked[self.names.iter().position(|name| *name == lost.room).expect("one of ours")] = false;
        for seat in &lost.seats {
            self.leaves += 1;
            let (who, join_seq) = seat.member;
            self.post(who, ToSession::Evict(join_seq));
        }
    }

    fn run_room(&mut self, at: RoomId) {
        let sessions = &self.sessions;
        let posts = self.rooms[at].run(|who| sessions[who].peer);
        for (who, message) in posts {
            self.post(who, message);
        }
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
            (0..self.sessions.len()).for_each(|who| self.run_session(who));
            self.run_supervisor();
            let busy = self.sessions.iter().any(Session::is_busy);
            if self.inbox.is_empty() && !busy && self.rooms.iter().all(|room| room.mailbox.is_empty()) {
                return;
            }
        }
    }

    /// What each client believes, and what each session has of its room, is what the supervisor and the rooms know.
    fn agree(&self) {
        let mut seated = 0;
        for session in self.sessions.iter().filter(|session| !session.gone) {
            assert!(!session.has_deadline() || !session.attached, "nobody waits for ever");
            assert!(!session.leaving, "who asked to leave on the way in has left");
            let Ok(picture) = session.rules.room() else {
                assert!(!session.rules.may_be_seated(), "nobody waits for ever");
                assert_eq!(session.client.others, None, "its client believes that it is in a room");
                continue;
            };
            seated += 1;
            let room = picture.port;
            assert!(self.names.iter().any(|name| self.rules.port(name) == Some(&room)), "its room is a former one");
            let here: BTreeSet<_> = self.rooms[room].rules.occupants().iter().map(|o| o.peer).collect();
            assert_eq!(picture.members.iter().map(|(peer, _)| *peer).collect::<BTreeSet<PeerId>>(), here);
            if session.attached {
                let others = session.client.others.iter().flatten().copied();
                assert_eq!(others.chain([session.peer]).collect::<BTreeSet<_>>(), here);
            }
        }
        let census = self.rules.census(self.now);
        assert_eq!((census.peers, self.joins - self.leaves), (seated, seated));
        assert_eq!(census.rooms, self.rooms.iter().filter(|room| !room.gone).count());
        let away = self.sessions.iter().filter(|s| !s.attached && !s.gone).count();
        assert_eq!(self.rules.parked(), away, "who is away is known to be, and nobody else");
        assert!(away <= CAPS.total);
    }
}
