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
use tokio::sync::oneshot;

use super::{
    client_memory::ClientMemory,
    early::EarlySignal,
    handover,
    inbound::{Inbound, end_reason},
    setup::SessionConfig,
    shared::SessionShared,
    state::Rules,
    unconfirmed::Unconfirmed,
};
use crate::{
    messages::{
        Inbox, PresenceState, ResumeRequests,
        room::RoomPort,
        session::{Control, Credential, Member, ToMember, ToSession},
    },
    protocol::{EndReason, FrameKind, PeerId, RoomName, SessionId, client::BearerToken},
    store::SessionRecord,
    telemetry::{self, Event, RequestId, Source},
    ws::{FrameError, close_frame, pong_frame},
};

/// The rules, of this program's peers and rooms.
pub(super) type SessionRules = Rules<Arc<Member>, RoomPort, EarlySignal>;

/// One peer. Who it is stands in the [`Member`] that the room's other sessions know it by.
pub(super) struct Session {
    pub(super) shared: Rc<SessionShared>,
    /// Until the actor starts.
    init: Option<Box<SessionInit>>,
    pub(super) rules: SessionRules,
    /// While there are any.
    pub(super) unconfirmed: Option<Box<Unconfirmed>>,
    /// Signals sent, for sampling.
    pub(super) signals: u32,
    /// Where there is something to remember.
    pub(super) memory: Option<Box<ClientMemory>>,
    /// Kicks and locks of its client's that the supervisor has not answered.
    pub(super) moderating: u8,
    /// Whether a timer runs that ends the wait for receivers that are too busy.
    pub(super) pause_timer: bool,
}

/// Every idle connection has one. With what actix and tokio add to it, its task is in the allocator's class of 640 bytes, and the next has
/// 128 more.
const _: () = assert!(size_of::<Session>() <= 88);

/// What a session is made of.
pub(super) struct SessionInit {
    origin: Origin,
    session: SessionId,
    peer: PeerId,
    request: RequestId,
    source: Source,
}

/// Where a session comes from.
enum Origin {
    /// A handshake.
    Socket(Inbound),
    /// The process before this one. Whoever installs its seat is told when it can be reached.
    Restart(oneshot::Sender<Arc<Member>>),
}

impl SessionInit {
    /// Of a session that goes on after a restart.
    pub(super) fn restored(record: &SessionRecord, ready: oneshot::Sender<Arc<Member>>) -> Self {
        let (session, peer) = (record.session, record.peer);
        let (request, source) = (RequestId::accept(Some(&record.request)), Source::of(record.source));
        Self { origin: Origin::Restart(ready), session, peer, request, source }
    }

    pub(super) fn new(inbound: Inbound, request: RequestId, remote: SocketAddr) -> Self {
        let source = Source::of(remote.ip());
        Self { origin: Origin::Socket(inbound), session: SessionId::random(), peer: PeerId::random(), request, source }
    }

    /// The one line that ties request, address and session together.
    pub(super) fn announce(&self, remote: &SocketAddr) {
        let context = telemetry::Context::of_session(&self.request, self.session, self.source);
        telemetry::emit(&Event::ConnectionOpened { context, remote: Some(*remote) });
    }
}

impl Session {
    pub(super) fn new(
        shared: Rc<SessionShared>,
        init: SessionInit,
        hint: Option<RoomName>,
        bearer: Option<BearerToken<'static>>,
    ) -> Self {
        Self {
            shared,
            init: Some(Box::new(init)),
            rules: Rules::new(hint),
            unconfirmed: None,
            signals: 0,
            memory: bearer.map(|token| {
                let credential = Some(Box::new(Credential::Token(token)));
                Box::new(ClientMemory { credential, ..ClientMemory::default() })
            }),
            moderating: 0,
            pause_timer: false,
        }
    }

    /// One that goes on after a restart.
    pub(super) fn restored(shared: Rc<SessionShared>, init: SessionInit, rules: SessionRules) -> Self {
        Self { rules, ..Self::new(shared, init, None, None) }
    }

    /// Who this is.
    pub(super) fn me(&self) -> &Arc<Member> {
        self.shared.member.get().expect("it is set when the actor starts, before anything is handled")
    }

    pub(super) fn setup(&self) -> &SessionConfig {
        &self.shared.setup
    }

