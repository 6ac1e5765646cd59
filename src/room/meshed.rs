//! The room's shell, as far as its mesh goes: what becomes of reports, and of questions about them.

use std::{sync::Arc, time::Instant};

use super::{
    actor::Room,
    mesh::{health::MOST_PEERS, watch::Watched},
    state::Effect,
};
use crate::{
    messages::{mesh::MeshAnswer, session::Member},
    protocol::{PairEvent, PeerId},
    telemetry::{self, ReportDrop},
};

impl Room {
    /// Nobody is sent anything because of a report.
    pub(super) fn reported(&mut self, peer: PeerId, pairs: &[(PeerId, PairEvent)]) -> Vec<Effect> {
        let count = |why, n| telemetry::tally(|t| t.reports_dropped.add_n(why, n));
        if self.state.occupants().len() > MOST_PEERS {
            count(ReportDrop::RoomLarge, pairs.len() as u64);
            return Vec::new();
        }
        let mesh = self.own.mesh.get_or_insert_with(|| {
            let watched = Watched::new(self.own.name.clone());
            for occupant in self.state.occupants() {
                let away = occupant.is_away();
                watched.borrow_mut().health.joined(occupant.peer, occupant.member.source, away);
            }
            watched
        });
        let mut mesh = mesh.borrow_mut();
        for (about, event) in pairs {
            // Either may have left while the report was on its way.
            if !mesh.health.reported(peer, *about, *event, Instant::now()) {
                count(ReportDrop::Stranger, 1);
            }
        }
        Vec::new()
    }

    pub(super) fn show_mesh(&self, answer: MeshAnswer) -> Vec<Effect> {
        let view = self.own.mesh.as_ref().map(|mesh| mesh.borrow().health.view(Instant::now()));
        // Whoever asked may be gone by now.
        let _ = answer.send(view);
        Vec::new()
    }

    /// Somebody is about to come. In a room with too many nothing is kept from then on.
    pub(super) fn joined_mesh(&mut self, member: &Arc<Member>) {
        if self.state.occupants().len() >= MOST_PEERS {
            self.own.mesh = None;
        }
        if let Some(mesh) = &self.own.mesh {
            mesh.borrow_mut().health.joined(member.peer, member.source, false);
        }
    }

    pub(super) fn left_mesh(&mut self, peer: PeerId) {
        if let Some(mesh) = &self.own.mesh {
            mesh.borrow_mut().health.left(peer);
        }
    }

    pub(super) fn away(&mut self, peer: PeerId, until_ms: u64) -> Vec<Effect> {
        self.away_from_mesh(peer, true);
        self.state.away(peer, until_ms)
    }

    pub(super) fn back(&mut self, peer: PeerId) -> Vec<Effect> {
        self.away_from_mesh(peer, false);
        self.state.back(peer)
    }

    fn away_from_mesh(&self, peer: PeerId, away: bool) {
        if let Some(mesh) = &self.own.mesh {
            mesh.borrow_mut().health.away(peer, away);
        }
    }
}
