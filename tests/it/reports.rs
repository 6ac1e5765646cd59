//! What clients report of themselves, what is counted of it, and which rooms are found to be fractured.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    ops_api::get,
    support::{TestPeer, TestServer, eventually, eventually_within, expect_eq},
};

fn report(peer: &mut TestPeer, events: &Value) {
    peer.send_json(&json!({"type": "report", "events": events}));
}

fn connected(peer: &TestPeer) -> Value {
    json!({"kind": "pair_connected", "peer": peer.id, "ms": 640, "candidate": "srflx"})
}

fn failed(peer: &TestPeer) -> Value {
    json!({"kind": "pair_failed", "peer": peer.id, "reason": "ice_failed"})
}

/// The states of all pairs of a room, by the places of the two.
fn matrix(server: &TestServer, room: &str, peers: &[&TestPeer]) -> BTreeMap<(usize, usize), String> {
    let mesh = get(server, &format!("rooms/{room}/mesh"));
    let place = |id: &Value| peers.iter().position(|peer| *id == json!(peer.id)).unwrap_or(usize::MAX);
    let pairs = mesh["pairs"].as_array().expect("pairs").iter();
    let state = |pair: &Value| pair["state"].as_str().expect("a state").to_owned();
    pairs.map(|pair| ((place(&pair["peers"][0]), place(&pair["peers"][1])), state(pair))).collect()
}

#[test]
fn what_is_reported_is_counted_by_what_it_says() {
    let server = TestServer::start();
    let [mut ada, bob] = server.join_some("blue");
    let events = json!([
        {"kind": "opened", "ms": 80},
        {"kind": "round_trip", "ms": 30},
        {"kind": "reconnect_attempt"},
        {"kind": "reconnected", "ms": 1200},
        {"kind": "reconnect_failed"},
        {"kind": "session_ended", "ms": 90_000},
        {"kind": "error", "code": "peer_busy"},
        {"kind": "error", "code": "token_failed"},
        {"kind": "error", "code": "tea_cold"},
        {"kind": "pair_attempt", "peer": bob.id},
        connected(&bob),
        {"kind": "pair_round_trip", "peer": bob.id, "ms": 24},
        {"kind": "pair_restarted", "peer": bob.id},
        failed(&bob),
        {"kind": "pair_closed", "peer": bob.id},
        {"kind": "of_a_later_day", "with": ["anything"]},
    ]);
    report(&mut ada, &events);
    server.wait_for_metric("switchboard_client_events_total{kind=\"other\"}", 1.0);
    let scrape = server.scrape();
    for event in events.as_array().expect("a list").iter().filter(|event| event["kind"] != "of_a_later_day") {
        let kind = event["kind"].as_str().expect("a kind");
        let count = if kind == "error" { 3.0 } else { 1.0 };
        assert_eq!(scrape.value(&format!("switchboard_client_events_total{{kind=\"{kind}\"}}")), count, "{kind}");
    }
    for (series, value) in [
        ("client_connect_seconds_bucket{le=\"0.05\"}", 0.0),
        ("client_connect_seconds_bucket{le=\"0.1\"}", 1.0),
        ("client_signaling_rtt_seconds_sum", 0.03),
        ("client_outage_seconds_sum", 1.2),
        ("client_session_seconds_sum", 90.0),
        ("client_errors_total{code=\"peer_busy\"}", 1.0),
        ("client_errors_total{code=\"token_failed\"}", 1.0),
        ("client_errors_total{code=\"other\"}", 1.0),
        ("pair_connections_total{candidate=\"srflx\"}", 1.0),
        ("pair_connect_seconds_sum", 0.64),
        ("pair_rtt_seconds_sum", 0.024),
        ("pair_failures_total{reason=\"ice_failed\"}", 1.0),
        ("messages_total{direction=\"in\",type=\"report\"}", 1.0),
    ] {
        assert_eq!(scrape.value(&format!("switchboard_{series}")), value, "{series}");
    }
    ada.receive_nothing();
}

#[test]
fn nobody_can_be_named_who_is_not_in_the_room() {
    let server = TestServer::start();
    let [mut ada, bob] = server.join_some("blue");
    let eve = server.join("red");
    let me = json!({"kind": "pair_attempt", "peer": ada.id});
    report(&mut ada, &json!([connected(&eve), me, {"kind": "pair_closed", "peer": "nobody"}, failed(&bob)]));
    server.wait_for_metric("switchboard_client_events_dropped_total{reason=\"stranger\"}", 3.0);
    let scrape = server.scrape();
    assert_eq!(scrape.value("switchboard_pair_connections_total{candidate=\"srflx\"}"), 0.0);
    assert_eq!(scrape.value("switchboard_pair_failures_total{reason=\"ice_failed\"}"), 1.0);
    assert_eq!(get(&server, "rooms/red/mesh")["known"], false);
}

