//! The shell of a room: unpacks messages, asks the rules, sends what they decide.

use std::{any::Any, sync::Arc};

use actix::{Actor, ActorContext, ArbiterHandle, Context, Handler};

use super::state::{Effect, Occupant, RoomState};
use crate::{
    messages::{
        PeerChange, RoomEvent,
        room::{Admit, RoomPort, ToRoom},
        session::{Member, News, Roster, Snapshot, ToMember, Welcomed},
    },
    protocol::{ErrorCode, LeaveReason, PeerId, RoomName},
    telemetry::{self, Event},
};

/// Updates that may wait per peer of a full room, before its clients are told `rate_limited`. Each becomes a message to
/// every peer, so what waits is work of this many rounds. `Admit` and `Remove` go past this bound.
const UPDATES_PER_PEER: usize = 4;
/// Never fewer than these in all, or a room for two would refuse a burst that costs nothing.
const UPDATES_MIN: usize = 32;

/// The actor of one room.
#[derive(Debug)]
pub struct Room {
    state: RoomState<Arc<Member>>,
    name: RoomName,
    capacity: usize,
    /// None before the first peer.
    snapshot: Option<Arc<Snapshot>>,
    /// Its drop tells the supervisor that the room has ended.
    _guard: Box<dyn Any + Send>,
}

impl Room {
    /// Starts a room on that arbiter. It lives until its last peer is removed; `capacity` is what clients are told, the
    /// supervisor enforces it. `guard` is dropped when the room ends, however it does.
    pub fn open(on: &ArbiterHandle, name: RoomName, capacity: usize, guard: Box<dyn Any + Send>) -> RoomPort {
        let room = Self::start_in_arbiter(on, move |_| Self::new(name, capacity, guard));
        RoomPort::new(room.recipient())
    }

    fn new(name: RoomName, capacity: usize, guard: Box<dyn Any + Send>) -> Self {
        Self { state: RoomState::default(), name, capacity, snapshot: None, _guard: guard }
    }

    /// A new picture, after somebody came or went.
    fn redraw(&mut self, port: RoomPort) {
        let (room, capacity, members) = (self.name.clone(), self.capacity, self.state.sorted());
        self.snapshot = Some(Arc::new(Snapshot { room, capacity, members, port }));
    }

    fn admit(&mut self, Admit { member, meta, user, join_seq, port }: Admit, ctx: &mut Context<Self>) {
        let effects = self.state.admit(member.peer, meta, user, member);
        self.redraw(port);
        self.carry_out(&effects, Some(join_seq), ctx);
    }

    fn remove(&mut self, peer: PeerId, reason: LeaveReason, ctx: &mut Context<Self>) {
        let effects = self.state.remove(peer, reason);
        if let Some(snapshot) = &self.snapshot {
            self.redraw(snapshot.port.clone());
        }
        self.carry_out(&effects, None, ctx);
    }

    /// `join_seq` comes back to the peer that the effects are about, where it is told of the whole room.
    fn carry_out(&self, effects: &[Effect], join_seq: Option<u32>, ctx: &mut Context<Self>) {
        for effect in effects {
            match *effect {
                Effect::NotifyJoined(peer) => self.notify_joined(peer),
                Effect::Welcome(peer) => self.welcome(peer, join_seq),
                Effect::NotifyLeft(peer, reason) => self.notify_others(peer, PeerChange::Left(reason)),
                Effect::NotifyAway(peer, until_ms) => self.notify_others(peer, PeerChange::Away(until_ms)),
                Effect::NotifyBack(peer) => self.notify_others(peer, PeerChange::Back),
                Effect::Resync(peer) => self.resync(peer, join_seq),
                Effect::NotifyUpdated(peer) => self.notify_updated(peer),
                Effect::Confirm(peer) => self.confirm(peer),
                Effect::CountStray(peer) => self.count_stray(peer),
                Effect::Stop => ctx.stop(),
            }
        }
    }

