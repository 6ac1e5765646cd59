//! Rooms that span two or three nodes: what peers of one hear of those of the others.

use serde_json::json;

use super::fake_nodes::{Nodes, room};
use crate::{
    messages::{
        Note,
        cluster::Told,
        moderation::{Kick, KickFrom, LockRoom, Target},
    },
    protocol::{EndReason, LeaveReason},
};

#[actix::test]
async fn each_hears_of_the_other_and_the_later_one_is_polite_on_both_nodes() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.peer(1, "Bob");
    bob.join(None).await;
    let welcomed = bob.told("joined", &[]).await;
    assert_eq!(welcomed["others"], json!([[ann.member.peer.to_string(), true, null]]), "he is polite to who was there");
    let joined = ann.told("peer_joined", &[&bob]).await;
    assert_eq!(joined["polite"], false);
    let mut cid = nodes.joined(0, "Cid").await;
    ann.told("peer_joined", &[&cid]).await;
    bob.told("peer_joined", &[&cid]).await;
    assert_eq!(nodes.hub.take_asked(), ["join", "join", "join"]);
    bob.leave().await;
    for other in [&mut ann, &mut cid] {
        assert_eq!(other.told("peer_left", &[&bob]).await["reason"], "left");
    }
    nodes.settle().await;
    assert!(ann.is_silent() && bob.is_silent() && cid.is_silent());
    assert_eq!(nodes.hub.count(&room()), 2);
}

#[actix::test]
async fn signals_to_one_and_to_all_arrive_in_order_and_one_to_several_is_asked_for_once() {
    let nodes = Nodes::start(3);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.joined(1, "Bob").await;
    let mut cid = nodes.joined(2, "Cid").await;
    let mut dan = nodes.joined(1, "Dan").await;
    for other in [&bob, &cid, &dan] {
        ann.told("peer_joined", &[other]).await;
    }
    bob.told("peer_joined", &[&cid]).await;
    bob.told("peer_joined", &[&dan]).await;
    cid.told("peer_joined", &[&dan]).await;
    nodes.hub.take_asked();
    ann.send(None, "1");
    for other in [&mut bob, &mut cid, &mut dan] {
        other.hears(&ann, "1").await;
    }
    assert_eq!(nodes.hub.take_asked(), ["signal to 3"]);
    ann.send(Some(&bob), "2");
    ann.send(None, "3");
    bob.hears(&ann, "2").await;
    bob.hears(&ann, "3").await;
    for other in [&mut cid, &mut dan] {
        other.hears(&ann, "3").await;
    }
    // Where Bob's port has its turn behind another one's, he is sent the last one behind what was for him alone.
    let (asked, last) = (nodes.hub.take_asked(), ["signal to 1", "signal to 3"]);
    assert!(asked == last || asked.len() == 3, "{asked:?}");
    bob.send(None, "back");
    ann.hears(&bob, "back").await;
    cid.hears(&bob, "back").await;
    dan.hears(&bob, "back").await;
    assert_eq!(nodes.hub.take_asked(), ["signal to 2"], "Dan is on his own node");
}

#[actix::test]
async fn who_leaves_is_heard_of_behind_all_that_it_sent() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.joined(1, "Bob").await;
    let mut cid = nodes.joined(1, "Cid").await;
    ann.told("peer_joined", &[&bob]).await;
    ann.told("peer_joined", &[&cid]).await;
    bob.told("peer_joined", &[&cid]).await;
    nodes.hub.take_asked();
    for text in ["1", "2", "3"] {
        ann.send(None, text);
    }
    ann.leave().await;
    for other in [&mut bob, &mut cid] {
        for text in ["1", "2", "3"] {
            other.hears(&ann, text).await;
        }
        other.told("peer_left", &[&ann]).await;
    }
    assert_eq!(nodes.hub.take_asked(), ["signal to 2", "signal to 2", "signal to 2", "leave left"]);
}

