//! Restarts in place: one process hands its sessions to the next, and nobody in a room can tell.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    ops_api::{get, post},
    support::{Builder, PATIENCE, TestPeer, TestServer, run, temp_dir, tokens::Secrets},
    tokens::confirm,
};

const ADA: &str = "correct-horse-battery-staple-417";
/// A process that hands over ends within this, on a machine that has other things to do, too.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A server that hands over.
fn server() -> Builder {
    TestServer::set("server.handover", true)
}

/// A peer in that room that can be resumed, and has shown so.
#[track_caller]
fn resumable(server: &TestServer, room: &str, more: &Value) -> TestPeer {
    let mut frame = json!({"type": "join", "room": room, "resumable": true});
    frame.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let mut peer = server.connect();
    peer.join_with_fields(&frame);
    confirm(&mut peer);
    peer
}

fn token(peer: &TestPeer) -> Value {
    peer.joined.as_ref().expect("joined")["resume"]["token"].clone()
}

fn back(room: &str, token: &Value, ack: u64) -> Value {
    json!({"type": "join", "id": "r", "room": room, "resume": {"token": token, "ack": ack}, "attempt": 1})
}

/// Comes back to the next process.
#[track_caller]
fn resume(server: &TestServer, room: &str, token: &Value, ack: u64) -> TestPeer {
    let mut peer = server.connect();
    let joined = peer.join_with_fields(&back(room, token, ack));
    assert_eq!(joined["complete"], true, "{}", joined.text);
    peer
}

/// Hears that it is to come back, and the connection's end.
#[track_caller]
fn receive_come_back(peer: &mut TestPeer, action: &str) -> u64 {
    let bye = peer.receive_bye("server_draining", 1012);
    assert_eq!(bye["action"], action, "{}", bye.text);
    bye["retryAfterMs"].as_u64().expect("a time")
}

/// Ends the process, which has to be quick, and starts the next one where it left its state.
#[track_caller]
fn next(mut server: TestServer, builder: Builder) -> TestServer {
    let asked = Instant::now();
    let state = std::sync::Arc::clone(server.state());
    let status = server.wait_exit(ENDS_WITHIN);
    assert!(status.success(), "{status}");
    println!("ended within {:?}", asked.elapsed());
    drop(server);
    builder.state(&state).start()
}

#[test]
fn who_can_be_resumed_goes_on_in_the_next_process_and_the_others_hear_nothing_of_it() {
    let first = server().start();
    let features = first.connect().welcome.expect("welcome")["features"].clone();
    assert!(features.as_array().is_some_and(|all| all.contains(&json!("restart"))), "{features}");
    let mut ada = resumable(&first, "blue", &json!({"identity": ADA, "meta": {"name": "Ada"}}));
    let mut bob = resumable(&first, "blue", &json!({}));
    let mut carol = first.join("blue");
    ada.receive_joined(&bob.id);
    ada.receive_joined(&carol.id);
    bob.receive_joined(&carol.id);
    // What is on its way, and what nobody has read.
    for n in 0..20 {
        ada.send_signal(&bob.id, &json!(n));
    }
    ada.receive_nothing();
    let (of_ada, of_bob, ids) = (token(&ada), token(&bob), (ada.id.clone(), bob.id.clone()));
    first.terminate();
    assert_eq!(carol.receive_any()["type"], "bye");
    ada.receive_left(&carol.id, "server_draining");
    receive_come_back(&mut ada, "resume");

    let second = next(first, server());
    let restored = second.wait_for_log("it", |line| line.event() == "state_restored");
    assert_eq!((&restored.json["sessions"], &restored.json["rooms"]), (&json!(2), &json!(1)), "{}", restored.text);
    // Bob has handled Carol's coming, and nothing of what followed.
    let mut bob = resume(&second, "blue", &of_bob, 1);
    for n in 0..20 {
        assert_eq!(bob.receive("signal")["data"], n);
    }
    bob.receive_left(&carol.id, "server_draining");
    // Ada is not back; who writes to her does not know, and nothing is lost.
    bob.send_signal(&ids.0, &json!("before"));
    bob.receive_nothing();
    let mut ada = resume(&second, "blue", &of_ada, 3);
    assert_eq!(ada.receive("signal")["data"], "before");
    bob.receive_nothing();
    ada.send_signal(&ids.1, &json!("after"));
    assert_eq!(bob.receive("signal")["data"], "after");
    assert_eq!(ada.joined.as_ref().expect("joined")["ack"], 20);
    let me = &ada.joined.as_ref().expect("joined")["self"];
    assert_eq!((&me["id"], &me["meta"]), (&json!(ids.0), &json!({"name": "Ada"})));
    // The order is as it was, and so is who is polite.
    let mut dave = second.connect();
    let joined = dave.join_with_fields(&json!({"type": "join", "room": "blue"}));
    let peers: Vec<_> = joined["peers"].as_array().expect("peers").iter().map(|peer| peer["id"].clone()).collect();
    assert_eq!(peers, [json!(ids.0), json!(ids.1)]);
    assert_eq!(joined["peers"][0]["who"].as_str().map(str::len), Some(32), "{}", joined.text);
    assert!(joined["peers"][0].get("away").is_none_or(Value::is_null), "{}", joined.text);
    second.wait_for_metric("switchboard_sessions_restored_total", 2.0);
    second.wait_for_metric("switchboard_parked_sessions", 0.0);
    second.wait_for_metric("switchboard_peers", 3.0);
    assert!(!second.state().path().join("sessions").exists(), "a record is used once");
}

