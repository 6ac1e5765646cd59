//! A client that comes back: the session that reads its `join`, and the session that it resumes.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use actix_web_actors::ws::WebsocketContext;
use tokio::sync::oneshot;

use super::{
    actor::Session,
    attachment::Attachment,
    closing, grants,
    inbound::Inbound,
    parking::{self, notify_room},
    resume_buffer::{BadAck, ResumeBuffer, Resumed},
    resume_rules::{Takeover, Verdict, judge, take_over},
    shared::{PendingTransfer, SessionShared},
    state::{PendingResume, Re, RequestError},
    tokens::TokenJudge,
};
use crate::{
    config::Milliseconds,
    messages::{
        Killed, SeatTaken,
        room::ToRoom,
        send_unbounded,
        session::{Credential, ResumeAnswer, ResumeGrant, ResumeRequest, SocketTransfer, Welcomed},
        supervisor::Resume,
    },
    protocol::{
        ByeAction, EndReason, ErrorCode, ResumeSecret, ResumeToken, RoomName,
        client::{BearerToken, ResumeParams},
        error_texts::NO_SUCH_SESSION,
        server::{self, ErrorFrame, Joined, ServerFrame},
    },
    recorder::fact::What,
    telemetry::{self, Event, Reconnection},
    ws::Connection,
};

/// When a client may try again whose newer connection was about to take its session.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The session that reads the `join`.
impl Session {
    /// Asks the session that the token names whether it is this client's. Until the answer nothing more is read: after a
    /// `join` that resumes, the client's next frame belongs to the other session.
    pub(super) fn ask_to_resume(
        &mut self,
        request: &ResumeParams,
        room: RoomName,
        attempt: u32,
        re: Re,
        bearer: Option<&BearerToken<'_>>,
        ctx: &mut WebsocketContext<Self>,
    ) -> Result<(), RequestError> {
        self.rules.may_join(&room)?;
        // That of the handshake renews nothing: it may be older than what the session was granted last.
        let grant = bearer.map(|token| self.judge_token(token, &room, |_| Ok(())));
        let renewed = match grant.transpose() {
            Ok(renewed) => renewed,
            Err(denied) => {
                self.tell_of(denied);
                let (code, message, retry) = denied.told();
                self.refuse_resume(re.as_deref(), attempt, code, message, retry);
                return Ok(());
            }
        };
        let Some(token) = request.token else {
            if renewed.is_some() {
                TokenJudge::accepted();
            }
            self.refuse_resume(re.as_deref(), attempt, ErrorCode::SessionNotFound, NO_SUCH_SESSION, None);
            return Ok(());
        };
        let (answer, answered) = oneshot::channel();
        let grant = renewed.clone();
        let asked = ResumeRequest { secret: token.secret, ack: request.ack, room, grant, answer };
        let resume = Resume { session: token.session, request: Box::new(asked), subnet: self.shared.subnet.get() };
        if !send_unbounded(&self.setup().ports.resume, resume) {
            self.shared.kill_switch.kill(EndReason::Internal);
        }
        self.shared.paused.set(true);
        let (secret, ack) = (token.secret, request.ack);
        let grant = ResumeGrant { secret, ack, re, attempt, renewed, credential: None, host: None };
        ctx.spawn(answered.into_actor(self).map(move |found, session, _| session.resume_answered(found.ok(), grant)));
        Ok(())
    }

    fn resume_answered(&mut self, found: Option<ResumeAnswer>, grant: ResumeGrant) {
        // Whatever becomes of the resume.
        if grant.renewed.is_some() && !matches!(found, Some(ResumeAnswer::OtherUser)) {
            TokenJudge::accepted();
        }
        let (code, message, retry) = match found {
            Some(ResumeAnswer::Granted(to)) => {
                let grant = ResumeGrant { credential: self.take_credential(), host: self.take_host(), ..grant };
                self.shared.pending_transfer.set(Some(Box::new(PendingTransfer { to, grant, unread: Vec::new() })));
                return self.shared.kill_switch.wake();
            }
            Some(ResumeAnswer::OtherUser) => {
                let denied = self.setup().tokens.other_user(self.shared.subnet.get());
                self.tell_of(denied);
                denied.told()
            }
            Some(ResumeAnswer::BadAck) => (ErrorCode::InvalidMessage, BadAck::MESSAGE, None),
            // The client's own doing, and no failure of the server's.
            Some(ResumeAnswer::Busy) => {
                (ErrorCode::RateLimited, "a newer connection resumes this session", Some(TRY_AGAIN))
            }
            Some(ResumeAnswer::TooManyWrong(wait)) => {
                (ErrorCode::RateLimited, "more resume tokens that are not good than may be tried", Some(wait))
            }
            None => (ErrorCode::SessionNotFound, NO_SUCH_SESSION, None),
        };
        self.refuse_resume(grant.re.as_deref(), grant.attempt, code, message, retry);
        self.shared.paused.set(false);
        self.shared.kill_switch.wake();
    }

