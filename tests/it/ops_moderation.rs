//! What operators do to rooms and to who is in them.

use serde_json::{Value, json};

use crate::{
    ops_api::{get, post, send},
    support::{TestPeer, TestServer, eventually, expect_eq},
};

const ADA: &str = "correct-horse-battery-staple-417";
/// Who Ada is in that room.
const WHO: &str = "af4ed5336492ea0680adb40e68cbdf0b";

#[track_caller]
fn join_as_ada(server: &TestServer) -> TestPeer {
    let mut ada = server.connect();
    ada.join_with_fields(&json!({"type": "join", "id": "j", "room": "team-standup", "identity": ADA}));
    ada
}

/// The code with which a join to that room is refused; none where it is not.
#[track_caller]
fn tries(server: &TestServer, frame: &Value) -> Option<String> {
    let mut peer = server.connect();
    peer.send_json(frame);
    let reply = peer.receive_any();
    (reply.kind() == "error").then(|| reply.text("code"))
}

#[track_caller]
fn done(server: &TestServer, path: &str, body: &Value) -> Value {
    let answer = post(server, path, body);
    assert_eq!(answer.status, 200, "{path} {body}: {answer:?}");
    answer.json()
}

#[test]
fn a_peer_is_kicked_with_a_reason_and_may_come_again() {
    let server = TestServer::start();
    let [mut eve, mut bob] = server.join_some("blue");
    let answer = done(&server, "kick", &json!({"room": "blue", "peer": eve.id, "reason": "be nice"}));
    assert_eq!(answer, json!({"peers": [eve.id]}));
    let bye = eve.receive_bye("kicked", 4501);
    assert_eq!(bye["message"], "be nice", "{}", bye.text);
    bob.receive_left(&eve.id, "kicked");
    assert_eq!(tries(&server, &json!({"type": "join", "id": "j", "room": "blue"})), None);
    let line = server.wait_for_log("the call", |line| line.event() == "operator_call" && line.says("call", "kick"));
    assert!(line.says("room", "blue") && line.json["status"] == 200, "{}", line.text);
    assert!(!server.log().text().contains("be nice"), "a reason is in the log");
    post(&server, "kick", &json!({"room": "blue", "peer": eve.id})).error(404, "peer_not_found");
    post(&server, "kick", &json!({"room": "red", "peer": eve.id})).error(404, "room_not_found");
}

#[test]
fn a_ban_holds_until_it_is_lifted() {
    let server = TestServer::start();
    let (mut ada, mut bob) = (join_as_ada(&server), server.join("team-standup"));
    ada.receive_joined(&bob.id);
    let kicked = done(&server, "kick", &json!({"room": "team-standup", "who": WHO, "banMs": 60_000}));
    assert_eq!(kicked["peers"].as_array().map(Vec::len), Some(1), "{kicked}");
    ada.receive_bye("kicked", 4501);
    bob.receive_at_last("peer_left");
    let again = json!({"type": "join", "id": "j", "room": "team-standup", "identity": ADA});
    assert_eq!(tries(&server, &again).as_deref(), Some("banned"));
    let listed = get(&server, "bans?room=team-standup");
    let ban = &listed["bans"][0];
    assert_eq!(
        (&ban["who"], &listed["locked"], &ban["address"]),
        (&json!(WHO), &json!(false), &json!(false)),
        "{listed}"
    );
    assert!(ban["leftMs"].as_u64().is_some_and(|left| left <= 60_000 && left > 30_000), "{listed}");
    assert!(!listed.to_string().contains("127.0.0.1"), "{listed}");

    let lift = format!("bans?room=team-standup&id={}", ban["id"]);
    assert_eq!(send(&server, "DELETE", &lift, &json!({})).status, 204);
    send(&server, "DELETE", &lift, &json!({})).error(404, "ban_not_found");
    assert_eq!(tries(&server, &again), None);
    assert_eq!(get(&server, "bans?room=team-standup")["bans"], json!([]));
    server.ops_get("/admin/v1/bans?room=nowhere").error(404, "room_not_found");
}

