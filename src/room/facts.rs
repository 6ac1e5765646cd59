//! What a message to a room means for the flight recorder. The rules alone: no clock.

use super::state::RoomState;
use crate::{
    messages::room::ToRoom,
    protocol::{LeaveReason, PeerId},
    recorder::fact::What,
};

/// What is about to happen, to a peer or to the room as such, in a room as it was before.
pub(super) fn of<M>(message: &ToRoom, room: &RoomState<M>, locked: bool) -> Vec<(Option<PeerId>, What)> {
    let is_here = |peer: &PeerId| room.occupant(*peer).is_some();
    let about = |peer: PeerId, what| if is_here(&peer) { vec![(Some(peer), what)] } else { Vec::new() };
    match message {
        ToRoom::Admit(admit) => {
            let left = admit.replaced.iter().filter(|peer| is_here(peer));
            let left = left.map(|peer| (Some(*peer), What::left(*peer, LeaveReason::Replaced)));
            let peer = admit.member.peer;
            let came = (!is_here(&peer)).then(|| (Some(peer), What::joined(peer)));
            left.chain(came).collect()
        }
        ToRoom::Remove { peer, reason } => about(*peer, What::left(*peer, *reason)),
        ToRoom::Away { peer, .. } => about(*peer, What::away(*peer)),
        ToRoom::Back { peer } => {
            let was_away = room.occupant(*peer).is_some_and(|occupant| occupant.away_until.is_some());
            if was_away { vec![(Some(*peer), What::back(*peer))] } else { Vec::new() }
        }
        ToRoom::Lock { locked: now } if *now != locked => vec![(None, What::Locked(*now))],
        ToRoom::Lock { .. }
        | ToRoom::Tell { .. }
        | ToRoom::Update { .. }
        | ToRoom::Report { .. }
        | ToRoom::Mesh { .. }
        | ToRoom::Resync { .. }
        // What a process has recorded ends with it.
        | ToRoom::Settle { .. }
        | ToRoom::Restore(_)
        | ToRoom::TellAway => Vec::new(),
    }
}