/// A client that leaves and joins at once is the same session, and the same peer.
#[actix::test]
async fn who_comes_again_at_once_is_heard_of_as_gone_and_back_and_what_it_said_before_is_not_said_of_it() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.joined(1, "Bob").await;
    ann.told("peer_joined", &[&bob]).await;
    nodes.hub.take_asked();
    ann.send(None, "last");
    ann.leave().await;
    ann.update(r#"{"of":"the former"}"#);
    ann.join(None).await;
    bob.hears(&ann, "last").await;
    bob.told("peer_left", &[&ann]).await;
    assert_eq!(bob.told("peer_joined", &[&ann]).await["meta"], json!(null));
    ann.told("joined", &[]).await;
    nodes.settle().await;
    assert!(bob.is_silent());
    assert_eq!(nodes.hub.take_asked(), ["signal to 1", "leave left", "join"]);
}

#[actix::test]
async fn who_is_away_back_or_says_something_else_of_itself_is_seen_so_elsewhere_and_by_newcomers() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.joined(1, "Bob").await;
    ann.told("peer_joined", &[&bob]).await;
    ann.update(r#"{"hand":"up"}"#);
    ann.told("updated", &[]).await;
    assert_eq!(bob.told("peer_updated", &[&ann]).await["meta"], json!({"hand": "up"}));
    ann.be_away(true).await;
    assert_eq!(bob.told("peer_away", &[&ann]).await["until"], 7);
    let mut cid = nodes.peer(1, "Cid");
    cid.join(None).await;
    assert_eq!(cid.told("joined", &[]).await["others"][0], json!([ann.member.peer.to_string(), true, 7]));
    ann.be_away(false).await;
    ann.told("peer_joined", &[&cid]).await;
    bob.told("peer_joined", &[&cid]).await;
    bob.told("peer_back", &[&ann]).await;
    cid.told("peer_back", &[&ann]).await;
}

#[actix::test]
async fn a_room_is_full_wherever_its_peers_are_and_who_is_refused_may_ask_again() {
    let nodes = Nodes::with_rooms_for(3, 2);
    let three = [nodes.joined(0, "Ann").await, nodes.joined(1, "Bob").await, nodes.joined(0, "Cid").await];
    let mut dan = nodes.peer(1, "Dan");
    dan.join(None).await;
    dan.told("refused room_full", &[]).await;
    three[0].leave().await;
    nodes.settle().await;
    dan.join(None).await;
    assert_eq!(dan.told("joined", &[]).await["others"].as_array().map(Vec::len), Some(2));
}

#[actix::test]
async fn while_the_cluster_is_away_joins_are_refused_and_what_is_said_waits() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.joined(1, "Bob").await;
    let mut cid = nodes.joined(0, "Cid").await;
    ann.told("peer_joined", &[&bob]).await;
    ann.told("peer_joined", &[&cid]).await;
    bob.told("peer_joined", &[&cid]).await;
    nodes.hub.set_away(true);
    let mut dan = nodes.peer(0, "Dan");
    dan.join(None).await;
    dan.told("refused unavailable", &[]).await;
    ann.send(None, "1");
    ann.leave().await;
    // Who is on the same node hears at once, and goes on.
    cid.hears(&ann, "1").await;
    cid.told("peer_left", &[&ann]).await;
    nodes.settle().await;
    assert!(bob.is_silent());
    nodes.hub.set_away(false);
    bob.hears(&ann, "1").await;
    bob.told("peer_left", &[&ann]).await;
    nodes.hub.tell(0, Told::Unreached { room: room(), from: cid.member.peer, to: vec![bob.member.peer] });
    cid.told("unsent unavailable 1", &[]).await;
}

/// A seat that is granted too late is given back, before the same session may ask again.
#[actix::test]
async fn a_join_that_is_not_answered_in_time_is_refused_and_leaves_no_ghost() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.peer(1, "Bob");
    nodes.hub.set_still(true);
    bob.join(None).await;
    bob.told("refused unavailable", &[]).await;
    bob.join(None).await;
    bob.told("refused unavailable", &[]).await;
    nodes.hub.set_still(false);
    ann.told("peer_joined", &[&bob]).await;
    ann.told("peer_left", &[&bob]).await;
    nodes.settle().await;
    bob.join(None).await;
    bob.told("joined", &[]).await;
    ann.told("peer_joined", &[&bob]).await;
    assert_eq!(nodes.hub.count(&room()), 2);
}

