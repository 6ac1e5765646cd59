//! The flight recorder: what an operator sees afterwards of a call, and what nobody sees.

use serde_json::{Value, json};

use crate::{
    ops_api::{get, post},
    support::{TestPeer, TestServer, eventually, expect_eq, http::dial, is_utc_time, ws::Handshake},
};

fn recorded(server: &TestServer, room: &str) -> Value {
    get(server, &format!("rooms/{room}/recorder"))
}

/// What happened, each as `kind peer to outcome`, with the peers' names in place of their ids.
fn told(recorded: &Value, names: &[(&str, &str)]) -> Vec<String> {
    let facts = recorded["facts"].as_array().expect("facts").iter();
    let words = |fact: &Value| {
        let words = ["kind", "peer", "to", "outcome"].map(|field| fact[field].as_str().unwrap_or("-").to_owned());
        words
            .map(|word| names.iter().find(|(id, _)| *id == word).map_or(word, |(_, name)| (*name).to_owned()))
            .join(" ")
    };
    facts.map(words).collect()
}

fn signal(from: &mut TestPeer, to: &str, kind: &str, data: &Value) {
    from.send_json(&json!({"type": "signal", "to": to, "kind": kind, "data": data}));
}

/// Sends it, and waits until it has arrived.
fn relay(from: &mut TestPeer, to: &mut TestPeer, kind: &str) {
    signal(from, &to.id, kind, &json!("x".repeat(100)));
    assert_eq!(to.receive("signal")["kind"], kind);
}

#[test]
fn a_call_is_there_to_be_seen_when_it_is_over_and_nothing_of_what_was_in_it() {
    const SECRET: &str = "candidate:1 1 udp 2113937151 192.0.2.77 54400 typ host";
    let server = TestServer::start();
    let [mut ada, mut bob] = server.join_some("blue");
    relay(&mut ada, &mut bob, "offer");
    relay(&mut bob, &mut ada, "answer");
    signal(&mut ada, &bob.id, "candidate", &json!({ "candidate": SECRET }));
    bob.receive("signal");
    signal(&mut ada, "*", "app", &json!("hello"));
    bob.receive("signal");
    signal(&mut bob, &"0".repeat(32), "offer", &json!("nobody"));
    bob.receive_error("peer_not_found");
    post(&server, "lock", &json!({"room": "blue", "locked": true}));
    ada.receive("room_state");
    bob.receive("room_state");
    let (ids, now) = ((ada.id.clone(), bob.id.clone()), recorded(&server, "blue"));
    let names = [(ids.0.as_str(), "ada"), (ids.1.as_str(), "bob")];
    let call = [
        "joined ada - -",
        "joined bob - -",
        "offer ada bob delivered",
        "answer bob ada delivered",
        "candidate ada bob delivered",
        "app ada * -",
        "offer bob 0000000000000000 peer_not_found",
        "error bob - peer_not_found",
        "locked - - -",
    ];
    assert_eq!(told(&now, &names), call, "{now}");
    let here = |id: &str| json!({"id": id, "isHere": true});
    let nobody = json!({"id": "0".repeat(16), "isHere": false});
    assert_eq!((&now["peers"], &now["isOpen"]), (&json!([here(&ids.0), here(&ids.1), nobody]), &json!(true)));
    assert_eq!((&now["room"], &now["older"], &now["unanswered"]), (&json!("blue"), &json!(0), &json!([])), "{now}");
    for fact in now["facts"].as_array().expect("facts") {
        assert!(is_utc_time(fact["at"].as_str().expect("a time")), "{fact}");
        assert!(fact["bytes"].as_u64().is_none_or(|bytes| bytes > 0 && bytes % 64 == 0), "{fact}");
    }
    assert_eq!((&now["facts"][5]["others"], &now["facts"][2]["bytes"]), (&json!(1), &json!(192)), "{now}");

    ada.leave();
    bob.receive_left(&ids.0, "left");
    bob.abort();
    eventually("the room is over", || expect_eq(&recorded(&server, "blue")["isOpen"], &json!(false)));
    let after = recorded(&server, "blue");
    let left: Vec<_> = call.iter().copied().chain(["left ada - left", "left bob - disconnected"]).collect();
    assert_eq!(told(&after, &names), left, "{after}");
    let text = after.to_string();
    assert!(!text.contains("candidate:1") && !text.contains("192.0.2") && !text.contains("127.0.0.1"), "{text}");

    let diagram = server.ops_get("/admin/v1/rooms/blue/recorder?format=mermaid");
    assert_eq!((diagram.status, diagram.needs("content-type")), (200, "text/plain; charset=utf-8"));
    let lines: Vec<_> = diagram.body.lines().map(str::trim).collect();
    assert_eq!(
        lines[..3],
        [
            "sequenceDiagram",
            &format!("participant P1 as {}", &ids.0[..8]),
            &format!("participant P2 as {}", &ids.1[..8])
        ]
    );
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    assert!(has("offer (192 bytes)") && has("lost: peer_not_found") && has("left: disconnected"), "{}", diagram.body);

    let line = server.wait_for_log("each look is told", |line| {
        line.event() == "operator_call" && line.says("call", "recorder") && line.says("room", "blue")
    });
    assert_eq!(line.json["status"], 200);
    server.wait_for_metric_from("switchboard_ops_calls_total{call=\"recorder\"}", 3.0);
    server.wait_for_metric_from("switchboard_held_bytes{kind=\"recordings\"}", 500.0);
}

