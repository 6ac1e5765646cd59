//! Connections that are lost, a Redis that is stopped, killed, or starts with nothing.

use switchboard::{
    config::Milliseconds,
    nodes::{Link, port::Told},
    protocol::{ErrorCode, PeerId},
};

use crate::support::{TestNode, TestRedis, settings};

use super::support::node::room;

/// Two nodes with a peer each, who know each other. Redis keeps all that is sent here: who is away for longer has a gap, rightly.
fn pair(redis: &TestRedis) -> (TestNode, TestNode, PeerId, PeerId) {
    let start = |name| {
        let mut settings = settings(redis, name);
        settings.cluster.log_entries = 1000;
        TestNode::with(&settings)
    };
    let (mut a, mut b) = (start("a"), start("b"));
    a.is_up();
    b.is_up();
    let (ada, bob) = (a.join(&room("here")), b.join(&room("here")));
    a.hears_join(bob);
    (a, b, ada, bob)
}

/// All of these numbers come once, and in their order; how many had a gap before them.
fn all_come(node: &mut TestNode, from: PeerId, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let (sender, _, text) = node.hears();
        assert_eq!((sender, text), (from, number.to_string()));
    }
}

#[test]
fn what_is_sent_while_connections_are_lost_comes_once_and_in_order() {
    let redis = TestRedis::start();
    let (a, mut b, ada, bob) = pair(&redis);
    for number in 0..600 {
        a.send(&room("here"), ada, &[bob], &number.to_string());
        if number % 100 == 50 {
            redis.ask(&["CLIENT", "KILL", "TYPE", if number % 200 == 50 { "pubsub" } else { "normal" }]);
        }
    }
    all_come(&mut b, ada, 0..600);
    assert!(a.status.get().connections > 1, "{:?}", a.status.get());
}

#[test]
fn a_redis_that_stops_for_a_moment_ends_nobody() {
    let redis = TestRedis::start();
    let (mut a, mut b, ada, bob) = pair(&redis);
    for number in 0..50 {
        a.send(&room("here"), ada, &[bob], &number.to_string());
    }
    redis.signal("-STOP");
    for number in 50..100 {
        a.send(&room("here"), ada, &[bob], &number.to_string());
    }
    // Longer than an answer may take: the connection is given up.
    a.becomes(Link::Away);
    redis.signal("-CONT");
    all_come(&mut b, ada, 0..100);
    a.is_up();
    b.is_up();
    b.send(&room("here"), bob, &[ada], "back");
    assert_eq!(a.hears(), (bob, vec![ada], "back".to_owned()));
    assert!(a.rest().is_empty() && b.rest().is_empty(), "{:?} {:?}", a.rest(), b.rest());
}

#[test]
fn a_redis_that_starts_with_nothing_is_told_who_is_there() {
    let mut redis = TestRedis::start();
    let (mut a, mut b, ada, bob) = pair(&redis);
    redis.kill();
    a.becomes(Link::Away);
    b.becomes(Link::Away);
    redis.start_again();
    a.is_up();
    b.is_up();
    a.send(&room("here"), ada, &[bob], "still here");
    assert_eq!(b.hears(), (ada, vec![bob], "still here".to_owned()));
    let (_, _, known) = b.join_as(&room("here"), PeerId::random(), |_| {});
    assert!(known.is_none(), "it has a peer there");
    for node in [&mut a, &mut b] {
        let left = node.rest().iter().find(|told| matches!(told, Told::Left { .. } | Told::Away { .. }));
        assert!(left.is_none(), "{left:?}");
    }
}

#[test]
fn who_did_not_come_back_after_a_loss_of_data_has_left() {
    let mut redis = TestRedis::start();
    let (mut a, b, ada, bob) = pair(&redis);
    redis.kill();
    a.becomes(Link::Away);
    b.dies();
    redis.start_again();
    a.hears_leave(bob);
    let gap = a.expect("a gap", |told| match told {
        Told::Gap { peers, .. } => Ok(peers),
        other => Err(other),
    });
    assert_eq!(gap, [ada], "who may have missed something of a peer that is gone");
}

#[test]
fn while_redis_is_away_joins_are_refused_and_signals_fail_in_time() {
    let mut redis = TestRedis::start();
    let mut hasty = settings(&redis, "a");
    hasty.cluster.waiting_ms = Milliseconds(300);
    let (mut a, mut b) = (TestNode::with(&hasty), TestNode::start(&redis, "b"));
    a.is_up();
    let (ada, bob) = (a.join(&room("here")), b.join(&room("here")));
    a.hears_join(bob);
    redis.kill();
    a.becomes(Link::Away);
    assert_eq!(a.is_refused(&room("there"), |_| {}), ErrorCode::Unavailable);
    a.send(&room("here"), ada, &[bob], "too late");
    let unreached = a.expect("a failure", |told| match told {
        Told::Unreached { from, to, .. } => Ok((from, to)),
        other => Err(other),
    });
    assert_eq!(unreached, (ada, vec![bob]));
    redis.start_again();
    a.is_up();
    b.is_up();
    a.send(&room("here"), ada, &[bob], "in time");
    assert_eq!(b.hears().2, "in time", "one that has failed does not come");
}
