//! Two and three servers with one Redis: rooms that span them, and what becomes of those when one of all these is gone.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    ops_api::{get, post},
    support::{Builder, PATIENCE, Received, TestPeer, TestRedis, TestServer, eventually, eventually_within, expect_eq},
};

const ADA: &str = "correct-horse-battery-staple-417";
const NODES: [&str; 3] = ["north", "south", "west"];
/// Long enough for a busy machine: half of it without a heartbeat, and a node's peers seem away.
const NODE_TIMEOUT_MS: u64 = 3000;

struct Cluster {
    redis: TestRedis,
    servers: Vec<TestServer>,
}

impl Cluster {
    #[track_caller]
    fn start(count: usize) -> Self {
        Self::with(count, |builder| builder)
    }

    #[track_caller]
    fn with(count: usize, change: impl Fn(Builder) -> Builder) -> Self {
        let redis = TestRedis::start();
        let servers = NODES[..count].iter().map(|node| {
            let builder = TestServer::set("cluster.redis_url", redis.url()).set("server.node", node);
            let builder = builder.set("cluster.redis_timeout_ms", 1000);
            change(builder.set("cluster.node_timeout_ms", NODE_TIMEOUT_MS)).start()
        });
        let servers = servers.collect();
        Self { redis, servers }
    }

    /// A peer in that room by way of that node. Its server may have to find out first what is left in Redis.
    #[track_caller]
    fn join(&self, node: usize, room: &str) -> TestPeer {
        self.join_with(node, &json!({"type": "join", "room": room}))
    }

    #[track_caller]
    fn join_with(&self, node: usize, join: &Value) -> TestPeer {
        let mut peer = self.servers[node].connect();
        let joined = eventually(&format!("{join} on {}", NODES[node]), || {
            peer.send_json(join);
            let answer = peer.receive_any();
            match answer.kind() {
                "joined" => Ok(answer),
                _ if answer["code"] == "unavailable" => Err(answer.text),
                _ => panic!("{}", answer.text),
            }
        });
        joined["self"]["id"].as_str().expect("a name").clone_into(&mut peer.id);
        peer.joined = Some(joined);
        peer
    }

    /// One on each node, who have all heard of each other.
    #[track_caller]
    fn one_on_each<const N: usize>(&self, room: &str) -> [TestPeer; N] {
        let mut peers: Vec<TestPeer> = Vec::new();
        for node in 0..N {
            let newcomer = self.join(node, room);
            for peer in &mut peers {
                peer.receive_joined(&newcomer.id);
            }
            peers.push(newcomer);
        }
        peers.try_into().unwrap_or_else(|_| unreachable!("as many as nodes"))
    }
}

fn others(joined: &Received) -> Vec<(String, bool)> {
    let peers = joined["peers"].as_array().expect("a list");
    peers.iter().map(|peer| (peer["id"].as_str().unwrap_or_default().to_owned(), peer["polite"] == true)).collect()
}

fn say(peer: &mut TestPeer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        peer.send_json(&json!({"type": "signal", "to": "*", "kind": "app", "data": number}));
    }
}

/// Hears those numbers of each of so many others, in order, without a hole or a double.
#[track_caller]
fn hear(peer: &mut TestPeer, numbers: std::ops::Range<u64>, from: usize) {
    let mut next = std::collections::HashMap::new();
    for _ in 0..(numbers.end - numbers.start) * from as u64 {
        let heard = peer.receive("signal");
        let number = next.entry(heard.text("from")).or_insert(numbers.start);
        assert_eq!(heard["data"], *number, "from {}", heard["from"]);
        *number += 1;
    }
    assert_eq!(next.len(), from);
}

