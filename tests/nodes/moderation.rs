//! Locks, bans, and those who are sent away.

use switchboard::{
    nodes::port::{Ask, Told},
    protocol::{ErrorCode, LeaveReason, Who},
};

use crate::support::{TestNode, TestRedis};

use super::support::node::{in_a_minute, room};

fn hears_lock(node: &mut TestNode) -> bool {
    node.expect("room_state", |told| match told {
        Told::Locked { locked, .. } => Ok(locked),
        other => Err(other),
    })
}

#[test]
fn a_lock_holds_on_every_node_and_lets_in_whose_ghost_is_there() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let who = Who::of("correct-horse-battery-staple-417", &here);
    let (_, ghost) = (a.join(&here), b.join_with(&here, who));
    b.ask(Ask::Lock { room: here.clone(), locked: true });
    assert!(hears_lock(&mut a) && hears_lock(&mut b));
    assert_eq!(a.is_refused(&here, |_| {}), ErrorCode::RoomLocked);
    b.ask(Ask::Away { room: here.clone(), peer: ghost, until_ms: in_a_minute() });
    a.hears_away(ghost);
    a.join_with(&here, who);
    a.ask(Ask::Lock { room: here.clone(), locked: false });
    assert!(!hears_lock(&mut a));
    b.join(&here);
}

#[test]
fn who_is_banned_loses_its_seats_and_comes_in_nowhere() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let who = Who::of("correct-horse-battery-staple-417", &here);
    let (_, bad, other) = (a.join(&here), b.join_with(&here, who), b.join(&here));
    a.ask(Ask::Ban { room: here.clone(), who, for_ms: 60_000 });
    assert_eq!((a.hears_leave(bad), b.hears_leave(bad)), (LeaveReason::Kicked, LeaveReason::Kicked));
    for node in [&mut a, &mut b] {
        assert_eq!(node.is_refused(&here, |joining| joining.profile.who = Some(who)), ErrorCode::Banned);
    }
    a.ask(Ask::Kick { room: here.clone(), peers: vec![other] });
    assert_eq!((a.hears_leave(other), b.hears_leave(other)), (LeaveReason::Kicked, LeaveReason::Kicked));
    b.join(&here);
}

#[test]
fn lock_and_bans_outlive_a_redis_that_loses_everything() {
    let mut redis = TestRedis::start();
    let (mut a, b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let (who, ada) = (Who::of("correct-horse-battery-staple-417", &here), a.join(&here));
    a.ask(Ask::Ban { room: here.clone(), who, for_ms: 60_000 });
    a.ask(Ask::Lock { room: here.clone(), locked: true });
    assert!(hears_lock(&mut a));
    redis.kill();
    redis.start_again();
    a.is_up();
    b.is_up();
    assert_eq!(a.is_refused(&here, |_| {}), ErrorCode::RoomLocked);
    a.ask(Ask::Lock { room: here.clone(), locked: false });
    assert!(!hears_lock(&mut a));
    assert_eq!(a.is_refused(&here, |joining| joining.profile.who = Some(who)), ErrorCode::Banned);
    let _ = ada;
}