    pub(super) fn refuse_resume(
        &self,
        re: Option<&str>,
        attempt: u32,
        code: ErrorCode,
        message: &str,
        retry: Option<Duration>,
    ) {
        telemetry::emit(&Event::ResumeRefused { context: self.ids(), code, attempt });
        let retry_after_ms = retry.map(|time| Milliseconds::rounded_up(time).0);
        self.send_error_quietly(&ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(code, message) });
    }
}

/// What the session answers who asks to resume it and knows a secret of it. The pump answers: nothing of this goes through
/// the mailbox.
pub(super) fn answer_resume_request(shared: &SessionShared) {
    let Some(me) = shared.member.get() else { return };
    // Dropped without an answer, it says that there is no such session.
    let Some(request) = me.resume.take() else { return };
    let resume_buffer = shared.resume_buffer.borrow();
    let inside = shared.inside.borrow();
    // Whose seat was taken is in no room, even if it does not know yet.
    let inside = inside.as_ref().map(|place| &place.room).filter(|_| !shared.has_lost_seat());
    let answer = match judge(resume_buffer.as_deref(), inside, &request.room, &request.secret, request.ack) {
        // Its end is a moment away.
        Verdict::Granted if request.grant.is_none() && shared.is_over(Instant::now()) => return,
        Verdict::Granted if request.grant.is_some_and(|grant| !shared.is_of_same_user(&grant)) => {
            ResumeAnswer::OtherUser
        }
        Verdict::Granted => ResumeAnswer::Granted(Arc::clone(me)),
        Verdict::BadAck => ResumeAnswer::BadAck,
        Verdict::NoSession => return,
    };
    // Whoever asked may be gone by now.
    let _ = request.answer.send(answer);
}

/// The session that it resumes.
impl Session {
    /// From here on the session may be resumed: the secret for its `joined`.
    pub(super) fn open_resume_buffer(&self) -> ResumeSecret {
        let secret = ResumeSecret::random();
        let resume_buffer = Box::new(ResumeBuffer::new(secret));
        self.me().resume.open(resume_buffer.secrets());
        *self.shared.resume_buffer.borrow_mut() = Some(resume_buffer);
        secret
    }

    /// Takes the socket of a client that came back.
    pub(super) fn take_socket(&mut self, transfer: SocketTransfer, ctx: &mut WebsocketContext<Self>) {
        let SocketTransfer { socket, permit, subnet, opened, frames, in_transit, unsent, unread, grant, .. } = transfer;
        let Ok(connection) = Connection::from_parts(socket, permit, unsent) else { return };
        let attachment = Attachment::new(connection, opened).go_on(frames.written);
        let next = ResumeSecret::random();
        let Some(resumed) = self.take_back(&grant, next) else {
            // Who was replaced meanwhile may replace that one in its turn.
            return match self.shared.lost_seat().filter(|taken| closing::is_moderation(taken.reason)) {
                Some(SeatTaken { reason, text, .. }) => {
                    closing::close(attachment, reason, reason.action(), text.as_ref());
                }
                None => closing::close(attachment, EndReason::Internal, ByeAction::Reconnect, None),
            };
        };
        in_transit.arrived();
        self.came_by(grant.host);
        if let Some(credential) = grant.credential {
            self.remember_credential(credential);
        }
        if let Some(renewed) = grant.renewed {
            self.rules.permit(renewed.permissions);
            // It is the newest that this client has shown, in its frame: it counts in place of the handshake's. (A ticket is kept
            // with its name: it may be shown again.)
            match self.memory.as_mut().and_then(|memory| memory.credential.as_deref_mut()) {
                Some(Credential::Ticket(_, grant)) if Arc::ptr_eq(grant, &renewed) => {}
                Some(credential) => *credential = Credential::Grant(Arc::clone(&renewed)),
                None => {}
            }
            self.shared.granted(Some(renewed), Instant::now());
        }
        self.replace_socket(attachment, frames.read);
        self.shared.subnet.set(subnet);
        let inbound = Inbound::new(Rc::clone(&self.shared), &unread, Instant::now());
        ctx.add_stream(inbound);
        let resume = PendingResume { ack: resumed.ack, attempt: grant.attempt, re: grant.re, next };
        if resumed.complete {
            self.send_resumed(&resume, None);
            self.shared.replay(resumed.replay);
        } else {
            self.ask_for_everybody(resume);
        }
    }

