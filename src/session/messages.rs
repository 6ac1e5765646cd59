//! What other actors send: rosters, signals, refusals, evictions, the drain.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    actor::Session,
    busy,
    early::EarlySignal,
    grants,
    shared::RoomHandle,
    state::{PendingJoin, RosterKind, RosterOutcome, SeatLoss, SignalOutcome, Unanswered},
    waiting,
};
use crate::{
    config::Milliseconds,
    messages::{
        cluster::Unsent,
        session::{Deliver, Drain, Evict, JoinError, JoinFailed, News, Roster, Snapshot, Welcomed},
    },
    moment::Moment,
    protocol::{
        ByeAction, EndReason, ErrorCode, FrameKind, Meta, ResumeToken, RoomName, error_texts,
        server::{ErrorFrame, Joined, ServerFrame},
    },
    recorder::{
        self, RoomLife,
        fact::{Blocks, ShortId, What},
    },
    telemetry::{self, LimitHit, RelayOutcome},
};

impl Session {
    pub(super) fn roster(&mut self, roster: Roster) {
        let Roster { snapshot, news } = roster;
        // Not by a roster that a former room has posted.
        if self.shared.busy.get() && self.rules.room().is_ok_and(|room| room.port == snapshot.port) {
            busy::forget_gone(&self.shared, &snapshot);
        }
        match news {
            News::Several(several) => several.of(self.me().peer).for_each(|news| self.news(&snapshot, news)),
            news => self.news(&snapshot, news),
        }
    }

    #[inline]
    fn news(&mut self, snapshot: &Arc<Snapshot>, news: News) {
        // Most news is this, and each member of a room has it.
        if let News::Changed(event) = &news {
            if matches!(self.rules.roster(snapshot, RosterKind::Changed), RosterOutcome::Changed) {
                self.shared.send_encoded(event.kind(), event.encoded());
            }
        } else {
            self.own_news(snapshot, news);
        }
    }

    /// What is an answer to this session, too.
    #[inline(never)]
    fn own_news(&mut self, snapshot: &Arc<Snapshot>, news: News) {
        if let News::Restored = news {
            return self.seat_restored(snapshot);
        }
        match (self.rules.roster(snapshot, kind(&news)), news) {
            (RosterOutcome::Entered { join, leave, early }, News::Joined(welcomed)) => {
                self.entered(snapshot, &welcomed, &join);
                self.handle_early(early, &welcomed);
                if let Some(re) = leave {
                    // Cannot be refused: the session is inside.
                    let _ = self.leave(&re);
                }
            }
            (RosterOutcome::Resynced { resume, early }, News::Resynced(welcomed)) => {
                self.resynced(&resume, &welcomed);
                self.handle_early(early, &welcomed);
            }
            (outcome @ (RosterOutcome::Changed | RosterOutcome::Included), News::Updated(meta)) => {
                let re = self.confirmed();
                self.remember(Some(&meta));
                if matches!(outcome, RosterOutcome::Changed) {
                    let (id, re) = (self.me().peer, re.as_deref());
                    self.shared.send(&ServerFrame::PeerUpdated { re, id, meta: &meta });
                }
            }
            _ => {}
        }
    }

    fn entered(&mut self, snapshot: &Snapshot, welcomed: &Welcomed, pending: &PendingJoin) {
        self.due(None);
        self.shared.waits_no_more();
        let recording = recorder::open(&snapshot.room, RoomLife::new(snapshot.port.life()));
        let place = RoomHandle { room: snapshot.room.clone(), port: snapshot.port.clone(), recording };
        self.shared.enter(Some(place));
        let token =
            pending.resumable.then(|| ResumeToken { session: self.me().session, secret: self.open_resume_buffer() });
        self.remember(welcomed.meta.as_ref());
        if let Some(resume_buffer) = self.shared.resume_buffer.borrow_mut().as_mut() {
            resume_buffer.who = welcomed.who.map(Box::new);
        }
        let now = Instant::now();
        self.shared.granted(pending.grant.clone(), now);
        let grant = pending.grant.as_deref();
        let ice = self.ice_list(grant, now);
        let joined = Joined {
            me: self.me().peer,
            meta: welcomed.meta.as_ref(),
            who: welcomed.who,
            room: &snapshot.room,
            peers: Some(&welcomed.peers),
            capacity: grants::capacity(snapshot.capacity, grant),
            locked: welcomed.locked,
            ice_servers_json: &ice.json,
            ice_ttl_ms: ice.ttl_ms,
            re: pending.re.as_deref(),
            resume: token.as_ref().map(|token| (token, self.setup().resume_window.0)),
            resumed: None,
            grant: grant.map(|grant| grants::view(grant, now)),
        };
        self.shared.send(&ServerFrame::Joined(joined));
        let took = pending.asked.elapsed();
        self.watch(FrameKind::Join, took);
        telemetry::tally(|t| t.handling.observe(took));
    }

