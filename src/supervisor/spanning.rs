//! What the supervisor of a node asks of the cluster, and what follows from what that says. All that it says of a room goes the same
//! way, from here to the room and from there to its sessions, so that nobody hears from a peer that it was not told of.

use std::sync::Arc;

use actix::Handler;

use super::{
    actor::{Supervisor, now, put_out},
    joining::replace,
    outcomes::Left,
    seated::Seated,
    seating::Seating,
    span::{Far, Pending},
};
use crate::{
    auth::Grant,
    messages::{
        SeatTaken,
        cluster::{
            Ask, FarPeer, Flow, FlowState, JoinTicket, Joining, Profile, Receiving, RoomNow, ToFar, Told, Unsent,
        },
        room::{AdmitFar, RoomPort, ToRoom},
        send_unbounded,
        session::{Control, JoinError, JoinFailed, Member},
        supervisor::{Join, Leave},
    },
    protocol::{EndReason, ErrorCode, LeaveReason, Meta, PeerId, RoomName, SessionId, client::Identified},
};

impl Supervisor {
    /// What this node knows speaks for the join: the cluster is asked.
    pub(super) fn ask_to_join(&mut self, join: Join) -> Result<(), Box<JoinFailed>> {
        self.bury(&join.room);
        let (applicant, seating) = Seating::of(join);
        self.state.may_ask(&applicant, &seating.room, now()).map_err(|refused| {
            self.state.refused(applicant.subnet, refused, now());
            Box::new(seating.refuse(refused))
        })?;
        let limits = self.state.limits();
        let Some(span) = &mut self.span else { return Ok(()) };
        if span.is_joining(applicant.session) {
            // An earlier one was given up, and its seat has to be given back before.
            return Err(Box::new(seating.refuse(unavailable())));
        }
        let (room, peer, identified) = (seating.room.clone(), seating.member.peer, applicant.identified);
        let profile = Profile {
            meta: seating.meta.clone(),
            who: seating.known.who,
            user: seating.grant.as_deref().and_then(Grant::shown_user).cloned(),
        };
        let peers_per_room = applicant.cap.unwrap_or(limits.peers_per_room).min(limits.peers_per_room);
        let (resumable, rooms) = (seating.resumable, limits.rooms);
        let replaces_present = identified.is_some_and(|identified| identified.replace);
        let (ticket, asks) = span.begin(applicant, seating, now());
        asks.ask(Ask::Join(Box::new(Joining {
            ticket,
            room,
            peer,
            profile,
            resumable,
            replaces_present,
            peers_per_room,
            rooms,
        })));
        Ok(())
    }

    /// Whether the session was on its way in: it gives its seat back when it gets one.
    pub(super) fn leave_before_seated(&mut self, Leave { session, reason }: Leave) -> bool {
        self.span.as_mut().is_some_and(|span| span.cancel(session, reason))
    }

    /// The seat of a peer of this node is free, and the cluster has to know.
    pub(super) fn ask_to_leave(&mut self, room: &RoomName, peer: PeerId, reason: LeaveReason) {
        if let Some(spanned) = self.span.as_mut().and_then(|span| span.room_mut(room)) {
            spanned.leave(peer, Ask::Leave { room: room.clone(), peer, reason });
        }
    }

    /// After a seat was freed there, or a join came to nothing.
    pub(super) fn forget_unused(&mut self, room: &RoomName) {
        if let Some(span) = &mut self.span
            && self.state.port(room).is_none()
        {
            span.closed(room);
        }
    }

