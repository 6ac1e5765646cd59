//! The rules of one session, told as stories.

use std::sync::Arc;

use actix::{Actor, Context, Handler};

use super::state::{Departure, RequestError, RosterOutcome, Rules, SeatLoss, SignalOutcome};
use crate::{
    messages::{
        KillSwitch, PeerChange, ResumeRequests, RoomEvent,
        room::{RoomPort, ToRoom},
        session::{Evict, Member, News, Roster, Snapshot, ToSession, Welcomed},
    },
    protocol::{ErrorCode, PeerId, RoomName, SessionId},
    telemetry::{RequestId, Source},
};

/// Somebody for addresses to point at.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<ToSession> for Nobody {
    type Result = ();

    fn handle(&mut self, _: ToSession, _: &mut Self::Context) {}
}

impl Handler<ToRoom> for Nobody {
    type Result = ();

    fn handle(&mut self, _: ToRoom, _: &mut Self::Context) {}
}

fn name(text: &str) -> RoomName {
    RoomName::parse(text, 128).unwrap()
}

/// One incarnation of a room with these peers in it.
fn room(text: &str, peers: &[PeerId]) -> Arc<Snapshot> {
    let nobody = Nobody.start();
    let member = |peer: PeerId| {
        let port = nobody.clone().recipient();
        (
            peer,
            Arc::new(Member {
                peer,
                session: SessionId::random(),
                request: RequestId::accept(None),
                source: Source::of([127, 0, 0, 1].into()),
                port,
                kill_switch: KillSwitch::default(),
                resume: ResumeRequests::default(),
            }),
        )
    };
    let mut members: Vec<_> = peers.iter().copied().map(member).collect();
    members.sort_by_key(|(peer, _)| *peer);
    Arc::new(Snapshot { room: name(text), capacity: 10, members, port: RoomPort::new(nobody.recipient()) })
}

/// The same incarnation with other peers.
fn later(before: &Arc<Snapshot>, peers: &[PeerId]) -> Arc<Snapshot> {
    let members = room("r", peers).members.clone();
    Arc::new(Snapshot { room: before.room.clone(), capacity: 10, members, port: before.port.clone() })
}

fn joined(snapshot: &Arc<Snapshot>, join_seq: u32) -> Roster {
    let welcomed = Welcomed { join_seq, peers: Vec::new(), meta: None };
    Roster { snapshot: Arc::clone(snapshot), news: News::Joined(Box::new(welcomed)) }
}

fn changed(snapshot: &Arc<Snapshot>) -> Roster {
    let event = RoomEvent::new(PeerId::random(), PeerChange::Joined(None));
    Roster { snapshot: Arc::clone(snapshot), news: News::Changed(event) }
}

fn code<T>(outcome: Result<T, RequestError>) -> Option<ErrorCode> {
    outcome.err().map(|refused| refused.code)
}

#[actix::test]
async fn a_join_is_answered_by_the_first_roster() {
    let peer = PeerId::random();
    let snapshot = room("r", &[peer]);
    let mut rules = Rules::new(None);
    assert_eq!(code(rules.room()), Some(ErrorCode::NotInRoom));
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(rules.deliver(peer), SignalOutcome::TooEarly);
    assert_eq!(code(rules.room()), Some(ErrorCode::NotInRoom));
    assert_eq!(rules.roster(&joined(&snapshot, join_seq)), RosterOutcome::Entered { leave: None });
    assert_eq!(rules.deliver(peer), SignalOutcome::Pass);
    assert!(rules.room().is_ok());
}

#[actix::test]
async fn one_room_at_a_time() {
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(code(rules.join(&name("s"))), Some(ErrorCode::AlreadyJoined));
    rules.roster(&joined(&room("r", &[]), join_seq));
    assert_eq!(code(rules.join(&name("r"))), Some(ErrorCode::AlreadyJoined));
}