#[test]
fn two_on_two_nodes_see_each_other_and_each_knows_its_node() {
    let cluster = Cluster::start(2);
    let [mut ann, mut bob] = cluster.one_on_each("blue");
    assert_eq!(others(bob.joined.as_ref().expect("joined")), [(ann.id.clone(), true)]);
    for (peer, node) in [(&ann, "north"), (&bob, "south")] {
        assert_eq!(peer.welcome.as_ref().expect("welcome")["node"], node);
    }
    ann.send_json(&json!({"type": "update", "meta": {"hand": "up"}}));
    ann.receive("peer_updated");
    assert_eq!(bob.receive("peer_updated")["meta"], json!({"hand": "up"}));
    for (server, at) in cluster.servers.iter().zip([0, 1]) {
        let room = get(server, "rooms/blue");
        let seen: Vec<_> = room["members"].as_array().expect("a list").iter().collect();
        assert_eq!((room["peers"].clone(), seen.len()), (json!(2), 2), "{room}");
        assert_eq!((&seen[0]["id"], &seen[0]["node"]), (&json!(ann.id), &json!("north")));
        assert_eq!((&seen[1]["id"], &seen[1]["node"]), (&json!(bob.id), &json!("south")));
        assert!(seen[at]["session"].is_string() && seen[1 - at]["session"].is_null(), "{room}");
    }
    ann.leave();
    bob.receive_left(&ann.id, "left");
}

#[test]
fn numbered_messages_of_three_nodes_arrive_whole_and_in_order() {
    // Everybody sends at once, on a machine that may be busy: who is made to wait waits, and nothing is refused.
    let cluster = Cluster::with(3, |builder| builder.any_pace().set("limits.busy_pause_ms", 30_000));
    let mut all: [TestPeer; 3] = cluster.one_on_each("blue");
    thread::scope(|scope| {
        for peer in &mut all {
            scope.spawn(|| {
                let mut writer = peer.second_half();
                thread::scope(|both| {
                    both.spawn(move || say(&mut writer, 0..300));
                    hear(peer, 0..300, 2);
                });
            });
        }
    });
    for peer in &mut all {
        peer.receive_nothing();
    }
}

#[test]
fn who_loses_its_connection_is_away_and_back_on_the_other_node_and_is_gone_when_its_time_is_over() {
    let cluster = Cluster::with(2, |builder| builder.set("limits.resume_window_ms", 2000));
    let mut bob = cluster.join(1, "blue");
    let ada = cluster.join_with(0, &json!({"type": "join", "room": "blue", "resumable": true}));
    bob.receive_joined(&ada.id);
    let token = ada.joined.as_ref().expect("joined")["resume"]["token"].clone();
    let mut ada = ada;
    ada.receive_nothing();
    let id = ada.id.clone();
    ada.abort();
    assert_eq!(bob.receive("peer_away")["id"], id);
    bob.send_signal(&id, &json!("while you were away"));
    // A resume goes to the node that has the session; the other one does not know it.
    let resume = json!({"type": "join", "room": "blue", "attempt": 1, "resume": {"token": token, "ack": 1}});
    let mut elsewhere = cluster.servers[1].connect();
    elsewhere.send_json(&resume);
    elsewhere.receive_error("session_not_found");
    let mut again = cluster.servers[0].connect();
    again.send_json(&json!({"type": "join", "room": "blue", "attempt": 1, "resume": {"token": token, "ack": 0}}));
    let joined = again.receive("joined");
    assert_eq!(joined["complete"], true, "{}", joined.text);
    assert_eq!(again.receive_at_last("signal")["data"], "while you were away");
    assert_eq!(bob.receive("peer_back")["id"], id);
    again.abort();
    assert_eq!(bob.receive("peer_away")["id"], id);
    bob.receive_left(&id, "timeout");
}

