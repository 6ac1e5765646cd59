//! The shell of a room: unpacks letters, asks the rules, posts what they say.

use std::sync::Arc;

use actix::{Actor, ActorContext, ArbiterHandle, AsyncContext, Context, Handler, Recipient};

use super::state::{Effect, Occupant, State};
use crate::{
    messages::{
        room::{Admit, FromSession, Remove, RoomPorts, Update},
        session::{Member, News, Roster, Snapshot, ToSession, Welcomed},
    },
    protocol::{ErrorCode, FrameKind, PeerId, RoomName, TextFrame, server},
    telemetry::{self, Event, Ids},
};

/// Updates that may wait per peer of a full room, before its clients are told `rate_limited`. Each becomes a letter to
/// every peer, so what waits is work of this many rounds. `Admit` and `Remove` must arrive and are not held up by it.
const UPDATES_PER_PEER: usize = 4;
/// Never fewer than these in all, or a room for two would refuse a burst that costs nothing.
const UPDATES_MIN: usize = 32;

/// The actor of one room.
#[derive(Debug)]
pub struct Room {
    state: State<Arc<Member>>,
    snapshot: Arc<Snapshot>,
}

/// What of the causing letter comes back to whoever sent it.
#[derive(Debug, Default)]
struct Cause {
    /// The request's `id`.
    re: Option<Box<str>>,
    /// The newcomer's number of its stay.
    stay: u32,
}

impl Room {
    /// Starts a room on that arbiter. It lives until its last peer is removed; `capacity` is what clients are told, the
    /// supervisor enforces it.
    pub fn open(on: &ArbiterHandle, name: RoomName, capacity: usize) -> RoomPorts {
        #[cfg(feature = "fault-injection")]
        let enlisted = name.clone();
        let room = Self::start_in_arbiter(on, move |ctx| Self::new(name, capacity, ctx.address().recipient()));
        #[cfg(feature = "fault-injection")]
        super::faults::enlist(enlisted, room.clone().recipient());
        RoomPorts { admit: room.clone().recipient(), remove: room.recipient() }
    }

    fn new(room: RoomName, capacity: usize, port: Recipient<FromSession>) -> Self {
        let snapshot = Snapshot { room, capacity, members: Vec::new(), port: Arc::new(port) };
        Self { state: State::default(), snapshot: Arc::new(snapshot) }
    }

    /// A new picture, after somebody came or went.
    fn redraw(&mut self) {
        let Snapshot { room, capacity, port, .. } = &*self.snapshot;
        let (room, port) = (room.clone(), Arc::clone(port));
        self.snapshot = Arc::new(Snapshot { room, capacity: *capacity, members: self.state.sorted(), port });
    }

    fn carry_out(&self, effects: &[Effect], mut cause: Cause, ctx: &mut Context<Self>) {
        for effect in effects {
            match *effect {
                Effect::TellJoined(peer) => self.tell_joined(peer),
                Effect::Welcome(peer) => self.welcome(peer, &mut cause),
                Effect::TellLeft(peer, reason) => {
                    self.tell_others(peer, FrameKind::PeerLeft, &server::peer_left(peer, reason));
                }
                Effect::TellAway(peer, until) => {
                    self.tell_others(peer, FrameKind::PeerAway, &server::peer_away(peer, until));
                }
                Effect::TellBack(peer) => self.tell_others(peer, FrameKind::PeerBack, &server::peer_back(peer)),
                Effect::Resync(peer) => self.resync(peer, &mut cause),
                Effect::TellUpdated(peer) => self.tell_updated(peer),
                Effect::Confirm(peer) => self.confirm(peer, cause.re.as_deref()),
                Effect::CountStray(peer) => self.count_stray(peer),
                Effect::Stop => ctx.stop(),
            }
        }
    }

