//! What other actors say: rosters, signals, evictions, the drain.

use std::sync::Arc;

use super::{
    actor::Session,
    link::Place,
    state::{Heard, Seen},
};
use crate::{
    messages::session::{Deliver, Drain, Evict, News, Roster, Snapshot, Welcomed},
    protocol::{ByeAction, EndReason, FrameKind, ResumeToken, server},
    telemetry::{self, RelayOutcome},
};

impl Session {
    pub(super) fn roster(&mut self, roster: Roster) {
        match (self.rules.roster(&roster), roster.news) {
            (Seen::Entered { leave }, News::Joined(welcomed)) => {
                self.entered(&roster.snapshot, &welcomed);
                if let Some(re) = leave {
                    // Cannot be refused: the session is inside.
                    let _ = self.leave(&re);
                }
            }
            (Seen::Changed, News::Resynced(welcomed)) => self.resynced(&welcomed),
            // Part of the whole room that is on its way.
            (Seen::Changed, _) if self.resync.is_some() => {}
            (Seen::Changed, News::Changed(kind, frame)) => self.link.say(kind, frame),
            (Seen::Changed, News::Updated(frame)) => self.link.say(FrameKind::PeerUpdated, frame),
            _ => {}
        }
    }

    fn entered(&mut self, snapshot: &Snapshot, welcomed: &Welcomed) {
        self.due(None);
        let place = Place { room: snapshot.room.clone(), port: Arc::clone(&snapshot.port) };
        *self.link.inside.borrow_mut() = Some(place);
        let token = self.resumable.then(|| ResumeToken { session: self.id, secret: self.open_ledger() });
        let joined = server::Joined {
            me: self.peer,
            meta: welcomed.meta.as_ref(),
            room: &snapshot.room,
            peers_json: Some(&welcomed.peers),
            capacity: snapshot.capacity,
            ice_servers_json: &self.setup.ice_servers,
            re: welcomed.re.as_deref(),
            resume: token.as_ref().map(|token| (token, self.setup.resume_window_ms)),
            resumed: None,
        };
        self.link.say(FrameKind::Joined, server::joined(&joined));
        self.watch(FrameKind::Join, self.asked.elapsed());
        telemetry::tally(|t| t.handling.observe(self.asked.elapsed()));
        self.handle_early();
    }

    /// What came before the room that it belongs to.
    pub(super) fn handle_early(&mut self) {
        for deliver in std::mem::take(&mut self.early) {
            self.deliver(deliver);
        }
    }

    pub(super) fn deliver(&mut self, deliver: Deliver) {
        let heard = match self.rules.deliver(deliver.from) {
            Heard::Pass if self.resync.is_some() => Heard::TooEarly,
            heard => heard,
        };
        match heard {
            Heard::Pass => {
                self.link.say(FrameKind::from(deliver.kind), deliver.frame);
                if let Some(read_at) = deliver.read_at {
                    telemetry::tally(|t| t.handling.observe(read_at.elapsed()));
                }
            }
            Heard::TooEarly if self.early.len() < self.setup.mailbox => self.early.push(deliver),
            Heard::TooEarly => self.link.cut.pull_for_lost_letter(),
            Heard::Stray => telemetry::tally(|t| t.relays.add(RelayOutcome::Stray)),
        }
    }

    pub(super) fn evict(&mut self, evict: &Evict) {
        if self.rules.evicted(evict) {
            self.early.clear();
            self.resync = None;
            self.link.paused.set(false);
            self.link.say(FrameKind::RoomClosed, server::room_closed(&evict.room));
            self.outside();
            if !self.link.attached() {
                // There is nothing to come back to.
                self.link.cut.pull(EndReason::ResumeExpired);
            }
        }
    }

    pub(super) fn drain(&mut self, drain: Drain) {
        self.rules.drain();
        self.link.note(|wire| wire.said_bye = true);
        let bye = server::bye(EndReason::ServerDraining, ByeAction::Reconnect, drain.close_after_ms);
        self.link.say(FrameKind::Bye, bye);
    }
}
