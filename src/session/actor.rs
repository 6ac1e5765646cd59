//! The session's shell: the actor, its start and its end.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext, Handler, StreamHandler};
use actix_http::ws::{CloseCode, Message, ProtocolError};
use actix_web_actors::ws::WebsocketContext;

use super::{
    Setup,
    decoder::end_reason,
    inbound::Inbound,
    link::{Link, close_frame, pong_frame},
    resume::Resync,
    state::{Re, Rules},
};
use crate::{
    messages::{
        ResumeRequests,
        session::{Deliver, Member, ToSession},
    },
    protocol::{EndReason, FrameKind, PeerId, RoomName, Secret, SessionId},
    telemetry::{self, Event, Ids, RequestId, Source},
};

/// One peer. Who it is stands in the [`Member`] that the room's other sessions know it by.
pub(super) struct Session {
    pub(super) link: Rc<Link>,
    /// Until the actor starts.
    newborn: Option<Box<Newborn>>,
    pub(super) rules: Rules,
    /// While an answer to a `join` is awaited: an idle session should cost little.
    pub(super) pending: Option<Box<Pending>>,
    /// Signals sent, for sampling.
    pub(super) signals: u32,
}

/// What a session is made of.
pub(super) struct Newborn {
    inbound: Inbound,
    session: SessionId,
    peer: PeerId,
    request: RequestId,
    source: Source,
}

/// A `join` that is not answered yet, or a resume that waits for the whole room.
pub(super) struct Pending {
    /// When it was read.
    pub(super) asked: Instant,
    /// The session's deadline before it.
    pub(super) deadline: Option<(Instant, EndReason)>,
    /// Its `id`, should the room end before it can answer.
    pub(super) re: Re,
    /// Whether it came no sooner than it might, after a refusal.
    pub(super) patient: bool,
    /// Whether it asked to be resumable.
    pub(super) resumable: bool,
    /// Signals that overtook the first roster. Bounded by the mailbox's capacity.
    pub(super) early: Vec<Deliver>,
    /// The answer to a resume, for when the whole room is known.
    pub(super) resync: Option<(Resync, Secret)>,
}

impl Pending {
    pub(super) fn since(asked: Instant) -> Self {
        Self { asked, deadline: None, re: None, patient: true, resumable: false, early: Vec::new(), resync: None }
    }
}

impl Newborn {
    pub(super) fn new(inbound: Inbound, request: RequestId, remote: SocketAddr) -> Self {
        let source = Source::of(remote.ip());
        Self { inbound, session: SessionId::random(), peer: PeerId::random(), request, source }
    }

    /// The one line that ties request, address and session together.
    pub(super) fn announce(&self, remote: &SocketAddr) {
        let ids = Ids { request: Some(&self.request), session: Some(self.session), ..Ids::default() };
        telemetry::emit(&Event::ConnectionOpened { ids, remote: Some(*remote) });
    }
}

impl Session {
    pub(super) fn new(link: Rc<Link>, newborn: Newborn, hint: Option<RoomName>) -> Self {
        Self { link, newborn: Some(Box::new(newborn)), rules: Rules::new(hint), pending: None, signals: 0 }
    }

    /// Who this is.
    pub(super) fn me(&self) -> &Arc<Member> {
        self.link.member.get().expect("it is set when the actor starts, before anything is handled")
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.link.setup
    }

    pub(super) fn ids(&self) -> Ids<'_> {
        let me = self.me();
        Ids {
            request: Some(&me.request),
            session: Some(me.session),
            peer: Some(me.peer),
            room: self.rules.room_name(),
            source: Some(me.source),
        }
    }

    /// Whether the connection is over and only not settled yet.
    fn ended(&self) -> bool {
        self.link.cut.reason().is_some()
    }

    /// How long the session may stay as it is.
    pub(super) fn due(&self, after: Option<(Duration, EndReason)>) {
        self.link.end_at(after.map(|(after, why)| (Instant::now() + after, why)));
    }

    pub(super) fn watch(&self, kind: FrameKind, took: Duration) {
        if took > self.setup().slow_message {
            telemetry::emit(&Event::SlowMessage { ids: self.ids(), kind: kind.as_str(), took });
        }
    }
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.setup().mailbox);
        // An actor starts once.
        let Some(newborn) = self.newborn.take() else { return };
        let Newborn { inbound, session, peer, request, source } = *newborn;
        let port = ctx.address().recipient();
        let (cut, resume) = (self.link.cut.clone(), ResumeRequests::default());
        let member = Member { peer, session, request, source, port, cut, resume };
        // Empty until now, for the same reason.
        let _ = self.link.member.set(Arc::new(member));
        ctx.add_stream(inbound);
        #[cfg(feature = "echo")]
        if self.link.echoes.get() {
            return;
        }
        self.link.say(FrameKind::Welcome, self.setup().welcome(session));
        self.link.waits(Instant::now());
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // No reason: the context was dropped under us, by a panic or at the process's end.
        let reason = self.link.why.get().unwrap_or(EndReason::Internal);
        if self.rules.may_be_seated() {
            self.tell_supervisor(reason.leave_reason());
        }
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        if self.ended() {
            return;
        }
        #[cfg(feature = "echo")]
        let Some(message) = super::echo::back(&self.link, message) else { return };
        match message {
            Ok(Message::Text(text)) => self.text(&text, ctx),
            Ok(Message::Ping(payload)) => self.link.queue(pong_frame(payload)),
            Ok(Message::Pong(_) | Message::Nop | Message::Continuation(_)) => {}
            Ok(Message::Binary(_)) => self.link.cut.pull(EndReason::BinaryMessage),
            Ok(Message::Close(reason)) => {
                // A tab that is closed, or a program that says goodbye. Any other code is a connection in trouble.
                let goodbye = reason.as_ref().is_none_or(|r| matches!(r.code, CloseCode::Normal | CloseCode::Away));
                self.link.note(|wire| {
                    wire.goodbye = goodbye;
                    wire.echo = Some(Box::new(close_frame(reason)));
                });
                self.link.cut.pull(EndReason::ClientClosed);
            }
            Err(error) => self.link.cut.pull(end_reason(&error)),
        }
    }

    /// The socket ended without a close frame, unless it is one that the session has replaced.
    fn finished(&mut self, _: &mut Self::Context) {
        if self.link.is_lost() {
            self.link.cut.pull(EndReason::Disconnected);
        }
    }
}

impl Handler<ToSession> for Session {
    type Result = ();

    fn handle(&mut self, letter: ToSession, ctx: &mut Self::Context) {
        // A session that may be parked misses nothing while its end is being settled.
        if self.ended() && self.link.ledger.borrow().is_none() {
            return;
        }
        match letter {
            ToSession::Deliver(deliver) => self.deliver(deliver),
            ToSession::Roster(roster) => self.roster(roster),
            ToSession::NoSeat(no_seat) => self.join_refused(&no_seat),
            ToSession::Evict(evict) => self.evict(&evict),
            ToSession::Drain(drain) => self.drain(drain),
            ToSession::Adopt(handoff) => self.adopt(*handoff, ctx),
            #[cfg(feature = "fault-injection")]
            ToSession::Panic => panic!("a fault was injected"),
        }
    }
}