    fn notify_joined(&self, peer: PeerId) {
        if let Some(newcomer) = self.state.occupant(peer) {
            self.notify_others(peer, PeerChange::Joined(newcomer.meta.clone(), newcomer.user.clone()));
        }
    }

    fn welcome(&self, peer: PeerId, join_seq: Option<u32>) {
        if let Some(newcomer) = self.state.occupant(peer) {
            self.post(newcomer, News::Joined(Box::new(self.everything(newcomer, join_seq))));
        }
    }

    fn resync(&self, peer: PeerId, join_seq: Option<u32>) {
        if let Some(returner) = self.state.occupant(peer) {
            self.post(returner, News::Resynced(Box::new(self.everything(returner, join_seq))));
        }
    }

    /// The whole room, as one peer sees it.
    fn everything(&self, to: &Occupant<Arc<Member>>, join_seq: Option<u32>) -> Welcomed {
        let mut peers = Vec::with_capacity(self.state.occupants().len().saturating_sub(1));
        peers.extend(self.state.seen_by(to.peer));
        Welcomed { join_seq: join_seq.unwrap_or_default(), peers, meta: to.meta.clone() }
    }

    fn notify_updated(&self, peer: PeerId) {
        if let Some(meta) = self.state.occupant(peer).and_then(|o| o.meta.clone()) {
            self.notify_others(peer, PeerChange::Updated(meta));
        }
    }

    fn confirm(&self, peer: PeerId) {
        let Some(updater) = self.state.occupant(peer) else { return };
        if let Some(meta) = &updater.meta {
            self.post(updater, News::Updated(meta.clone()));
        }
    }

    fn count_stray(&self, peer: PeerId) {
        let context = telemetry::Context::of_room(&self.name, None).as_peer(peer);
        telemetry::emit(&Event::FrameRefused {
            context,
            code: ErrorCode::NotInRoom,
            detail: "update of a peer that left",
        });
    }

    fn notify_others(&self, about: PeerId, change: PeerChange) {
        let event = RoomEvent::new(about, change);
        for other in self.state.others(about) {
            self.post(other, News::Changed(Arc::clone(&event)));
        }
    }

    /// A full mailbox has been handled by [`Member::post`] (the session is ended); one that is gone has its `Leave` under
    /// way. Either way the peer stays here until the supervisor says otherwise.
    fn post(&self, to: &Occupant<Arc<Member>>, news: News) {
        let Some(snapshot) = self.snapshot.clone() else { return };
        to.member.post(ToMember::Roster(Roster { snapshot, news }));
    }
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(UPDATES_MIN.max(UPDATES_PER_PEER * self.capacity));
        #[cfg(feature = "fault-injection")]
        crate::messages::faults::enlist(
            format!("room {}", self.name.as_str()),
            &actix::AsyncContext::address(ctx).recipient(),
        );
    }
}

impl Handler<ToRoom> for Room {
    type Result = ();

    fn handle(&mut self, message: ToRoom, ctx: &mut Self::Context) {
        let (effects, join_seq) = match message {
            ToRoom::Admit(admit) => return self.admit(admit, ctx),
            ToRoom::Remove { peer, reason } => return self.remove(peer, reason, ctx),
            ToRoom::Update { peer, meta } => (self.state.update(peer, meta), None),
            ToRoom::Away { peer, until_ms } => (self.state.away(peer, until_ms), None),
            ToRoom::Back { peer } => (self.state.back(peer), None),
            ToRoom::Resync { peer, join_seq } => (self.state.resync(peer), Some(join_seq)),
        };
        self.carry_out(&effects, join_seq, ctx);
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::messages::supervisor::Ping> for Room {
    type Result = ();

    fn handle(&mut self, ping: crate::messages::supervisor::Ping, _: &mut Self::Context) {
        (ping.0)();
    }
}
