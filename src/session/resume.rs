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
    actor::{Pending, Session},
    attachment::Attachment,
    closing,
    inbound::Inbound,
    messages::milliseconds,
    parking::{self, notify_room},
    resume_buffer::{self, ResumeBuffer},
    shared::{PendingTransfer, SessionShared},
    state::{Re, RequestError},
};
use crate::{
    messages::{
        room::ToRoom,
        send_unbounded,
        session::{Claim, ClaimAnswer, Resumption, SocketTransfer, Welcomed},
        supervisor::Reclaim,
    },
    protocol::{
        ByeAction, EndReason, ErrorCode, ResumeToken, RoomName, Secret,
        client::ResumeRequest,
        error_texts::NO_SUCH_SESSION,
        server::{ErrorFrame, Joined, Resumed, ServerFrame},
    },
    telemetry::{self, Event, Reconnection},
    ws::Connection,
};

/// When a client may try again whose newer connection was about to take its session.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// An answer that waits for the whole room.
#[derive(Debug)]
pub(super) struct Resync {
    /// The client's frames that were handled, by the count that is over.
    ack: u64,
    attempt: u32,
    /// The `id` of the `join`: the latest, where a client tried again meanwhile.
    re: Re,
}

/// The session that reads the `join`.
impl Session {
    /// Asks the session that the token names whether it is this client's. Until the answer nothing more is read: after a
    /// `join` that resumes, the client's next frame belongs to the other session.
    pub(super) fn reclaim(
        &mut self,
        request: &ResumeRequest,
        room: RoomName,
        attempt: u32,
        re: Re,
        ctx: &mut WebsocketContext<Self>,
    ) -> Result<(), RequestError> {
        self.rules.may_join(&room)?;
        let Some(token) = request.token else {
            let to = Resync { ack: 0, attempt, re };
            self.refuse_resume(&to, ErrorCode::SessionNotFound, NO_SUCH_SESSION, None);
            return Ok(());
        };
        let (answer, answered) = oneshot::channel();
        let claim = Box::new(Claim { secret: token.secret, ack: request.ack, room, answer });
        let reclaim = Reclaim { session: token.session, claim, subnet: self.shared.subnet };
        if !send_unbounded(&self.setup().ports.reclaim, reclaim) {
            self.shared.kill_switch.kill(EndReason::Internal);
        }
        self.shared.paused.set(true);
        let claim = Resumption { secret: token.secret, ack: request.ack, re, attempt };
        ctx.spawn(answered.into_actor(self).map(move |found, session, _| session.reclaimed(found.ok(), claim)));
        Ok(())
    }

    fn reclaimed(&mut self, found: Option<ClaimAnswer>, claim: Resumption) {
        let (code, message, retry) = match found {
            Some(ClaimAnswer::Come(to)) => {
                *self.shared.pending_transfer.borrow_mut() =
                    Some(Box::new(PendingTransfer { to, claim, unread: Vec::new() }));
                return self.shared.kill_switch.wake();
            }
            Some(ClaimAnswer::BadAck) => (ErrorCode::InvalidMessage, "ack falls, or exceeds what was sent", None),
            // The client's own doing, and no failure of the server's.
            Some(ClaimAnswer::Busy) => {
                (ErrorCode::RateLimited, "a newer connection resumes this session", Some(TRY_AGAIN))
            }
            Some(ClaimAnswer::TooManyWrong(wait)) => {
                (ErrorCode::RateLimited, "more resume tokens that are not good than may be tried", Some(wait))
            }
            None => (ErrorCode::SessionNotFound, NO_SUCH_SESSION, None),
        };
        let Resumption { re, attempt, .. } = claim;
        self.refuse_resume(&Resync { ack: 0, attempt, re }, code, message, retry);
        self.shared.paused.set(false);
        self.shared.kill_switch.wake();
    }

    pub(super) fn refuse_resume(&self, to: &Resync, code: ErrorCode, message: &str, retry: Option<Duration>) {
        telemetry::emit(&Event::ResumeRefused { context: self.ids(), code, attempt: to.attempt });
        let retry_after_ms = retry.map(milliseconds);
        self.send_error_quietly(&ErrorFrame { re: to.re.as_deref(), retry_after_ms, ..ErrorFrame::new(code, message) });
    }
}

/// What the session says to who asks to resume it and knows a secret of it. Said by the pump: nothing of this goes through
/// the mailbox.
pub(super) fn answer_claim(shared: &SessionShared) {
    let Some(me) = shared.member.get() else { return };
    // Dropped without an answer, it says that there is no such session.
    let Some(claim) = me.resume.take() else { return };
    let resume_buffer = shared.resume_buffer.borrow();
    let Some(resume_buffer) = resume_buffer.as_ref().filter(|resume_buffer| resume_buffer.knows(&claim.secret)) else {
        return;
    };
    if shared.inside.borrow().as_ref().is_none_or(|place| place.room != claim.room) {
        return;
    }
    let allowed = resume_buffer.allows(&claim.secret, claim.ack);
    let answer = if allowed { ClaimAnswer::Come(Arc::clone(me)) } else { ClaimAnswer::BadAck };
    // Whoever asked may be gone by now.
    let _ = claim.answer.send(answer);
}