#[actix::test]
async fn a_node_that_is_gone_takes_its_peers_with_it_and_nobody_else() {
    let nodes = Nodes::start(3);
    let mut ann = nodes.joined(0, "Ann").await;
    let bob = nodes.joined(1, "Bob").await;
    let mut cid = nodes.joined(2, "Cid").await;
    ann.told("peer_joined", &[&bob]).await;
    ann.told("peer_joined", &[&cid]).await;
    nodes.hub.lose(1);
    for other in [&mut ann, &mut cid] {
        assert_eq!(other.told("peer_left", &[&bob]).await["reason"], "timeout");
    }
    ann.send(None, "we two");
    cid.hears(&ann, "we two").await;
}

#[actix::test]
async fn who_comes_again_on_another_node_takes_the_place_of_its_ghost() {
    let nodes = Nodes::with_rooms_for(3, 2);
    let mut ann = nodes.joined(0, "Ann").await;
    let ghost = nodes.peer(0, "Bob");
    ghost.join(Some("the identity of one of them")).await;
    ann.told("peer_joined", &[&ghost]).await;
    let mut cid = nodes.joined(1, "Cid").await;
    ann.told("peer_joined", &[&cid]).await;
    nodes.settle().await;
    let mut of_ghost = ghost;
    of_ghost.told("joined", &[]).await;
    of_ghost.told("peer_joined", &[&cid]).await;
    of_ghost.be_away(true).await;
    ann.told("peer_away", &[&of_ghost]).await;
    cid.told("peer_away", &[&of_ghost]).await;
    // There is no room for a fourth, but for who has a seat already.
    let mut again = nodes.peer(1, "Bob again");
    again.join(Some("the identity of one of them")).await;
    assert_eq!(again.told("joined", &[]).await["others"].as_array().map(Vec::len), Some(2));
    for other in [&mut ann, &mut cid] {
        assert_eq!(other.told("peer_left", &[&of_ghost]).await["reason"], "replaced");
        let joined = other.told("peer_joined", &[&again]).await;
        assert_eq!(joined["replaces"], of_ghost.member.peer.to_string());
    }
    assert!(of_ghost.member.kill_switch.take_notes().has(Note::SeatTaken));
    let taken = of_ghost.member.how_taken(7).expect("its seat is taken");
    assert_eq!(taken.reason, EndReason::SessionTaken);
    of_ghost.go(LeaveReason::Replaced).await;
    nodes.settle().await;
    assert_eq!(nodes.hub.count(&room()), 3, "its end frees nobody's seat");
}

#[actix::test]
async fn the_last_one_of_a_node_may_be_replaced_from_elsewhere() {
    let nodes = Nodes::start(2);
    let ghost = nodes.peer(0, "Bob");
    ghost.join(Some("the identity of one of them")).await;
    let mut ann = nodes.joined(1, "Ann").await;
    nodes.settle().await;
    let mut of_ghost = ghost;
    of_ghost.told("joined", &[]).await;
    of_ghost.told("peer_joined", &[&ann]).await;
    of_ghost.be_away(true).await;
    ann.told("peer_away", &[&of_ghost]).await;
    let mut again = nodes.peer(1, "Bob again");
    again.join(Some("the identity of one of them")).await;
    again.told("joined", &[]).await;
    ann.told("peer_left", &[&of_ghost]).await;
    ann.told("peer_joined", &[&again]).await;
    nodes.settle().await;
    assert!(nodes.look(0).await.is_none(), "nobody of that node is in the room");
    let mut cid = nodes.peer(0, "Cid");
    cid.join(None).await;
    assert_eq!(cid.told("joined", &[]).await["others"].as_array().map(Vec::len), Some(2));
}

#[actix::test]
async fn who_hangs_up_before_it_has_a_seat_gives_it_back() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let (bob, mut cid) = (nodes.peer(1, "Bob"), nodes.peer(1, "Cid"));
    bob.join(None).await;
    bob.go(LeaveReason::Disconnected).await;
    cid.join(None).await;
    cid.told("joined", &[]).await;
    ann.told("peer_joined", &[&bob]).await;
    assert_eq!(ann.told("peer_left", &[&bob]).await["reason"], "disconnected");
    ann.told("peer_joined", &[&cid]).await;
    nodes.settle().await;
    assert!(cid.is_silent() && ann.is_silent());
    assert_eq!(nodes.hub.count(&room()), 2);
}

