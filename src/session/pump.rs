//! The task of one session: polls the actor's context whatever the socket does, and writes what waits.
//!
//! One way out for everybody: whoever ends a connection pulls its [`KillSwitch`](crate::messages::KillSwitch); the pump finds it and
//! either parks the session or drops the context (which runs `stopped`); the socket gets its last words if it takes them.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_util::Stream;

use super::{
    busy,
    closing::{self, TransferGuard},
    handover, parking, resume,
    shared::{PendingTransfer, SESSIONS, SessionShared},
};
use crate::{
    memory::{HeldBytes, Outside},
    messages::{
        Killed, Note, Notes,
        session::{Control, SocketTransfer},
    },
    protocol::EndReason,
    telemetry::{self, LimitHit},
};

/// Runs the session on the calling arbiter, in a task of its own, until it is over. `context` is its actor's.
pub(super) fn spawn<S>(context: S, shared: Rc<SessionShared>)
where
    S: Stream<Item = Result<Bytes, actix_web::Error>> + Unpin + 'static,
{
    SESSIONS.with(|sessions| sessions.insert(&shared));
    actix_rt::spawn(Pump { context: Some(context), shared });
}

/// The task of one session. A connection that ends with last words sends them in a task of its own.
struct Pump<S> {
    /// The actor. Gone once the session is over.
    context: Option<S>,
    shared: Rc<SessionShared>,
}

/// What follows when a session's kill switch was pulled.
enum Next {
    /// The session goes on, with or without a socket.
    GoesOn,
    /// It is over.
    Over,
    /// The server hands its sessions over, and this one is as it was recorded: nothing happens to it until that is done.
    Stands,
}

impl<S> Unpin for Pump<S> {}

impl<S> Future for Pump<S>
where
    S: Stream<Item = Result<Bytes, actix_web::Error>> + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            this.shared.kill_switch.register(cx.waker());
            // A drain loses nothing that was accepted: what its sender takes for delivered is in the mailbox, and is
            // written before the last words.
            let last_call = this.shared.kill_switch.take_if(EndReason::ServerDraining);
            if last_call.is_some() {
                this.shared.kill_switch.shut();
            }
            this.run_actor(cx);
            if this.shared.is_leaving() {
                this.transfer_socket();
                return Poll::Ready(());
            }
            let notes = this.shared.kill_switch.take_notes();
            if !notes.is_empty() {
                read(&this.shared, notes);
            }
            match this.shared.kill_switch.take().or(last_call) {
                Some(killed) => match this.settle(killed) {
                    Next::GoesOn => {}
                    Next::Over => return Poll::Ready(()),
                    Next::Stands => return Poll::Pending,
                },
                None => match this.shared.poll_flush(cx) {
                    Poll::Ready(Err(_)) => this.shared.kill_switch.kill(EndReason::Disconnected),
                    Poll::Ready(Ok(())) | Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}

impl<S> Pump<S>
where
    S: Stream<Item = Result<Bytes, actix_web::Error>> + Unpin,
{
    /// Mailbox, timers and incoming messages, until there is nothing to do. What the session sends it queues by itself.
    fn run_actor(&mut self, cx: &mut Context<'_>) {
        let Some(context) = self.context.as_mut() else { return };
        loop {
            // A panic ends this session, with a word to its client, and nothing else.
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *context).poll_next(cx))) {
                Ok(Poll::Pending) => return,
                Ok(Poll::Ready(Some(Ok(bytes)))) => self.shared.queue(bytes),
                Ok(Poll::Ready(Some(Err(_)) | None)) | Err(_) => {
                    return self.shared.kill_switch.kill(EndReason::Internal);
                }
            }
        }
    }

    /// The one place where a connection or a session ends.
    fn settle(&mut self, killed: Killed) -> Next {
        if handover::is_frozen() {
            handover::put_off(&self.shared, killed);
            return Next::Stands;
        }
        if killed.lost
            && let Some(resume_buffer) = self.shared.resume_buffer.borrow_mut().as_mut()
        {
            resume_buffer.lost();
        }
        if parking::may_park(&self.shared, killed.reason) {
            parking::park(&self.shared, killed.reason);
            return Next::GoesOn;
        }
        if killed.reason == EndReason::JoinTimeout && self.shared.has_waited(Instant::now()) {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::JoinWait));
        }
        busy::end(&self.shared);
        self.shared.why.set(Some(killed.reason));
        let attachment = self.shared.detach(killed.reason);
        self.end_actor();
        if let Some(attachment) = attachment {
            let text =
                self.shared.lost_seat().filter(|taken| taken.reason == killed.reason).and_then(|taken| taken.text);
            closing::close(attachment, killed.reason, killed.reason.action(), text.as_ref());
        }
        Next::Over
    }

    /// Runs `stopped`, where the session leaves its room.
    fn end_actor(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.context = None));
    }

    /// The client came back to another session: that one gets the socket, and what was read of it, and this one is over.
    fn transfer_socket(&mut self) {
        self.end_actor();
        // If it was held back, it was for what its former session holds.
        self.shared.reads_on();
        let attachment = self.shared.detach_quietly();
        let (Some((attachment, frames)), Some(pending_transfer)) = (attachment, self.shared.pending_transfer.take())
        else {
            return;
        };
        let PendingTransfer { to, grant, unread } = *pending_transfer;
        let Some(from) = self.shared.member.get() else { return };
        let (opened, connection) = (attachment.opened(), attachment.connection);
        let in_transit = Box::new(TransferGuard::new(from, opened, frames));
        // A socket that cannot be moved is closed, and so is one that nobody takes, for good or because too much waits
        // there: its client tries again. It is no frame of the other session's that is lost then, so that one is not ended.
        if let Ok((socket, permit, unsent)) = connection.into_parts() {
            let bytes = unsent.iter().map(Bytes::len).sum::<usize>() + unread.len();
            let (held, subnet) = (HeldBytes::new(Outside::Transfers, bytes as u64), self.shared.subnet.get());
            let transfer =
                SocketTransfer { socket, permit, subnet, opened, frames, in_transit, unsent, unread, grant, held };
            let _ = to.port.try_send(Control::TakeSocket(Box::new(transfer)).into());
        }
    }
}

/// What others have asked of this session without ending it.
fn read(shared: &SessionShared, notes: Notes) {
    // First: nobody resumes it any more. Who has left by itself meanwhile goes on.
    if notes.has(Note::SeatTaken)
        && let Some(taken) = shared.lost_seat()
    {
        shared.kill_switch.kill(taken.reason);
    }
    if notes.has(Note::ResumeRequested) {
        resume::answer_resume_request(shared);
    }
    if notes.has(Note::InboxReady) {
        busy::retry(shared);
    }
    if notes.has(Note::Settle) {
        handover::settled(shared);
    }
    // Who has come back meanwhile is not parked any more.
    if notes.has(Note::TooManyParked) && !shared.attached() {
        shared.kill_switch.kill(EndReason::ResumeExpired);
    }
    // And who is in a room by now does not wait.
    if notes.has(Note::TooManyWaiting) && shared.lifetime.borrow().in_no_room.is_some() {
        if !shared.has_waited(Instant::now()) {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::JoinWait));
        }
        shared.kill_switch.kill(EndReason::JoinTimeout);
    }
}

impl<S> Drop for Pump<S> {
    fn drop(&mut self) {
        if let Some(member) = self.shared.member.get() {
            member.resume.close();
            member.inbox.close();
        }
        busy::abandon(&self.shared);
        handover::settled(&self.shared);
        SESSIONS.with(|sessions| sessions.remove(&self.shared));
    }
}
