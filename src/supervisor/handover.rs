//! What the supervisor does around a restart: it tells what there is, and takes back what there was.

use std::sync::Arc;

use actix::Handler;

use super::{
    actor::{Supervisor, now},
    news,
    seated::Seated,
    state::restore::ReservedSeat,
};
use crate::messages::{
    handover::{ForgetStock, RestoreModeration, RestoreRoom, SettleRooms, Stock, TakeStock, TellAway},
    room::{Restored, ToRoom},
};

impl Handler<SettleRooms> for Supervisor {
    type Result = ();

    fn handle(&mut self, SettleRooms { done }: SettleRooms, _: &mut Self::Context) {
        for (_, port) in self.state.rooms() {
            // A room that is gone has nothing to post.
            let _ = port.send_unbounded(ToRoom::Settle { done: done.clone() });
        }
    }
}

impl Handler<TakeStock> for Supervisor {
    type Result = ();

    fn handle(&mut self, TakeStock { clocks, answer }: TakeStock, _: &mut Self::Context) {
        let moderated = self.state.moderation_records(clocks);
        self.stock_is_taken = true;
        // Whoever asked may have given up.
        let _ = answer.send(Stock { rooms: self.state.stock(), moderated });
    }
}

impl Handler<ForgetStock> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: ForgetStock, _: &mut Self::Context) {
        self.stock_is_taken = false;
    }
}

impl Handler<RestoreModeration> for Supervisor {
    type Result = ();

    fn handle(&mut self, RestoreModeration { clocks, moderated }: RestoreModeration, _: &mut Self::Context) {
        self.state.restore_moderation(moderated, clocks);
    }
}

impl Handler<RestoreRoom> for Supervisor {
    type Result = ();

    fn handle(&mut self, restore: RestoreRoom, _: &mut Self::Context) {
        let RestoreRoom { name, opened, seats, until_ms, done } = restore;
        let reserved = seats.iter().map(|seat| {
            let member = Arc::clone(seat.member());
            ReservedSeat {
                session: member.session,
                member: Seated { member, join_seq: seat.join_seq },
                subnet: seat.subnet,
                who: seat.who(),
                user: seat.user.clone(),
                since: seat.since,
                is_known_away: seat.occupant.is_known_away,
            }
        });
        let port = self.spawn(&name);
        self.state.restore(&name, opened, port.clone(), reserved.collect(), now());
        self.publish();
        let locked = self.state.is_locked(&name, now());
        let seats = seats.into_iter().map(|seat| seat.occupant).collect();
        let restored = Restored { seats, until_ms, locked, port: port.clone(), done };
        if !port.send_unbounded(ToRoom::Restore(restored)) {
            // Its arbiter is gone, and the watch ends the process.
            news::room_lost(&name, 0);
        }
    }
}

impl Handler<TellAway> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: TellAway, _: &mut Self::Context) {
        for (_, port) in self.state.rooms() {
            // As above.
            let _ = port.send_unbounded(ToRoom::TellAway);
        }
    }
}
