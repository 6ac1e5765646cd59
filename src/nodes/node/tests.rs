//! The node without a Redis: what goes out, when, and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Node, NodeConfig, Outcome};
use crate::{
    cluster::{Head, Incarnation, NodeName, Seat, lease::Timing, moderation::RoomRules, replica::Snapshot},
    messages::cluster::{Ask, Held, JoinTicket, Joining, Profile, Sending, Told},
    nodes::{command::Outgoing, wire::Reply},
    protocol::{ErrorCode, LeaveReason, Meta, PeerId, RoomName, SignalKind, TextFrame},
    telemetry::RedisOperation,
};

const WAITING_MS: u64 = 1000;

fn here() -> RoomName {
    RoomName::parse("here", 99).expect("a sane name")
}

/// A node that has begun, in a generation that is settled; time 1 is over.
fn node() -> Node {
    let timing = Timing { beat: 200, away_after: 500, dead_after: 1000 };
    let config = NodeConfig { timing, waiting_ms: WAITING_MS, waiting_bytes: 10_000, peers_per_room: 9 };
    let mut node = Node::new(config, Incarnation { node: NodeName::new("a"), number: 0 });
    node.begin(7);
    node.generation = 1;
    node.connected(0);
    node.tick(0);
    node
}

/// What goes out, with the number and the place on the connection of what changes something.
fn out(node: &mut Node) -> Vec<(RedisOperation, u64, String)> {
    let sent = node.take_out();
    let text = |arg: &[u8]| String::from_utf8_lossy(arg).into_owned();
    sent.into_iter()
        .map(|(number, operation, outgoing)| match outgoing {
            Outgoing::Script(args) => (operation, number, format!("{}.{}", text(&args[4]), text(&args[5]))),
            _ => (operation, number, String::new()),
        })
        .collect()
}

fn changes(node: &mut Node) -> Vec<(RedisOperation, u64, String)> {
    let questions = [RedisOperation::Beat, RedisOperation::Subscribe, RedisOperation::Heads, RedisOperation::Check];
    out(node).into_iter().filter(|(operation, ..)| !questions.contains(operation)).collect()
}

fn join(node: &mut Node, peer: PeerId, now: u64) {
    let joining = Joining {
        ticket: JoinTicket(1),
        room: here(),
        peer,
        profile: Profile { meta: None, who: None, user: None },
        resumable: true,
        replaces_present: false,
        peers_per_room: 9,
        rooms: 9,
    };
    node.ask(Ask::Join(Box::new(joining)), now);
}

/// Joins, and has its seat.
fn joined(node: &mut Node) -> PeerId {
    let peer = PeerId::random();
    join(node, peer, 1);
    let asked = changes(node);
    let version = node.born;
    let seat = Seat {
        owner: Some(node.me.clone()),
        number: 1,
        version,
        who: None,
        resumable: true,
        away: false,
        until: 0,
        meta: None,
        user: None,
    };
    let snapshot = Snapshot {
        head: Head { life: 1, n: 1, tag: 1 },
        best: (0, 0),
        parted: false,
        reaped: BTreeSet::new(),
        done: BTreeMap::new(),
        seats: Arc::new([(peer, seat)].into()),
        rules: RoomRules::default(),
    };
    let answer = Outcome::Reply(Box::new(Reply::Joined(Some(Box::new(snapshot)))));
    node.answered(asked.last().expect("a join").1, answer, 1);
    assert!(matches!(node.take_told().pop_back(), Some(Told::Granted { number: 1, .. })));
    peer
}

fn send(node: &mut Node, from: PeerId, now: u64) {
    let frame = TextFrame::build(2, |out| out.extend(b"{}"));
    let to = vec![PeerId::random()];
    let sending = Sending { room: here(), from, to, kind: SignalKind::App, frame, held: Held(None) };
    node.ask(Ask::Signal(Box::new(sending)), now);
}

#[test]
fn what_had_no_answer_is_repeated_in_order_under_its_number_and_its_place_on_the_new_connection() {
    let mut node = node();
    let peer = joined(&mut node);
    for _ in 0..3 {
        send(&mut node, peer, 2);
    }
    let first = changes(&mut node);
    assert_eq!(first.iter().map(|(.., place)| place.as_str()).collect::<Vec<_>>(), ["1.2", "1.3", "1.4"]);
    node.answered(first[0].1, Outcome::Reply(Box::new(Reply::Sent(1, 2))), 3);
    node.disconnected(4);
    assert!(out(&mut node).is_empty(), "there is no connection");
    node.connected(5);
    assert!(changes(&mut node).is_empty(), "before the heads were compared");
    node.unchecked.clear();
    let again = changes(&mut node);
    assert_eq!(again.iter().map(|(.., place)| place.as_str()).collect::<Vec<_>>(), ["2.1", "2.2"]);
    assert_eq!(again.iter().map(|sent| sent.1).collect::<Vec<_>>(), [first[1].1, first[2].1]);
}

#[test]
fn a_node_without_redis_fails_what_waits_in_time_and_looks_no_oftener_than_it_must() {
    let mut node = node();
    let peer = joined(&mut node);
    node.disconnected(2);
    send(&mut node, peer, 10);
    // It is never failed, and must not make the node look all the time.
    node.ask(Ask::Away { room: here(), peer, until_ms: 99 }, 10);
    let (mut now, mut looks) = (10, 0);
    while now < 10 + 2 * WAITING_MS {
        node.tick(now);
        assert!(node.next_tick() > now, "at once again");
        (now, looks) = (node.next_tick(), looks + 1);
    }
    assert!(looks < 100, "{looks}");
    let told = node.take_told();
    assert!(matches!(told.front(), Some(Told::Unreached { from, .. }) if *from == peer), "{told:?}");
    assert_eq!(told.len(), 1);
}

#[test]
fn a_signal_that_may_have_been_executed_is_not_failed() {
    let mut node = node();
    let peer = joined(&mut node);
    send(&mut node, peer, 2);
    assert_eq!(changes(&mut node).len(), 1);
    node.disconnected(3);
    for now in 3..5 * WAITING_MS {
        node.tick(now);
    }
    assert!(node.take_told().is_empty());
    node.connected(5 * WAITING_MS);
    node.unchecked.clear();
    assert_eq!(changes(&mut node).len(), 1, "it is repeated");
}

#[test]
fn a_join_whose_answer_does_not_come_is_refused_and_its_seat_given_back() {
    let mut node = node();
    join(&mut node, PeerId::random(), 1);
    assert_eq!(changes(&mut node).len(), 1);
    node.disconnected(2);
    node.tick(2 * WAITING_MS);
    let told = node.take_told();
    let [Told::Refused { error, .. }] = &Vec::from(told)[..] else { panic!("nobody was told") };
    assert_eq!(error.code, ErrorCode::Unavailable);
    node.connected(2 * WAITING_MS);
    let again: Vec<_> = changes(&mut node).into_iter().map(|(operation, ..)| operation).collect();
    assert_eq!(again, [RedisOperation::Join, RedisOperation::Leave]);
}

#[test]
fn of_updates_that_wait_the_latest_is_enough() {
    let mut node = node();
    let peer = joined(&mut node);
    let meta = |text: &str| Meta::parse(text).expect("an object");
    node.disconnected(2);
    for number in 0..100 {
        node.ask(Ask::Update { room: here(), peer, meta: meta(&format!("{{\"a\":{number}}}")) }, 3);
    }
    assert_eq!(node.sizes().1, 1);
    node.ask(Ask::Leave { room: here(), peer, reason: LeaveReason::Left }, 4);
    assert_eq!(node.sizes().1, 2);
}