    fn tell_joined(&self, peer: PeerId) {
        // Whoever is here already is not polite towards one that comes later.
        let meta = self.state.occupant(peer).and_then(|o| o.meta.as_ref());
        self.tell_others(peer, FrameKind::PeerJoined, &server::peer_joined(peer, meta, false));
    }

    fn welcome(&self, peer: PeerId, cause: &mut Cause) {
        if let Some(newcomer) = self.state.occupant(peer) {
            self.post(newcomer, News::Joined(Box::new(self.everything(newcomer, cause))));
        }
    }

    fn resync(&self, peer: PeerId, cause: &mut Cause) {
        if let Some(returner) = self.state.occupant(peer) {
            self.post(returner, News::Resynced(Box::new(self.everything(returner, cause))));
        }
    }

    /// The whole room, as one peer sees it.
    fn everything(&self, to: &Occupant<Arc<Member>>, cause: &mut Cause) -> Welcomed {
        let peers = server::peers_array(self.state.seen_by(to.peer));
        Welcomed { stay: cause.stay, peers, meta: to.meta.clone(), re: cause.re.take() }
    }

    fn tell_updated(&self, peer: PeerId) {
        if let Some(meta) = self.state.occupant(peer).and_then(|o| o.meta.as_ref()) {
            self.tell_others(peer, FrameKind::PeerUpdated, &server::peer_updated(peer, meta, None));
        }
    }

    fn confirm(&self, peer: PeerId, re: Option<&str>) {
        let Some(updater) = self.state.occupant(peer) else { return };
        if let Some(meta) = &updater.meta {
            self.post(updater, News::Updated(server::peer_updated(peer, meta, re)));
        }
    }

    fn count_stray(&self, peer: PeerId) {
        let ids = Ids { peer: Some(peer), room: Some(&self.snapshot.room), ..Ids::default() };
        telemetry::emit(&Event::FrameRefused { ids, code: ErrorCode::NotInRoom, detail: "update of a peer that left" });
    }

    fn tell_others(&self, about: PeerId, kind: FrameKind, frame: &TextFrame) {
        for other in self.state.others(about) {
            self.post(other, News::Changed(kind, frame.clone()));
        }
    }

    /// A full mailbox has been handled by [`Member::post`] (the session is cut); one that is gone has its `Leave` under
    /// way. Either way the peer stays here until the supervisor says otherwise.
    fn post(&self, to: &Occupant<Arc<Member>>, news: News) {
        let snapshot = Arc::clone(&self.snapshot);
        to.member.post(ToSession::Roster(Roster { snapshot, news }));
    }
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(UPDATES_MIN.max(UPDATES_PER_PEER * self.snapshot.capacity));
    }
}

impl Handler<Admit> for Room {
    type Result = ();

    fn handle(&mut self, Admit { member, meta, re, stay }: Admit, ctx: &mut Self::Context) {
        let effects = self.state.admit(member.peer, meta, member);
        self.redraw();
        self.carry_out(&effects, Cause { re, stay }, ctx);
    }
}

impl Handler<Remove> for Room {
    type Result = ();

    fn handle(&mut self, Remove { peer, reason }: Remove, ctx: &mut Self::Context) {
        let effects = self.state.remove(peer, reason);
        self.redraw();
        self.carry_out(&effects, Cause::default(), ctx);
    }
}

impl Handler<FromSession> for Room {
    type Result = ();

    fn handle(&mut self, letter: FromSession, ctx: &mut Self::Context) {
        let (effects, cause) = match letter {
            FromSession::Update(Update { peer, meta, re }) => (self.state.update(peer, meta), Cause { re, stay: 0 }),
            FromSession::Away { peer, until_ms } => (self.state.away(peer, until_ms), Cause::default()),
            FromSession::Back { peer } => (self.state.back(peer), Cause::default()),
            FromSession::Resync { peer, stay, re } => (self.state.resync(peer), Cause { re, stay }),
        };
        self.carry_out(&effects, cause, ctx);
    }
}