    pub(super) fn ids(&self) -> telemetry::Context<'_> {
        let me = self.me();
        me.context().as_peer(me.peer).within(self.rules.room_name())
    }

    /// Whether the connection is over and only not settled yet.
    fn ended(&self) -> bool {
        self.shared.kill_switch.reason().is_some()
    }

    /// How long the session may remain as it is.
    pub(super) fn due(&self, after: Option<(Duration, EndReason)>) {
        self.shared.end_at(after.map(|(after, why)| (Instant::now() + after, why)));
    }

    fn control(&mut self, control: Control, ctx: &mut WebsocketContext<Self>) {
        match control {
            Control::JoinFailed(join_failed) => self.join_refused(&join_failed),
            Control::Evict(evict) => self.evict(&evict),
            Control::Moderated(moderated) => self.moderated(&moderated),
            Control::Drain(drain) => self.drain(drain),
            Control::DrainWithdrawn => self.drain_withdrawn(),
            Control::TakeSocket(transfer) => self.take_socket(*transfer, ctx),
        }
    }

    pub(super) fn watch(&self, kind: FrameKind, took: Duration) {
        if took > self.setup().slow_message {
            telemetry::emit(&Event::SlowMessage { context: self.ids(), kind: kind.as_str(), took });
        }
    }
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.setup().mailbox);
        // An actor starts once.
        let Some(init) = self.init.take() else { return };
        let SessionInit { origin, session, peer, request, source } = *init;
        let port = ctx.address().recipient();
        #[cfg(feature = "fault-injection")]
        crate::messages::faults::enlist(format!("session {session}"), &ctx.address().recipient());
        let (kill_switch, resume) = (self.shared.kill_switch.clone(), ResumeRequests::default());
        let (presence, inbox) = (PresenceState::default(), Inbox::default());
        let member = Member { peer, session, request, source, port, kill_switch, resume, presence, inbox };
        // Empty until now, for the same reason.
        let _ = self.shared.member.set(Arc::new(member));
        let inbound = match origin {
            Origin::Socket(inbound) => inbound,
            Origin::Restart(ready) => return self.begin_restored(ready),
        };
        ctx.add_stream(inbound);
        #[cfg(feature = "echo")]
        if self.shared.echoes.get() {
            return;
        }
        self.shared.send(&self.setup().welcome(session));
        self.shared.waits(Instant::now());
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // No reason: the context was dropped under us, by a panic or at the process's end.
        let reason = self.shared.why.get().unwrap_or(EndReason::Internal);
        // Of one that is handed over the seat goes on.
        if self.rules.may_be_seated() && !handover::is_committed() {
            self.notify_supervisor(reason.leave_reason());
        }
    }
}

impl StreamHandler<Result<Message, FrameError>> for Session {
    fn handle(&mut self, message: Result<Message, FrameError>, ctx: &mut Self::Context) {
        if self.ended() {
            return;
        }
        #[cfg(feature = "echo")]
        let Some(message) = super::echo::back(&self.shared, message) else { return };
        match message {
            Ok(Message::Text(text)) => self.text(&text, ctx),
            Ok(Message::Ping(payload)) => self.shared.queue(pong_frame(payload)),
            Ok(Message::Pong(_) | Message::Nop | Message::Continuation(_)) => {}
            Ok(Message::Binary(_)) => self.shared.kill_switch.kill(EndReason::BinaryMessage),
            Ok(Message::Close(reason)) => {
                // A tab that is closed, or a program that says goodbye. Any other code is a connection in trouble.
                let goodbye = reason.as_ref().is_none_or(|r| matches!(r.code, CloseCode::Normal | CloseCode::Away));
                self.shared.connection.note(|attachment| {
                    attachment.goodbye = goodbye;
                    attachment.close_answer = Some(Box::new(close_frame(reason)));
                });
                self.shared.kill_switch.kill(EndReason::ClientClosed);
            }
            Err(error) => self.shared.kill_switch.kill(end_reason(error)),
        }
    }

    /// The socket ended without a close frame, unless it is one that the session has replaced.
    fn finished(&mut self, _: &mut Self::Context) {
        if self.shared.is_lost() {
            self.shared.kill_switch.kill(EndReason::Disconnected);
        }
    }
}

/// The context asks for a handler of what its own reader reads, which is nothing: see [`unused`](super::inbound::unused).
impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, _: Result<Message, ProtocolError>, _: &mut Self::Context) {}
}

impl Handler<ToSession> for Session {
    type Result = ();

    fn handle(&mut self, message: ToSession, ctx: &mut Self::Context) {
        // A session that may be parked misses nothing while its end is being settled.
        if self.ended() && self.shared.resume_buffer.borrow().is_none() {
            return;
        }
        match message {
            ToSession::Member(ToMember::Deliver(deliver)) => self.deliver(deliver),
            ToSession::Member(ToMember::Roster(roster)) => {
                let (load, shared) = (roster.news.load(), Rc::clone(&self.shared));
                // It is set when the actor starts, before anything is handled.
                if let Some(me) = shared.member.get() {
                    me.inbox.handle_news(load, || self.roster(roster));
                }
            }
            ToSession::Control(control) => self.control(control, ctx),
        }
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::messages::supervisor::Ping> for Session {
    type Result = ();

    fn handle(&mut self, ping: crate::messages::supervisor::Ping, _: &mut Self::Context) {
        (ping.0)();
    }
}
