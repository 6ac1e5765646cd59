//! What other actors say: rosters, signals, refusals, evictions, the drain.

use std::time::{Duration, Instant};

use super::{
    actor::{Pending, Session},
    shared::RoomHandle,
    state::{RosterOutcome, SeatLoss, SignalOutcome},
    waiting,
};
use crate::{
    messages::session::{Deliver, Drain, Evict, JoinError, JoinFailed, News, Roster, Snapshot, Welcomed},
    protocol::{
        ByeAction, EndReason, ErrorCode, FrameKind, Meta, ResumeToken, error_texts,
        server::{ErrorFrame, Joined, ServerFrame},
    },
    telemetry::{self, LimitHit, RelayOutcome},
};

impl Session {
    pub(super) fn roster(&mut self, roster: Roster) {
        match (self.rules.roster(&roster), roster.news) {
            (RosterOutcome::Entered { leave }, News::Joined(welcomed)) => {
                self.entered(&roster.snapshot, &welcomed);
                if let Some(re) = leave {
                    // Cannot be refused: the session is inside.
                    let _ = self.leave(&re);
                }
            }
            (RosterOutcome::Changed, News::Resynced(welcomed)) => self.resynced(&welcomed),
            (RosterOutcome::Changed, News::Updated(meta)) => {
                let re = self.confirmed();
                self.remember(Some(&meta));
                if !self.awaits_everybody() {
                    let (id, re) = (self.me().peer, re.as_deref());
                    self.shared.send(&ServerFrame::PeerUpdated { re, id, meta: &meta });
                }
            }
            // Part of the whole room that is on its way.
            (RosterOutcome::Changed, _) if self.awaits_everybody() => {}
            (RosterOutcome::Changed, News::Changed(event)) => {
                self.shared.send_encoded(event.frame().kind(), event.encoded());
            }
            _ => {}
        }
    }

    fn entered(&mut self, snapshot: &Snapshot, welcomed: &Welcomed) {
        self.due(None);
        self.shared.waits_no_more();
        let place = RoomHandle { room: snapshot.room.clone(), port: snapshot.port.clone() };
        self.shared.enter(Some(place));
        let pending = self.pending.take().unwrap_or_else(|| Box::new(Pending::since(Instant::now())));
        let token =
            pending.resumable.then(|| ResumeToken { session: self.me().session, secret: self.open_resume_buffer() });
        self.remember(welcomed.meta.as_ref());
        let joined = Joined {
            me: self.me().peer,
            meta: welcomed.meta.as_ref(),
            room: &snapshot.room,
            peers: Some(&welcomed.peers),
            capacity: snapshot.capacity,
            ice_servers_json: &self.setup().ice_servers,
            re: pending.re.as_deref(),
            resume: token.as_ref().map(|token| (token, self.setup().resume_window_ms)),
            resumed: None,
        };
        self.shared.send(&ServerFrame::Joined(joined));
        let took = pending.asked.elapsed();
        self.watch(FrameKind::Join, took);
        telemetry::tally(|t| t.handling.observe(took));
        self.handle_early(pending.early);
    }

    /// What its room has as this peer's metadata: a resumed client is told again.
    pub(super) fn remember(&self, meta: Option<&Meta>) {
        if let Some(resume_buffer) = self.shared.resume_buffer.borrow_mut().as_mut() {
            resume_buffer.meta = meta.cloned();
        }
    }

    /// What came before the room that it belongs to.
    pub(super) fn handle_early(&mut self, early: Vec<Deliver>) {
        for deliver in early {
            self.deliver(deliver);
        }
    }

