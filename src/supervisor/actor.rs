//! The shell of the supervisor: unpacks messages, asks the rules, sends what they decide.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Context, Handler};

use super::{
    caps::Caps,
    ended::EndedRooms,
    hooks::Hooks,
    news,
    outcomes::{Freed, GivenUp, Granted, Known, Left, Lost},
    seated::Seated,
    secrets::WrongSecrets,
    state::{Applicant, SupervisorState},
};
use crate::{
    config::Settings,
    limits::Rate,
    messages::{
        Asked, Note, SeatTaken,
        listing::Question,
        mesh::MeshAnswer,
        room::{Admit, RoomPort, ToRoom},
        session::{Control, Evict, JoinError, JoinFailed, ResumeAnswer, ResumeRequest},
        supervisor::{AllowJoins, Join, LatestHeadcount, Leave, Look, Ping, Presence, Resume, StopJoins},
    },
    protocol::{EndReason, LeaveReason, PeerId, RoomName},
    telemetry,
    webhooks::{RoomEnd, Webhooks},
};

/// How often dead rooms are looked for. Their peers are to be told within a second: half of that is left for a sweep
/// that comes late.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// How often the census is reported: the resolution of the heartbeat that alerts watch.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Unbounded, on purpose. What waits here is bounded by what causes it: so many messages for each session as
/// [`messages::supervisor`](crate::messages::supervisor) says; and connections are capped before any actor exists.
const MAILBOX: usize = 0;

/// Starts a room of that name and capacity, and says how it is reached. It holds the third as long as it is there: that tells
/// the supervisor of its end. `app.rs` decides on which arbiter.
pub type SpawnRoom = Box<dyn Fn(RoomName, usize, Box<dyn Any + Send>) -> RoomPort + Send>;

/// What the supervisor is held to.
#[derive(Debug, Clone, Copy)]
pub struct SupervisorConfig {
    /// Seats, rooms, and what one address may have of them.
    pub caps: Caps,
    /// `limits.resume_secrets`: wrong ones that one address may try, and that may be tried on one session.
    pub wrong_secrets: Rate,
}

impl From<&Settings> for SupervisorConfig {
    fn from(settings: &Settings) -> Self {
        Self { caps: settings.into(), wrong_secrets: Rate::per_minute(settings.limits.resume_secrets) }
    }
}

/// The actor that knows every room and every seat.
pub struct Supervisor {
    pub(super) state: SupervisorState<Seated, RoomPort>,
    spawn_room: SpawnRoom,
    wrong_secrets: WrongSecrets,
    ended_rooms: EndedRooms,
    /// How many had ended at the last sweep.
    ended: usize,
    /// One had ended since the sweep before; its port may have been a moment behind.
    looks_again: bool,
    headcount: LatestHeadcount,
    hooks: Hooks,
    /// What the next process goes on with was told: nothing is changed any more that it would have to know.
    pub(super) stock_is_taken: bool,
}

impl Supervisor {
    /// With no rooms yet.
    pub fn new(config: SupervisorConfig, spawn_room: SpawnRoom) -> Self {
        let wrong_secrets = WrongSecrets::new(config.wrong_secrets, config.caps.address.addresses, now());
        let state = SupervisorState::new(config.caps, now());
        let headcount = LatestHeadcount::default();
        let ended_rooms = EndedRooms::default();
        let hooks = Hooks::default();
        let (ended, looks_again, stock_is_taken) = (0, false, false);
        Self { state, spawn_room, wrong_secrets, ended_rooms, ended, looks_again, headcount, hooks, stock_is_taken }
    }