    pub(super) fn sweep_span(&mut self) {
        if let Some(span) = &mut self.span {
            span.sweep();
            for seating in span.give_up(now()) {
                let join_failed = Box::new(seating.refuse(unavailable()));
                seating.member.post(Control::JoinFailed(join_failed));
            }
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Granted { ticket, number, replaced, room } => self.granted(ticket, number, replaced, room),
            Told::Refused { ticket, error } => self.join_refused(ticket, error),
            Told::Joined { room, peer, replaced } => self.far_joined(&room, peer, replaced),
            Told::Left { room, peer, reason } => self.told_left(&room, peer, reason),
            Told::Away { room, peer, until_ms } => self.far_away(&room, peer, Some(until_ms)),
            Told::Back { room, peer } => self.far_away(&room, peer, None),
            Told::Updated { room, peer, meta } => self.far_updated(&room, peer, meta),
            Told::Locked { room, locked } => self.told_locked(&room, locked),
            Told::Signal(receiving) => self.received(receiving),
            Told::Gap { room, peers } => {
                let near = peers.into_iter().filter_map(|peer| self.near(&room, peer));
                near.for_each(|(_, member)| member.kill_switch.kill_for_lost_message());
            }
            Told::Flow(flow) => self.flow(&flow),
            Told::Unreached { room, from, to } => self.unsent(&room, from, ErrorCode::Unavailable, to),
        }
    }

    fn granted(&mut self, ticket: JoinTicket, number: u64, replaced: Vec<PeerId>, room_now: Option<Box<RoomNow>>) {
        let Some(pending) = self.span.as_mut().and_then(|span| span.answered(ticket)) else { return };
        let Pending { applicant, seating, left, .. } = pending;
        let room = seating.room.clone();
        self.bury(&room);
        if let Some(room_now) = room_now {
            self.take_room(&room, *room_now);
        }
        if let Some(reason) = left {
            for peer in replaced {
                self.told_left(&room, peer, LeaveReason::Replaced);
            }
            self.ask_to_leave(&room, seating.member.peer, reason);
            return self.forget_unused(&room);
        }
        let yielding = self.replaced_here(&room, &replaced, applicant.identified);
        for peer in &replaced {
            self.forget_far(&room, *peer);
        }
        let (opened, peer) = (self.state.port(&room).is_none(), seating.member.peer);
        let granted = {
            let capacity = self.state.limits().peers_per_room;
            let open = || (self.spawn_room)(room.clone(), capacity, self.ended_rooms.guard());
            self.state.seat(applicant, &room, &yielding, now(), open)
        };
        if opened {
            self.show_others(&room);
        }
        let stay = self.span.as_mut().and_then(|span| span.stay(&room, peer, ticket, number));
        self.seated(seating, granted, replaced, stay);
    }

    /// The sessions here whose seats go to somebody of the same identity: those that the cluster names, and those that are away
    /// here, which it may not have known.
    fn replaced_here(
        &mut self,
        room: &RoomName,
        replaced: &[PeerId],
        identified: Option<Identified>,
    ) -> Vec<SessionId> {
        let mut yielding: Vec<_> =
            replaced.iter().filter_map(|peer| self.near(room, *peer)).map(|(session, _)| session).collect();
        let away = identified.map(|one| self.state.yielding(room, one)).unwrap_or_default();
        for session in away {
            if !yielding.contains(&session) {
                yielding.push(session);
                let peer = self.state.seated(session).map(|seated| seated.member.peer);
                if let Some(peer) = peer {
                    self.ask_to_leave(room, peer, LeaveReason::Replaced);
                }
            }
        }
        yielding
    }

    /// The room opens here, and others are in it already.
    fn show_others(&mut self, room: &RoomName) {
        let Some(span) = &mut self.span else { return };
        let locked = span.room(room).is_some_and(|spanned| spanned.locked);
        let ports = span.open_ports(room);
        // It is there.
        let _ = self.state.lock(room, locked, now());
        if locked {
            self.to_room(room, ToRoom::Lock { locked });
        }
        for (far, port) in ports {
            self.admit_far(room, far, port.member, Vec::new());
        }
    }

    fn admit_far(&self, room: &RoomName, far: FarPeer, member: Arc<Member>, replaced: Vec<PeerId>) {
        if let Some(port) = self.state.port(room) {
            let admit = AdmitFar { member, far, replaced, port: port.clone() };
            // A room that died is found by the sweep.
            let _ = port.send_unbounded(ToRoom::AdmitFar(Box::new(admit)));
        }
    }