#[test]
fn a_session_of_the_process_before_is_used_once_and_survives_another_restart() {
    let first = server().start();
    let mut ada = resumable(&first, "blue", &json!({}));
    let mut of_ada = token(&ada);
    let mut server_now = first;
    for round in 0..3 {
        server_now.terminate();
        let wait = receive_come_back(&mut ada, "resume");
        assert!(wait <= 1_000, "one peer alone need not wait {wait} ms");
        server_now = next(server_now, server());
        ada = resume(&server_now, "blue", &of_ada, 0);
        let former = std::mem::replace(&mut of_ada, token(&ada));
        confirm(&mut ada);
        let mut thief = server_now.connect();
        thief.send_json(&back("blue", &former, 0));
        thief.receive_error("session_not_found");
        assert_eq!(server_now.join("red").id.len(), 32, "round {round}: the others come in");
    }
}

#[test]
fn who_does_not_come_back_is_told_of_as_away_and_leaves_when_the_window_is_over() {
    let builder = || server().set("limits.resume_window_ms", 3_000);
    let first = builder().start();
    let mut ada = resumable(&first, "blue", &json!({}));
    let [bob, mut carol, dave] = [(); 3].map(|()| resumable(&first, "blue", &json!({})));
    for peer in [&bob, &carol, &dave] {
        ada.receive_joined(&peer.id);
    }
    let ([of_ada, of_bob, of_carol], [bob_id, carol_id, dave_id]) =
        ([&ada, &bob, &carol].map(token), [&bob, &carol, &dave].map(|peer| peer.id.clone()));
    // Bob and Dave are away already when it happens, and have a window of their own again.
    for (peer, id) in [(bob, &bob_id), (dave, &dave_id)] {
        peer.abort();
        assert_eq!(ada.receive("peer_away")["id"], json!(id));
    }
    first.terminate();
    receive_come_back(&mut ada, "resume");
    carol.receive_all_until_close(1012);
    let second = next(first, builder());
    let mut ada = resume(&second, "blue", &of_ada, 5);
    // Of Dave it is known that he is away. So he is back, when he is; and a newcomer learns of both.
    let mut eve = second.connect();
    let joined = eve.join_with_fields(&json!({"type": "join", "room": "blue"}));
    let away = |id: &str| {
        let peer = joined["peers"].as_array().expect("peers").iter().find(|peer| peer["id"] == id).expect("is there");
        peer.get("away").is_some_and(|away| !away.is_null())
    };
    assert_eq!([&bob_id, &carol_id, &dave_id].map(|id| away(id)), [true, false, true], "{}", joined.text);
    ada.receive_joined(&eve.id);
    let _bob = resume(&second, "blue", &of_bob, 0);
    assert_eq!(ada.receive("peer_back")["id"], json!(bob_id));
    // Of Carol nobody has heard, until half of the window is over.
    let told = ada.receive("peer_away");
    assert_eq!(told["id"], json!(carol_id), "{}", told.text);
    let mut left = [(); 2].map(|()| ada.receive("peer_left"));
    left.sort_by_key(|left| left["id"] != json!(carol_id));
    for (left, id) in left.iter().zip([&carol_id, &dave_id]) {
        assert_eq!((&left["id"], &left["reason"]), (&json!(id), &json!("timeout")), "{}", left.text);
    }
    let mut late = second.connect();
    late.send_json(&back("blue", &of_carol, 0));
    late.receive_error("session_not_found");
    second.wait_for_metric("switchboard_leaves_total{reason=\"timeout\"}", 2.0);
}

