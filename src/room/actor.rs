//! The shell of a room: unpacks messages, asks the rules, sends what they decide.

use std::{any::Any, cell::RefCell, pin::Pin, rc::Rc, sync::Arc, task};

use actix::{Actor, ActorContext, ActorFuture, ArbiterHandle, AsyncContext, Context, Handler};

use super::{
    facts,
    far_side::FarSide,
    gather::{ForMember, Gathered, Happening},
    mesh::watch::Watched,
    state::{Effect, Occupant, RoomState},
};
use crate::{
    messages::{
        PeerChange, RoomChange, RoomEvent,
        room::{Admit, Restored, RestoredOccupant, RoomPort, ToRoom},
        session::{Member, News, Roster, Several, Snapshot, ToMember, Welcomed},
    },
    moment::Moment,
    protocol::{ErrorCode, LeaveReason, PeerId, RoomName},
    recorder::{self, RoomLife, RoomRecording},
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
    pub(super) state: RoomState<Arc<Member>>,
    pub(super) name: RoomName,
    capacity: usize,
    /// None before the first peer.
    pub(super) port: Option<RoomPort>,
    /// As of when the members were last notified, or of before; none before the first peer.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Whether it is locked, as its members are told. The supervisor is who lets nobody in.
    locked: bool,
    /// Whether somebody has come or gone since.
    pub(super) is_stale: bool,
    /// None: nothing is recorded, or nobody was here yet.
    recording: Option<RoomRecording>,
    /// What the members are to be sent.
    gathered: Gathered<Arc<RoomEvent>, News>,
    /// Whether they will be, when the mailbox is empty.
    is_due: bool,
    /// Who reaches which peer, since somebody has reported.
    pub(super) mesh: Option<Rc<RefCell<Watched>>>,
    /// What there is to do because the room spans nodes; none where it is this process's alone.
    pub(super) far: Option<Box<FarSide>>,
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
        Self {
            state: RoomState::default(),
            name,
            capacity,
            port: None,
            snapshot: None,
            locked: false,
            is_stale: false,
            recording: None,
            gathered: Gathered::default(),
            is_due: false,
            mesh: None,
            far: None,
            _guard: guard,
        }
    }

    /// For the flight recorder, before it happens.
    fn record(&mut self, message: &ToRoom) {
        let port = match message {
            ToRoom::Admit(Admit { port, .. }) | ToRoom::Restore(Restored { port, .. }) => Some(port),
            ToRoom::AdmitFar(far) => Some(&far.port),
            _ => None,
        };
        if let (None, Some(port)) = (&self.recording, port) {
            self.recording = recorder::open(&self.name, RoomLife::new(port.life()));
        }
        if let recording @ Some(_) = self.recording.as_ref() {
            let now = Moment::now();
            facts::each(message, &self.state, self.locked, |peer, what| recorder::note(recording, now, peer, what));
        }
    }

    fn admit(&mut self, admit: Admit) -> (Vec<Effect>, Option<u32>) {
        let Admit { member, meta, who, user, replaced, join_seq, port, stay } = admit;
        self.port = Some(port);
        if let Some(stay) = stay {
            self.stays(member.peer, *stay);
        }
        for peer in &replaced {
            self.left_mesh(*peer);
        }
        let mut effects = self.state.replace(&replaced);
        self.joined_mesh(&member);
        effects.extend(self.state.admit(member.peer, meta, who, user, replaced.last().copied(), member));
        self.is_stale |= !effects.is_empty();
        (effects, Some(join_seq))
    }

    /// In one step, so that nobody finds half of the room.
    fn restore(&mut self, Restored { seats, until_ms, locked, port, done }: Restored) {
        (self.port, self.locked, self.is_stale) = (Some(port), locked, true);
        let occupant = |RestoredOccupant { member, meta, who, user, is_known_away }| Occupant {
            peer: member.peer,
            meta,
            who: who.map(Box::new),
            user,
            away_until: Some(until_ms),
            is_quiet: !is_known_away,
            is_far: false,
            member,
        };
        self.state.restore(seats.into_iter().map(occupant));
        self.redraw();
        let Some(snapshot) = &self.snapshot else { return };
        for Occupant { member, .. } in self.state.occupants() {
            member.post(ToMember::Roster(Roster { snapshot: Arc::clone(snapshot), news: News::Restored }));
        }
        drop(done);
    }

    fn remove(&mut self, peer: PeerId, reason: LeaveReason) -> Vec<Effect> {
        self.left_mesh(peer);
        self.left_far(peer);
        let effects = self.state.remove(peer, reason);
        self.is_stale |= !effects.is_empty();
        effects
    }

    /// `join_seq` comes back to the peer that the effects are about, where it is told of the whole room.
    fn carry_out(&mut self, effects: &[Effect], join_seq: Option<u32>, ctx: &mut Context<Self>) {
        for effect in effects {
            match *effect {
                Effect::NotifyJoined(peer, replaces) => self.joined(peer, replaces),
                Effect::Welcome(peer) => {
                    if let Some(view) = self.everything(peer, join_seq) {
                        self.gathered.welcome(peer, News::Joined(view));
                    }
                }
                Effect::NotifyLeft(peer, reason) => self.add(peer, PeerChange::Left(reason)),
                Effect::NotifyAway(peer, until_ms) => self.add(peer, PeerChange::Away(until_ms)),
                Effect::NotifyBack(peer) => self.add(peer, PeerChange::Back),
                Effect::Resync(peer) => {
                    if let Some(view) = self.everything(peer, join_seq) {
                        self.gathered.resync(peer, News::Resynced(view));
                    }
                }
                Effect::NotifyUpdated(peer) => {
                    if let Some(meta) = self.state.occupant(peer).and_then(|o| o.meta.clone()) {
                        self.add(peer, PeerChange::Updated(meta));
                    }
                }
                Effect::CountStray(peer) => self.count_stray(peer),
                Effect::Stop => ctx.stop(),
            }
        }
    }

    fn joined(&mut self, peer: PeerId, replaces: Option<PeerId>) {
        if let Some(Occupant { meta, who, user, .. }) = self.state.occupant(peer) {
            let (meta, who, user) = (meta.clone(), who.as_deref().copied(), user.clone());
            self.add(peer, PeerChange::Joined { meta, who, user, replaces });
        }
    }

    /// A room that opens is never locked, so that this is told whenever it changes.
    fn lock(&mut self, locked: bool) -> Vec<Effect> {
        if std::mem::replace(&mut self.locked, locked) != locked {
            self.gathered.add(RoomEvent::of_room(RoomChange::Locked(locked)));
        }
        Vec::new()
    }

    fn tell(&mut self, event: Arc<RoomEvent>) -> Vec<Effect> {
        self.gathered.add(event);
        Vec::new()
    }

    fn add(&mut self, about: PeerId, change: PeerChange) {
        self.gathered.add(RoomEvent::new(about, change));
    }

    /// The whole room as it is now, as one peer sees it.
    fn everything(&self, peer: PeerId, join_seq: Option<u32>) -> Option<Box<Welcomed>> {
        let Occupant { meta, who, .. } = self.state.occupant(peer)?;
        let (meta, who) = (meta.clone(), who.as_deref().copied());
        let mut peers = Vec::with_capacity(self.state.occupants().len().saturating_sub(1));
        peers.extend(self.state.seen_by(peer));
        Some(Box::new(Welcomed { join_seq: join_seq.unwrap_or_default(), peers, meta, who, locked: self.locked }))
    }

    fn count_stray(&self, peer: PeerId) {
        let context = telemetry::Context::of_room(&self.name, None).as_peer(peer);
        telemetry::emit(&Event::FrameRefused {
            context,
            code: ErrorCode::NotInRoom,
            detail: "update of a peer that left",
        });
    }

    /// Has the members notified when all that waits in the mailbox now is handled, or at once where that has become too much.
    fn notify_later(&mut self, ctx: &mut Context<Self>) {
        if self.gathered.is_full() {
            self.notify();
        } else if !self.gathered.is_empty() && !self.is_due {
            self.is_due = true;
            ctx.spawn(EndOfTurn);
        }
    }

    /// Sends everybody what has been gathered: the members first, the newcomers last, as they stand in the list.
    ///
    /// A full mailbox is handled by [`Member::post`] (the session is ended); one that is gone has its `Leave` under way.
    /// Either way the peer stays here until the supervisor says otherwise.
    pub(super) fn notify(&mut self) {
        self.redraw();
        let Some(snapshot) = &self.snapshot else { return };
        let mut gathered = std::mem::take(&mut self.gathered);
        let mut shared = None;
        for Occupant { peer, member, is_far, .. } in self.state.occupants() {
            if *is_far {
                continue;
            }
            let ForMember { from, whole } = gathered.take_for(*peer);
            let mut events = gathered.events(from, *peer);
            let news = match (whole, events.next(), events.next()) {
                (None, None, _) => continue,
                (Some((_, whole)), None, _) => whole,
                (None, Some(event), None) => match News::of(event, *peer) {
                    Some(news) => news,
                    None => continue,
                },
                (whole, ..) => {
                    let events = shared.get_or_insert_with(|| Arc::from(gathered.all_events()));
                    News::Several(Box::new(Several { events: Arc::clone(events), from, whole }))
                }
            };
            member.post(ToMember::Roster(Roster { snapshot: Arc::clone(snapshot), news }));
        }
    }

    /// A new picture, if somebody came or went.
    fn redraw(&mut self) {
        if let Some(port) = self.port.clone().filter(|_| std::mem::take(&mut self.is_stale)) {
            let (room, capacity, members) = (self.name.clone(), self.capacity, self.state.sorted());
            self.snapshot = Some(Arc::new(Snapshot { room, capacity, members, port }));
        }
    }
}