/// The session that it resumes.
impl Session {
    /// Begins a stay that may be resumed: the secret for its `joined`.
    pub(super) fn open_resume_buffer(&self) -> Secret {
        let secret = Secret::random();
        let resume_buffer = Box::new(ResumeBuffer::new(secret));
        self.me().resume.open(resume_buffer.secrets());
        *self.shared.resume_buffer.borrow_mut() = Some(resume_buffer);
        secret
    }

    /// Takes the socket of a client that came back.
    pub(super) fn take_socket(&mut self, transfer: SocketTransfer, ctx: &mut WebsocketContext<Self>) {
        let SocketTransfer { socket, permit, transfer_guard, unsent, unread, claim } = transfer;
        let Ok(connection) = Connection::from_parts(socket, permit, transfer_guard.opened(), unsent) else { return };
        let attachment = Attachment::new(connection).go_on(transfer_guard.frames());
        let next = Secret::random();
        let Some(resumed) = self.take_back(&claim, next) else {
            // The session has ended or left its room, or was resumed by somebody else, while the socket was on its way.
            return closing::close(attachment, EndReason::Internal, ByeAction::Reconnect);
        };
        transfer_guard.arrive();
        self.replace_socket(attachment);
        let inbound = Inbound::new(Rc::clone(&self.shared), &unread, Instant::now());
        ctx.add_stream(inbound);
        let answer = Resync { ack: resumed.ack, attempt: claim.attempt, re: claim.re };
        if resumed.complete {
            self.send_resumed(next, &answer, None);
            self.shared.replay(resumed.replay);
        } else {
            self.ask_for_everybody(answer, next);
        }
    }

    /// The resume buffer's part of a resume, if it may be.
    fn take_back(&self, claim: &Resumption, next: Secret) -> Option<resume_buffer::Resumed> {
        let mut resume_buffer = self.shared.resume_buffer.borrow_mut();
        let resume_buffer = resume_buffer.as_mut().filter(|resume_buffer| resume_buffer.knows(&claim.secret))?;
        // What ends the former socket must not end the new one: it is being replaced.
        if let Some(killed) = self.shared.kill_switch.take() {
            if killed.lost {
                resume_buffer.lost();
            }
            if !parking::parks(&self.shared, killed.reason) {
                self.shared.kill_switch.kill(killed.reason);
                return None;
            }
        }
        resume_buffer.resume(&claim.secret, claim.ack, next).ok()
    }

    /// The former socket, if it is still there, hears that it was replaced before the room hears of anything.
    fn replace_socket(&self, attachment: Attachment) {
        let former = self.shared.detach(EndReason::SessionTaken);
        let parked = former.is_none();
        if let Some(former) = former {
            closing::close(former, EndReason::SessionTaken, ByeAction::Disconnect);
        }
        self.shared.attach(attachment, Instant::now());
        self.shared.paused.set(false);
        self.due(None);
        if parked {
            notify_room(&self.shared, |peer| ToRoom::Back { peer });
            parking::notify_supervisor(&self.shared, false);
        }
    }

    fn ask_for_everybody(&mut self, answer: Resync, next: Secret) {
        self.shared.paused.set(true);
        let join_seq = self.rules.join_seq();
        self.pending = Some(Box::new(Pending { resync: Some((answer, next)), ..Pending::since(Instant::now()) }));
        notify_room(&self.shared, |peer| ToRoom::Resync { peer, join_seq });
        self.due(Some((self.setup().join_reply, EndReason::Internal)));
    }

    /// The whole room, for a client that has missed too much.
    pub(super) fn resynced(&mut self, welcomed: &Welcomed) {
        let Some(mut pending) = self.pending.take() else { return };
        let Some((answer, next)) = pending.resync.take() else { return };
        // The room has answered them all, before this; some answers may have been lost.
        self.unconfirmed = None;
        // A session that was parked meanwhile ends when its window does.
        if self.shared.attached() {
            self.due(None);
        }
        self.remember(welcomed.meta.as_ref());
        self.send_resumed(next, &answer, Some(welcomed));
        self.shared.paused.set(false);
        self.shared.kill_switch.wake();
        self.handle_early(pending.early);
    }

    /// With the whole room where the resume is not complete.
    fn send_resumed(&self, secret: Secret, answer: &Resync, whole: Option<&Welcomed>) {
        let Ok(snapshot) = self.rules.room() else { return };
        let token = ResumeToken { session: self.me().session, secret };
        let complete = whole.is_none();
        let meta = self.shared.resume_buffer.borrow().as_ref().and_then(|resume_buffer| resume_buffer.meta.clone());
        let joined = Joined {
            re: answer.re.as_deref(),
            me: self.me().peer,
            meta: meta.as_ref(),
            room: &snapshot.room,
            peers: whole.map(|whole| whole.peers.as_slice()),
            capacity: snapshot.capacity,
            ice_servers_json: &self.setup().ice_servers,
            resume: Some((&token, self.setup().resume_window_ms)),
            resumed: Some(Resumed { complete, ack: answer.ack }),
        };
        self.shared.send(&ServerFrame::Joined(joined));
        let result = if complete { Reconnection::Resumed } else { Reconnection::Incomplete };
        telemetry::emit(&Event::SessionResumed { context: self.ids(), result, attempt: answer.attempt });
    }
}
