//! Webhooks, at a real receiver: what it is told, in which order, and what happens when it is slow, wrong, or not there.

use std::{net::TcpListener, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    TestServer, eventually, expect_eq,
    receiver::{Answer, Delivery, Receiver, SECRET},
    tokens::Secrets,
};

const IDENTITY: &str = "correct-horse-battery-staple-417";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// A receiver that fails is asked again at once, so that a test need not wait.
const SOON: [(&str, u64); 2] = [("webhooks.retry_min_ms", 1), ("webhooks.retry_max_ms", 20)];

fn delivered(server: &TestServer) -> f64 {
    server.scrape().value("switchboard_webhook_requests_total{outcome=\"delivered\"}")
}

fn fields<'a>(delivery: &'a Delivery, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &delivery.body[*name]).collect()
}

#[test]
fn a_room_is_told_from_its_first_peer_to_its_last() {
    let (receiver, secrets) = (Receiver::start(), Secrets::new());
    let server = receiver.server().set("auth.keys", secrets.keys(&["first"])).start();
    let token = secrets.token(&json!({"room": "blue", "sub": "ada@example.org"}));
    let join = json!({"type": "join", "room": "blue", "resumable": true, "identity": IDENTITY, "token": token,
        "meta": {"name": "do-not-tell-this"}});
    let mut ada = server.connect();
    let joined = ada.join_with_fields(&join);
    let resume = joined["resume"]["token"].as_str().expect("a token").to_owned();
    ada.send_json(&json!({"type": "ping"}));
    ada.receive("pong");
    let (peer, address) = (ada.id.clone(), ada.address().to_string());
    ada.abort();
    let opened = receiver.wait_for_names("blue", &["room_opened", "peer_joined", "peer_away"]);
    let mut back = server.connect();
    back.join_with_fields(&json!({"type": "join", "room": "blue", "resume": {"token": resume, "ack": 0}}));
    back.leave();
    let all = receiver
        .wait_for_names("blue", &["room_opened", "peer_joined", "peer_away", "peer_back", "peer_left", "room_closed"]);
    assert_eq!(
        all[..3].iter().map(|one| &one.text).collect::<Vec<_>>(),
        opened.iter().map(|one| &one.text).collect::<Vec<_>>()
    );
    let who = joined["self"]["who"].clone();
    for (number, one) in all.iter().enumerate() {
        let is_peer = one.name().starts_with("peer");
        let [about, is_who, user] =
            [json!(peer), who.clone(), json!("ada@example.org")].map(|value| if is_peer { value } else { Value::Null });
        assert_eq!(fields(one, &["peer", "who", "user"]), [&about, &is_who, &user], "{}", one.text);
        assert_eq!(fields(one, &["node", "sequence", "dropped"]), [&json!("node-a"), &json!(number + 1), &json!(0)]);
        assert!(one.id.starts_with("msg_") && one.id.ends_with(&format!("_{}", number + 1)), "{}", one.id);
        assert_eq!((one.path.as_str(), one.body["time"].as_str().map(str::len)), ("/in", Some(24)));
        for never in ["do-not-tell-this", IDENTITY, &token, &resume, &address, "127.0.0.1", "meta"] {
            assert!(!one.text.contains(never), "{never}: {}", one.text);
        }
    }
    assert_eq!((&all[4].body["reason"], &all[5].body["reason"]), (&json!("left"), &json!("empty")));
    eventually("all are counted", || expect_eq(&delivered(&server), &6.0));
    server.wait_for_metric("switchboard_webhook_events_waiting", 0.0);
    assert!(server.scrape().value("switchboard_webhook_request_duration_seconds_count") >= 6.0);
}

#[test]
fn only_the_events_that_are_asked_for_are_told() {
    let receiver = Receiver::start();
    let server = receiver.server().set("webhooks.events", "room_opened,room_closed").start();
    server.join("blue").leave();
    let all = receiver.wait_for_names("blue", &["room_opened", "room_closed"]);
    assert_eq!(all.iter().map(Delivery::sequence).collect::<Vec<_>>(), [1, 2], "what is not told has no number");
}

#[test]
fn a_slow_event_holds_up_its_own_room_and_no_other() {
    let slow = |one: &Delivery| if one.body["room"] == "slow" { Answer::Held(200) } else { Answer::Status(200, "") };
    let receiver = Receiver::with(slow);
    let server = receiver.server().set("webhooks.parallel", 2).set("webhooks.timeout_ms", 30_000).start();
    let (mut first, second) = (server.join("slow"), server.join("slow"));
    first.receive_joined(&second.id);
    for round in 0..20 {
        let room = format!("room-{round}");
        server.join(&room).leave();
        receiver.wait_for_names(&room, &["room_opened", "peer_joined", "peer_left", "room_closed"]);
    }
    receiver.wait_for_names("slow", &["room_opened"]);
    receiver.release();
    let all = receiver.wait_for_names("slow", &["room_opened", "peer_joined", "peer_joined"]);
    assert!(all.iter().map(Delivery::sequence).is_sorted());
    assert_eq!(all[2].body["peer"], second.id);
}

