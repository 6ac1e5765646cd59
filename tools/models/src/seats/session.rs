//! One session: the shipped rules, with a mailbox before them, and a pump and a client behind.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;

use super::{
    client::Client,
    messages::{Effect, Frame, Guest, News, Picture, RoomId, Signal, ToRoom, ToSession, ToSupervisor, Who},
};
use switchboard::{
    limits::Subnet,
    messages::{Killed, PresenceState},
    protocol::{EndReason, PeerId, ResumeSecret, RoomName, SessionId},
    session::{
        resume_buffer::{Keep, ResumeBuffer},
        resume_rules::{self, Takeover, Verdict},
        state::{Departure, PendingJoin, PendingResume, RosterKind, RosterOutcome, Rules, SeatLoss, SignalOutcome},
    },
};

/// Small, so that histories exceed it.
const KEEP: Keep = Keep { frames: 2, bytes: 1 << 10 };
/// The most signals that are kept early; small for the same reason.
const EARLY: usize = 2;

#[expect(clippy::struct_excessive_bools, reason = "each holds with and without the others")]
pub(super) struct Session {
    pub(super) who: Who,
    pub(super) id: SessionId,
    pub(super) peer: PeerId,
    pub(super) from: Option<Subnet>,
    /// The secret of its client, if that has one.
    pub(super) identity: Option<&'static str>,
    /// The number of the join that it may have a seat by; 0: none.
    join_seq: u32,
    /// The join whose seat was taken.
    taken: u32,
    /// What the session ends with for that.
    taken_for: EndReason,
    pub(super) rules: Rules<Guest, RoomId, Signal>,
    pub(super) mailbox: VecDeque<ToSession>,
    pub(super) gone: bool,
    /// Whether it has a socket.
    pub(super) attached: bool,
    /// Whether it was asked to end if it is away, and has not looked yet.
    pub(super) given_up: bool,
    /// What the supervisor is to know of that.
    pub(super) presence: PresenceState,
    /// What its client asks to come back with, as far as its pump has not answered.
    asked: Option<(ResumeSecret, u64)>,
    /// What the pump has not settled yet.
    killed: Option<Killed>,
    /// Whether the client's frames wait for the answer to a resume.
    paused: bool,
    /// Whether the client was told, by no error, that it will leave.
    pub(super) leaving: bool,
    /// Whether the client's next socket is on its way here.
    coming: bool,
    /// Whether the supervisor has passed on what `asked` is.
    passed_on: bool,
    buffer: Option<ResumeBuffer>,
    /// Every frame that was sent: the buffer has their numbers.
    sent: Vec<Frame>,
    pub(super) client: Client,
}

impl Session {
    pub(super) fn new(who: Who, from: Option<Subnet>, identity: Option<&'static str>) -> Self {
        Self {
            who,
            id: SessionId::random(),
            peer: PeerId::random(),
            from,
            identity,
            join_seq: 0,
            taken: 0,
            taken_for: EndReason::SessionTaken,
            rules: Rules::new(None),
            mailbox: VecDeque::new(),
            gone: false,
            attached: true,
            given_up: false,
            presence: PresenceState::default(),
            asked: None,
            killed: None,
            paused: false,
            leaving: false,
            coming: false,
            passed_on: false,
            buffer: None,
            sent: Vec::new(),
            client: Client::default(),
        }
    }

    /// Whether frames pass between it and its client.
    fn talks(&self) -> bool {
        self.attached && !self.coming && self.killed.is_none()
    }

    /// Whether it will do something without anybody's doing.
    pub(super) fn is_busy(&self) -> bool {
        let is_asked = self.given_up || self.has_lost_seat() || self.asked.is_some_and(|_| self.passed_on);
        !self.gone && (!self.mailbox.is_empty() || is_asked || self.killed.is_some())
    }

    /// The seat of that join is taken, for good.
    pub(super) fn unseat(&mut self, join_seq: u32, reason: EndReason) {
        (self.taken, self.taken_for) = (join_seq, reason);
    }

    /// As `SessionShared::has_lost_seat`.
    fn has_lost_seat(&self) -> bool {
        self.join_seq > 0 && self.taken == self.join_seq
    }

    /// Whether it waits for an answer, or for its client, and not for ever.
    pub(super) fn has_deadline(&self) -> bool {
        let joins = self.rules.may_be_seated() && self.rules.room().is_err();
        !self.gone && (joins || self.paused || !self.attached)
    }

    pub(super) fn join(&mut self, room: &RoomName) -> Option<u32> {
        if !self.talks() || self.paused {
            return None;
        }
        let (asked, deadline) = (Instant::now(), None);
        let join = PendingJoin { asked, deadline, re: None, patient: true, resumable: true, grant: None };
        self.join_seq = self.rules.join(room, join).ok()?;
        Some(self.join_seq)
    }

