//! What other actors say: rosters, signals, evictions, the drain.

use super::{
    actor::Session,
    state::{Heard, Seen},
};
use crate::{
    messages::session::{Deliver, Drain, Evict, News, Roster, Welcomed},
    protocol::{EndReason, FrameKind, RoomName, server},
    telemetry::{self, RelayOutcome},
};

impl Session {
    pub(super) fn roster(&mut self, roster: Roster) {
        match (self.rules.roster(&roster), roster.news) {
            (Seen::Entered { leave }, News::Joined(welcomed)) => {
                self.entered(&roster.snapshot.room, roster.snapshot.capacity, &welcomed);
                if let Some(re) = leave {
                    // Cannot be refused: the session is inside.
                    let _ = self.leave(&re);
                }
            }
            (Seen::Changed, News::Changed(kind, frame)) => self.link.say(kind, frame),
            (Seen::Changed, News::Updated(frame)) => self.link.say(FrameKind::PeerUpdated, frame),
            _ => {}
        }
    }

    fn entered(&mut self, room: &RoomName, capacity: usize, welcomed: &Welcomed) {
        self.due(None);
        self.link.joined.set(true);
        let joined = server::Joined {
            me: self.peer,
            meta: welcomed.meta.as_ref(),
            room,
            peers_json: &welcomed.peers,
            capacity,
            ice_servers_json: &self.setup.ice_servers,
            re: welcomed.re.as_deref(),
        };
        self.link.say(FrameKind::Joined, server::joined(&joined));
        self.watch(FrameKind::Join, self.asked.elapsed());
        telemetry::tally(|t| t.handling.observe(self.asked.elapsed()));
        for deliver in std::mem::take(&mut self.early) {
            self.deliver(deliver);
        }
    }

    pub(super) fn deliver(&mut self, deliver: Deliver) {
        match self.rules.deliver(deliver.from) {
            Heard::Pass => {
                self.link.say(FrameKind::from(deliver.kind), deliver.frame);
                if let Some(read_at) = deliver.read_at {
                    telemetry::tally(|t| t.handling.observe(read_at.elapsed()));
                }
            }
            Heard::TooEarly if self.early.len() < self.setup.mailbox => self.early.push(deliver),
            Heard::TooEarly => self.link.cut.pull(EndReason::SlowConsumer),
            Heard::Stray => telemetry::tally(|t| t.relays.add(RelayOutcome::Stray)),
        }
    }

    pub(super) fn evict(&mut self, evict: &Evict) {
        if self.rules.evicted(evict) {
            self.early.clear();
            self.link.joined.set(false);
            self.link.say(FrameKind::RoomClosed, server::room_closed(&evict.room));
            self.due(Some((self.setup.join_timeout, EndReason::JoinTimeout)));
        }
    }

    pub(super) fn drain(&mut self, drain: Drain) {
        self.rules.drain();
        self.link.said_bye.set(true);
        self.link.say(FrameKind::Bye, server::bye(EndReason::ServerDraining, drain.close_after_ms));
    }
}
