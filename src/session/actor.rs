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
    state::Rules,
};
use crate::{
    messages::session::{Deliver, Member, ToSession},
    protocol::{EndReason, FrameKind, PeerId, RoomName, Secret, SessionId},
    telemetry::{self, Event, Ids, RequestId},
};

/// One peer.
pub(super) struct Session {
    pub(super) setup: Rc<Setup>,
    pub(super) link: Rc<Link>,
    /// Until the actor starts.
    pub(super) inbound: Option<Inbound>,
    pub(super) rules: Rules,
    pub(super) id: SessionId,
    pub(super) peer: PeerId,
    pub(super) request: RequestId,
    pub(super) opened: Instant,
    /// When the current `join` was read.
    pub(super) asked: Instant,
    /// Signals that overtook the first roster. Bounded by the mailbox's capacity.
    pub(super) early: Vec<Deliver>,
    /// Signals sent, for sampling.
    pub(super) signals: u32,
    /// Whether the `join` under way asked to be resumable.
    pub(super) resumable: bool,
    /// An answer to a resume that waits for the whole room.
    pub(super) resync: Option<Box<(Resync, Secret)>>,
}

impl Session {
    pub(super) fn new(
        setup: Rc<Setup>,
        link: Rc<Link>,
        inbound: Inbound,
        (request, hint): (RequestId, Option<RoomName>),
        now: Instant,
    ) -> Self {
        Self {
            setup,
            link,
            inbound: Some(inbound),
            rules: Rules::new(hint),
            id: SessionId::random(),
            peer: PeerId::random(),
            request,
            opened: now,
            asked: now,
            early: Vec::new(),
            signals: 0,
            resumable: false,
            resync: None,
        }
    }

    /// The one line that ties request, address and session together.
    pub(super) fn announce(&self, remote: &SocketAddr) {
        let ids = Ids { request: Some(&self.request), session: Some(self.id), ..Ids::default() };
        telemetry::emit(&Event::ConnectionOpened { ids, remote: Some(*remote) });
    }

    pub(super) fn ids(&self) -> Ids<'_> {
        Ids {
            request: Some(&self.request),
            session: Some(self.id),
            peer: Some(self.peer),
            room: self.rules.room_name(),
        }
    }

    /// Whether the connection is over and only not settled yet.
    fn ended(&self) -> bool {
        self.link.cut.reason().is_some()
    }

    /// How long the session may stay as it is. A drain's deadline is never moved.
    pub(super) fn due(&self, after: Option<(Duration, EndReason)>) {
        if !self.rules.draining() {
            self.link.deadline.set(after.map(|(after, why)| (Instant::now() + after, why)));
        }
    }

    pub(super) fn watch(&self, kind: FrameKind, took: Duration) {
        if took > self.setup.slow_message {
            telemetry::emit(&Event::SlowMessage { ids: self.ids(), kind: kind.as_str(), took });
        }
    }
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.setup.mailbox);
        let port = ctx.address().recipient();
        let member = Member {
            peer: self.peer,
            session: self.id,
            request: self.request.clone(),
            port,
            cut: self.link.cut.clone(),
        };
        // Empty until now: an actor starts once.
        let _ = self.link.member.set(Arc::new(member));
        if let Some(inbound) = self.inbound.take() {
            ctx.add_stream(inbound);
        }
        #[cfg(feature = "echo")]
        if self.link.echoes.get() {
            return;
        }
        self.link.say(FrameKind::Welcome, self.setup.welcome(self.id));
        self.due(Some((self.setup.join_timeout, EndReason::JoinTimeout)));
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
                self.link.goodbye.set(goodbye);
                self.link.note(|wire| wire.echo = Some(close_frame(reason)));
                self.link.cut.pull(EndReason::ClientClosed);
            }
            Err(error) => self.link.cut.pull(end_reason(&error)),
        }
    }

    /// The socket ended without a close frame, unless it is one that the session has replaced.
    fn finished(&mut self, _: &mut Self::Context) {
        if self.link.lost.take() {
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
            ToSession::Evict(evict) => self.evict(&evict),
            ToSession::Drain(drain) => self.drain(drain),
            ToSession::Claim(claim) => self.claim(claim),
            ToSession::Adopt(handoff) => self.adopt(*handoff, ctx),
            #[cfg(feature = "fault-injection")]
            ToSession::Panic => panic!("a fault was injected"),
        }
    }
}
