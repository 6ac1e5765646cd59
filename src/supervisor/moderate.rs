//! What those who moderate rooms ask of the supervisor, and what follows.

use std::sync::Arc;

use actix::Handler;

use super::{
    actor::{Supervisor, now},
    moderation::SeatsOf,
    news,
    outcomes::Left,
    seated::Seated,
};
use crate::{
    messages::{
        RoomChange, RoomEvent, SeatTaken,
        moderation::{
            BAN_TIME, CloseRoom, Kick, KickFrom, Kicked, LiftBan, ListBans, LockRoom, ModerationError, RoomBans,
            RoomOrder, SendNotice, Target,
        },
        room::{RoomPort, ToRoom},
        session::{Control, Member, Moderated},
        supervisor::Moderate,
    },
    protocol::{
        EndReason, PeerId, PlainText, RoomName, SessionId,
        plain_text::{NOTICE_BYTES, REASON_BYTES},
    },
    telemetry::{LimitHit, ModerationAct},
};

impl Supervisor {
    /// What was done after the next process's share was taken would be undone by it: who was banned would come back.
    fn may_moderate(&self) -> Result<(), ModerationError> {
        if self.stock_is_taken { Err(ModerationError::HandedOver) } else { Ok(()) }
    }

    /// `by`: the member that asks; `None`: an operator.
    pub(super) fn kick(
        &mut self,
        room: &RoomName,
        kick: &Kick,
        by: Option<&Member>,
    ) -> Result<Kicked, ModerationError> {
        self.may_moderate()?;
        is_short(kick.reason.as_ref(), REASON_BYTES)?;
        if kick.ban.is_some_and(|time| !BAN_TIME.contains(&time)) {
            return Err(ModerationError::BanTime);
        }
        let elsewhere = self.kick_elsewhere(room, kick, by);
        let of = match &kick.target {
            Target::Peer(_) if !elsewhere.is_empty() => return Ok(Kicked { peers: elsewhere }),
            Target::Peer(peer) => SeatsOf::Session(self.session_of(room, *peer)?),
            Target::Who(who) => SeatsOf::Who(*who),
            Target::User(user) => SeatsOf::User(user),
        };
        let left = self.state.kick(room, of, kick.ban, now()).inspect_err(|error| {
            if let ModerationError::TooManyBans { .. } = error {
                news::limit_hit(LimitHit::BansPerRoom);
            }
        })?;
        if let (Target::Who(who), true) = (&kick.target, left.is_empty() && elsewhere.is_empty()) {
            self.tell(room, &RoomEvent::of_room(RoomChange::Kicked(*who)));
        }
        let mut peers = self.send_out(left, EndReason::Kicked, kick.reason.as_ref());
        news::moderated(Some(room), ModerationAct::Kick, by, peers.len(), kick.ban);
        peers.extend(elsewhere);
        Ok(Kicked { peers })
    }

    /// Whose seat that is.
    fn session_of(&self, room: &RoomName, peer: PeerId) -> Result<SessionId, ModerationError> {
        self.state.port(room).ok_or(ModerationError::UnknownRoom)?;
        let found = self.state.seats_of(room).find(|(_, seated)| seated.member.peer == peer);
        found.map(|(session, _)| session).ok_or(ModerationError::UnknownPeer)
    }

    /// Their seats are free; now they and their room are told. Says who they were.
    fn send_out(
        &mut self,
        left: Vec<Left<Seated, RoomPort>>,
        reason: EndReason,
        text: Option<&PlainText>,
    ) -> Vec<PeerId> {
        self.publish();
        let mut peers = Vec::with_capacity(left.len());
        for left in left {
            let Seated { member, join_seq } = &left.seat.member;
            peers.push(member.peer);
            member.take_seat(SeatTaken { join_seq: *join_seq, reason, text: text.cloned() });
            self.seat_freed(left, reason.leave_reason());
        }
        peers
    }

    /// Whether that changed anything; the room's members are told then.
    pub(super) fn lock(&mut self, room: &RoomName, locked: bool, by: Option<&Member>) -> Result<(), ModerationError> {
        self.may_moderate()?;
        if self.ask_to_lock(room, locked, by) {
            return Ok(());
        }
        if self.state.lock(room, locked, now())? {
            let act = if locked { ModerationAct::Lock } else { ModerationAct::Unlock };
            news::moderated(Some(room), act, by, 0, None);
            if let Some(port) = self.state.port(room) {
                // One that is gone has nobody to tell.
                let _ = port.send_unbounded(ToRoom::Lock { locked });
            }
        }
        Ok(())
    }