    /// Tells these, too, what happens in rooms.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Webhooks) -> Self {
        Self { hooks: Hooks::to(webhooks), ..self }
    }

    /// How many are here, always as of now.
    pub fn headcount(&self) -> LatestHeadcount {
        self.headcount.clone()
    }

    pub(super) fn publish(&self) {
        self.headcount.publish(self.state.headcount(now()));
    }

    /// The number of peers in the room then, the newcomer included.
    pub(super) fn join(&mut self, join: Join) -> Result<usize, Box<JoinFailed>> {
        let Join { member, room, meta, attempt, join_seq, subnet, identified, grant } = join;
        let cap = grant.as_ref().and_then(|grant| grant.cap);
        self.bury(&room);
        let seated = Seated { member: Arc::clone(&member), join_seq };
        let user = grant.as_ref().and_then(|grant| grant.user.clone());
        let known = Known { who: identified.map(|identified| identified.who), user: user.clone() };
        let applicant = Applicant { session: member.session, member: seated, subnet, cap, identified, user };
        match self.take_seat(applicant, &room) {
            Ok(Granted { port, peers, opened, given_up, replaced }) => {
                // Before the newcomer knows: who has joined is counted.
                self.publish();
                for seat in &replaced {
                    self.hooks.left(seat, &room, LeaveReason::Replaced);
                }
                let replaced = replaced.iter().map(|seat| replace(seat, &room)).collect();
                news::joined(&member, &room, peers, opened, attempt);
                self.hooks.joined(&member, &room, &known, opened);
                self.give_up(given_up);
                let who = known.who;
                let user = grant.and_then(|grant| grant.shown_user().cloned());
                let admit = Admit { member, meta, who, user, replaced, join_seq, port: port.clone() };
                if !port.send_unbounded(ToRoom::Admit(admit)) {
                    // It died just now. The newcomer has a seat, and is told of the end as the others are.
                    self.lose(&room);
                }
                Ok(peers)
            }
            Err(refused) => {
                news::refused(&member, &room, refused, attempt);
                Err(Box::new(JoinFailed { join_seq, refused }))
            }
        }
    }

    fn take_seat(
        &mut self,
        applicant: Applicant<Seated>,
        room: &RoomName,
    ) -> Result<Granted<Seated, RoomPort>, JoinError> {
        let capacity = self.state.limits().peers_per_room;
        let open = || (self.spawn_room)(room.clone(), capacity, self.ended_rooms.guard());
        self.state.join(applicant, room, now(), open)
    }

    /// Starts a room for seats that were there before the process was.
    pub(super) fn spawn(&self, room: &RoomName) -> RoomPort {
        (self.spawn_room)(room.clone(), self.state.limits().peers_per_room, self.ended_rooms.guard())
    }

    /// Asks a parked session to end: it may be coming back in this moment, and its pump knows.
    fn give_up(&self, given_up: Option<GivenUp>) {
        let Some(GivenUp { session, excess }) = given_up else { return };
        if let Some(seated) = self.state.seated(session) {
            news::given_up(&seated.member, excess);
            seated.member.kill_switch.leave_note(Note::TooManyParked);
        }
    }

    fn presence(&mut self, Presence { member }: Presence) {
        // A client that is away anew was back since it was last heard of.
        if self.state.back(member.session) {
            self.hooks.presence(false, || self.state.place(member.session));
        }
        if member.presence.take() {
            self.hooks.presence(true, || self.state.place(member.session));
            let given_up = self.state.away(member.session);
            self.give_up(given_up);
        }
    }

    /// Compares the secret, so that whoever does not know it never gets as far as the session. A request that is dropped is
    /// answered by that: there is no such session.
    fn resume(&mut self, Resume { session, request, subnet }: Resume) {
        let Some(seated) = self.state.seated(session) else { return };
        let answer = |request: ResumeRequest, answer| {
            // Whoever asked may be gone by now.
            let _ = request.answer.send(answer);
        };
        let secret = request.secret;
        match seated.member.resume.ask(&secret, request) {
            Asked::Waits { instead_of } => {
                seated.member.kill_switch.leave_note(Note::ResumeRequested);
                if let Some(earlier) = instead_of {
                    answer(*earlier, ResumeAnswer::Busy);
                }
            }
            Asked::WrongSecret(request) => {
                if let Err(wait) = self.wrong_secrets.count(session, subnet, now()) {
                    news::too_many_wrong_secrets();
                    answer(*request, ResumeAnswer::TooManyWrong(wait));
                }
            }
            Asked::NoSession => {}
        }
    }

    /// The room answers; where there is none, the answer is dropped.
    fn ask_for_mesh(&self, room: &RoomName, answer: MeshAnswer) {
        if let Some(port) = self.state.port(room) {
            // A room that is dead drops it, too.
            let _ = port.send_unbounded(ToRoom::Mesh { answer });
        }
    }

    fn leave(&mut self, leave: Leave) {
        let Some(left) = self.state.leave(leave.session, now()) else { return };
        self.publish();
        self.seat_freed(left, leave.reason);
    }

    /// A seat was freed for good: its room is told.
    pub(super) fn seat_freed(&mut self, left: Left<Seated, RoomPort>, reason: LeaveReason) {
        let Left { seat, room, port, ended } = left;
        news::left(&seat, &room, reason);
        self.hooks.left(&seat, &room, reason);
        let there = port.send_unbounded(ToRoom::Remove { peer: seat.member.member.peer, reason });
        match ended {
            Some(lived) if there => {
                news::room_ended(&seat, &room, lived);
                self.hooks.closed(&room, RoomEnd::Empty);
            }
            Some(_) => {
                news::room_lost(&room, 1);
                self.hooks.closed(&room, RoomEnd::Lost);
            }
            None if there => {}
            None => self.lose(&room),
        }
    }

    /// A room that is dead and not yet noticed takes nobody in; the next join to its name starts a fresh one.
    fn bury(&mut self, room: &RoomName) {
        if self.state.port(room).is_some_and(|port| !port.connected()) {
            self.lose(room);
        }
    }

    fn lose(&mut self, room: &RoomName) {
        if let Some(lost) = self.state.lose(room, now()) {
            self.publish();
            evict(&lost);
            self.hooks.lost(&lost);
        }
    }

    /// Asks all rooms whether they live, if any of this process has ended: most of the time none has, and thousands would
    /// be asked for nothing.
    fn sweep(&mut self) {
        self.state.forget_origins(now());
        self.wrong_secrets.sweep(now());
        news::forgotten(self.state.take_forgotten());
        let ended = self.ended_rooms.count();
        let news = ended != self.ended;
        if news || self.looks_again {
            let lost = self.state.sweep(now(), RoomPort::connected);
            self.publish();
            for lost in &lost {
                evict(lost);
                self.hooks.lost(lost);
            }
        }
        (self.ended, self.looks_again) = (ended, news);
    }

    fn report(&mut self) {
        // What came and went leaves the last minute without a change.
        self.publish();
        news::census(self.state.census(now()));
        telemetry::flush();
    }
}

