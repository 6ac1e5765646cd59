//! What a message to a room means for the flight recorder. The rules alone: no clock.

use super::state::{Occupant, RoomState};
use crate::{
    messages::room::ToRoom,
    protocol::{LeaveReason, PeerId},
    recorder::fact::{Said, ShortId, What},
};

/// Tells what is about to happen, to a peer or to the room as such, in a room as it was before.
pub(super) fn each<M>(message: &ToRoom, room: &RoomState<M>, locked: bool, mut tell: impl FnMut(Option<PeerId>, What)) {
    let is_here = |peer: &PeerId| room.occupant(*peer).is_some();
    match message {
        ToRoom::Admit(admit) => {
            for peer in admit.replaced.iter().filter(|peer| is_here(peer)) {
                tell(Some(*peer), What::left(*peer, LeaveReason::Replaced));
            }
            let peer = admit.member.peer;
            if !is_here(&peer) {
                tell(Some(peer), What::joined(peer));
            }
        }
        ToRoom::Remove { peer, reason } if is_here(peer) => tell(Some(*peer), What::left(*peer, *reason)),
        ToRoom::Away { peer, .. } if is_here(peer) => tell(Some(*peer), What::away(*peer)),
        ToRoom::Back { peer } if room.occupant(*peer).is_some_and(Occupant::is_away) => {
            tell(Some(*peer), What::back(*peer));
        }
        ToRoom::Lock { locked: now } if *now != locked => tell(None, What::Locked(*now)),
        ToRoom::Report { peer, pairs } if is_here(peer) => {
            for (about, event) in pairs {
                if let Some(said) = Said::of(*event) {
                    tell(Some(*peer), What::Reported { to: ShortId::of(*about), said });
                }
            }
        }
        ToRoom::Remove { .. }
        | ToRoom::Away { .. }
        | ToRoom::Back { .. }
        | ToRoom::Lock { .. }
        | ToRoom::Tell { .. }
        | ToRoom::Update { .. }
        | ToRoom::Resync { .. }
        | ToRoom::Report { .. }
        | ToRoom::Mesh { .. }
        // What a process has recorded ends with it.
        | ToRoom::Settle { .. }
        | ToRoom::Restore(_)
        | ToRoom::TellAway => {}
    }
}
