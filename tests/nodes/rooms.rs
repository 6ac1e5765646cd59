//! Rooms that span nodes.

use switchboard::{
    cluster::NodeName,
    nodes::port::{Ask, Told},
    protocol::{ErrorCode, LeaveReason, PeerId, Who},
};

use crate::support::{TestNode, TestRedis};

use super::support::node::{in_a_minute, meta, room};

#[test]
fn peers_of_two_nodes_see_each_other_come_and_go_in_one_order() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let (here, ada) = (room("here"), PeerId::random());
    let (first, _, known) = a.join_as(&here, ada, |joining| joining.profile.meta = Some(meta(r#"{"name":"Ada"}"#)));
    assert!(known.expect("the room was new to it").peers.is_empty());

    let bob = PeerId::random();
    let (second, replaced, known) = b.join_as(&here, bob, |joining| joining.profile.user = Some("bob".into()));
    let known = known.expect("the room was new to it");
    assert!(second > first && replaced.is_empty() && !known.locked);
    let [far] = &known.peers[..] else { panic!("{known:?}") };
    assert_eq!((far.peer, far.number, far.node.as_ref().map(NodeName::as_str)), (ada, first, Some("a")));
    assert_eq!(far.profile.meta.as_ref().map(switchboard::protocol::Meta::as_str), Some(r#"{"name":"Ada"}"#));

    let (far, replaced) = a.hears_join(bob);
    assert_eq!((far.number, far.profile.user.as_deref(), replaced.is_empty()), (second, Some("bob"), true));

    a.ask(Ask::Update { room: here.clone(), peer: ada, meta: meta(r#"{"name":"Grace"}"#) });
    let now = b.expect("peer_updated", |told| match told {
        Told::Updated { peer, meta, .. } if peer == ada => Ok(meta),
        other => Err(other),
    });
    assert_eq!(now.as_str(), r#"{"name":"Grace"}"#);

    let until = in_a_minute();
    b.ask(Ask::Away { room: here.clone(), peer: bob, until_ms: until });
    assert_eq!(a.hears_away(bob), until);
    b.ask(Ask::Back { room: here.clone(), peer: bob });
    a.hears_back(bob);
    b.leave(&here, bob);
    assert_eq!(a.hears_leave(bob), LeaveReason::Left);

    let again = PeerId::random();
    let (_, _, known) = b.join_as(&here, again, |_| {});
    let known = known.expect("its last peer had left");
    assert_eq!(
        known.peers[0].profile.meta.as_ref().map(switchboard::protocol::Meta::as_str),
        Some(r#"{"name":"Grace"}"#)
    );
    a.hears_join(again);
    assert!(a.rest().is_empty() && b.rest().is_empty(), "{:?} {:?}", a.rest(), b.rest());
}

#[test]
fn signals_arrive_once_and_in_the_order_in_which_they_were_sent() {
    const MANY: usize = 2000;
    let redis = TestRedis::start();
    let (mut a, mut b, mut c) =
        (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"), TestNode::start(&redis, "c"));
    let here = room("here");
    let (ada, bob, cyd, dan) = (a.join(&here), b.join(&here), c.join(&here), c.join(&here));
    a.hears_join(dan);
    for number in 0..MANY {
        a.send(&here, ada, &[bob, cyd, dan], &number.to_string());
        if number % 10 == 0 {
            b.send(&here, bob, &[cyd], &format!("b{number}"));
        }
    }
    a.leave(&here, ada);
    for number in 0..MANY {
        assert_eq!(b.hears(), (ada, vec![bob], number.to_string()));
    }
    let mut from_bob = (0..MANY).step_by(10);
    let mut from_ada = 0..MANY;
    for _ in 0..MANY + MANY / 10 {
        let (from, to, text) = c.hears();
        if from == ada {
            assert_eq!((to, text), (vec![cyd, dan], from_ada.next().expect("no more").to_string()));
        } else {
            assert_eq!((to, text), (vec![cyd], format!("b{}", from_bob.next().expect("no more"))));
        }
    }
    assert_eq!((b.hears_leave(ada), c.hears_leave(ada)), (LeaveReason::Left, LeaveReason::Left));
}

#[test]
fn caps_hold_in_the_whole_cluster() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let ada = a.join(&here);
    b.join_as(&here, PeerId::random(), |joining| joining.peers_per_room = 2);
    assert_eq!(b.is_refused(&here, |joining| joining.peers_per_room = 2), ErrorCode::RoomFull);
    assert_eq!(a.is_refused(&here, |joining| joining.peers_per_room = 2), ErrorCode::RoomFull);
    assert_eq!(b.is_refused(&room("there"), |joining| joining.rooms = 1), ErrorCode::RoomLimit);
    a.leave(&here, ada);
    b.hears_leave(ada);
    b.join_as(&here, PeerId::random(), |joining| joining.peers_per_room = 2);
}

#[test]
fn a_person_who_comes_again_takes_the_place_of_its_ghost_wherever_that_is() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let who = Who::of("correct-horse-battery-staple-417", &here);
    let (other, ghost) = (a.join(&here), b.join_with(&here, who));
    a.hears_join(ghost);
    b.ask(Ask::Away { room: here.clone(), peer: ghost, until_ms: in_a_minute() });
    a.hears_away(ghost);
    // Its only peer on that node: nobody else there would hear of the room.
    let again = PeerId::random();
    let (_, replaced, _) = a.join_as(&here, again, |joining| {
        joining.profile.who = Some(who);
        joining.peers_per_room = 2;
    });
    assert_eq!(replaced, [ghost]);
    let (far, replaced) = b.hears_join(again);
    assert_eq!((far.profile.who, replaced), (Some(who), vec![ghost]));
    // One that is there is replaced only if that is asked for.
    let (both, known) = (PeerId::random(), b.join(&here));
    a.hears_join(known);
    let (_, replaced, _) = b.join_as(&here, both, |joining| joining.profile.who = Some(who));
    assert!(replaced.is_empty());
    let third = PeerId::random();
    let (_, replaced, _) = b.join_as(&here, third, |joining| {
        joining.profile.who = Some(who);
        joining.replaces_present = true;
    });
    assert_eq!(replaced, [again, both]);
    assert_eq!(a.hears_join(third).1, [again, both]);
    let _ = other;
}

#[test]
fn the_peers_of_a_node_that_dies_are_away_and_then_gone() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let (_, bob, fleeting) = (a.join(&here), b.join(&here), PeerId::random());
    b.join_as(&here, fleeting, |joining| joining.resumable = false);
    // A room in which nobody of another node is.
    let alone = b.join(&room("alone"));
    a.hears_join(fleeting);
    b.dies();
    assert_eq!(a.hears_leave(fleeting), LeaveReason::Timeout);
    a.hears_away(bob);
    assert_eq!(a.hears_leave(bob), LeaveReason::Timeout);
    let mut again = TestNode::start(&redis, "b");
    let (_, _, known) = again.join_as(&here, PeerId::random(), |_| {});
    assert_eq!(known.expect("it knew nothing").peers.len(), 1);
    let (_, _, known) = again.join_as(&room("alone"), PeerId::random(), |_| {});
    assert!(known.expect("it knew nothing").peers.is_empty(), "{alone} is still there");
}

#[test]
fn a_node_that_starts_anew_ends_what_it_had_before() {
    let redis = TestRedis::start();
    let (mut a, mut b) = (TestNode::start(&redis, "a"), TestNode::start(&redis, "b"));
    let here = room("here");
    let (_, bob) = (a.join(&here), b.join(&here));
    a.hears_join(bob);
    b.dies();
    let mut again = TestNode::start(&redis, "b");
    assert_eq!(a.hears_leave(bob), LeaveReason::Timeout);
    let new = again.join(&here);
    assert_eq!(a.hears_join(new).0.node, Some(NodeName::new("b")));
}
