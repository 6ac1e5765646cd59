//! A join, from the question to the seat.

use std::sync::Arc;

use actix::Handler;

use super::{
    actor::{Supervisor, now},
    news,
    outcomes::{Freed, Granted},
    seated::Seated,
    seating::Seating,
    state::Applicant,
};
use crate::{
    messages::{
        SeatTaken,
        cluster::Stay,
        room::{Admit, RoomPort, ToRoom},
        session::{Control, JoinError, JoinFailed},
        supervisor::Join,
    },
    protocol::{EndReason, LeaveReason, PeerId, RoomName},
};

impl Supervisor {
    /// The number of peers in the room then, the newcomer included.
    pub(super) fn join(&mut self, join: Join) -> Result<usize, Box<JoinFailed>> {
        self.bury(&join.room);
        let (applicant, seating) = Seating::of(join);
        match self.take_seat(applicant, &seating.room) {
            Ok(granted) => Ok(self.seated(seating, granted, Vec::new(), None)),
            Err(refused) => Err(Box::new(seating.refuse(refused))),
        }
    }

    /// It has a seat: those are told who have to know. `replaced`: in whose place it comes, beside those of this node that had to go.
    pub(super) fn seated(
        &mut self,
        seating: Seating,
        granted: Granted<Seated, RoomPort>,
        mut replaced: Vec<PeerId>,
        stay: Option<Box<Stay>>,
    ) -> usize {
        let Granted { port, peers, opened, given_up, replaced: freed } = granted;
        let Seating { member, room, meta, attempt, join_seq, resumable: _, grant, known } = seating;
        // Before the newcomer knows: who has joined is counted.
        self.publish();
        for seat in &freed {
            self.hooks.left(seat, &room, LeaveReason::Replaced);
            let peer = replace(seat, &room);
            if !replaced.contains(&peer) {
                replaced.push(peer);
            }
        }
        let elsewhere = self.span.as_ref().and_then(|span| span.room(&room)).map_or(0, |spanned| spanned.far.len());
        news::joined(&member, &room, peers + elsewhere, opened, attempt);
        self.hooks.joined(&member, &room, &known, opened);
        self.give_up(given_up);
        let who = known.who;
        let user = grant.and_then(|grant| grant.shown_user().cloned());
        let admit = Admit { member, meta, who, user, replaced, join_seq, port: port.clone(), stay };
        if !port.send_unbounded(ToRoom::Admit(admit)) {
            // It died just now. The newcomer has a seat, and is told of the end as the others are.
            self.lose(&room);
        }
        peers
    }

    fn take_seat(
        &mut self,
        applicant: Applicant<Seated>,
        room: &RoomName,
    ) -> Result<Granted<Seated, RoomPort>, JoinError> {
        let capacity = self.state.limits().peers_per_room;
        let open = || (self.spawn_room)(room.clone(), capacity, self.ended_rooms.guard());
        self.state.join(applicant, room, now(), open)
    }
}

/// The same person has a seat instead. The session is over, whatever has become of it that is not known here: unlike one
/// that is given up, it has no seat to come back to.
pub(super) fn replace(seat: &Freed<Seated>, room: &RoomName) -> PeerId {
    news::left(seat, room, LeaveReason::Replaced);
    let Seated { member, join_seq } = &seat.member;
    member.take_seat(SeatTaken { join_seq: *join_seq, reason: EndReason::SessionTaken, text: None });
    member.peer
}

impl Handler<Join> for Supervisor {
    type Result = ();

    fn handle(&mut self, join: Join, _: &mut Self::Context) {
        let member = Arc::clone(&join.member);
        let asked = if self.span.is_some() { self.ask_to_join(join) } else { self.join(join).map(|_| ()) };
        if let Err(join_failed) = asked {
            member.post(Control::JoinFailed(join_failed));
        }
    }
}
