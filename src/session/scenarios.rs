//! The rules of one session, told as stories.

use std::{sync::Arc, time::Instant};

use super::state::{
    Departure, PendingJoin, PendingResume, RequestError, RosterKind, RosterOutcome, Rules, SeatLoss, SignalOutcome,
    Unanswered,
};
use crate::{
    messages::session::Snapshot,
    protocol::{ErrorCode, PeerId, ResumeSecret, RoomName},
};

fn name(text: &str) -> RoomName {
    RoomName::parse(text, 128).unwrap()
}

/// A room by its number, peers by their names alone, signals by theirs.
type Picture = Snapshot<(), u32>;
type Session = Rules<(), u32, &'static str>;

/// One incarnation of a room with these peers in it.
fn room(text: &str, port: u32, peers: &[PeerId]) -> Arc<Picture> {
    let mut members: Vec<_> = peers.iter().map(|peer| (*peer, ())).collect();
    members.sort_by_key(|(peer, ())| *peer);
    Arc::new(Snapshot { room: name(text), capacity: 10, members, port })
}

fn asked(re: Option<&str>) -> PendingJoin {
    PendingJoin {
        asked: Instant::now(),
        deadline: None,
        re: re.map(Box::from),
        patient: true,
        resumable: true,
        grant: None,
    }
}

fn resume(re: &str) -> PendingResume {
    PendingResume { ack: 0, attempt: 1, re: Some(re.into()), next: ResumeSecret::random() }
}

/// A session that asks for a room, and its number.
fn joining(room: &str) -> (Session, u32) {
    let mut rules = Session::new(None);
    let join_seq = rules.join(&name(room), asked(Some("1"))).unwrap();
    (rules, join_seq)
}

/// A session in that room.
fn inside(picture: &Arc<Picture>) -> (Session, u32) {
    let (mut rules, join_seq) = joining(picture.room.as_str());
    assert!(matches!(rules.roster(picture, RosterKind::Joined(join_seq)), RosterOutcome::Entered { leave: None, .. }));
    (rules, join_seq)
}

fn code<T>(outcome: Result<T, RequestError>) -> Option<ErrorCode> {
    outcome.err().map(|refused| refused.code)
}

#[test]
fn a_join_is_answered_by_the_first_roster() {
    let peer = PeerId::random();
    let (mut rules, join_seq) = joining("r");
    assert_eq!(code(rules.room()), Some(ErrorCode::NotInRoom));
    assert_eq!(rules.deliver(peer), SignalOutcome::TooEarly);
    assert!(rules.keep_early("offer", 2));
    let entered = rules.roster(&room("r", 1, &[peer]), RosterKind::Joined(join_seq));
    let RosterOutcome::Entered { join, leave: None, early } = entered else { panic!("{entered:?}") };
    assert_eq!((join.re.as_deref(), early), (Some("1"), vec!["offer"]));
    assert_eq!(rules.deliver(peer), SignalOutcome::Pass);
    assert!(rules.room().is_ok());
}

#[test]
fn what_comes_too_early_is_kept_up_to_a_bound() {
    let (mut rules, _) = joining("r");
    assert!(rules.keep_early("offer", 1));
    assert!(!rules.keep_early("candidate", 1));
}

#[test]
fn one_room_at_a_time() {
    let (mut rules, join_seq) = joining("r");
    assert_eq!(code(rules.join(&name("s"), asked(None))), Some(ErrorCode::AlreadyJoined));
    rules.roster(&room("r", 1, &[]), RosterKind::Joined(join_seq));
    assert_eq!(code(rules.join(&name("r"), asked(None))), Some(ErrorCode::AlreadyJoined));
}

#[test]
fn a_leave_on_the_way_in_comes_back_when_there_is_no_way_in() {
    let (mut rules, join_seq) = joining("r");
    assert_eq!(rules.leave(Some("7".into())), Ok(Departure::OnArrival));
    let (join, leave) = rules.join_refused(join_seq).expect("the join is over");
    assert_eq!((join.re.as_deref(), leave), (Some("1"), Some(Some("7".into()))));
    let join_seq = rules.join(&name("r"), asked(Some("8"))).unwrap();
    assert_eq!(rules.leave(None), Ok(Departure::OnArrival));
    let SeatLoss::Outside { unanswered: Some(Unanswered::Join(join)), leave } = rules.evicted(join_seq) else {
        panic!("the join is over")
    };
    assert_eq!((join.re.as_deref(), leave), (Some("8"), Some(None)));
    assert_eq!(rules.evicted(join_seq), SeatLoss::Stale);
}

#[test]
fn whoever_leaves_on_the_way_in_leaves_on_arrival() {
    let (mut rules, join_seq) = joining("r");
    assert_eq!(rules.leave(Some("7".into())), Ok(Departure::OnArrival));
    assert_eq!(code(rules.leave(None)), Some(ErrorCode::NotInRoom));
    let entered = rules.roster(&room("r", 1, &[]), RosterKind::Joined(join_seq));
    let RosterOutcome::Entered { leave: Some(re), .. } = entered else { panic!("{entered:?}") };
    assert_eq!(re.as_deref(), Some("7"));
    assert_eq!(rules.leave(None), Ok(Departure::Now(name("r"))));
}