    /// What its room has as this peer's metadata: a resumed client is told again.
    pub(super) fn remember(&self, meta: Option<&Meta>) {
        if let Some(resume_buffer) = self.shared.resume_buffer.borrow_mut().as_mut() {
            resume_buffer.meta = meta.cloned();
        }
    }

    /// What came before the room that it belongs to. Who was in that room and has left since is in no snapshot any more.
    fn handle_early(&mut self, early: Vec<EarlySignal>, whole: &Welcomed) {
        for deliver in early.into_iter().filter_map(EarlySignal::take) {
            if whole.peers.iter().any(|peer| peer.id == deliver.from) {
                self.pass(deliver);
            } else {
                self.drop_stray(&deliver);
            }
        }
    }

    pub(super) fn deliver(&mut self, deliver: Deliver) {
        match self.rules.deliver(deliver.from) {
            SignalOutcome::Pass => self.pass(deliver),
            SignalOutcome::TooEarly => {
                // Bounded as the mailbox is.
                let early = EarlySignal::new(deliver, Arc::clone(self.me()));
                if !self.rules.keep_early(early, self.setup().mailbox) {
                    self.shared.kill_switch.kill_for_lost_message();
                }
            }
            SignalOutcome::Stray => self.drop_stray(&deliver),
        }
    }

    fn drop_stray(&self, deliver: &Deliver) {
        self.me().inbox.dropped(deliver.from, deliver.frame.as_bytes().len(), deliver.mark);
        telemetry::tally(|t| t.relays.add(RelayOutcome::Stray));
        let (to, size) = (ShortId::of(self.me().peer), Blocks::of(deliver.frame.as_bytes().len()));
        let what = What::Signal { to, kind: deliver.kind, size, outcome: RelayOutcome::Stray };
        recorder::note(self.shared.recording().as_ref(), Instant::now(), Some(deliver.from), what);
    }

    #[inline]
    fn pass(&mut self, deliver: Deliver) {
        let (kind, bytes) = (FrameKind::from(deliver.kind), deliver.frame.as_bytes().len());
        if deliver.mark.away {
            self.shared.send_late(kind, deliver.frame);
        } else {
            self.shared.send_encoded(kind, deliver.frame);
        }
        self.shared.queued(deliver.from, bytes, deliver.mark);
        if let Some(read_at) = deliver.read_at {
            telemetry::tally(|t| t.handling.observe(Moment::now().since(read_at)));
        }
    }

    pub(super) fn join_refused(&mut self, JoinFailed { join_seq, refused }: &JoinFailed) {
        let room = self.rules.room_name().cloned();
        let Some((pending, leave)) = self.rules.join_refused(*join_seq) else { return };
        if let Some(room) = room {
            self.note_refusal(&room, refused.code);
        }
        let retry_after = self.retry_after(refused);
        // The time to join goes on, unless the client asked no sooner than it was told to: one that only ever fails does not
        // remain for ever, and one that waits for a seat may.
        // A ban is not waited for: its end may be days away.
        let waits = retry_after.filter(|_| refused.code != ErrorCode::Banned);
        let anew = waits.and_then(|retry| self.waits_on(pending.patient, retry));
        self.shared.end_at(anew.map(|at| (at, EndReason::JoinTimeout)).or(pending.deadline));
        let message = match refused.code {
            ErrorCode::RoomFull => error_texts::ROOM_FULL,
            ErrorCode::RoomLocked => error_texts::ROOM_LOCKED,
            ErrorCode::Banned => error_texts::BANNED,
            ErrorCode::RoomLimit if refused.share.is_some() => "this address holds as many rooms as it may",
            ErrorCode::RateLimited if refused.share == Some(LimitHit::NewRooms) => {
                "this address joins rooms that it is not in more often than it may"
            }
            ErrorCode::RateLimited if refused.share == Some(LimitHit::RefusedJoins) => {
                "rooms have refused this address more often than they may"
            }
            ErrorCode::RateLimited => "this address joins more often than it may",
            ErrorCode::RoomLimit => "the server holds as many rooms as it may",
            ErrorCode::ServerDraining => error_texts::DRAINING,
            ErrorCode::Unavailable => error_texts::UNAVAILABLE,
            _ => "the join failed",
        };
        // The supervisor has told of it.
        self.send_error_quietly(&ErrorFrame {
            re: pending.re.as_deref(),
            retry_after_ms: retry_after.map(|time| Milliseconds::rounded_up(time).0),
            ..ErrorFrame::new(refused.code, message)
        });
        self.refuse_leave(leave);
    }

