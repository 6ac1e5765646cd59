//! The session's shell: unpacks frames and letters, asks the rules, carries out what follows.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Handler, StreamHandler, WrapFuture};
use actix_http::ws::{Message, ProtocolError};
use actix_web_actors::ws::WebsocketContext;

use super::{
    Setup,
    inbound::Inbound,
    link::{Link, close_frame},
    relay::Relay,
    state::{Departure, Heard, Re, Refused, Rules, Seen, end_reason},
};
use crate::{
    messages::{
        must_arrive,
        room::Update,
        session::{Deliver, Drain, Evict, Member, News, Roster, ToSession, Welcomed},
        supervisor::{Join, JoinRefused, Leave, Seat},
    },
    protocol::{
        EndReason, ErrorCode, FrameKind, LeaveReason, Meta, PeerId, RoomName, SessionId, SignalKind,
        client::{ClientFrame, Refusal, To, parse},
        server::{self, ErrorFrame},
    },
    telemetry::{self, Event, Ids, RelayOutcome},
};

/// Of the relayed messages, one in this many is timed: two clock readings cost a hundredth of a relay.
const SAMPLE: u32 = 16;

/// One peer.
pub(super) struct Session {
    setup: Rc<Setup>,
    link: Rc<Link>,
    /// Until the actor starts.
    inbound: Option<Inbound>,
    rules: Rules,
    id: SessionId,
    peer: PeerId,
    opened: Instant,
    /// When the current `join` was read.
    asked: Instant,
    /// Signals that overtook the first roster. Bounded by the mailbox's capacity.
    early: Vec<Deliver>,
    /// Signals sent, for sampling.
    signals: u32,
}

impl Session {
    pub(super) fn new(
        setup: Rc<Setup>,
        link: Rc<Link>,
        inbound: Inbound,
        hint: Option<RoomName>,
        now: Instant,
    ) -> Self {
        Self {
            setup,
            link,
            inbound: Some(inbound),
            rules: Rules::new(hint),
            id: SessionId::random(),
            peer: PeerId::random(),
            opened: now,
            asked: now,
            early: Vec::new(),
            signals: 0,
        }
    }

    /// The one line that ties request, address and session together.
    pub(super) fn announce(&self, remote: &SocketAddr, request: &str) {
        let ids = Ids { request: Some(request), session: Some(self.id), ..Ids::default() };
        telemetry::emit(&Event::ConnectionOpened { ids, remote: Some(*remote) });
    }