/// Comes up when the room's mailbox is empty. It has no size, so that nothing is allocated for it.
struct EndOfTurn;

impl ActorFuture<Room> for EndOfTurn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, room: &mut Room, _: &mut Context<Room>, _: &mut task::Context<'_>) -> task::Poll<()> {
        room.is_due = false;
        room.notify();
        task::Poll::Ready(())
    }
}

impl Happening for Arc<RoomEvent> {
    fn concerns(&self, member: PeerId) -> bool {
        RoomEvent::concerns(self, member)
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
        self.record(&message);
        let (effects, join_seq) = match message {
            ToRoom::Admit(admit) => self.admit(admit),
            ToRoom::AdmitFar(far) => (self.admit_far(*far), None),
            ToRoom::Receive(receiving) => return self.receive(*receiving, ctx),
            ToRoom::Remove { peer, reason } => (self.remove(peer, reason), None),
            ToRoom::Lock { locked } => (self.lock(locked), None),
            ToRoom::Tell { event } => (self.tell(event), None),
            ToRoom::Settle { done } => {
                self.notify();
                drop(done);
                return;
            }
            ToRoom::Restore(restored) => return self.restore(restored),
            ToRoom::TellAway => (self.state.tell_away(), None),
            ToRoom::Update { peer, meta } => (self.update(peer, meta), None),
            ToRoom::Report { peer, pairs } => (self.reported(peer, &pairs), None),
            ToRoom::Mesh { answer } => (self.show_mesh(answer), None),
            ToRoom::Away { peer, until_ms } => (self.away(peer, until_ms), None),
            ToRoom::Back { peer } => (self.back(peer), None),
            ToRoom::Resync { peer, join_seq } => (self.state.resync(peer), Some(join_seq)),
        };
        self.carry_out(&effects, join_seq, ctx);
        self.notify_later(ctx);
    }
}

#[cfg(feature = "fault-injection")]
impl Handler<crate::messages::supervisor::Ping> for Room {
    type Result = ();

    fn handle(&mut self, ping: crate::messages::supervisor::Ping, _: &mut Self::Context) {
        (ping.0)();
    }
}
