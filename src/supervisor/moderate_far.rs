//! What those who moderate a room do to it on other nodes.

use super::{actor::Supervisor, news, span::Far};
use crate::{
    messages::{
        cluster::Ask,
        moderation::{Kick, Target},
        session::Member,
    },
    protocol::{PeerId, RoomName},
    telemetry::ModerationAct,
};

impl Supervisor {
    /// Sends away whoever is meant of those on other nodes, and has everybody meant kept out there, too, as far as it is known who
    /// that is: addresses are this node's alone, and so are users. Who they were.
    pub(super) fn kick_elsewhere(&self, room: &RoomName, kick: &Kick, by: Option<&Member>) -> Vec<PeerId> {
        let Some(spanned) = self.span.as_ref().and_then(|span| span.room(room)) else { return Vec::new() };
        let is_meant = |far: &&Far| match &kick.target {
            Target::Peer(peer) => far.peer.peer == *peer,
            Target::Who(who) => far.peer.profile.who == Some(*who),
            Target::User(user) => far.peer.profile.user.as_ref() == Some(user),
        };
        let meant: Vec<_> = spanned.far.values().filter(is_meant).map(|far| &far.peer).collect();
        let named = if let Target::Who(who) = &kick.target { Some(*who) } else { None };
        let near = self.state.seats_of(room).filter(|(_, seated)| kick.target == Target::Peer(seated.member.peer));
        let near = near.filter_map(|(session, _)| self.state.identities.who(room, session));
        let mut banned: Vec<_> = meant.iter().filter_map(|far| far.profile.who).chain(near).chain(named).collect();
        banned.dedup();
        if let Some(time) = kick.ban {
            let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            for who in banned {
                spanned.asks.ask(Ask::Ban { room: room.clone(), who, for_ms });
            }
        }
        let peers: Vec<_> = meant.iter().map(|far| far.peer).collect();
        if !peers.is_empty() {
            spanned.asks.ask(Ask::Kick { room: room.clone(), peers: peers.clone() });
            news::moderated(Some(room), ModerationAct::Kick, by, peers.len(), kick.ban);
        }
        peers
    }

    /// Whether that is for the cluster to do: then it is so when that says it, here as everywhere.
    pub(super) fn ask_to_lock(&self, room: &RoomName, locked: bool, by: Option<&Member>) -> bool {
        let Some(spanned) = self.span.as_ref().and_then(|span| span.room(room)) else { return false };
        spanned.asks.ask(Ask::Lock { room: room.clone(), locked });
        let act = if locked { ModerationAct::Lock } else { ModerationAct::Unlock };
        news::moderated(Some(room), act, by, 0, None);
        true
    }
}