#[test]
fn a_report_too_soon_or_from_nowhere_is_refused_and_each_is_one_of_the_counted_frames() {
    let server = TestServer::start();
    let mut ada = server.connect();
    let events = json!([{"kind": "reconnect_attempt"}]);
    ada.send_json(&json!({"type": "report", "id": "early", "events": events}));
    assert_eq!(ada.receive_error("not_in_room")["re"], "early");
    ada.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    report(&mut ada, &events);
    report(&mut ada, &events); // one may come sooner: the stay may end at any time
    ada.send_json(&json!({"type": "report", "id": "2", "events": events}));
    let error = ada.receive_error("rate_limited");
    let wait = error["retryAfterMs"].as_u64().expect("a time");
    assert!(error["re"] == "2" && (1..=5000).contains(&wait), "{}", error.text);
    ada.send_json(&json!({"type": "ping"}));
    assert_eq!(ada.receive("pong")["ack"], 3, "all reports");
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"report_interval\"}", 1.0);
    server.wait_for_metric("switchboard_client_events_total{kind=\"reconnect_attempt\"}", 2.0);
}

#[test]
fn where_none_are_taken_the_feature_is_not_named_and_a_report_is_an_unknown_frame() {
    let server = TestServer::set("limits.report_interval_ms", 0).start();
    let mut ada = server.join("blue");
    let features = ada.welcome.as_ref().expect("welcome")["features"].clone();
    assert!(!features.as_array().expect("a list").contains(&json!("report")), "{features}");
    report(&mut ada, &json!([{"kind": "reconnect_attempt"}]));
    ada.receive_error("unknown_type");
}

/// One of three pairs is broken: the room is fractured within 20 s, the operator sees which it is, and when it is mended.
#[test]
fn a_broken_pair_is_found_and_shown_until_it_is_mended() {
    let server = TestServer::set("limits.report_interval_ms", 10).start();
    let [mut ada, mut bob, mut cid] = server.join_some("team/blue");
    assert_eq!(get(&server, "rooms/team%2Fblue/mesh")["known"], false);
    report(&mut ada, &json!([connected(&bob), failed(&cid)]));
    report(&mut bob, &json!([connected(&ada), connected(&cid)]));
    report(&mut cid, &json!([connected(&bob), failed(&ada)]));
    let known: BTreeMap<_, _> = [((0, 1), "connected"), ((0, 2), "failed"), ((1, 2), "connected")]
        .map(|(pair, state)| (pair, state.to_owned()))
        .into();
    eventually("all three have reported", || expect_eq(&matrix(&server, "team%2Fblue", &[&ada, &bob, &cid]), &known));
    server.wait_for_metric("switchboard_mesh_pairs{state=\"connected\"}", 2.0);
    server.wait_for_metric("switchboard_mesh_pairs{state=\"failed\"}", 1.0);
    server.wait_for_metric("switchboard_mesh_rooms{state=\"failing\"}", 1.0);
    let fractured = "switchboard_mesh_counted_rooms{state=\"fractured\"}";
    assert_eq!(server.scrape().value(fractured), 0.0, "not yet");
    eventually_within(Duration::from_secs(20), "the room is fractured", || {
        expect_eq(&server.scrape().value(fractured), &1.0)
    });
    let mesh = get(&server, "rooms/team%2Fblue/mesh");
    let seen: Vec<_> = mesh["peers"].as_array().expect("peers").iter().map(|peer| &peer["fractured"]).collect();
    assert_eq!(seen, [&json!(true), &json!(false), &json!(true)], "{mesh}");
    let broken = &mesh["pairs"][1];
    assert_eq!((&broken["told"][0]["by"], &broken["told"][0]["reason"]), (&json!(ada.id), &json!("ice_failed")));
    let line = server.wait_for_log("the fracture", |line| line.event() == "mesh_fractured");
    assert!(line.says("room", "team/blue") && line.json["failed"] == 1, "{}", line.text);

    report(&mut cid, &json!([connected(&ada)]));
    server.wait_for_log("its end", |line| line.event() == "mesh_whole");
    server.wait_for_metric("switchboard_mesh_rooms{state=\"fractured\"}", 0.0);
    assert!(server.scrape().value("switchboard_ops_calls_total{call=\"mesh\"}") >= 3.0);
    // With the room all of it goes.
    [ada, bob, cid].into_iter().for_each(TestPeer::close);
    server.wait_for_metric("switchboard_mesh_rooms{state=\"reporting\"}", 0.0);
    server.ops_get("/admin/v1/rooms/team%2Fblue/mesh").error(404, "room_not_found");
}

#[test]
fn however_many_rooms_one_address_breaks_it_counts_for_five() {
    let server = TestServer::start();
    let rooms: Vec<_> = (0..8).map(|room| server.join_some::<2>(&format!("room-{room}"))).collect();
    let mut rooms: Vec<_> = rooms.into_iter().map(|[ada, bob]| (ada, bob)).collect();
    for (ada, bob) in &mut rooms {
        report(ada, &json!([failed(bob)]));
        report(bob, &json!([failed(ada)]));
    }
    server.wait_for_metric("switchboard_mesh_rooms{state=\"failing\"}", 8.0);
    server.wait_for_metric("switchboard_mesh_counted_rooms{state=\"failing\"}", 5.0);
    server.wait_for_metric("switchboard_mesh_counted_rooms{state=\"reporting\"}", 5.0);
}

#[test]
fn of_a_room_with_too_many_no_mesh_is_kept() {
    let server = TestServer::set("limits.peers_per_room", 40).start();
    let mut peers = server.join_all("hall", 33);
    let other = connected(&peers[1]);
    report(&mut peers[0], &json!([other]));
    server.wait_for_metric("switchboard_client_events_dropped_total{reason=\"room_large\"}", 1.0);
    assert_eq!(get(&server, "rooms/hall/mesh")["known"], false);
}