#[test]
fn a_locked_room_is_listed_as_such_and_lets_nobody_in() {
    let server = TestServer::start();
    let (_blue, _red) = (server.join("blue"), server.join("red"));
    assert_eq!(
        done(&server, "lock", &json!({"room": "blue", "locked": true})),
        json!({"room": "blue", "locked": true})
    );
    let join = json!({"type": "join", "id": "j", "room": "blue"});
    assert_eq!(tries(&server, &join).as_deref(), Some("room_locked"));
    let names = |query: &str| {
        let rooms = get(&server, query);
        let rooms = rooms["rooms"].as_array().expect("rooms").iter();
        rooms.map(|room| room["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("rooms?locked=true"), names("rooms?locked=false")),
        (vec!["blue".to_owned()], vec!["red".to_owned()])
    );
    assert_eq!(
        (&get(&server, "rooms/blue")["locked"], &get(&server, "rooms/red")["locked"]),
        (&json!(true), &json!(false))
    );
    done(&server, "lock", &json!({"room": "blue", "locked": false}));
    assert_eq!(tries(&server, &join), None);
    post(&server, "lock", &json!({"room": "nowhere", "locked": true})).error(404, "room_not_found");
}

/// The server has said that it goes, and when: that is not why this client goes, and it does not come back.
#[test]
fn who_is_sent_away_while_the_server_drains_is_told_why() {
    let server = TestServer::set("server.drain_ms", 60_000).set("server.drain_deadline_ms", 90_000).start();
    let [mut eve, mut bob] = server.join_some("blue");
    assert_eq!(post(&server, "drain", &json!({})).status, 202);
    for peer in [&mut eve, &mut bob] {
        assert_eq!(peer.receive("bye")["reason"], "server_draining");
    }
    done(&server, "kick", &json!({"room": "blue", "peer": eve.id, "reason": "be nice"}));
    let bye = eve.receive_bye("kicked", 4501);
    assert_eq!((&bye["action"], &bye["message"]), (&json!("disconnect"), &json!("be nice")), "{}", bye.text);
    bob.receive_left(&eve.id, "kicked");
    done(&server, "close", &json!({"room": "blue", "text": "we are done"}));
    assert_eq!(bob.receive_bye("room_closed", 4503)["message"], "we are done");
}

#[test]
fn a_room_is_closed_under_everybody() {
    let server = TestServer::start();
    let peers: [TestPeer; 2] = server.join_some("blue");
    assert_eq!(done(&server, "close", &json!({"room": "blue", "text": "we are done"})), json!({"peers": 2}));
    for mut peer in peers {
        let bye = peer.receive_at_last("bye");
        assert_eq!((&bye["reason"], &bye["message"]), (&json!("room_closed"), &json!("we are done")), "{}", bye.text);
    }
    eventually("the room is gone", || expect_eq(&get(&server, "rooms")["rooms"], &json!([])));
    post(&server, "close", &json!({"room": "blue"})).error(404, "room_not_found");
}

#[test]
fn a_notice_reaches_a_room_or_all_of_them() {
    let server = TestServer::start();
    let (mut blue, mut red) = (server.join("blue"), server.join("red"));
    assert_eq!(done(&server, "notice", &json!({"room": "blue", "text": "five minutes left"})), json!({"peers": 1}));
    assert_eq!(blue.receive("notice")["text"], "five minutes left");
    assert_eq!(done(&server, "notice", &json!({"text": "a restart at ten"})), json!({"peers": 2}));
    for peer in [&mut blue, &mut red] {
        assert_eq!(peer.receive("notice")["text"], "a restart at ten");
    }
    post(&server, "notice", &json!({"room": "nowhere", "text": "x"})).error(404, "room_not_found");
    server.wait_for_metric("switchboard_ops_calls_total{call=\"notice\"}", 3.0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let server = TestServer::start();
    let peer = server.join("blue");
    for (path, wrong) in [
        ("kick", json!({"room": "blue"})),
        ("kick", json!({"room": "blue", "peer": peer.id, "who": WHO})),
        ("kick", json!({"room": "blue", "peer": "ada"})),
        ("kick", json!({"room": "blue", "who": "AF4ED5336492EA0680ADB40E68CBDF0B"})),
        ("kick", json!({"room": "blue", "peer": peer.id, "reason": "x".repeat(257)})),
        ("kick", json!({"room": "blue", "peer": peer.id, "reason": "\u{7}"})),
        ("kick", json!({"room": "blue", "peer": peer.id, "banMs": 1})),
        ("kick", json!({"room": "blue", "peer": peer.id, "banMs": u64::MAX})),
        ("close", json!({"room": "blue", "text": ""})),
        ("notice", json!({"text": "x".repeat(1025)})),
    ] {
        post(&server, path, &wrong).error(422, "invalid_request");
    }
    for (path, wrong) in [
        ("kick", json!({"peer": peer.id})),
        ("kick", json!({"room": "blue", "peer": peer.id, "for": 3})),
        ("lock", json!({"room": "blue"})),
        ("lock", json!({"room": "blue", "locked": "yes"})),
        ("close", json!({})),
        ("notice", json!({})),
    ] {
        post(&server, path, &wrong).error(400, "invalid_body");
    }
    for wrong in ["bans", "bans?room=blue&id=1", "bans?Room=blue"] {
        server.ops_get(&format!("/admin/v1/{wrong}")).error(400, "invalid_query");
    }
    assert_eq!(get(&server, "rooms/blue")["peers"], 1, "nobody was sent out");
}