#[test]
fn what_fails_is_tried_again_under_the_same_id_and_what_nobody_wants_is_dropped_and_told() {
    let receiver = Receiver::with(|_| Answer::Status(503, "retry-after: 0\r\n"));
    let server = SOON.iter().fold(receiver.server(), |server, (key, value)| server.set(key, value)).start();
    let mut peer = server.join("blue");
    receiver.wait_for("three attempts", |got| (got.len() >= 3).then_some(()));
    server.wait_for_log("it is told", |line| line.event() == "webhook_failed" && line.json["status"] == 503);
    receiver.now(|one| match one.body["event"].as_str() {
        Some("room_opened") => Answer::Status(200, ""),
        Some("peer_joined") => Answer::Status(410, ""),
        _ => Answer::HangUp,
    });
    server.wait_for_metric("switchboard_webhook_events_dropped_total{reason=\"refused\"}", 1.0);
    let tried: Vec<_> = receiver.got().into_iter().filter(|one| one.body["event"] == "room_opened").collect();
    assert!(tried.len() > 3 && tried.iter().all(|one| one.id == tried[0].id && one.text == tried[0].text));
    peer.leave();
    receiver.wait_for("it hung up", |got| got.iter().any(|one| one.body["event"] == "peer_left").then_some(()));
    receiver.now(|_| Answer::Status(200, ""));
    let closed =
        receiver.wait_for("the room's end", |got| got.iter().find(|one| one.body["event"] == "room_closed").cloned());
    assert_eq!(closed.body["dropped"], 1, "the receiver is told: {}", closed.text);
    server.wait_for_log("it works again", |line| line.event() == "webhook_restored");
    let requests =
        |outcome: &str| server.scrape().value(&format!("switchboard_webhook_requests_total{{outcome=\"{outcome}\"}}"));
    eventually("every attempt is counted", || {
        let counted = [requests("refused"), requests("delivered")];
        expect_eq(
            &(counted, requests("server_error") >= 3.0, requests("unreachable") >= 1.0),
            &([1.0, 3.0], true, true),
        )
    });
}

#[test]
fn nobody_follows_a_redirect_and_a_long_answer_is_as_good_as_a_short_one() {
    let receiver = Receiver::with(|one| match one.body["event"].as_str() {
        Some("room_opened") => Answer::Status(307, "location: /elsewhere\r\n"),
        _ => Answer::Long(1 << 20),
    });
    let server = receiver.server().start();
    server.join("blue").leave();
    let all = receiver.wait_for_names("blue", &["room_opened", "peer_joined", "peer_left", "room_closed"]);
    assert_eq!(all[1].body["dropped"], 1);
    assert!(all.iter().all(|one| one.path == "/in"), "{all:?}");
    server.wait_for_metric("switchboard_webhook_requests_total{outcome=\"redirected\"}", 1.0);
    server.wait_for_metric("switchboard_webhook_requests_total{outcome=\"delivered\"}", 3.0);
}

#[test]
fn a_receiver_that_is_dead_keeps_nobody_waiting_and_what_does_not_fit_is_counted() {
    // It is accepted by the kernel, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let receiver = Receiver::start();
    let server = receiver
        .server()
        .set("webhooks.url", format!("http://{}/in", silent.local_addr().expect("an address")))
        .set("webhooks.queue_events", 20)
        .set("webhooks.timeout_ms", 60_000)
        .start();
    for round in 0..50 {
        let room = format!("room-{round}");
        let [mut ada, mut bob] = server.join_some(&room);
        ada.send_json(&json!({"type": "signal", "to": bob.id, "kind": "offer", "data": round}));
        assert_eq!(bob.receive("signal")["data"], round);
        bob.leave();
        ada.receive("peer_left");
        ada.leave();
    }
    server.wait_for_metric("switchboard_leaves_total{reason=\"left\"}", 100.0);
    // Each room is six events, of which its share is two and one that is being sent; and twenty wait in all.
    let dropped = "switchboard_webhook_events_dropped_total";
    eventually("what does not fit is counted", || {
        let scrape = server.scrape();
        let [full, share] = ["queue_full", "room_share"].map(|reason| scrape.sum(dropped, reason));
        expect_eq(&(full + share, full > 0.0, share > 0.0), &(280.0, true, true))
    });
    server.wait_for_metric("switchboard_webhook_events_waiting", 20.0);
}