    fn ids(&self) -> Ids<'_> {
        Ids { request: None, session: Some(self.id), peer: Some(self.peer), room: self.rules.room_name() }
    }

    /// Whether the connection is over and only not taken down yet.
    fn ended(&self) -> bool {
        self.link.cut.reason().is_some()
    }

    /// How long the session may stay as it is. A drain's deadline is never moved.
    fn due(&self, after: Option<(Duration, EndReason)>) {
        if !self.rules.draining() {
            self.link.deadline.set(after.map(|(after, why)| (Instant::now() + after, why)));
        }
    }

    fn text(&mut self, text: &str, ctx: &mut WebsocketContext<Self>) {
        let read_at = Instant::now();
        let setup = Rc::clone(&self.setup);
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
                FrameKind::Invalid
            }
        };
        self.watch(kind, read_at.elapsed());
    }

    fn request(
        &mut self,
        frame: ClientFrame<'_>,
        id: Option<&str>,
        read_at: Instant,
        ctx: &mut WebsocketContext<Self>,
    ) {
        let outcome = match frame {
            ClientFrame::Signal { to, kind, data } => self.signal(&to, kind, data, id, read_at),
            ClientFrame::Join { room, meta, attempt } => self.join(room, meta, attempt, boxed(id), read_at, ctx),
            ClientFrame::Leave => self.leave(&boxed(id)),
            ClientFrame::Update { meta } => self.update(meta, boxed(id)),
            ClientFrame::Ping { t } => {
                self.link.say(FrameKind::Pong, server::pong(t, id));
                Ok(())
            }
        };
        if let Err(refused) = outcome {
            self.refuse(refused, id);
        }
    }

    fn signal(
        &mut self,
        to: &To,
        kind: SignalKind,
        data: &str,
        re: Option<&str>,
        read_at: Instant,
    ) -> Result<(), Refused> {
        let room = self.rules.room()?;
        self.signals = self.signals.wrapping_add(1);
        let read_at = self.signals.is_multiple_of(SAMPLE).then_some(read_at);
        let relay = Relay { room, from: self.peer, frame: server::signal(self.peer, kind, data), kind, read_at };
        let (peers, unknown_peers) = relay.send(to);
        if !(peers.is_empty() && unknown_peers.is_empty()) {
            let frame = ErrorFrame {
                re,
                peers: &peers,
                unknown_peers,
                ..ErrorFrame::new(ErrorCode::PeerNotFound, "no such peer in this room")
            };
            self.say_error(&frame);
        }
        Ok(())
    }

    fn join(
        &mut self,
        room: RoomName,
        meta: Option<Meta>,
        attempt: u32,
        re: Re,
        read_at: Instant,
        ctx: &mut WebsocketContext<Self>,
    ) -> Result<(), Refused> {
        let stay = self.rules.join(&room)?;
        self.asked = read_at;
        self.due(Some((self.setup.join_reply, EndReason::Internal)));
        let Some(member) = self.link.member.get().cloned() else { return Ok(()) };
        let reply_to = re.clone();
        let seat = self.setup.ports.join.send(Join { member, room, meta, re, attempt, stay });
        ctx.spawn(seat.into_actor(self).map(move |answer, session, _| match answer {
            // The seat alone changes nothing: the first roster does.
            Ok(Ok(Seat { .. })) => {}
            Ok(Err(refused)) => session.join_refused(stay, refused, reply_to.as_deref()),
            Err(_) => session.link.cut.pull(EndReason::Internal),
        }));
        Ok(())
    }

    fn join_refused(&mut self, stay: u32, refused: JoinRefused, re: Option<&str>) {
        if !self.rules.join_refused(stay) {
            return;
        }
        self.early.clear();
        // The time to join runs from the connection's start: a client that only ever fails does not stay for ever.
        let left = self.setup.join_timeout.saturating_sub(self.opened.elapsed());
        self.due(Some((left, EndReason::JoinTimeout)));
        let message = match refused.code {
            ErrorCode::RoomFull => "the room holds as many peers as it may",
            ErrorCode::RoomLimit => "the server holds as many rooms as it may",
            ErrorCode::ServerDraining => "the server is going away; connect again after the bye's retryAfterMs",
            _ => "the join failed",
        };
        self.refuse(Refused { code: refused.code, message }, re);
    }

    fn leave(&mut self, re: &Re) -> Result<(), Refused> {
        if let Departure::Now(room) = self.rules.leave(re.clone())? {
            self.depart(&room, re.as_deref());
        }
        Ok(())
    }

    fn depart(&mut self, room: &RoomName, re: Option<&str>) {
        self.tell_supervisor(LeaveReason::Left);
        self.link.joined.set(false);
        self.link.say(FrameKind::Left, server::left(room, re));
        self.due(Some((self.setup.join_timeout, EndReason::JoinTimeout)));
    }

    fn tell_supervisor(&self, reason: LeaveReason) {
        if !must_arrive(&self.setup.ports.leave, Leave { session: self.id, reason }) {
            self.link.cut.pull(EndReason::Internal);
        }
    }

    fn update(&mut self, meta: Meta, re: Re) -> Result<(), Refused> {
        let room = self.rules.room()?;
        let letter = Update { peer: self.peer, meta, re };
        match room.updates.try_send(letter) {
            Ok(()) => Ok(()),
            Err(actix::prelude::SendError::Full(_)) => {
                Err(Refused { code: ErrorCode::RateLimited, message: "the room has too much waiting" })
            }
            Err(actix::prelude::SendError::Closed(_)) => {
                Err(Refused { code: ErrorCode::RoomClosed, message: "the room is ending" })
            }
        }
    }

    fn roster(&mut self, roster: Roster) {
        match (self.rules.roster(&roster), roster.news) {
            (Seen::Entered { leave }, News::Joined(welcomed)) => {
                self.entered(&roster.snapshot.room, roster.snapshot.capacity, &welcomed);
                if let Some(re) = leave {
                    // Cannot be refused: the session is inside.
                    let _ = self.leave(&re);
                }
            }
            (Seen::Changed, News::Changed(kind, frame)) => self.link.say(kind, frame),
            (Seen::Changed, News::Updated(frame)) => self.link.say(FrameKind::PeerUpdated, frame),
            _ => {}
        }
    }

    fn entered(&mut self, room: &RoomName, capacity: usize, welcomed: &Welcomed) {
        self.due(None);
        self.link.joined.set(true);
        let joined = server::Joined {
            me: self.peer,
            meta: welcomed.meta.as_ref(),
            room,
            peers_json: &welcomed.peers,
            capacity,
            ice_servers_json: &self.setup.ice_servers,
            re: welcomed.re.as_deref(),
        };
        self.link.say(FrameKind::Joined, server::joined(&joined));
        self.watch(FrameKind::Join, self.asked.elapsed());
        telemetry::tally(|t| t.handling.observe(self.asked.elapsed()));
        for deliver in std::mem::take(&mut self.early) {
            self.deliver(deliver);
        }
    }

    fn deliver(&mut self, deliver: Deliver) {
        match self.rules.deliver(deliver.from) {
            Heard::Pass => {
                self.link.say(FrameKind::from(deliver.kind), deliver.frame);
                if let Some(read_at) = deliver.read_at {
                    telemetry::tally(|t| t.handling.observe(read_at.elapsed()));
                }
            }
            Heard::TooEarly if self.early.len() < self.setup.mailbox => self.early.push(deliver),
            Heard::TooEarly => self.link.cut.pull(EndReason::SlowConsumer),
            Heard::Stray => telemetry::tally(|t| t.relays.add(RelayOutcome::Stray)),
        }
    }

    fn evict(&mut self, evict: &Evict) {
        if self.rules.evicted(evict) {
            self.early.clear();
            self.link.joined.set(false);
            self.link.say(FrameKind::RoomClosed, server::room_closed(&evict.room));
            self.due(Some((self.setup.join_timeout, EndReason::JoinTimeout)));
        }
    }

    fn drain(&mut self, drain: Drain) {
        self.rules.drain();
        self.link.said_bye.set(true);
        self.link.say(FrameKind::Bye, server::bye(EndReason::ServerDraining, drain.close_after_ms));
    }

    fn refuse_unread(&self, refusal: &Refusal) {
        self.say_error(&ErrorFrame { re: refusal.id.as_deref(), ..ErrorFrame::new(refusal.code, &refusal.message) });
    }

    fn refuse(&self, refused: Refused, re: Option<&str>) {
        self.say_error(&ErrorFrame { re, ..ErrorFrame::new(refused.code, refused.message) });
    }

    fn say_error(&self, frame: &ErrorFrame<'_>) {
        telemetry::emit(&Event::FrameRefused { ids: self.ids(), code: frame.code, detail: frame.message });
        self.link.say(FrameKind::Error, server::error(frame));
    }

    fn watch(&self, kind: FrameKind, took: Duration) {
        if took > self.setup.slow_message {
            telemetry::emit(&Event::SlowMessage { ids: self.ids(), kind: kind.as_str(), took });
        }
    }
}

