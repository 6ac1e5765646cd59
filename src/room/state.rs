//! The rules of one room: who is in it, since when relative to the others, and who is told what. No actix, no clock.
//!
//! `M` is how a peer is reached. The rules keep it and hand it back; they never use it.

use std::sync::Arc;

use crate::protocol::{LeaveReason, Meta, PeerId, Who, server::PeerView};

/// What the members are to be sent, in the order given, with the room as it is after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The others are notified that this peer came, and in whose place.
    NotifyJoined(PeerId, Option<PeerId>),
    /// This peer gets its first roster.
    Welcome(PeerId),
    /// Everybody is notified that this peer is gone.
    NotifyLeft(PeerId, LeaveReason),
    /// Everybody gets this peer's new metadata: the peer itself as the answer to its update.
    NotifyUpdated(PeerId),
    /// The others are notified that this peer's socket is gone, and until when it is waited for.
    NotifyAway(PeerId, u64),
    /// The others are notified that this peer is back.
    NotifyBack(PeerId),
    /// This peer gets the whole room again.
    Resync(PeerId),
    /// An update came from a peer that is not here (it left while the message was on its way): counted, nothing else.
    CountStray(PeerId),
    /// Nobody is left.
    Stop,
}

/// One peer in the room.
#[derive(Debug)]
pub struct Occupant<M> {
    /// Its name.
    pub peer: PeerId,
    /// What it wants the others to know of it.
    pub meta: Option<Meta>,
    /// Who it is beside that, where the others are told. Boxed, so that whoever is nobody pays for a pointer.
    person: Option<Box<Person>>,
    /// While its socket is gone.
    absence: Option<Box<Absence>>,
    /// How it is reached.
    pub member: M,
}

/// Who a peer is.
#[derive(Debug)]
struct Person {
    who: Option<Who>,
    user: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Absence {
    /// Until when it is waited for, in milliseconds since the Unix epoch.
    until: u64,
    /// Whether the others have not been told so: since a restart, in which everybody was away.
    is_quiet: bool,
}

impl<M> Occupant<M> {
    /// One that is there. `who`: who it is, if it gave an identity; `user`: the user that its token names, where the others are
    /// shown that.
    pub fn new(peer: PeerId, meta: Option<Meta>, who: Option<Who>, user: Option<Arc<str>>, member: M) -> Self {
        let person = (who.is_some() || user.is_some()).then(|| Box::new(Person { who, user }));
        Self { peer, meta, person, absence: None, member }
    }

    /// The same, away since a restart, until then.
    #[must_use]
    pub fn away_since_restart(self, until: u64, is_known: bool) -> Self {
        Self { absence: Some(Box::new(Absence { until, is_quiet: !is_known })), ..self }
    }

    /// Who it is, if it gave an identity.
    pub fn who(&self) -> Option<Who> {
        self.person.as_ref()?.who
    }

    /// The user that its token names, where the others are shown that.
    pub fn user(&self) -> Option<&Arc<str>> {
        self.person.as_ref()?.user.as_ref()
    }

    /// Whether its socket is gone.
    pub fn is_away(&self) -> bool {
        self.absence.is_some()
    }

    /// Until when it is waited for, as far as the others know.
    fn known_away_until(&self) -> Option<u64> {
        self.absence.as_ref().filter(|absence| !absence.is_quiet).map(|absence| absence.until)
    }
}

/// The members of one room, in joining order. The order is what politeness hangs on: of two peers, the one that joined
/// later is polite, for as long as both are here.
#[derive(Debug)]
pub struct RoomState<M> {
    occupants: Vec<Occupant<M>>,
}

impl<M> Default for RoomState<M> {
    fn default() -> Self {
        Self { occupants: Vec::new() }
    }
}

impl<M> RoomState<M> {
    /// Lets peers go in whose place somebody is about to come: the room does not end, whoever is left.
    pub fn replace(&mut self, peers: &[PeerId]) -> Vec<Effect> {
        // Mostly nobody is replaced, and nobody pays for a look.
        if peers.is_empty() {
            return Vec::new();
        }
        self.occupants.retain(|o| !peers.contains(&o.peer));
        if self.occupants.is_empty() {
            return Vec::new();
        }
        peers.iter().map(|peer| Effect::NotifyLeft(*peer, LeaveReason::Replaced)).collect()
    }

    /// Lets a peer in, as the last; `replaces` is in whose place, of those that went. The members are notified first and the newcomer is welcomed last, so that nobody receives
    /// an offer from a peer it was not told of.
    ///
    /// The supervisor gives nobody a second seat, so a peer that is here already changes nothing.
    pub fn admit(
        &mut self,
        peer: PeerId,
        meta: Option<Meta>,
        who: Option<Who>,
        user: Option<Arc<str>>,
        replaces: Option<PeerId>,
        member: M,
    ) -> Vec<Effect> {
        if self.position(peer).is_some() {
            return Vec::new();
        }
        let alone = self.occupants.is_empty();
        if self.occupants.len() == self.occupants.capacity() {
            // Most rooms hold two: a vector left to itself begins with four, and goes on by doubling.
            self.occupants.reserve_exact(1 + self.occupants.len() / 2);
        }
        self.occupants.push(Occupant::new(peer, meta, who, user, member));
        if alone {
            vec![Effect::Welcome(peer)]
        } else {
            vec![Effect::NotifyJoined(peer, replaces), Effect::Welcome(peer)]
        }
    }