#[test]
fn a_node_that_is_killed_leaves_its_peers_away_and_then_gone_and_who_comes_anew_replaces_its_ghost() {
    let cluster = Cluster::start(2);
    let join = |identity| json!({"type": "join", "room": "blue", "resumable": true, "identity": identity});
    let mut bob = cluster.join(1, "blue");
    let ada = cluster.join_with(0, &join(ADA));
    bob.receive_joined(&ada.id);
    let eve = cluster.join_with(0, &join("another-horse-battery-staple-418"));
    bob.receive_joined(&eve.id);
    cluster.servers[0].signal("KILL");
    let mut away = [bob.receive("peer_away").text("id"), bob.receive("peer_away").text("id")];
    away.sort_unstable();
    let mut both = [ada.id.clone(), eve.id.clone()];
    both.sort_unstable();
    assert_eq!(away, both);
    let again = cluster.join_with(1, &join(ADA));
    bob.receive_left(&ada.id, "replaced");
    assert_eq!(bob.receive_joined(&again.id)["replaces"], ada.id);
    bob.receive_left(&eve.id, "timeout");
    bob.receive_nothing();
}

#[test]
fn a_node_that_drains_says_so_before_it_goes() {
    let mut cluster = Cluster::with(2, |builder| builder.set("server.drain_ms", 100));
    let [ann, mut bob] = cluster.one_on_each("blue");
    cluster.servers[0].terminate();
    bob.receive_left(&ann.id, "server_draining");
    assert!(cluster.servers[0].wait_exit(PATIENCE).success());
    let cid = cluster.join(1, "blue");
    bob.receive_joined(&cid.id);
}

/// It has lost everything; those who are there are there.
#[test]
fn a_redis_that_comes_back_empty_ends_nobody() {
    let mut cluster = Cluster::start(2);
    let [mut ann, mut bob] = cluster.one_on_each("blue");
    say(&mut ann, 0..10);
    hear(&mut bob, 0..10, 1);
    cluster.redis.kill();
    cluster.redis.start_again();
    // Who joins is let in when the nodes have agreed who is there.
    let cid = cluster.join(0, "blue");
    assert_eq!(others(cid.joined.as_ref().expect("joined")).len(), 2);
    ann.receive_joined(&cid.id);
    bob.receive_joined(&cid.id);
    say(&mut ann, 10..20);
    hear(&mut bob, 10..20, 1);
    say(&mut bob, 0..10);
    hear(&mut ann, 0..10, 1);
}