#[actix::test]
async fn a_leave_on_the_way_in_comes_back_when_there_is_no_way_in() {
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(rules.leave(Some("7".into())), Ok(Departure::OnArrival));
    assert_eq!(rules.join_refused(join_seq), SeatLoss::Outside { leave: Some(Some("7".into())) });
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(rules.leave(None), Ok(Departure::OnArrival));
    assert_eq!(rules.evicted(&Evict { room: name("r"), join_seq }), SeatLoss::Outside { leave: Some(None) });
    assert_eq!(rules.evicted(&Evict { room: name("r"), join_seq }), SeatLoss::Stale);
}

#[actix::test]
async fn whoever_leaves_on_the_way_in_leaves_on_arrival() {
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(rules.leave(Some("7".into())), Ok(Departure::OnArrival));
    assert_eq!(code(rules.leave(None)), Some(ErrorCode::NotInRoom));
    let entered = rules.roster(&joined(&room("r", &[]), join_seq));
    assert_eq!(entered, RosterOutcome::Entered { leave: Some(Some("7".into())) });
    assert_eq!(rules.leave(None), Ok(Departure::Now(name("r"))));
}

#[actix::test]
async fn news_of_a_former_stay_changes_nothing() {
    let peer = PeerId::random();
    let (first, second) = (room("r", &[peer]), room("r", &[]));
    let mut rules = Rules::new(None);
    let former = rules.join(&name("r")).unwrap();
    rules.roster(&joined(&first, former));
    rules.leave(None).unwrap();
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(rules.roster(&changed(&first)), RosterOutcome::Stale);
    assert_eq!(rules.roster(&joined(&first, former)), RosterOutcome::Stale);
    assert_eq!(rules.evicted(&Evict { room: name("r"), join_seq: former }), SeatLoss::Stale);
    assert_eq!(rules.join_refused(former), SeatLoss::Stale);
    assert_eq!(rules.roster(&joined(&second, join_seq)), RosterOutcome::Entered { leave: None });
    assert_eq!(rules.roster(&changed(&first)), RosterOutcome::Stale);
    assert_eq!(rules.deliver(peer), SignalOutcome::Stray);
}

#[actix::test]
async fn a_peer_that_left_is_not_heard() {
    let peer = PeerId::random();
    let snapshot = room("r", &[peer]);
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    rules.roster(&joined(&snapshot, join_seq));
    assert_eq!(rules.roster(&changed(&later(&snapshot, &[]))), RosterOutcome::Changed);
    assert_eq!(rules.deliver(peer), SignalOutcome::Stray);
}

#[actix::test]
async fn a_session_whose_room_died_may_join_again() {
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    rules.roster(&joined(&room("r", &[]), join_seq));
    assert_eq!(rules.evicted(&Evict { room: name("r"), join_seq }), SeatLoss::Outside { leave: None });
    assert!(!rules.may_be_seated());
    assert!(rules.join(&name("r")).is_ok());
}

#[actix::test]
async fn a_refused_join_leaves_the_session_as_it_was() {
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    assert_eq!(rules.join_refused(join_seq), SeatLoss::Outside { leave: None });
    assert!(!rules.may_be_seated());
    assert!(rules.join(&name("s")).is_ok());
}

#[actix::test]
async fn a_connection_that_named_its_room_joins_no_other() {
    let mut rules = Rules::new(Some(name("r")));
    assert_eq!(code(rules.join(&name("s"))), Some(ErrorCode::InvalidMessage));
    assert!(rules.join(&name("r")).is_ok());
}

#[actix::test]
async fn a_draining_server_lets_nobody_in_and_everybody_inside_go_on() {
    let mut rules = Rules::new(None);
    let join_seq = rules.join(&name("r")).unwrap();
    rules.roster(&joined(&room("r", &[]), join_seq));
    rules.drain();
    assert!(rules.room().is_ok());
    rules.leave(None).unwrap();
    assert_eq!(code(rules.join(&name("r"))), Some(ErrorCode::ServerDraining));
}