    /// Lets a peer go; with the last one, the room ends.
    pub fn remove(&mut self, peer: PeerId, reason: LeaveReason) -> Vec<Effect> {
        let Some(at) = self.position(peer) else { return Vec::new() };
        self.occupants.remove(at);
        if self.occupants.is_empty() { vec![Effect::Stop] } else { vec![Effect::NotifyLeft(peer, reason)] }
    }

    /// Takes a peer's new metadata, whole.
    pub fn update(&mut self, peer: PeerId, meta: Meta) -> Vec<Effect> {
        let Some(at) = self.position(peer) else { return vec![Effect::CountStray(peer)] };
        self.occupants[at].meta = Some(meta);
        vec![Effect::NotifyUpdated(peer)]
    }

    /// A peer's socket is gone; its seat is kept.
    pub fn away(&mut self, peer: PeerId, until_ms: u64) -> Vec<Effect> {
        let Some(at) = self.position(peer) else { return Vec::new() };
        self.occupants[at].absence = Some(Box::new(Absence { until: until_ms, is_quiet: false }));
        if self.occupants.len() == 1 { Vec::new() } else { vec![Effect::NotifyAway(peer, until_ms)] }
    }

    /// It is back, if it was away.
    pub fn back(&mut self, peer: PeerId) -> Vec<Effect> {
        let Some(at) = self.position(peer) else { return Vec::new() };
        let was_known_away = self.occupants[at].absence.take().is_some_and(|absence| !absence.is_quiet);
        if was_known_away && self.occupants.len() > 1 { vec![Effect::NotifyBack(peer)] } else { Vec::new() }
    }

    /// Everybody who has been here since before a restart, in joining order, all of them away. Nobody is told: their clients
    /// know each other, and mostly all are back before anybody has missed them.
    pub fn restore(&mut self, occupants: impl Iterator<Item = Occupant<M>>) {
        self.occupants = occupants.collect();
    }

    /// The others are told who has not come back since a restart.
    pub fn tell_away(&mut self) -> Vec<Effect> {
        let alone = self.occupants.len() == 1;
        let away = self.occupants.iter_mut().filter_map(|o| {
            let absence = o.absence.as_mut()?;
            std::mem::take(&mut absence.is_quiet).then_some(Effect::NotifyAway(o.peer, absence.until))
        });
        let effects: Vec<_> = away.collect();
        if alone { Vec::new() } else { effects }
    }

    /// A peer that has missed too much needs the whole room.
    pub fn resync(&mut self, peer: PeerId) -> Vec<Effect> {
        if self.position(peer).is_some() { vec![Effect::Resync(peer)] } else { Vec::new() }
    }

    /// That peer, if it is here.
    pub fn occupant(&self, peer: PeerId) -> Option<&Occupant<M>> {
        self.occupants.iter().find(|o| o.peer == peer)
    }

    /// Everybody, in joining order.
    pub fn occupants(&self) -> &[Occupant<M>] {
        &self.occupants
    }

    /// Everybody else, in joining order.
    pub fn others(&self, peer: PeerId) -> impl Iterator<Item = &Occupant<M>> {
        self.occupants.iter().filter(move |o| o.peer != peer)
    }

    /// Everybody else as `peer` sees them: with whether `peer` is polite towards them, which it is towards those that
    /// were here before it.
    pub fn seen_by(&self, peer: PeerId) -> impl Iterator<Item = PeerView> {
        let own = self.position(peer).unwrap_or(self.occupants.len());
        let seen = self.occupants.iter().enumerate().filter(move |(at, _)| *at != own);
        seen.map(move |(at, o)| PeerView {
            id: o.peer,
            meta: o.meta.clone(),
            who: o.who(),
            user: o.user().cloned(),
            polite: at < own,
            away_until_ms: o.known_away_until(),
        })
    }

    fn position(&self, peer: PeerId) -> Option<usize> {
        self.occupants.iter().position(|o| o.peer == peer)
    }
}

impl<M: Clone> RoomState<M> {
    /// Everybody, sorted by name: the content of a snapshot.
    pub fn sorted(&self) -> Vec<(PeerId, M)> {
        let mut members: Vec<_> = self.occupants.iter().map(|o| (o.peer, o.member.clone())).collect();
        members.sort_unstable_by_key(|(peer, _)| *peer);
        members
    }
}