    /// The client asks to leave.
    pub(super) fn ask_to_leave(&mut self) -> Vec<Effect> {
        if self.talks() && !self.paused { self.leave() } else { Vec::new() }
    }

    fn leave(&mut self) -> Vec<Effect> {
        let Ok(departure) = self.rules.leave(None) else { return Vec::new() };
        self.leaving = departure == Departure::OnArrival;
        if self.leaving {
            return Vec::new();
        }
        self.send(&Frame::LeftRoom);
        (self.buffer, self.join_seq) = (None, 0);
        vec![Effect::ToSupervisor(ToSupervisor::Leave(self.who))]
    }

    /// The room that a signal of its client's goes to.
    pub(super) fn signal(&self) -> Option<Picture> {
        let sends = self.talks() && !self.paused;
        self.rules.room().ok().filter(|_| sends).map(Arc::clone)
    }

    /// Its socket is lost while it is in a room.
    pub(super) fn lose_socket(&mut self) {
        if self.attached && self.rules.room().is_ok() {
            self.kill(EndReason::Disconnected, false);
        }
    }

    fn kill(&mut self, reason: EndReason, lost: bool) {
        let former = self.killed;
        let reason = former.map_or(reason, |first| first.reason);
        self.killed = Some(Killed { reason, lost: lost || former.is_some_and(|first| first.lost) });
    }

    /// Its client asks to come back, whether its former socket is found to be lost or not. Whether it has asked.
    pub(super) fn asks_to_resume(&mut self) -> bool {
        let (Some(token), Ok(_)) = (self.client.token, self.rules.room()) else { return false };
        if self.coming || self.gone {
            return false;
        }
        self.coming = true;
        self.asked = Some((token, self.client.handled));
        true
    }

    /// The supervisor passes that on to the pump, if the session has a seat.
    pub(super) fn resume_asked(&mut self, is_seated: bool) {
        self.passed_on = is_seated;
        if !is_seated {
            self.refuse_resume();
        }
    }

    /// As `answer_resume_request` does it.
    fn answer_resume_request(&mut self) {
        let Some((token, handled)) = self.asked.filter(|_| std::mem::take(&mut self.passed_on)) else { return };
        let room = self.rules.room().ok().map(|room| room.room.clone()).filter(|_| !self.has_lost_seat());
        let Some(room) = room else { return self.refuse_resume() };
        let verdict = resume_rules::judge(self.buffer.as_ref(), Some(&room), &room, &token, handled);
        assert_eq!(verdict, Verdict::Granted, "an honest client may come back");
        self.asked = None;
        self.mailbox.push_back(ToSession::TakeSocket(token, handled));
    }

    /// Its client hears that there is no such session. It has no other socket, and that is found out.
    fn refuse_resume(&mut self) {
        (self.asked, self.coming) = (None, false);
        self.kill(EndReason::Disconnected, false);
    }

    /// One message, and then what the pump finds.
    pub(super) fn run(&mut self) -> Vec<Effect> {
        let mut effects = self.mailbox.pop_front().map(|message| self.handle(message)).unwrap_or_default();
        if self.has_lost_seat() {
            self.kill(self.taken_for, false);
        }
        self.answer_resume_request();
        if std::mem::take(&mut self.given_up) && !self.attached {
            self.kill(EndReason::ResumeExpired, false);
        }
        effects.extend(self.settle());
        effects
    }

    fn settle(&mut self) -> Vec<Effect> {
        let Some(Killed { reason, lost }) = self.killed.take() else { return Vec::new() };
        if let Some(buffer) = self.buffer.as_mut().filter(|_| lost) {
            buffer.lost();
        }
        if self.has_lost_seat() || !resume_rules::may_park(reason, false, self.buffer.as_ref()) {
            return vec![Effect::Over];
        }
        if !std::mem::take(&mut self.attached) {
            return Vec::new();
        }
        self.notify(true, ToRoom::Away(self.who))
    }

    fn notify(&self, away: bool, message: ToRoom) -> Vec<Effect> {
        let room = self.rules.room().expect("it is in a room").port;
        let announced = self.presence.set(away).then_some(Effect::ToSupervisor(ToSupervisor::Presence(self.who)));
        announced.into_iter().chain([Effect::ToRoom(room, message)]).collect()
    }

    /// What the client hears, now or when it comes back.
    fn send(&mut self, frame: &Frame) {
        if let Some(buffer) = &mut self.buffer
            && !matches!(frame, Frame::Joined(..) | Frame::Resumed(..))
        {
            buffer.record(&Bytes::copy_from_slice(&self.sent.len().to_be_bytes()), KEEP);
            self.sent.push(frame.clone());
        }
        if self.talks() {
            self.client.receive(frame);
            if let (Frame::Joined(..) | Frame::Resumed(..), Some(buffer)) = (frame, &mut self.buffer) {
                // Whatever it sends next shows that it has its token.
                buffer.confirm();
            }
        }
    }