/// Tells everybody who was in a room that died. A session whose mailbox is full is ended by that, and has no seat to free.
fn evict(lost: &Lost<Seated>) {
    news::room_lost(&lost.room, lost.seats.len());
    for seat in &lost.seats {
        news::left(seat, &lost.room, LeaveReason::RoomClosed);
        let Seated { member, join_seq } = &seat.member;
        member.post(Control::Evict(Evict { room: lost.room.clone(), join_seq: *join_seq }));
    }
}

/// The same person has a seat instead. The session is over, whatever has become of it that is not known here: unlike one
/// that is given up, it has no seat to come back to.
fn replace(seat: &Freed<Seated>, room: &RoomName) -> PeerId {
    news::left(seat, room, LeaveReason::Replaced);
    let Seated { member, join_seq } = &seat.member;
    member.take_seat(SeatTaken { join_seq: *join_seq, reason: EndReason::SessionTaken, text: None });
    member.peer
}

/// tokio's clock, which tests can stop.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        #[cfg(feature = "fault-injection")]
        crate::messages::faults::enlist("supervisor".to_owned(), &ctx.address().recipient());
        ctx.run_interval(SWEEP_EVERY, |supervisor, _| supervisor.sweep());
        ctx.run_interval(REPORT_EVERY, |supervisor, _| supervisor.report());
    }
}

impl Handler<Join> for Supervisor {
    type Result = ();

    fn handle(&mut self, join: Join, _: &mut Self::Context) {
        let member = Arc::clone(&join.member);
        if let Err(join_failed) = self.join(join) {
            member.post(Control::JoinFailed(join_failed));
        }
    }
}

impl Handler<Leave> for Supervisor {
    type Result = ();

    fn handle(&mut self, leave: Leave, _: &mut Self::Context) {
        self.leave(leave);
    }
}

impl Handler<Resume> for Supervisor {
    type Result = ();

    fn handle(&mut self, resume: Resume, _: &mut Self::Context) {
        self.resume(resume);
    }
}

impl Handler<Presence> for Supervisor {
    type Result = ();

    fn handle(&mut self, presence: Presence, _: &mut Self::Context) {
        self.presence(presence);
    }
}

impl Handler<StopJoins> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: StopJoins, _: &mut Self::Context) {
        self.state.take_joins(false);
    }
}

impl Handler<AllowJoins> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: AllowJoins, _: &mut Self::Context) {
        self.state.take_joins(true);
    }
}

impl Handler<Look> for Supervisor {
    type Result = ();

    fn handle(&mut self, Look(question): Look, _: &mut Self::Context) {
        // Whoever asked may be gone by now.
        match question {
            Question::Rooms(filter, answer) => drop(answer.send(self.state.list_rooms(&filter, now()))),
            Question::Room(name, answer) => drop(answer.send(self.state.describe(&name, now()))),
            Question::Mesh(name, answer) => self.ask_for_mesh(&name, answer),
            Question::Peers(filter, answer) => drop(answer.send(self.state.list_peers(&filter, now()))),
        }
    }
}

impl Handler<Ping> for Supervisor {
    type Result = ();

    fn handle(&mut self, Ping(answer): Ping, _: &mut Self::Context) {
        answer();
    }
}