    /// The resume buffer's part of a resume, if it may be.
    fn take_back(&self, grant: &ResumeGrant, next: ResumeSecret) -> Option<Resumed> {
        let mut resume_buffer = self.shared.resume_buffer.borrow_mut();
        let (kill_switch, goodbye) = (&self.shared.kill_switch, self.shared.has_goodbye());
        let by = (&grant.secret, grant.ack);
        // The session is over without a seat, whatever else has happened to it.
        let lost_seat = || Some(Killed { reason: self.shared.lost_seat()?.reason, lost: false });
        let killed = || lost_seat().or_else(|| kill_switch.take());
        match take_over(resume_buffer.as_deref_mut(), killed, goodbye, by, next) {
            Takeover::Resumed(resumed) => Some(resumed),
            Takeover::Refused => None,
            Takeover::Ending(reason) => {
                kill_switch.kill(reason);
                None
            }
        }
    }

    /// The former socket, if it is still there, is told that it was replaced before the room is notified of anything.
    fn replace_socket(&self, attachment: Attachment, read: u64) {
        let former = self.shared.detach(EndReason::SessionTaken);
        let parked = former.is_none();
        if let Some(former) = former {
            closing::close(former, EndReason::SessionTaken, ByeAction::Disconnect, None);
        }
        self.shared.attach(attachment, read, Instant::now());
        self.shared.paused.set(false);
        self.due(None);
        if parked {
            notify_room(&self.shared, |peer| ToRoom::Back { peer });
            parking::notify_supervisor(&self.shared, false);
        }
    }

    fn ask_for_everybody(&mut self, resume: PendingResume) {
        self.shared.paused.set(true);
        if let Some(join_seq) = self.rules.resync(resume) {
            notify_room(&self.shared, |peer| ToRoom::Resync { peer, join_seq });
        }
        self.due(Some((self.setup().join_reply, EndReason::Internal)));
    }

    /// The whole room, for a client that has missed too much.
    pub(super) fn resynced(&mut self, resume: &PendingResume, welcomed: &Welcomed) {
        // The room has answered them all, before this; some answers may have been lost.
        self.unconfirmed = None;
        // A session that was parked meanwhile ends when its window does.
        if self.shared.attached() {
            self.due(None);
        }
        self.remember(welcomed.meta.as_ref());
        self.send_resumed(resume, Some(welcomed));
        self.shared.paused.set(false);
        self.shared.kill_switch.wake();
    }

    /// With the whole room where the resume is not complete.
    fn send_resumed(&self, resume: &PendingResume, whole: Option<&Welcomed>) {
        let Ok(snapshot) = self.rules.room() else { return };
        let token = ResumeToken { session: self.me().session, secret: resume.next };
        let complete = whole.is_none();
        let known = self.shared.resume_buffer.borrow();
        let (meta, who) =
            known.as_ref().map(|known| (known.meta.clone(), known.who.as_deref().copied())).unwrap_or_default();
        drop(known);
        let (now, grant) = (Instant::now(), self.shared.current_grant());
        let ice = self.ice_list(grant.as_deref(), now);
        let joined = Joined {
            re: resume.re.as_deref(),
            me: self.me().peer,
            meta: meta.as_ref(),
            who,
            room: &snapshot.room,
            peers: whole.map(|whole| whole.peers.as_slice()),
            capacity: grants::capacity(snapshot.capacity, grant.as_deref()),
            // Of a complete resume the client knows it, as it knows its peers.
            locked: whole.is_some_and(|whole| whole.locked),
            ice_servers_json: &ice.json,
            ice_ttl_ms: ice.ttl_ms,
            resume: Some((&token, self.setup().resume_window.0)),
            resumed: Some(server::ResumeStatus { complete, ack: resume.ack }),
            grant: grant.as_deref().map(|grant| grants::view(grant, now)),
        };
        self.shared.send(&ServerFrame::Joined(joined));
        self.shared.note(What::Resumed(complete));
        let result = if complete { Reconnection::Resumed } else { Reconnection::Incomplete };
        telemetry::emit(&Event::SessionResumed { context: self.ids(), result, attempt: resume.attempt });
    }
}