    fn handle(&mut self, message: ToSession) -> Vec<Effect> {
        match message {
            ToSession::Roster(picture, news) => {
                return news.into_iter().flat_map(|news| self.roster(&picture, news)).collect();
            }
            ToSession::Deliver(signal) => self.deliver(signal),
            ToSession::JoinFailed(join_seq) => {
                if self.rules.join_refused(join_seq).is_some() {
                    self.leaving = false;
                }
            }
            ToSession::Evict(join_seq) => self.evict(join_seq),
            ToSession::TakeSocket(secret, ack) => return self.take_socket(secret, ack),
        }
        Vec::new()
    }

    fn roster(&mut self, picture: &Picture, news: News) -> Vec<Effect> {
        let kind = match &news {
            News::Joined(join_seq, _) => RosterKind::Joined(*join_seq),
            News::Resynced(_) => RosterKind::Resynced,
            News::Came(_) | News::Left(_) | News::Presence => RosterKind::Changed,
        };
        match (self.rules.roster(picture, kind), news) {
            (RosterOutcome::Entered { leave, early, .. }, News::Joined(_, others)) => {
                let token = ResumeSecret::random();
                self.buffer = Some(ResumeBuffer::new(token));
                self.send(&Frame::Joined(others.clone(), token));
                self.handle_early(early, &others);
                return leave.map(|_| self.leave()).unwrap_or_default();
            }
            (RosterOutcome::Resynced { resume, early }, News::Resynced(others)) => {
                self.send(&Frame::Resumed(Some(others.clone()), resume.next));
                self.paused = false;
                self.handle_early(early, &others);
            }
            (RosterOutcome::Changed, News::Came(peer)) => self.send(&Frame::Came(peer)),
            (RosterOutcome::Changed, News::Left(peer)) => self.send(&Frame::Left(peer)),
            (RosterOutcome::Changed, News::Presence) => self.send(&Frame::Presence),
            (RosterOutcome::Included | RosterOutcome::Stale, _) => {}
            (outcome, news) => panic!("{outcome:?} for {news:?}"),
        }
        Vec::new()
    }

    /// As the shipped session does it.
    fn handle_early(&mut self, early: Vec<Signal>, others: &BTreeSet<PeerId>) {
        for signal in early.into_iter().filter(|signal| others.contains(&signal.from)) {
            self.send(&Frame::Signal(signal));
        }
    }

    fn deliver(&mut self, signal: Signal) {
        match self.rules.deliver(signal.from) {
            SignalOutcome::Pass => self.send(&Frame::Signal(signal)),
            SignalOutcome::TooEarly => {
                if !self.rules.keep_early(signal, EARLY) {
                    self.kill(EndReason::SlowConsumer, true);
                }
            }
            SignalOutcome::Stray => {}
        }
    }

    fn evict(&mut self, join_seq: u32) {
        if let SeatLoss::Outside { .. } = self.rules.evicted(join_seq) {
            (self.paused, self.leaving) = (false, false);
            self.send(&Frame::RoomClosed);
            (self.buffer, self.join_seq) = (None, 0);
            if !self.attached {
                // There is nothing to come back to.
                self.kill(EndReason::ResumeExpired, false);
            }
        }
    }

    fn take_socket(&mut self, secret: ResumeSecret, ack: u64) -> Vec<Effect> {
        self.coming = false;
        let has_lost_seat = self.has_lost_seat();
        let (next, killed) = (ResumeSecret::random(), &mut self.killed);
        let over = Killed { reason: self.taken_for, lost: false };
        let killed = || if has_lost_seat { Some(over) } else { killed.take() };
        match resume_rules::take_over(self.buffer.as_mut(), killed, false, (&secret, ack), next) {
            Takeover::Resumed(resumed) => {
                assert!(!has_lost_seat, "nobody resumes a session whose seat was taken");
                let mut effects = Vec::new();
                if !std::mem::replace(&mut self.attached, true) {
                    effects = self.notify(false, ToRoom::Back(self.who));
                }
                self.paused = false;
                if resumed.complete {
                    self.send(&Frame::Resumed(None, next));
                    resumed.replay.iter().for_each(|frame| self.client.receive(&self.sent[number(frame)]));
                } else {
                    effects.push(self.resync(PendingResume { ack: resumed.ack, attempt: 1, re: None, next }));
                }
                return effects;
            }
            Takeover::Ending(reason) => self.kill(reason, false),
            // The client has no other socket, and that is found out.
            Takeover::Refused => self.kill(EndReason::Disconnected, false),
        }
        Vec::new()
    }

    fn resync(&mut self, resume: PendingResume) -> Effect {
        self.paused = true;
        let join_seq = self.rules.resync(resume).expect("it is in a room");
        let room = self.rules.room().expect("it is in a room").port;
        Effect::ToRoom(room, ToRoom::Resync((self.who, join_seq)))
    }
}

fn number(frame: &Bytes) -> usize {
    usize::from_be_bytes(frame[..].try_into().expect("a number"))
}
