//! The task of one session: polls the actor's context whatever the socket does, and writes what waits.
//!
//! One way out for everybody: whoever ends a connection pulls its [`Cut`](crate::messages::Cut); the pump finds it and
//! either parks the session or drops the context (which runs `stopped`); the socket gets its last words if it takes them.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use actix_http::ws::Codec;
use bytes::Bytes;
use futures_util::Stream;

use super::{
    Opened, Setup,
    actor::{Newborn, Session},
    farewell, inbound,
    inbound::Inbound,
    link::{Handover, Link},
    parking, resume, tick,
    wire::Wire,
};
use crate::{
    messages::{
        Note, Notes, Pulled,
        session::{Handoff, Passage, ToSession},
    },
    protocol::EndReason,
    telemetry::{self, LimitHit},
};

/// Starts a session on the calling arbiter and gives it the socket. `permit` is dropped when the socket is.
pub(super) fn open<P: Send + 'static>(setup: &Rc<Setup>, opened: Opened<P>) {
    let now = Instant::now();
    let (reader, writer) = opened.socket.into_split();
    let wire = Wire::new(writer, Box::new(opened.permit), now);
    let link = Link::new(wire, Rc::clone(setup), opened.origin, now);
    #[cfg(feature = "echo")]
    super::echo::mark(&link, opened.hint.as_ref());
    let inbound = Inbound::new(reader, Rc::clone(&link), &opened.unread, now);
    let newborn = Newborn::new(inbound, opened.request, opened.remote);
    newborn.announce(&opened.remote);
    let session = Session::new(Rc::clone(&link), newborn, opened.hint);
    let context = actix_web_actors::ws::WebsocketContext::with_codec(session, inbound::unused(), Codec::new());
    tick::enlist(&link);
    actix_rt::spawn(Pump { context: Some(context), link });
}

/// The task of one session. A connection that ends with last words says them in a task of its own.
struct Pump<S> {
    /// The actor. Gone once the session is over.
    context: Option<S>,
    link: Rc<Link>,
}

/// What follows when a session's cut was pulled.
enum Next {
    /// The session goes on, with or without a socket.
    GoesOn,
    /// It is over.
    Over,
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
            this.link.cut.register(cx.waker());
            // A drain loses nothing that was accepted: what its sender takes for delivered is in the mailbox, and is
            // written before the last words.
            let last_call = this.link.cut.take_if(EndReason::ServerDraining);
            if last_call.is_some() {
                this.link.cut.shut();
            }
            this.run_actor(cx);
            if this.link.handover.borrow().is_some() {
                this.hand_over();
                return Poll::Ready(());
            }
            let notes = this.link.cut.take_notes();
            if !notes.is_empty() {
                read(&this.link, notes);
            }
            match this.link.cut.take().or(last_call) {
                Some(pulled) => {
                    if let Next::Over = this.settle(pulled) {
                        return Poll::Ready(());
                    }
                }
                None => match this.link.poll_flush(cx) {
                    Poll::Ready(Err(_)) => this.link.cut.pull(EndReason::Disconnected),
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
    /// Mailbox, timers and incoming messages, until there is nothing to do. What the session says it queues by itself.
    fn run_actor(&mut self, cx: &mut Context<'_>) {
        let Some(context) = self.context.as_mut() else { return };
        loop {
            // A panic ends this session, with a word to its client, and nothing else.
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *context).poll_next(cx))) {
                Ok(Poll::Pending) => return,
                Ok(Poll::Ready(Some(Ok(octets)))) => self.link.queue(octets),
                Ok(Poll::Ready(Some(Err(_)) | None)) | Err(_) => return self.link.cut.pull(EndReason::Internal),
            }
        }
    }

    /// The one place where a connection or a session ends.
    fn settle(&mut self, pulled: Pulled) -> Next {
        if pulled.lost
            && let Some(ledger) = self.link.ledger.borrow_mut().as_mut()
        {
            ledger.lost();
        }
        if parking::may_park(&self.link, pulled.reason) {
            parking::park(&self.link, pulled.reason);
            return Next::GoesOn;
        }
        if pulled.reason == EndReason::JoinTimeout && self.link.has_waited(Instant::now()) {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::JoinWait));
        }
        self.link.why.set(Some(pulled.reason));
        let wire = self.link.detach(pulled.reason);
        self.end_actor();
        if let Some(wire) = wire {
            farewell::close(wire, pulled.reason, pulled.reason.action());
        }
        Next::Over
    }

    /// Runs `stopped`, where the session leaves its room.
    fn end_actor(&mut self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.context = None));
    }

    /// The client came back to another session: that one gets the socket, and what was read of it, and this one is over.
    fn hand_over(&mut self) {
        self.end_actor();
        let wire = self.link.detach_quietly();
        let (Some(wire), Some(handover)) = (wire, self.link.handover.take()) else { return };
        let Handover { to, claim, unread } = *handover;
        let Some(from) = self.link.member.get() else { return };
        let passage = Passage::begin(wire.opened, Arc::clone(from));
        // A socket that cannot be moved is closed, and so is one that nobody takes, for good or because too much waits
        // there: its client tries again. It is no frame of the other session's that is lost then, so that one is not cut.
        if let Ok((socket, permit, unsent)) = wire.into_std() {
            let handoff = Handoff { socket, permit, passage, unsent, unread, claim };
            let _ = to.port.try_send(ToSession::Adopt(Box::new(handoff)));
        }
    }
}

/// What others have asked of this session without ending it.
fn read(link: &Link, notes: Notes) {
    if notes.has(Note::ResumeRequested) {
        resume::answer_claim(link);
    }
    // Who has come back meanwhile is not parked any more.
    if notes.has(Note::TooManyParked) && !link.attached() {
        link.cut.pull(EndReason::ResumeExpired);
    }
    // And who is in a room by now does not wait.
    if notes.has(Note::TooManyWaiting) && link.in_no_room.borrow().is_some() {
        if !link.has_waited(Instant::now()) {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::JoinWait));
        }
        link.cut.pull(EndReason::JoinTimeout);
    }
}

impl<S> Drop for Pump<S> {
    fn drop(&mut self) {
        if let Some(member) = self.link.member.get() {
            member.resume.close();
        }
        tick::dismiss(&self.link);
    }
}