    /// What it sent to another node did not arrive. Not told to one that is in no room any more: nobody of it is there.
    pub(super) fn unsent(&self, Unsent { code, peers }: &Unsent) {
        if self.rules.room().is_err() {
            return;
        }
        if *code == ErrorCode::PeerBusy {
            return busy::refuse(&self.shared, None, peers);
        }
        let retry_after_ms = Some(Milliseconds::rounded_up(waiting::RETRY_AFTER).0);
        let error = ErrorFrame::new(*code, error_texts::UNREACHED);
        self.send_error(error_texts::UNREACHED, &ErrorFrame { retry_after_ms, peers, ..error });
    }

    /// For the flight recorder, where it is the room that refuses: of one that nobody is in there is nothing to be seen.
    fn note_refusal(&self, room: &RoomName, code: ErrorCode) {
        if matches!(code, ErrorCode::RoomFull | ErrorCode::RoomLocked | ErrorCode::Banned) {
            let now = Instant::now();
            recorder::note(recorder::beside(room, now).as_ref(), now, Some(self.me().peer), What::JoinRefused(code));
        }
    }

    pub(super) fn evict(&mut self, evict: &Evict) {
        if let SeatLoss::Outside { unanswered, leave } = self.rules.evicted(evict.join_seq) {
            self.shared.note(What::RoomClosed);
            self.shared.paused.set(false);
            busy::give_up(&self.shared);
            if let Some(unanswered) = unanswered {
                self.answer_closed(unanswered);
            }
            self.shared.send(&ServerFrame::RoomClosed { room: &evict.room });
            self.outside();
            self.refuse_leave(leave);
            if !self.shared.attached() {
                // There is nothing to come back to.
                self.shared.kill_switch.kill(EndReason::ResumeExpired);
            }
        }
    }

    /// The room is gone before it could answer a `join`, or a resume that needs all of it.
    fn answer_closed(&self, unanswered: Unanswered) {
        let (code, message) = (ErrorCode::RoomClosed, error_texts::ROOM_ENDED);
        match unanswered {
            Unanswered::Resume(resume) => self.refuse_resume(resume.re.as_deref(), resume.attempt, code, message, None),
            Unanswered::Join(pending) => {
                let frame = ErrorFrame { re: pending.re.as_deref(), ..ErrorFrame::new(code, message) };
                self.send_error(message, &frame);
            }
        }
    }

    /// When a join that is refused may be tried again; `None` where waiting does not help.
    fn retry_after(&self, refused: &JoinError) -> Option<Duration> {
        match refused.code {
            ErrorCode::ServerDraining => Some(self.closes_after()),
            ErrorCode::RoomFull | ErrorCode::RoomLimit | ErrorCode::RoomLocked | ErrorCode::Unavailable => {
                Some(refused.retry_after.unwrap_or(waiting::RETRY_AFTER))
            }
            _ => refused.retry_after,
        }
    }

    /// Whether a join that comes now comes no sooner than it may.
    pub(super) fn is_patient(&self, now: Instant) -> bool {
        self.shared.lifetime.borrow().in_no_room.as_ref().is_none_or(|one| one.wait.is_patient(now))
    }

    /// A join was refused. Until when the client may ask again, if that has changed.
    fn waits_on(&self, patient: bool, retry: Duration) -> Option<Instant> {
        let mut lifetime = self.shared.lifetime.borrow_mut();
        lifetime
            .in_no_room
            .as_mut()
            .and_then(|one| one.wait.refused(patient, retry, self.setup().times, Instant::now()))
    }

    /// The time until a drain closes this connection.
    pub(super) fn closes_after(&self) -> Duration {
        match self.shared.deadline.get() {
            Some((at, EndReason::ServerDraining)) => at.saturating_duration_since(Instant::now()),
            // Its place in the drain is not known yet; it is none later than this.
            _ => self.setup().drain,
        }
    }

    pub(super) fn drain(&mut self, drain: Drain) {
        self.rules.drain(true);
        self.shared.connection.note(|attachment| attachment.bye_sent = true);
        let (reason, action) = (EndReason::ServerDraining, ByeAction::Reconnect);
        self.shared.send(&ServerFrame::Bye { reason, action, retry_after_ms: drain.close_after_ms, message: None });
    }

    /// Nothing tells the client: it was told when its connection would be closed, and it is not.
    pub(super) fn drain_withdrawn(&mut self) {
        self.rules.drain(false);
        self.shared.connection.note(|attachment| attachment.bye_sent = false);
    }
}

/// What the rules must know of what a roster tells.
fn kind(news: &News) -> RosterKind {
    match news {
        News::Joined(welcomed) => RosterKind::Joined(welcomed.join_seq),
        News::Resynced(_) => RosterKind::Resynced,
        News::Changed(..) | News::Updated(_) | News::Restored | News::Several(_) => RosterKind::Changed,
    }
}
