//! The room's shell, as far as it spans nodes: what its members say of themselves goes to the cluster, and what comes from there is
//! told as if it had happened here.

use std::sync::Arc;

use super::{
    actor::Room,
    far_side::FarSide,
    state::{Effect, Occupant},
};
use crate::{
    messages::{
        cluster::{Ask, FarPeer, Profile, Stay},
        room::AdmitFar,
        session::Member,
    },
    protocol::{Meta, PeerId, RoomName},
};

impl Room {
    /// A peer of this node has a seat in a room of the cluster.
    pub(super) fn stays(&mut self, peer: PeerId, Stay { ticket, asks, bounds }: Stay) {
        let fresh = || Box::new(FarSide::new(asks, bounds));
        self.far.get_or_insert_with(fresh).stays.insert(peer, ticket);
    }

    /// A peer that it may be about is out.
    pub(super) fn left_far(&mut self, peer: PeerId) {
        if let Some(far) = &mut self.far {
            far.stays.remove(&peer);
            far.waiting.forget(peer);
        }
    }

    /// What a peer of this node says of itself, for those on other nodes. Of a peer of another node it came from there.
    pub(super) fn say(&self, peer: PeerId, ask: impl FnOnce(RoomName) -> Ask) {
        if let Some(far) = &self.far
            && let Some(ticket) = far.stays.get(&peer)
        {
            far.asks.ask_of(peer, *ticket, ask(self.name.clone()));
        }
    }

    pub(super) fn update(&mut self, peer: PeerId, meta: Meta) -> Vec<Effect> {
        self.say(peer, |room| Ask::Update { room, peer, meta: meta.clone() });
        self.state.update(peer, meta)
    }

    pub(super) fn admit_far(&mut self, AdmitFar { member, far, replaced, port }: AdmitFar) -> Vec<Effect> {
        self.port = Some(port);
        for peer in &replaced {
            self.left_mesh(*peer);
            self.left_far(*peer);
        }
        let mut effects = self.state.replace(&replaced);
        let FarPeer { peer, profile: Profile { meta, who, user }, away_until_ms: away_until, .. } = far;
        let who = who.map(Box::new);
        let far = Occupant { peer, meta, who, user, away_until, is_quiet: false, is_far: true, member };
        effects.extend(self.state.admit_far(far, replaced.last().copied()));
        self.is_stale |= !effects.is_empty();
        effects
    }

    /// The member of that name, as far as it is here or there.
    pub(super) fn find(&self, peer: PeerId) -> Option<&Arc<Member>> {
        self.snapshot.as_ref()?.find(peer)
    }
}