#[test]
fn while_redis_stands_still_a_node_goes_on_by_itself_and_says_what_did_not_arrive() {
    let cluster =
        Cluster::with(2, |builder| builder.set("cluster.waiting_ms", 1000).set("cluster.redis_timeout_ms", 500));
    let [mut ann, mut bob] = cluster.one_on_each("blue");
    let mut cid = cluster.join(0, "blue");
    ann.receive_joined(&cid.id);
    bob.receive_joined(&cid.id);
    cluster.redis.signal("-STOP");
    ann.send_signal(&cid.id, &json!("near"));
    assert_eq!(cid.receive("signal")["data"], "near");
    // Until the connection is given up what was written may have arrived; from then on it waits, and fails.
    let refused = eventually("a signal that could not go out is refused", || {
        ann.send_signal(&bob.id, &json!("far"));
        let heard = ann.receive_all();
        heard.into_iter().find(|heard| heard.kind() == "error").ok_or_else(|| "none was".to_owned())
    });
    assert_eq!((&refused["code"], &refused["peers"]), (&json!("unavailable"), &json!([bob.id])), "{}", refused.text);
    let mut dan = cluster.servers[0].connect();
    dan.send_json(&json!({"type": "join", "room": "blue"}));
    let refused = dan.receive_error("unavailable");
    assert!(refused["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0), "{}", refused.text);
    cluster.redis.signal("-CONT");
    eventually_within(2 * PATIENCE, "what is sent arrives again", || {
        ann.send_signal(&bob.id, &json!("again"));
        let heard = bob.receive_all();
        let arrived = heard.iter().any(|heard| heard.kind() == "signal" && heard["data"] == "again");
        if arrived { Ok(()) } else { Err(format!("{heard:?}")) }
    });
}

#[test]
fn a_kick_a_ban_and_a_lock_hold_on_every_node() {
    let cluster = Cluster::start(2);
    let join = json!({"type": "join", "id": "j", "room": "blue", "identity": ADA});
    let mut bob = cluster.join(1, "blue");
    let mut ada = cluster.join_with(0, &join);
    bob.receive_joined(&ada.id);
    let kick = json!({"room": "blue", "peer": ada.id, "banMs": 60_000});
    let answer = post(&cluster.servers[1], "kick", &kick);
    assert_eq!((answer.status, answer.json()), (200, json!({"peers": [ada.id]})), "{answer:?}");
    ada.receive_bye("kicked", 4501);
    bob.receive_left(&ada.id, "kicked");
    let tries = |node: usize, join: &Value| {
        let mut peer = cluster.servers[node].connect();
        peer.send_json(join);
        let answer = peer.receive_any();
        answer["code"].as_str().unwrap_or("joined").to_owned()
    };
    assert_eq!([tries(0, &join), tries(1, &join)], ["banned", "banned"]);
    assert_eq!(post(&cluster.servers[1], "lock", &json!({"room": "blue", "locked": true})).status, 200);
    assert_eq!(bob.receive("room_state")["locked"], true);
    let join = json!({"type": "join", "id": "j", "room": "blue"});
    assert_eq!([tries(0, &join), tries(1, &join)], ["room_locked", "room_locked"]);
    assert_eq!(post(&cluster.servers[1], "lock", &json!({"room": "blue", "locked": false})).status, 200);
    assert_eq!(bob.receive("room_state")["locked"], false);
    eventually("it lets in again", || expect_eq(&tries(0, &join), &"joined".to_owned()));
}

#[test]
fn a_peer_that_does_not_read_makes_its_sender_on_the_other_node_wait_and_nobody_else() {
    let cluster =
        Cluster::with(2, |builder| builder.any_pace().set("limits.busy_pause_ms", 200).set("limits.slow_ms", 60_000));
    let mut bob = cluster.join(1, "blue");
    let deaf = cluster.servers[1].join_slow("blue");
    bob.receive_joined(&deaf.id);
    let mut flooder = cluster.join(0, "blue");
    let mut quiet = cluster.join(0, "blue");
    flooder.receive_joined(&quiet.id);
    let filling = "x".repeat(20_000);
    let refused = (0..1000).find_map(|_| {
        flooder.send_json(&json!({"type": "signal", "to": deaf.id, "kind": "app", "data": filling}));
        let heard = flooder.receive_all();
        heard.into_iter().find(|heard| heard.kind() == "error")
    });
    let refused = refused.expect("20 MB are sent to a peer that reads nothing, and none was refused");
    assert_eq!((&refused["code"], &refused["peers"]), (&json!("peer_busy"), &json!([deaf.id])), "{}", refused.text);
    // Others are not concerned, whoever they send to.
    quiet.send_signal(&deaf.id, &json!("from a quiet one"));
    quiet.send_signal(&bob.id, &json!("hello"));
    assert_eq!(bob.receive_at_last("signal")["data"], "hello");
    flooder.send_signal(&bob.id, &json!("and I"));
    assert_eq!(bob.receive_at_last("signal")["data"], "and I");
    quiet.receive_nothing();
}

#[test]
fn a_room_is_full_for_all_nodes_together() {
    let cluster = Cluster::with(2, |builder| builder.set("limits.peers_per_room", 2));
    let [ann, _bob] = cluster.one_on_each("blue");
    let mut cid = cluster.servers[0].connect();
    cid.send_json(&json!({"type": "join", "room": "blue"}));
    cid.receive_error("room_full");
    drop(ann);
    eventually_within(Duration::from_secs(20), "a seat is free", || {
        cid.send_json(&json!({"type": "join", "room": "blue"}));
        let answer = cid.receive_any();
        if answer.kind() == "joined" { Ok(()) } else { Err(answer.text) }
    });
}