#[test]
fn locks_and_bans_go_along_with_sessions_and_without_any() {
    let first = server().start();
    let mut eve = first.connect();
    eve.join_with_fields(&json!({"type": "join", "room": "blue", "identity": ADA}));
    let mut bob = resumable(&first, "red", &json!({}));
    for (path, body) in [
        ("kick", json!({"room": "blue", "peer": eve.id, "banMs": 3_600_000})),
        ("lock", json!({"room": "red", "locked": true})),
    ] {
        assert_eq!(post(&first, path, &body).status, 200, "{body}");
    }
    assert_eq!(bob.receive("room_state")["locked"], true);
    let banned = json!({"type": "join", "room": "blue", "identity": ADA});
    let locked = json!({"type": "join", "room": "red"});
    let refused = |server: &TestServer, frame: &Value, code: &str| {
        let mut peer = server.connect();
        peer.send_json(frame);
        peer.receive_error(code)
    };
    refused(&first, &banned, "banned");
    let of_bob = token(&bob);
    first.terminate();
    receive_come_back(&mut bob, "resume");
    let second = next(first, server());
    let left = refused(&second, &banned, "banned")["retryAfterMs"].as_u64().expect("a time");
    assert!((3_500_000..3_600_000).contains(&left), "{left} ms are left");
    refused(&second, &locked, "room_locked");
    let mut bob = resume(&second, "red", &of_bob, 1);
    bob.leave();
    drop(bob);
    // Now nobody is there, and nothing is handed over.
    second.terminate();
    let third = next(second, TestServer::builder());
    refused(&third, &banned, "banned");
    refused(&third, &locked, "room_locked");
    let bans = get(&third, "bans?room=blue");
    assert_eq!(bans["bans"].as_array().map(Vec::len), Some(1), "{bans}");
    let unlocked = post(&third, "lock", &json!({"room": "red", "locked": false}));
    assert_eq!(unlocked.status, 200, "{unlocked:?}");
    third.join("red");
}

#[test]
fn what_a_token_grants_goes_along_and_ends_when_it_would_have() {
    let secrets = Secrets::new();
    let builder = || secrets.server("token").set("server.handover", true);
    let first = builder().start();
    let claims = json!({"room": "blue", "sub": "ada", "perms": ["join", "signal"]});
    let mut ada = resumable(&first, "blue", &json!({"token": secrets.token(&claims)}));
    let expires = ada.joined.as_ref().expect("joined")["expiresInMs"].as_u64().expect("a time");
    let of_ada = token(&ada);
    first.terminate();
    receive_come_back(&mut ada, "resume");
    let second = next(first, builder());
    let mut ada = resume(&second, "blue", &of_ada, 0);
    let joined = ada.joined.clone().expect("joined");
    assert_eq!(joined["permissions"], json!(["join", "signal"]));
    let left = joined["expiresInMs"].as_u64().expect("a time");
    assert!(left < expires && left + 60_000 > expires, "{left} of {expires} ms");
    ada.send_json(&json!({"type": "update", "id": "u", "meta": {}}));
    ada.receive_error("permission_denied");
}

#[test]
fn a_folder_is_one_process_s() {
    let first = server().start();
    let state = first.state().path().display().to_string();
    let second = [
        ("SWITCHBOARD__STATE__DIR", state.as_str()),
        ("SWITCHBOARD__SERVER__HANDOVER", "true"),
        ("SWITCHBOARD__SERVER__PORT", "0"),
        ("SWITCHBOARD__OPS__PORT", "0"),
    ];
    let output = run(&[], &second);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("another process uses") && complaint.contains("state.dir"), "{complaint}");
    // One that hands nothing over only keeps nothing there.
    let third = TestServer::builder().state(first.state()).start();
    let warned = third.wait_for_log("the warning", |line| {
        line.event() == "config_warning" && line.text.contains("another process uses")
    });
    assert!(warned.text.contains("state.dir"), "{}", warned.text);
    third.join("blue");
    let folderless =
        run(&["--check-config"], &[("SWITCHBOARD__STATE__DIR", ""), ("SWITCHBOARD__SERVER__HANDOVER", "true")]);
    let complaint = String::from_utf8_lossy(&folderless.stderr);
    assert!(complaint.contains("server.handover") && complaint.contains("state.dir"), "{complaint}");
}

#[test]
fn without_a_folder_nothing_is_kept_and_nothing_promised() {
    let server = TestServer::set("state.dir", "").start();
    let features = server.connect().welcome.expect("welcome")["features"].clone();
    assert!(features.as_array().is_some_and(|all| !all.contains(&json!("restart"))), "{features}");
    server.join("blue");
}