    fn tell(&self, room: &RoomName, event: &Arc<RoomEvent>) {
        if let Some(port) = self.state.port(room) {
            let _ = port.send_unbounded(ToRoom::Tell { event: Arc::clone(event) });
        }
    }

    /// To how many peers.
    fn notice(&self, SendNotice { room, text }: &SendNotice) -> Result<usize, ModerationError> {
        self.may_moderate()?;
        is_short(Some(text), NOTICE_BYTES)?;
        let event = RoomEvent::of_room(RoomChange::Notice(text.clone()));
        let peers = if let Some(room) = room {
            self.state.port(room).ok_or(ModerationError::UnknownRoom)?;
            self.tell(room, &event);
            self.state.seats_of(room).count()
        } else {
            self.state.rooms().for_each(|(room, _)| self.tell(room, &event));
            self.state.headcount(now()).peers
        };
        news::moderated(room.as_ref(), ModerationAct::Notice, None, peers, None);
        Ok(peers)
    }
}

/// Whoever serves the operators may have taken a text for another.
fn is_short(text: Option<&PlainText>, limit: usize) -> Result<(), ModerationError> {
    let fits = text.is_none_or(|text| text.as_str().len() <= limit);
    if fits { Ok(()) } else { Err(ModerationError::TextTooLong { limit }) }
}

impl Handler<Moderate> for Supervisor {
    type Result = ();

    fn handle(&mut self, Moderate { member, order, re }: Moderate, _: &mut Self::Context) {
        // It has left since, or has been sent away itself.
        let room = self.state.room_of(member.session).cloned().ok_or(ModerationError::NotInRoom);
        let done = room.and_then(|room| match &order {
            RoomOrder::Kick(kick) => self.kick(&room, kick, Some(&member)).map(|_| ()),
            RoomOrder::Lock(locked) => self.lock(&room, *locked, Some(&member)),
        });
        let outcome = done.map(|()| order);
        member.post(Control::Moderated(Box::new(Moderated { re, outcome })));
    }
}

impl Handler<KickFrom> for Supervisor {
    type Result = Result<Kicked, ModerationError>;

    fn handle(&mut self, KickFrom { room, kick }: KickFrom, _: &mut Self::Context) -> Self::Result {
        self.kick(&room, &kick, None)
    }
}

impl Handler<ListBans> for Supervisor {
    type Result = Result<RoomBans, ModerationError>;

    fn handle(&mut self, ListBans { room }: ListBans, _: &mut Self::Context) -> Self::Result {
        self.state.bans(&room, now())
    }
}

impl Handler<LiftBan> for Supervisor {
    type Result = Result<(), ModerationError>;

    fn handle(&mut self, LiftBan { room, ban }: LiftBan, _: &mut Self::Context) -> Self::Result {
        self.may_moderate()?;
        self.state.lift_ban(&room, ban, now())?;
        news::moderated(Some(&room), ModerationAct::LiftBan, None, 0, None);
        Ok(())
    }
}

impl Handler<LockRoom> for Supervisor {
    type Result = Result<(), ModerationError>;

    fn handle(&mut self, LockRoom { room, locked }: LockRoom, _: &mut Self::Context) -> Self::Result {
        self.lock(&room, locked, None)
    }
}

impl Handler<CloseRoom> for Supervisor {
    type Result = Result<usize, ModerationError>;

    fn handle(&mut self, CloseRoom { room, text }: CloseRoom, _: &mut Self::Context) -> Self::Result {
        self.may_moderate()?;
        is_short(text.as_ref(), NOTICE_BYTES)?;
        let left = self.state.close(&room, now())?;
        let peers = self.send_out(left, EndReason::RoomClosed, text.as_ref()).len();
        news::moderated(Some(&room), ModerationAct::Close, None, peers, None);
        Ok(peers)
    }
}

impl Handler<SendNotice> for Supervisor {
    type Result = Result<usize, ModerationError>;

    fn handle(&mut self, notice: SendNotice, _: &mut Self::Context) -> Self::Result {
        self.notice(&notice)
    }
}