    /// Whether the answer to a resume waits for the whole room.
    fn awaits_everybody(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.resync.is_some())
    }

    pub(super) fn deliver(&mut self, deliver: Deliver) {
        let received = match self.rules.deliver(deliver.from) {
            SignalOutcome::Pass if self.awaits_everybody() => SignalOutcome::TooEarly,
            received => received,
        };
        match received {
            SignalOutcome::Pass => {
                self.shared.send_encoded(FrameKind::from(deliver.kind), deliver.frame);
                if let Some(read_at) = deliver.read_at {
                    telemetry::tally(|t| t.handling.observe(read_at.elapsed()));
                }
            }
            SignalOutcome::TooEarly => self.keep_early(deliver),
            SignalOutcome::Stray => telemetry::tally(|t| t.relays.add(RelayOutcome::Stray)),
        }
    }

    fn keep_early(&mut self, deliver: Deliver) {
        let most = self.setup().mailbox;
        match &mut self.pending {
            Some(pending) if pending.early.len() < most => pending.early.push(deliver),
            _ => self.shared.kill_switch.kill_for_lost_message(),
        }
    }

    pub(super) fn join_refused(&mut self, JoinFailed { join_seq, refused }: &JoinFailed) {
        let SeatLoss::Outside { leave } = self.rules.join_refused(*join_seq) else { return };
        let retry_after = self.retry_after(refused);
        // The time to join goes on, unless the client asked no sooner than it was told to: one that only ever fails does not
        // stay for ever, and one that waits for a seat may.
        let pending = self.pending.take();
        if let Some(pending) = &pending {
            let anew = retry_after.and_then(|retry| self.waits_on(pending.patient, retry));
            self.shared.end_at(anew.map(|at| (at, EndReason::JoinTimeout)).or(pending.deadline));
        }
        let message = match refused.code {
            ErrorCode::RoomFull => error_texts::ROOM_FULL,
            ErrorCode::RoomLimit if refused.share.is_some() => "this address holds as many rooms as it may",
            ErrorCode::RateLimited if refused.share == Some(LimitHit::NewRooms) => {
                "this address joins rooms that it is not in more often than it may"
            }
            ErrorCode::RateLimited => "this address joins more often than it may",
            ErrorCode::RoomLimit => "the server holds as many rooms as it may",
            ErrorCode::ServerDraining => error_texts::DRAINING,
            _ => "the join failed",
        };
        // The supervisor has told of it.
        self.send_error_quietly(&ErrorFrame {
            re: pending.as_ref().and_then(|pending| pending.re.as_deref()),
            retry_after_ms: retry_after.map(milliseconds),
            ..ErrorFrame::new(refused.code, message)
        });
        self.refuse_leave(leave);
    }

    pub(super) fn evict(&mut self, evict: &Evict) {
        if let SeatLoss::Outside { leave } = self.rules.evicted(evict) {
            self.shared.paused.set(false);
            if let Some(pending) = self.pending.take() {
                self.answer_closed(*pending);
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
    fn answer_closed(&self, pending: Pending) {
        let (code, message) = (ErrorCode::RoomClosed, error_texts::ROOM_ENDED);
        if let Some((answer, _)) = pending.resync {
            return self.refuse_resume(&answer, code, message, None);
        }
        let frame = ErrorFrame { re: pending.re.as_deref(), ..ErrorFrame::new(code, message) };
        self.send_error(message, &frame);
    }

    /// When a join that is refused may be tried again; `None` where waiting does not help.
    fn retry_after(&self, refused: &JoinError) -> Option<Duration> {
        match refused.code {
            ErrorCode::ServerDraining => Some(self.closes_after()),
            ErrorCode::RoomFull | ErrorCode::RoomLimit => Some(refused.retry_after.unwrap_or(waiting::RETRY_AFTER)),
            _ => refused.retry_after,
        }
    }

    /// Whether a join that comes now comes no sooner than it may.
    pub(super) fn is_patient(&self, now: Instant) -> bool {
        self.shared.in_no_room.borrow().as_ref().is_none_or(|one| one.wait.is_patient(now))
    }

    /// A join was refused. Until when the client may ask again, if that has changed.
    fn waits_on(&self, patient: bool, retry: Duration) -> Option<Instant> {
        let mut one = self.shared.in_no_room.borrow_mut();
        one.as_mut().and_then(|one| one.wait.refused(patient, retry, self.setup().times, Instant::now()))
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
        self.rules.drain();
        self.shared.note(|attachment| attachment.said_bye = true);
        let (reason, action) = (EndReason::ServerDraining, ByeAction::Reconnect);
        self.shared.send(&ServerFrame::Bye { reason, action, retry_after_ms: drain.close_after_ms });
    }
}

/// Whole milliseconds, rounded up: who comes after them is not too early.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