#[test]
fn what_is_not_whole_or_not_of_this_program_is_refused_in_words_and_nobody_comes_back_by_it() {
    let builder = || server().set("limits.resume_window_ms", 2_000);
    let mut first = builder().start();
    let mut ada = resumable(&first, "blue", &json!({}));
    let of_ada = token(&ada);
    first.terminate();
    receive_come_back(&mut ada, "resume");
    assert!(first.wait_exit(ENDS_WITHIN).success());
    let whole = fs::read(first.state().path().join("sessions")).expect("the record");
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    for (bytes, words) in [
        (with(|bytes| bytes[19] = 2), "has version 2, and this program reads version 1 only"),
        (with(|bytes| bytes[19] = 0), "has version 0"),
        (with(|bytes| bytes.truncate(bytes.len() - 1)), "and should have"),
        (with(|bytes| *bytes.last_mut().expect("bytes") ^= 1), "damaged"),
        (with(|bytes| bytes[0] = b'x'), "no file of this program's"),
        (Vec::new(), "no file of this program's"),
    ] {
        refuses(&builder, &bytes, &of_ada, words);
    }
    // Sound, and too old by now: the window has long been over when the last of these has ended.
    crate::support::eventually("the record is old", || {
        let age = fs::metadata(first.state().path().join("sessions")).unwrap().modified().unwrap().elapsed().unwrap();
        if age > Duration::from_millis(2_500) { Ok(()) } else { Err(format!("{age:?}")) }
    });
    refuses(&builder, &whole, &of_ada, "sessions are kept for 2s");
}

#[track_caller]
fn refuses(builder: &impl Fn() -> Builder, bytes: &[u8], token: &Value, words: &str) {
    use std::os::unix::fs::PermissionsExt;
    let state = temp_dir();
    let record = state.path().join("sessions");
    fs::write(&record, bytes).expect("written");
    fs::set_permissions(&record, fs::Permissions::from_mode(0o600)).expect("ours");
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).expect("ours");
    let server = builder().state(&state).start();
    let refused = server.wait_for_log("the refusal", |line| line.event() == "state_refused");
    assert!(refused.text.contains(words), "{words}: {}", refused.text);
    let mut peer = server.connect();
    peer.send_json(&back("blue", token, 0));
    peer.receive_error("session_not_found");
    assert!(!record.exists(), "it is there for another start");
    server.wait_for_metric("switchboard_state_refused_total", 1.0);
}

#[test]
fn a_disk_that_stalls_costs_the_handover_and_not_the_drain() {
    let mut first = server().set("server.drain_ms", 4_000).start();
    let (mut ada, mut bob) = (resumable(&first, "blue", &json!({})), first.join("blue"));
    // Who opens a pipe for writing waits for somebody who reads it.
    let part = first.state().path().join(".sessions-part");
    assert!(std::process::Command::new("mkfifo").arg(&part).status().expect("mkfifo").success());
    first.terminate();
    let told = first.wait_for_log("that nothing is left", |line| line.event() == "state_not_stored");
    assert!(told.text.contains("has not taken it in time"), "{}", told.text);
    // The disk goes on, and the writer has all of it by now. It leaves nothing.
    let read = fs::read(&part).expect("what is written");
    assert!(read.starts_with(b"switchboard-sto"), "{} bytes", read.len());
    // Who cannot be resumed was ended before that.
    ada.receive("peer_joined");
    ada.receive("peer_left");
    receive_come_back(&mut ada, "reconnect");
    bob.receive_bye("server_draining", 1012);
    assert!(first.wait_exit(PATIENCE).success());
    assert!(!first.state().path().join("sessions").exists(), "it would be two sessions");
}

#[test]
fn a_process_that_is_killed_leaves_nothing_and_its_peers_join_as_who_they_are() {
    let mut first = server().start();
    let ada = resumable(&first, "team-standup", &json!({"identity": ADA}));
    let of_ada = token(&ada);
    first.signal("KILL");
    first.wait_exit(PATIENCE);
    let second = server().state(first.state()).start();
    let mut ada = second.connect();
    ada.send_json(&back("team-standup", &of_ada, 0));
    ada.receive_error("session_not_found");
    let joined = ada.join_with_fields(&json!({"type": "join", "room": "team-standup", "identity": ADA}));
    assert_eq!(joined["self"]["who"], "af4ed5336492ea0680adb40e68cbdf0b", "{}", joined.text);
}

#[test]
fn what_is_left_in_the_folder_has_no_secret_in_it() {
    let secrets = Secrets::new();
    let mut first = secrets.server("token").set("server.handover", true).start();
    let join_token = secrets.token(&json!({"room": "blue", "sub": "ada"}));
    let mut ada = resumable(&first, "blue", &json!({"token": join_token, "identity": ADA}));
    let of_ada = token(&ada).as_str().expect("a token").to_owned();
    first.terminate();
    receive_come_back(&mut ada, "resume");
    assert!(first.wait_exit(ENDS_WITHIN).success());
    let dir = first.state().path();
    let record = String::from_utf8_lossy(&fs::read(dir.join("sessions")).expect("the record")).into_owned();
    let (session, secret) = of_ada.split_once('.').expect("both parts");
    assert!(record.contains(session), "it is a record of hers");
    for hidden in [secret, ADA, join_token.as_str()] {
        assert!(!record.contains(hidden), "{hidden}");
    }
}