#[test]
fn news_of_a_former_join_changes_nothing() {
    let peer = PeerId::random();
    let (first, second) = (room("r", 1, &[peer]), room("r", 2, &[]));
    let (mut rules, former) = inside(&first);
    rules.leave(None).unwrap();
    let join_seq = rules.join(&name("r"), asked(None)).unwrap();
    assert_eq!(rules.roster(&first, RosterKind::Changed), RosterOutcome::Stale);
    assert_eq!(rules.roster(&first, RosterKind::Joined(former)), RosterOutcome::Stale);
    assert_eq!(rules.evicted(former), SeatLoss::Stale);
    assert_eq!(rules.join_refused(former), None);
    assert!(matches!(rules.roster(&second, RosterKind::Joined(join_seq)), RosterOutcome::Entered { leave: None, .. }));
    assert_eq!(rules.roster(&first, RosterKind::Changed), RosterOutcome::Stale);
    assert_eq!(rules.deliver(peer), SignalOutcome::Stray);
}

#[test]
fn a_peer_that_left_is_not_heard() {
    let peer = PeerId::random();
    let (mut rules, _) = inside(&room("r", 1, &[peer]));
    assert_eq!(rules.roster(&room("r", 1, &[]), RosterKind::Changed), RosterOutcome::Changed);
    assert_eq!(rules.deliver(peer), SignalOutcome::Stray);
}

#[test]
fn a_session_whose_room_died_may_join_again() {
    let (mut rules, join_seq) = inside(&room("r", 1, &[]));
    assert_eq!(rules.evicted(join_seq), SeatLoss::Outside { unanswered: None, leave: None });
    assert!(!rules.may_be_seated());
    assert!(rules.join(&name("r"), asked(None)).is_ok());
}

#[test]
fn a_refused_join_leaves_the_session_as_it_was() {
    let (mut rules, join_seq) = joining("r");
    assert!(matches!(rules.join_refused(join_seq), Some((_, None))));
    assert!(!rules.may_be_seated());
    assert!(rules.join(&name("s"), asked(None)).is_ok());
}

#[test]
fn a_connection_that_named_its_room_joins_no_other() {
    let mut rules = Session::new(Some(name("r")));
    assert_eq!(code(rules.join(&name("s"), asked(None))), Some(ErrorCode::InvalidMessage));
    assert!(rules.join(&name("r"), asked(None)).is_ok());
}

#[test]
fn a_draining_server_lets_nobody_in_and_everybody_inside_go_on() {
    let (mut rules, _) = inside(&room("r", 1, &[]));
    rules.drain(true);
    assert!(rules.room().is_ok());
    rules.leave(None).unwrap();
    assert_eq!(code(rules.join(&name("r"), asked(None))), Some(ErrorCode::ServerDraining));
}

#[test]
fn a_client_that_has_missed_too_much_hears_nothing_before_the_whole_room() {
    let (before, newcomer) = (PeerId::random(), PeerId::random());
    let (mut rules, join_seq) = inside(&room("r", 1, &[before]));
    assert_eq!(rules.resync(resume("7")), Some(join_seq));
    assert_eq!(rules.roster(&room("r", 1, &[before, newcomer]), RosterKind::Changed), RosterOutcome::Included);
    assert_eq!(rules.deliver(newcomer), SignalOutcome::TooEarly);
    assert_eq!(rules.deliver(PeerId::random()), SignalOutcome::Stray);
    assert!(rules.keep_early("offer", 2));
    let outcome = rules.roster(&room("r", 1, &[before, newcomer]), RosterKind::Resynced);
    let RosterOutcome::Resynced { resume, early } = outcome else { panic!("{outcome:?}") };
    assert_eq!((resume.re.as_deref(), early), (Some("7"), vec!["offer"]));
    assert_eq!(rules.deliver(newcomer), SignalOutcome::Pass);
}

#[test]
fn the_latest_of_two_resumes_is_answered_and_by_the_first_whole_room() {
    let picture = room("r", 1, &[]);
    let (mut rules, _) = inside(&picture);
    rules.resync(resume("7"));
    rules.resync(resume("8"));
    let outcome = rules.roster(&picture, RosterKind::Resynced);
    let RosterOutcome::Resynced { resume, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(resume.re.as_deref(), Some("8"));
    assert_eq!(rules.roster(&picture, RosterKind::Resynced), RosterOutcome::Stale);
}

#[test]
fn a_room_that_dies_leaves_the_resume_to_be_answered() {
    let (mut rules, join_seq) = inside(&room("r", 1, &[]));
    rules.resync(resume("7"));
    let SeatLoss::Outside { unanswered: Some(Unanswered::Resume(resume)), leave: None } = rules.evicted(join_seq)
    else {
        panic!("somebody waits for an answer")
    };
    assert_eq!(resume.re.as_deref(), Some("7"));
    assert_eq!(rules.resync(resume), None, "there is no room to wait for");
}