    fn join_refused(&mut self, ticket: JoinTicket, refused: JoinError) {
        let Some(pending) = self.span.as_mut().and_then(|span| span.answered(ticket)) else { return };
        let Pending { applicant, seating, left, .. } = pending;
        self.forget_unused(&seating.room);
        if left.is_some() {
            return;
        }
        self.state.refused(applicant.subnet, refused, now());
        let join_failed = Box::new(seating.refuse(refused));
        seating.member.post(Control::JoinFailed(join_failed));
    }

    /// Takes the room as the cluster has it; where it is open here, its members are told the difference.
    fn take_room(&mut self, room: &RoomName, room_now: RoomNow) {
        let RoomNow { peers, locked } = room_now;
        let Some(spanned) = self.span.as_ref().and_then(|span| span.room(room)) else { return };
        for peer in spanned.missing_from(&peers) {
            self.told_left(room, peer, LeaveReason::Disconnected);
        }
        for far in peers {
            match self.far(room, far.peer).map(|before| before.peer.clone()) {
                None => self.far_joined(room, far, Vec::new()),
                Some(before) => self.far_changed(room, &before, far),
            }
        }
        self.told_locked(room, locked);
    }

    fn far_changed(&mut self, room: &RoomName, before: &FarPeer, far: FarPeer) {
        let FarPeer { peer, profile, away_until_ms, .. } = far;
        if before.away_until_ms != away_until_ms {
            self.far_away(room, peer, away_until_ms);
        }
        if let Some(meta) = profile.meta.filter(|meta| before.profile.meta.as_ref() != Some(meta)) {
            self.far_updated(room, peer, meta);
        }
    }

    fn far_updated(&mut self, room: &RoomName, peer: PeerId, meta: Meta) {
        if let Some(far) = self.far(room, peer) {
            far.peer.profile.meta = Some(meta.clone());
            self.to_room(room, ToRoom::Update { peer, meta });
        }
    }

    fn far_joined(&mut self, room: &RoomName, far: FarPeer, replaced: Vec<PeerId>) {
        let peer = far.peer;
        // Its leave was not heard of.
        if self.far(room, peer).is_some() {
            self.told_left(room, peer, LeaveReason::Disconnected);
        }
        let freed: Vec<_> = replaced.iter().filter_map(|peer| self.take_near(room, *peer)).collect();
        let (mut gone, mut ended) = (Vec::new(), None);
        for left in freed {
            if left.ended.is_some() {
                ended = Some(left);
            } else {
                self.hooks.left(&left.seat, room, LeaveReason::Replaced);
                gone.push(replace(&left.seat, room));
            }
        }
        for peer in replaced {
            if self.forget_far(room, peer) {
                gone.push(peer);
            }
        }
        self.publish();
        if let Some(spanned) = self.span.as_mut().and_then(|span| span.room_mut(room)) {
            spanned.joined(far, now());
        }
        if let Some(left) = ended {
            replace(&left.seat, room);
            return self.seat_gone(left, LeaveReason::Replaced);
        }
        if self.state.port(room).is_some() {
            let ports = self.span.as_mut().map(|span| span.open_ports(room)).unwrap_or_default();
            for (far, port) in ports {
                self.admit_far(room, far, port.member, std::mem::take(&mut gone));
            }
        }
    }

    /// A peer is out, as all nodes know.
    fn told_left(&mut self, room: &RoomName, peer: PeerId, reason: LeaveReason) {
        if self.forget_far(room, peer) {
            return self.to_room(room, ToRoom::Remove { peer, reason });
        }
        let Some(left) = self.take_near(room, peer) else { return };
        self.publish();
        let Seated { member, join_seq } = &left.seat.member;
        let taken = |reason| SeatTaken { join_seq: *join_seq, reason, text: None };
        match reason {
            LeaveReason::Replaced => member.take_seat(taken(EndReason::SessionTaken)),
            LeaveReason::Kicked => member.take_seat(taken(EndReason::Kicked)),
            _ => put_out(&left.seat.member, room),
        }
        self.seat_gone(left, reason);
    }

