//! What a client asks: frame by frame, the rules first, then what follows.

use std::{
    borrow::Cow,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::AsyncContext;
use actix_web_actors::ws::WebsocketContext;

use super::{
    actor::Session,
    busy,
    held_signal::HeldSignal,
    relay::{Record, Relay, Unsent},
    resume_buffer::BadAck,
    state::{Departure, NOT_IN_ROOM, PendingJoin, Re, RequestError},
};
use crate::{
    config::Milliseconds,
    messages::{
        moderation::RoomOrder,
        room::ToRoom,
        send_unbounded,
        session::Snapshot,
        supervisor::{Join, Leave},
    },
    moment::Moment,
    protocol::{
        EndReason, ErrorCode, FrameKind, LeaveReason, Meta, PeerId, Permissions, RoomName, SignalKind,
        client::{BearerToken, ClientFrame, Identified, ParseError, To, parse},
        error_texts,
        server::{ErrorFrame, ServerFrame, encode},
    },
    recorder::fact::What,
    telemetry::{self, Event},
};

/// Of the relayed messages, one in this many is timed: two clock readings cost a hundredth of a relay.
const SAMPLE: u32 = 16;

impl Session {
    pub(super) fn text(&mut self, text: &str, ctx: &mut WebsocketContext<Self>) {
        let read_at = Moment::now();
        let setup = Rc::clone(&self.shared.setup);
        if let Some(resume_buffer) = self.shared.resume_buffer.borrow_mut().as_mut() {
            resume_buffer.confirm();
        }
        let kind = match parse(text, &setup.bounds) {
            Ok(request) => {
                let kind = request.frame.kind();
                telemetry::tally(|t| t.message_in(kind, text.len()));
                self.request(request.frame, request.id.as_deref(), read_at, ctx);
                kind
            }
            Err(refusal) => {
                telemetry::tally(|t| t.message_in(FrameKind::Invalid, text.len()));
                self.refuse_unread(&refusal);
                refusal.kind
            }
        };
        if !matches!(kind, FrameKind::Join | FrameKind::Ping)
            && let Some(resume_buffer) = self.shared.resume_buffer.borrow_mut().as_mut()
        {
            resume_buffer.handled();
        }
        self.watch(kind, Moment::now().since(read_at));
    }

    fn request(&mut self, frame: ClientFrame<'_>, id: Option<&str>, read_at: Moment, ctx: &mut WebsocketContext<Self>) {
        let outcome = match frame {
            ClientFrame::Signal { to, kind, data } => self.signal(&to, kind, data, id, read_at, ctx),
            ClientFrame::Join { room, attempt, resume: Some(resume), token, .. } => {
                self.ask_to_resume(&resume, room, attempt, boxed(id), token.as_ref(), ctx)
            }
            ClientFrame::Join { room, meta, attempt, resumable, resume: None, identified, token } => {
                // The deadline that is set is that of the time to join: it goes on where the join comes to nothing.
                let deadline = self.shared.deadline.get();
                let asked = read_at.instant();
                let patient = self.is_patient(asked);
                let pending = PendingJoin { asked, deadline, re: boxed(id), patient, resumable, grant: None };
                self.join(room, meta, attempt, (identified, token.as_ref()), pending)
            }
            ClientFrame::Leave => self.leave(&boxed(id)),
            ClientFrame::Update { meta, token } => self.update(meta, token.as_ref(), boxed(id)),
            ClientFrame::Ice => self.ice(id, read_at.instant()),
            ClientFrame::Kick(kick) => self.moderate(RoomOrder::Kick(kick), boxed(id)),
            ClientFrame::Lock { locked } => self.moderate(RoomOrder::Lock(locked), boxed(id)),
            ClientFrame::Report { events } => self.report(&events, id, read_at.instant()),
            ClientFrame::Ping { t, ack } => self.ping(t, ack, id),
        };
        match outcome {
            Err(refused) if refused.code == ErrorCode::ServerDraining => self.refuse_draining(refused, id),
            Err(refused) => self.refuse(refused, id),
            Ok(()) => {}
        }
    }

    fn ping(&self, t: Option<&str>, ack: Option<u64>, re: Option<&str>) -> Result<(), RequestError> {
        let mut resume_buffer = self.shared.resume_buffer.borrow_mut();
        // Without a resume buffer nothing is kept that could be acknowledged.
        if let (Some(resume_buffer), Some(ack)) = (resume_buffer.as_mut(), ack) {
            let refusal = RequestError { code: ErrorCode::InvalidMessage, message: BadAck::MESSAGE };
            resume_buffer.acked(ack).map_err(|BadAck| refusal)?;
        }
        let handled = resume_buffer.as_ref().map(|resume_buffer| resume_buffer.ack());
        drop(resume_buffer);
        self.shared.send(&ServerFrame::Pong { re, t, ack: handled });
        Ok(())
    }

    fn signal(
        &mut self,
        to: &To,
        kind: SignalKind,
        data: &str,
        re: Option<&str>,
        read_at: Moment,
        ctx: &mut WebsocketContext<Self>,
    ) -> Result<(), RequestError> {
        let room = self.rules.room_to(if matches!(to, To::Everyone) {
            Permissions::BROADCAST
        } else {
            Permissions::SIGNAL
        })?;
        self.signals = self.signals.wrapping_add(1);
        let inside = self.shared.inside.borrow();
        let recording = inside.as_ref().and_then(|place| place.recording.as_ref());
        let record = Record { recording, at: read_at };
        let read_at = self.signals.is_multiple_of(SAMPLE).then_some(read_at);
        let from = self.me();
        let frame = encode(&ServerFrame::Signal { from: from.peer, kind, data });
        let relay = Relay { from, bounds: &self.setup().inbox, kind, frame, read_at, record };
        let unsent = relay.send(room, to);
        if unsent.is_empty() {
            return Ok(());
        }
        let Unsent { missing, unknown, busy: busy_peers, waiting } = unsent;
        if !(missing.is_empty() && unknown.is_empty()) {
            let frame = ErrorFrame {
                re,
                peers: &missing,
                unknown_peers: unknown,
                ..ErrorFrame::new(ErrorCode::PeerNotFound, error_texts::NO_SUCH_PEER)
            };
            self.send_error(frame.message, &frame);
        }
        busy::refuse(&self.shared, re, &busy_peers);
        if !waiting.is_empty() {
            let pause = self.setup().busy_pause.get();
            let held = HeldSignal::new(relay, boxed(re), waiting, Instant::now() + pause);
            busy::hold(&self.shared, Box::new(held));
            drop(inside);
            self.time_pause(pause, ctx);
        }
        Ok(())
    }

    /// One timer at a time: it finds whether there still is something to wait for.
    fn time_pause(&mut self, pause: Duration, ctx: &mut WebsocketContext<Self>) {
        if !std::mem::replace(&mut self.pause_timer, true) {
            ctx.run_later(pause, |session, ctx| {
                session.pause_timer = false;
                if let Some(left) = busy::expire(&session.shared, Instant::now()) {
                    session.time_pause(left, ctx);
                }
            });
        }
    }

    fn join(
        &mut self,
        room: RoomName,
        meta: Option<Meta>,
        attempt: u32,
        (identified, token): (Option<Identified>, Option<&BearerToken<'_>>),
        pending: PendingJoin,
    ) -> Result<(), RequestError> {
        self.rules.may_join(&room)?;
        // Before the room is looked for: without a good token nobody learns which there are.
        let grant = match self.may_enter(token, &room) {
            Ok(grant) => grant,
            Err(denied) => {
                self.deny_join(denied, &room, attempt, pending.re.as_deref());
                return Ok(());
            }
        };
        let meta = self.overlay(grant.as_deref(), meta)?;
        let pending = PendingJoin { grant: grant.clone(), ..pending };
        let join_seq = self.rules.join(&room, pending)?;
        self.shared.join_seq.set(join_seq);
        self.due(Some((self.setup().join_reply, EndReason::Internal)));
        let member = Arc::clone(self.me());
        let subnet = self.shared.subnet.get();
        let join = Join { member, room, meta, attempt, join_seq, subnet, identified, grant };
        if !send_unbounded(&self.setup().ports.join, join) {
            self.shared.kill_switch.kill(EndReason::Internal);
        }
        Ok(())
    }

    /// A `leave` that waited for the end of a join that led nowhere.
    pub(super) fn refuse_leave(&self, leave: Option<Re>) {
        if let Some(re) = leave {
            self.refuse(NOT_IN_ROOM, re.as_deref());
        }
    }

    pub(super) fn leave(&mut self, re: &Re) -> Result<(), RequestError> {
        if let Departure::Now(room) = self.rules.leave(re.clone())? {
            self.depart(&room, re.as_deref());
        }
        Ok(())
    }

    fn depart(&mut self, room: &RoomName, re: Option<&str>) {
        self.notify_supervisor(LeaveReason::Left);
        self.shared.send(&ServerFrame::Left { re, room });
        self.outside();
    }

    /// The session is in no room any more, and has the time to join anew.
    pub(super) fn outside(&mut self) {
        let now = Instant::now();
        self.shared.enter(None);
        self.shared.join_seq.set(0);
        self.shared.granted(None, now);
        self.unconfirmed = None;
        *self.shared.resume_buffer.borrow_mut() = None;
        self.shared.waits(now);
    }

    pub(super) fn notify_supervisor(&self, reason: LeaveReason) {
        if !send_unbounded(&self.setup().ports.leave, Leave { session: self.me().session, reason }) {
            self.shared.kill_switch.kill(EndReason::Internal);
        }
    }

    fn update(&mut self, meta: Option<Meta>, token: Option<&BearerToken<'_>>, re: Re) -> Result<(), RequestError> {
        if let Some(token) = token
            && !self.renew(token, re.as_deref(), meta.is_none())?
        {
            return Ok(());
        }
        let Some(meta) = meta else { return Ok(()) };
        let room = self.rules.room_to(Permissions::UPDATE)?;
        let meta = self.overlay(self.shared.current_grant().as_deref(), Some(meta))?.expect("there is some");
        let full = self.without_room(room);
        if !full.is_empty() {
            busy::refuse(&self.shared, re.as_deref(), &full);
            return Ok(());
        }
        let message = ToRoom::Update { peer: self.me().peer, meta };
        match room.port.try_send(message) {
            Ok(()) => {
                self.unconfirmed.get_or_insert_default().push(re);
                Ok(())
            }
            Err(actix::prelude::SendError::Full(_)) => {
                Err(RequestError { code: ErrorCode::RateLimited, message: error_texts::ROOM_IS_BUSY })
            }
            Err(actix::prelude::SendError::Closed(_)) => {
                Err(RequestError { code: ErrorCode::RoomClosed, message: "the room is ending" })
            }
        }
    }

    /// The others that an update has to wait for: news is not refused, so it is not caused while a receiver has too much waiting.
    /// The second one that the room has not taken yet asks for a receiver with next to nothing. Who is away stops nobody.
    fn without_room(&self, room: &Snapshot) -> Vec<PeerId> {
        let (me, bound) = (self.me().peer, &self.setup().inbox.connected);
        let most = if self.unconfirmed.is_some() { bound.share } else { bound.signals };
        let others = room.members.iter().filter(|(peer, _)| *peer != me);
        others.filter(|(_, member)| !member.inbox.has_room(most)).map(|(peer, _)| *peer).collect()
    }

    /// The room has taken the oldest update that it had not: the request's `id`.
    pub(super) fn confirmed(&mut self) -> Re {
        let re = self.unconfirmed.as_mut().and_then(|unconfirmed| unconfirmed.pop());
        self.unconfirmed.take_if(|unconfirmed| unconfirmed.is_empty());
        re
    }

    fn refuse_unread(&self, refusal: &ParseError) {
        // A message made for this frame may quote it (a field's name); the log must not.
        let detail = match &refusal.message {
            Cow::Borrowed(ours) => ours,
            Cow::Owned(_) => "the frame breaks a rule of its type",
        };
        self.send_error(
            detail,
            &ErrorFrame { re: refusal.id.as_deref(), ..ErrorFrame::new(refusal.code, &refusal.message) },
        );
    }

    fn refuse(&self, refused: RequestError, re: Option<&str>) {
        self.send_error(refused.message, &ErrorFrame { re, ..ErrorFrame::new(refused.code, refused.message) });
    }

    /// The server goes: the client may come again when this connection is closed.
    fn refuse_draining(&self, refused: RequestError, re: Option<&str>) {
        let retry_after_ms = Some(Milliseconds::rounded_up(self.closes_after()).0);
        let frame = ErrorFrame { re, retry_after_ms, ..ErrorFrame::new(refused.code, refused.message) };
        self.send_error(refused.message, &frame);
    }

    /// An error that has an event of its own.
    pub(super) fn send_error_quietly(&self, frame: &ErrorFrame<'_>) {
        self.shared.send(&ServerFrame::Error(*frame));
    }

    pub(super) fn send_error(&self, detail: &str, frame: &ErrorFrame<'_>) {
        self.shared.note(What::Error(frame.code));
        telemetry::emit(&Event::FrameRefused { context: self.ids(), code: frame.code, detail });
        self.send_error_quietly(frame);
    }
}

fn boxed(id: Option<&str>) -> Re {
    id.map(Box::from)
}