fn boxed(id: Option<&str>) -> Re {
    id.map(Box::from)
}

impl Actor for Session {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.setup.mailbox);
        let port = ctx.address().recipient();
        let member = Member { peer: self.peer, session: self.id, port, cut: self.link.cut.clone() };
        // Empty until now: an actor starts once.
        let _ = self.link.member.set(Arc::new(member));
        if let Some(inbound) = self.inbound.take() {
            ctx.add_stream(inbound);
        }
        self.link.say(FrameKind::Welcome, self.setup.welcome(self.id));
        self.due(Some((self.setup.join_timeout, EndReason::JoinTimeout)));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // No reason: the context was dropped under us, by a panic or at the process's end.
        let reason = self.link.cut.reason().unwrap_or(EndReason::Internal);
        if self.rules.may_be_seated() {
            self.tell_supervisor(reason.leave_reason());
        }
        telemetry::emit(&Event::ConnectionClosed { ids: self.ids(), reason, duration: self.opened.elapsed() });
    }
}

impl StreamHandler<Result<Message, ProtocolError>> for Session {
    fn handle(&mut self, message: Result<Message, ProtocolError>, ctx: &mut Self::Context) {
        if self.ended() {
            return ctx.stop();
        }
        match message {
            Ok(Message::Text(text)) => self.text(&text, ctx),
            Ok(Message::Ping(payload)) => ctx.pong(&payload),
            Ok(Message::Pong(_) | Message::Nop | Message::Continuation(_)) => {}
            Ok(Message::Binary(_)) => self.link.cut.pull(EndReason::BinaryMessage),
            Ok(Message::Close(reason)) => {
                self.link.echo.set(Some(close_frame(reason)));
                self.link.cut.pull(EndReason::ClientClosed);
            }
            Err(error) => self.link.cut.pull(end_reason(&error)),
        }
    }

    /// The socket ended without a close frame.
    fn finished(&mut self, _: &mut Self::Context) {
        self.link.cut.pull(EndReason::Disconnected);
    }
}

impl Handler<ToSession> for Session {
    type Result = ();

    fn handle(&mut self, letter: ToSession, _: &mut Self::Context) {
        if self.ended() {
            return;
        }
        match letter {
            ToSession::Deliver(deliver) => self.deliver(deliver),
            ToSession::Roster(roster) => self.roster(roster),
            ToSession::Evict(evict) => self.evict(&evict),
            ToSession::Drain(drain) => self.drain(drain),
        }
    }
}
