//! A Redis that is there and does not do what it is asked, or not what was asked before.

use std::fs;

use switchboard::{
    nodes::{Link, port::Told},
    protocol::{LeaveReason, PeerId},
};

use crate::support::{TestNode, TestRedis, settings};

use super::support::node::room;

/// Two nodes with a peer each, who know each other.
fn pair(redis: &TestRedis) -> (TestNode, TestNode, PeerId, PeerId) {
    let (mut a, mut b) = (TestNode::start(redis, "a"), TestNode::start(redis, "b"));
    let (ada, bob) = (a.join(&room("here")), b.join(&room("here")));
    a.hears_join(bob);
    (a, b, ada, bob)
}

/// Sends `before`, then does that to Redis, sends `during` and undoes it: all come, in their order.
fn survives(act: impl FnOnce(&TestRedis), is_noticed: bool, undo: impl FnOnce(&TestRedis)) {
    let redis = TestRedis::start();
    let (mut a, mut b, ada, bob) = pair(&redis);
    a.send(&room("here"), ada, &[bob], "0");
    assert_eq!(b.hears().2, "0");
    act(&redis);
    for number in 1..100 {
        a.send(&room("here"), ada, &[bob], &number.to_string());
    }
    if is_noticed {
        a.becomes(Link::Away);
    }
    undo(&redis);
    for number in 1..100 {
        assert_eq!(b.hears(), (ada, vec![bob], number.to_string()));
    }
    let told =
        |node: &mut TestNode| node.rest().iter().any(|told| matches!(told, Told::Left { .. } | Told::Gap { .. }));
    assert!(!told(&mut a) && !told(&mut b), "{:?} {:?}", a.rest(), b.rest());
}

#[test]
fn what_is_refused_for_lack_of_memory_comes_later_and_in_order() {
    survives(
        |redis| drop(redis.ask(&["CONFIG", "SET", "maxmemory", "1"])),
        true,
        |redis| drop(redis.ask(&["CONFIG", "SET", "maxmemory", "0"])),
    );
}

#[test]
fn what_a_replica_refuses_comes_when_it_is_no_replica_any_more() {
    survives(
        |redis| drop(redis.ask(&["REPLICAOF", "127.0.0.1", "1"])),
        true,
        |redis| drop(redis.ask(&["REPLICAOF", "NO", "ONE"])),
    );
}

#[test]
fn a_script_that_is_forgotten_is_loaded_again() {
    survives(|redis| drop(redis.ask(&["SCRIPT", "FLUSH"])), false, |_| {});
}

#[test]
fn what_makes_no_sense_is_counted_and_harms_nobody() {
    survives(
        |redis| {
            for garbage in ["", "x", "0000000000000001", &"f".repeat(400)] {
                redis.ask(&["PUBLISH", "switchboard:log:here", garbage]);
                redis.ask(&["PUBLISH", "switchboard:node:b", garbage]);
            }
            redis.ask(&["PUBLISH", "switchboard:log:", "x"]);
        },
        false,
        |_| {},
    );
}

#[test]
fn all_that_is_flushed_is_told_again() {
    let redis = TestRedis::start();
    let (a, mut b, ada, bob) = pair(&redis);
    redis.ask(&["FLUSHALL"]);
    a.becomes(Link::Catching);
    a.is_up();
    b.is_up();
    a.send(&room("here"), ada, &[bob], "still here");
    assert_eq!(b.hears().2, "still here");
    assert!(!b.rest().iter().any(|told| matches!(told, Told::Left { .. })), "{:?}", b.rest());
}

#[test]
fn data_that_is_older_than_what_nodes_have_seen_is_not_believed() {
    let mut redis = TestRedis::start();
    let (mut a, mut b, ada, bob) = pair(&redis);
    redis.ask(&["SAVE"]);
    // Behind what was saved: one comes, one goes.
    let late = b.join(&room("here"));
    a.hears_join(late);
    b.leave(&room("here"), bob);
    assert_eq!(a.hears_leave(bob), LeaveReason::Left);
    redis.kill();
    redis.start_again();
    a.becomes(Link::Catching);
    a.is_up();
    b.is_up();
    let (_, _, known) = b.join_as(&room("there"), PeerId::random(), |_| {});
    assert!(known.is_some());
    a.send(&room("here"), ada, &[late], "to who came late");
    assert_eq!(b.hears().2, "to who came late");
    let told = a.rest().iter().any(|told| matches!(told, Told::Left { .. } | Told::Joined { .. }));
    assert!(!told, "who left is back, or who was there is gone: {:?}", a.rest());
}

#[test]
fn a_user_who_may_no_more_than_the_docs_say_is_enough() {
    let docs = include_str!("../../docs/cluster.md");
    let line = docs.lines().find(|line| line.trim().starts_with("user switchboard on >PASSWORD")).expect("an ACL line");
    let rules = line.trim().replace("user switchboard on >PASSWORD", "");
    let redis = TestRedis::start();
    let mut set = vec!["ACL", "SETUSER", "default", "resetpass", ">s3cret"];
    set.extend(rules.split_whitespace());
    assert!(redis.ask(&set).contains("OK"), "{}", redis.ask(&set));
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "s3cret\n").expect("written");
    let start = |name| {
        let mut settings = settings(&redis, name);
        settings.cluster.redis_password_file = file.path().to_owned();
        TestNode::with(&settings)
    };
    let (mut a, mut b) = (start("a"), start("b"));
    a.is_up();
    b.is_up();
    let (ada, bob) = (a.join(&room("here")), b.join(&room("here")));
    a.hears_join(bob);
    a.send(&room("here"), ada, &[bob], "hello");
    assert_eq!(b.hears().2, "hello");
    b.dies();
    assert_eq!(a.hears_leave(bob), LeaveReason::Timeout);
    // With a wrong password there is no connection, and the words do not show it.
    fs::write(file.path(), "wr0ng\n").expect("written");
    let error = start("c").fails();
    assert!(error.contains("refused") && !error.contains("wr0ng"), "{error}");
}