#[test]
fn what_waits_at_the_end_is_delivered_and_what_cannot_be_is_counted_in_the_last_line() {
    let receiver = Receiver::start();
    let mut server = receiver.server().set("server.drain_ms", 1).start();
    let peers: Vec<_> = (0..10).map(|n| server.join(&format!("room-{n}"))).collect();
    server.terminate();
    assert!(server.wait_exit(Duration::from_secs(20)).success());
    drop(peers);
    let got = receiver.got();
    let (left, closed) = ("peer_left", "room_closed");
    for name in [left, closed] {
        assert_eq!(got.iter().filter(|one| one.body["event"] == name).count(), 10, "{name}");
    }
    assert!(got.iter().filter(|one| one.body["event"] == left).all(|one| one.body["reason"] == "server_draining"));
    let last = server.log().lines_where("server_stopped").pop().expect("the last line");
    assert_eq!(last.json["webhooks_dropped"], 0, "{}", last.text);

    let receiver = Receiver::with(|_| Answer::Status(500, ""));
    let mut server = receiver.server().set("server.drain_ms", 1).set("server.drain_deadline_ms", 1500).start();
    let peer = server.join("blue");
    receiver.wait_for("an attempt", |got| (!got.is_empty()).then_some(()));
    server.terminate();
    assert!(server.wait_exit(Duration::from_secs(20)).success());
    drop(peer);
    let last = server.log().lines_where("server_stopped").pop().expect("the last line");
    assert_eq!(last.json["webhooks_dropped"], 4, "{}", last.text);
}

#[test]
fn a_receiver_over_tls_must_prove_who_it_is() {
    let receiver = Receiver::over_tls();
    let server = receiver.server().set("webhooks.ca_file", receiver.ca_file().display()).start();
    server.join("blue").leave();
    receiver.wait_for_names("blue", &["room_opened", "peer_joined", "peer_left", "room_closed"]);

    let impostor = Receiver::over_tls();
    let server = impostor.server().set("webhooks.ca_file", receiver.ca_file().display()).start();
    let failed = server.join("blue");
    let line = server.wait_for_log("it is told", |line| line.event() == "webhook_failed");
    assert_eq!(line.json["outcome"], "tls", "{}", line.text);
    assert!(impostor.got().is_empty());
    drop(failed);
}

#[test]
fn another_secret_is_in_force_without_a_restart() {
    let receiver = Receiver::start();
    let server = receiver.server().start();
    server.join("blue").leave();
    receiver.wait_for_names("blue", &["room_opened", "peer_joined", "peer_left", "room_closed"]);
    std::fs::write(receiver.secret_file(), "half").expect("written");
    server.wait_for_log("the secret is broken", |line| line.event() == "config_not_reloaded");
    server.join("green").leave();
    receiver.wait_for_names("green", &["room_opened", "peer_joined", "peer_left", "room_closed"]);
    // Both for a while: the receiver may change over whenever it likes.
    std::fs::write(receiver.secret_file(), format!("{SECRET}\n{OTHER_SECRET}\n")).expect("written");
    server.wait_for_log("both are in force", |line| line.event() == "config_reloaded");
    for (room, secret) in [("red", SECRET), ("white", OTHER_SECRET)] {
        receiver.expect_secret(secret);
        server.join(room).leave();
        receiver.wait_for_names(room, &["room_opened", "peer_joined", "peer_left", "room_closed"]);
    }
}

#[test]
fn a_server_without_a_good_secret_or_certificate_does_not_start() {
    let receiver = Receiver::start();
    let missing = receiver.secret_file().with_file_name("nowhere");
    for (key, value, told) in [
        ("SWITCHBOARD__WEBHOOKS__SECRET_FILE", missing.display().to_string(), "webhooks.secret_file"),
        ("SWITCHBOARD__WEBHOOKS__CA_FILE", missing.display().to_string(), "webhooks.ca_file"),
        ("SWITCHBOARD__WEBHOOKS__URL", "http://hooks.example.org/".to_owned(), "webhooks.url"),
    ] {
        let secret_file = receiver.secret_file().display().to_string();
        let mut variables = vec![
            ("SWITCHBOARD__SERVER__PORT", "0"),
            ("SWITCHBOARD__OPS__PORT", "0"),
            ("SWITCHBOARD__WEBHOOKS__URL", "https://hooks.example.org/"),
            ("SWITCHBOARD__WEBHOOKS__SECRET_FILE", &secret_file),
        ];
        variables.retain(|(name, _)| *name != key);
        variables.push((key, &value));
        let output = crate::support::run(&[], &variables);
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(told), "{text}");
    }
}