#[actix::test]
async fn a_room_that_closes_on_a_node_while_somebody_is_on_the_way_into_it_is_whole_for_them() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let bob = nodes.joined(1, "Bob").await;
    ann.told("peer_joined", &[&bob]).await;
    let mut cid = nodes.peer(1, "Cid");
    cid.join(None).await;
    bob.leave().await;
    let welcomed = cid.told("joined", &[]).await;
    assert!(
        welcomed["others"].as_array().is_some_and(|others| others[0][0] == ann.member.peer.to_string()),
        "{welcomed}"
    );
    nodes.settle().await;
    ann.send(Some(&cid), "hello");
    assert_eq!(nodes.hub.count(&room()), 2);
}

#[actix::test]
async fn a_kick_a_ban_and_a_lock_hold_on_every_node() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.peer(1, "Bob");
    bob.join(Some("the identity of one of them")).await;
    bob.told("joined", &[]).await;
    ann.told("peer_joined", &[&bob]).await;
    let ban = Some(std::time::Duration::from_secs(60));
    let kick = Kick { target: Target::Peer(bob.member.peer), reason: None, ban };
    let kicked = nodes.supervisor(0).send(KickFrom { room: room(), kick }).await.expect("the supervisor lives");
    assert_eq!(kicked.expect("he is there").peers, [bob.member.peer]);
    assert_eq!(ann.told("peer_left", &[&bob]).await["reason"], "kicked");
    nodes.settle().await;
    assert_eq!(bob.member.how_taken(7).map(|taken| taken.reason), Some(EndReason::Kicked));
    for node in [0, 1] {
        let mut again = nodes.peer(node, "Bob again");
        again.join(Some("the identity of one of them")).await;
        again.told("refused banned", &[]).await;
    }
    let lock = LockRoom { room: room(), locked: true };
    nodes.supervisor(0).send(lock).await.expect("the supervisor lives").expect("the room is there");
    ann.told("room_state", &[]).await;
    let mut cid = nodes.peer(1, "Cid");
    cid.join(None).await;
    cid.told("refused room_locked", &[]).await;
    assert!(nodes.look(0).await.expect("a room").room.locked);
}

#[actix::test]
async fn who_has_lost_its_seat_in_the_cluster_hears_that_the_room_is_closed_and_a_gap_is_a_lost_message() {
    let nodes = Nodes::start(2);
    let mut ann = nodes.joined(0, "Ann").await;
    let mut bob = nodes.joined(1, "Bob").await;
    ann.told("peer_joined", &[&bob]).await;
    nodes.hub.tell(0, Told::Gap { room: room(), peers: vec![ann.member.peer] });
    nodes.settle().await;
    assert!(ann.member.kill_switch.take().is_some_and(|killed| killed.lost));
    nodes.hub.forget(&room(), ann.member.peer, LeaveReason::Timeout);
    ann.told("evicted", &[]).await;
    bob.told("peer_left", &[&ann]).await;
    nodes.hub.take_asked();
    ann.leave().await;
    nodes.settle().await;
    assert!(nodes.hub.take_asked().is_empty(), "it has no seat to give back");
}

#[actix::test]
async fn an_operator_sees_the_room_whole_on_either_node() {
    let nodes = Nodes::start(2);
    let ann = nodes.joined(0, "Ann").await;
    let bob = nodes.joined(1, "Bob").await;
    let cid = nodes.joined(0, "Cid").await;
    nodes.settle().await;
    for node in [0, 1] {
        let shown = nodes.look(node).await.expect("a room");
        assert_eq!(shown.room.peers, 3);
        let seen: Vec<_> = shown
            .members
            .iter()
            .map(|seat| (seat.peer, seat.node.as_ref().map(|node| node.as_str().to_owned()), seat.session.is_some()))
            .collect();
        let at = |name: &str| Some(name.to_owned());
        let expected = [
            (ann.member.peer, at("north"), node == 0),
            (bob.member.peer, at("south"), node == 1),
            (cid.member.peer, at("north"), node == 0),
        ];
        assert_eq!(seen, expected, "in joining order");
    }
}