#[test]
fn who_does_not_answer_is_named() {
    let server = TestServer::start();
    let [mut ada, mut bob, mut eve] = server.join_some("blue");
    relay(&mut ada, &mut bob, "offer");
    relay(&mut ada, &mut eve, "offer");
    relay(&mut bob, &mut ada, "answer");
    relay(&mut eve, &mut ada, "candidate");
    eventually("the offer has waited", || {
        let recorded = recorded(&server, "blue");
        let [offer] = &recorded["unanswered"].as_array().expect("a list")[..] else { return Err(recorded.to_string()) };
        assert_eq!((&offer["from"], &offer["to"]), (&json!(ada.id), &json!(eve.id)), "{offer}");
        assert!(offer["waitedMs"].as_u64().is_some_and(|waited| waited >= 1000), "{offer}");
        Ok(())
    });
    let diagram = server.ops_get("/admin/v1/rooms/blue/recorder?format=mermaid").body;
    let last = diagram.lines().last().expect("lines");
    assert!(last.contains(&format!("Note over P1,P3: no answer from {}", &eve.id[..8])), "{diagram}");
    relay(&mut eve, &mut ada, "answer");
    assert_eq!(recorded(&server, "blue")["unanswered"], json!([]), "late is answered, too");
}

#[test]
fn who_was_away_and_who_was_not_let_in_is_recorded() {
    let server = TestServer::set("limits.peers_per_room", 2).start();
    let mut ada = server.connect();
    ada.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    let token = ada.joined.as_ref().expect("joined")["resume"]["token"].clone();
    ada.send_json(&json!({"type": "ping", "ack": 0}));
    ada.receive("pong");
    let mut bob = server.join("blue");
    let (ada_id, bob_id) = (ada.id.clone(), bob.id.clone());
    ada.receive_joined(&bob_id);
    ada.abort();
    bob.receive("peer_away");
    let mut ada = server.connect();
    ada.join_with_fields(&json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 1}, "attempt": 1}));
    bob.receive("peer_back");
    let mut eve = server.connect();
    eve.send_json(&json!({"type": "join", "room": "blue"}));
    eve.receive_error("room_full");
    let recorded = recorded(&server, "blue");
    let told = told(&recorded, &[(&ada_id, "ada"), (&bob_id, "bob")]);
    let [refused] = told.iter().filter(|fact| fact.starts_with("join_refused")).collect::<Vec<_>>()[..] else {
        panic!("{recorded}")
    };
    assert!(refused.ends_with(" - room_full") && !refused.contains("ada"), "{refused}");
    let mut others: Vec<_> = told.iter().filter(|fact| *fact != refused).map(String::as_str).collect();
    // The session and its room have each a thread of their own, and their own moment.
    others[3..].sort_unstable();
    assert_eq!(
        others,
        ["joined ada - -", "joined bob - -", "away ada - -", "back ada - -", "resumed ada - complete"],
        "{recorded}"
    );
}

#[test]
fn a_signal_that_waits_for_room_is_recorded_with_what_became_of_it() {
    let server = TestServer::set("limits.busy_pause_ms", 100).set("limits.slow_ms", 60_000).any_pace().start();
    let deaf = server.join_slow("blue");
    let mut ada = server.join("blue");
    let filling = json!("x".repeat(20_000));
    let is_refused = (0..500).any(|_| {
        signal(&mut ada, &deaf.id, "offer", &filling);
        ada.receive_all().iter().any(|heard| heard["code"] == "peer_busy")
    });
    assert!(is_refused, "10 MB are sent to a peer that reads nothing, and none was refused");
    let recorded = recorded(&server, "blue");
    let told = told(&recorded, &[(&ada.id, "ada"), (&deaf.id, "deaf")]);
    let [.., waits, busy, error] = &told[..] else { panic!("{recorded}") };
    let end = [waits, busy, error].map(String::as_str);
    assert_eq!(end, ["offer ada deaf waiting", "offer ada deaf busy", "error ada - peer_busy"]);
    assert!(told.iter().any(|fact| fact == "offer ada deaf delivered"), "{told:?}");
}