    /// Frees the seat of a peer of this node that the cluster has freed.
    fn take_near(&mut self, room: &RoomName, peer: PeerId) -> Option<Left<Seated, RoomPort>> {
        let (session, _) = self.near(room, peer)?;
        if let Some(spanned) = self.span.as_mut().and_then(|span| span.room_mut(room)) {
            spanned.asks.stood_up(peer);
            spanned.numbers.remove(&peer);
        }
        self.state.leave(session, now())
    }

    /// Whether it was a peer of another node.
    fn forget_far(&mut self, room: &RoomName, peer: PeerId) -> bool {
        let gone = self.span.as_mut().and_then(|span| span.room_mut(room)).and_then(|spanned| spanned.left(peer));
        let Some(Far { port, .. }) = gone else { return false };
        if let Some(port) = port {
            // Whoever waits for it need not.
            port.member.inbox.close();
        }
        true
    }

    fn far_away(&mut self, room: &RoomName, peer: PeerId, until_ms: Option<u64>) {
        let Some(far) = self.far(room, peer) else { return };
        far.peer.away_until_ms = until_ms;
        let news = until_ms.map_or(ToRoom::Back { peer }, |until_ms| ToRoom::Away { peer, until_ms });
        self.to_room(room, news);
    }

    fn told_locked(&mut self, room: &RoomName, locked: bool) {
        if let Some(spanned) = self.span.as_mut().and_then(|span| span.room_mut(room)) {
            spanned.locked = locked;
        }
        if self.state.port(room).is_some() && self.state.lock(room, locked, now()).is_ok_and(|changed| changed) {
            self.to_room(room, ToRoom::Lock { locked });
        }
    }

    fn received(&self, receiving: Box<Receiving>) {
        if let Some(port) = self.state.port(&receiving.room) {
            let _ = port.send_unbounded(ToRoom::Receive(receiving));
        }
    }

    fn flow(&self, Flow { room, from, to, state }: &Flow) {
        if *state == FlowState::Dropped {
            return self.unsent(room, *from, ErrorCode::PeerBusy, vec![*to]);
        }
        let spanned = self.span.as_ref().and_then(|span| span.room(room));
        let far = spanned.and_then(|spanned| spanned.find(*to));
        if let Some(port) = far.and_then(|far| far.port.as_ref()) {
            let _ = send_unbounded(&port.port, ToFar::Flow { from: *from, state: *state });
        }
    }

    fn unsent(&self, room: &RoomName, from: PeerId, code: ErrorCode, peers: Vec<PeerId>) {
        if let Some((_, member)) = self.near(room, from) {
            member.post(Control::Unsent(Box::new(Unsent { code, peers })));
        }
    }

    /// A peer of this node.
    fn near(&self, room: &RoomName, peer: PeerId) -> Option<(SessionId, Arc<Member>)> {
        let found = self.state.seats_of(room).find(|(_, seated)| seated.member.peer == peer);
        found.map(|(session, seated)| (session, Arc::clone(&seated.member)))
    }

    /// A peer of another node.
    fn far(&mut self, room: &RoomName, peer: PeerId) -> Option<&mut Far> {
        self.span.as_mut()?.room_mut(room)?.find_mut(peer)
    }

    fn to_room(&self, room: &RoomName, message: ToRoom) {
        if let Some(port) = self.state.port(room) {
            // As above.
            let _ = port.send_unbounded(message);
        }
    }
}

/// The cluster does not answer in time.
fn unavailable() -> JoinError {
    JoinError::new(ErrorCode::Unavailable)
}

impl Handler<Told> for Supervisor {
    type Result = ();

    fn handle(&mut self, told: Told, _: &mut Self::Context) {
        self.told(told);
    }
}