#[test]
fn several_threads_are_one_picture() {
    const PEERS: usize = 6;
    const ROUNDS: u64 = 20;
    let server = TestServer::set("server.workers", 4).any_pace().start();
    let mut peers = server.join_all("blue", PEERS);
    let ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
    for round in 0..ROUNDS {
        for (from, peer) in peers.iter_mut().enumerate() {
            // How long it is says which it is.
            signal(peer, &ids[(from + 1) % PEERS], "offer", &json!("x".repeat(64 * usize::try_from(round).unwrap())));
        }
        for (to, peer) in peers.iter_mut().enumerate() {
            assert_eq!(peer.receive("signal")["from"], json!(ids[(to + PEERS - 1) % PEERS]));
        }
    }
    let recorded = get(&server, "rooms/blue/recorder?limit=10000");
    let facts = recorded["facts"].as_array().expect("facts");
    let times: Vec<_> = facts.iter().map(|fact| fact["at"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "in the order of time: {times:?}");
    for id in &ids {
        let sizes: Vec<_> = facts.iter().filter(|fact| fact["kind"] == "offer" && fact["peer"] == json!(id)).collect();
        let sizes: Vec<_> = sizes.into_iter().map(|fact| fact["bytes"].as_u64().expect("a size")).collect();
        assert!(sizes.len() as u64 == ROUNDS && sizes.is_sorted_by(|one, next| one < next), "{id}: {sizes:?}");
    }
    // Each round is over before the next begins.
    let rounds: Vec<_> = facts.iter().filter(|fact| fact["kind"] == "offer").map(|fact| &fact["bytes"]).collect();
    assert!(rounds.chunks(PEERS).all(|round| round.iter().all(|bytes| *bytes == round[0])), "{rounds:?}");
}

#[test]
fn it_is_kept_for_its_time_and_no_longer() {
    let server = TestServer::set("recorder.keep_ms", 1).start();
    let peer = server.join("blue");
    recorded(&server, "blue");
    peer.close();
    eventually("it is forgotten", || {
        expect_eq(&json!(server.ops_get("/admin/v1/rooms/blue/recorder").status), &json!(404))
    });
    server.ops_get("/admin/v1/rooms/blue/recorder").error(404, "room_not_found");
}

#[test]
fn what_an_application_sends_pushes_out_no_offer() {
    let server = TestServer::set("recorder.room_bytes", 8192).set("server.workers", 1).any_pace().start();
    let [mut ada, mut bob] = server.join_some("blue");
    relay(&mut ada, &mut bob, "offer");
    for n in 0..300 {
        ada.send_signal(&bob.id, &json!(n));
        bob.receive("signal");
    }
    let recorded = recorded(&server, "blue");
    let of =
        |kind: &str| recorded["facts"].as_array().expect("facts").iter().filter(|fact| fact["kind"] == kind).count();
    assert_eq!((of("offer"), of("app"), &recorded["older"]), (1, 64, &json!(300 - 64)), "{recorded}");
    let newest = get(&server, "rooms/blue/recorder?limit=10");
    assert_eq!((newest["facts"].as_array().expect("facts").len(), &newest["older"]), (10, &json!(303 - 10)));
}

#[test]
fn what_is_asked_wrongly_or_not_recorded_is_refused() {
    let server = TestServer::start();
    let _peer = server.join("blue");
    for wrong in ["format=svg", "limit=0", "limit=10001", "size=1"] {
        server.ops_get(&format!("/admin/v1/rooms/blue/recorder?{wrong}")).error(400, "invalid_query");
    }
    server.ops_get("/admin/v1/rooms/green/recorder").error(404, "room_not_found");
    let off = TestServer::set("recorder.enabled", false).start();
    let [mut ada, mut bob] = off.join_some("blue");
    relay(&mut ada, &mut bob, "offer");
    off.ops_get("/admin/v1/rooms/blue/recorder").error(409, "recorder_off");
}

#[test]
fn a_room_that_was_named_in_the_handshake_is_recorded_as_any_other() {
    let server = TestServer::set("server.workers", 3).start();
    let handshake = Handshake::new().request_line("GET /ws?room=blue HTTP/1.1");
    let mut peer = TestPeer::open(dial(server.public), &handshake);
    peer.receive("welcome");
    peer.join("blue");
    assert_eq!(told(&recorded(&server, "blue"), &[(&peer.id, "peer")]), ["joined peer - -"]);
}
