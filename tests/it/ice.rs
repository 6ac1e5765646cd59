//! The ICE servers that clients are told of, and credentials that are made for each of them and end.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    support::{Received, TestPeer, TestServer, run, temp_dir, tokens::Secrets},
    tokens::confirm,
};

const MINTED: &str = "switchboard_turn_credentials_total";
const SECRET: &str = "the-secret-of-a-turn-server";
const TTL_MS: u64 = 43_200_000;

/// A STUN server, and a TURN server whose secret is in a file.
struct Turn {
    home: Arc<TempDir>,
}

impl Turn {
    fn new() -> Self {
        let turn = Self { home: temp_dir() };
        turn.put(SECRET);
        turn
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("turn")
    }

    /// In one step, or a half of it may be read.
    fn put(&self, secret: &str) {
        let new = self.home.path().join("new");
        fs::write(&new, format!("{secret}\n")).expect("written");
        fs::rename(new, self.file()).expect("moved");
    }

    fn servers(&self) -> String {
        json!([{"urls": "stun:a.example"}, {"urls": ["turn:b.example"], "secret_file": self.file()}]).to_string()
    }
}

/// The TURN server's entry in a list: the seconds since the epoch at which it ends, the name in it, and the password.
fn credentials(list: &Value) -> (u64, String, String) {
    assert_eq!(list[0], json!({"urls": "stun:a.example"}), "{list}");
    assert_eq!(list[1]["urls"], json!(["turn:b.example"]), "{list}");
    let (expiry, name) = list[1]["username"].as_str().and_then(|name| name.split_once(':')).expect("EXPIRY:NAME");
    let password = list[1]["credential"].as_str().expect("a credential").to_owned();
    (expiry.parse().expect("seconds"), name.to_owned(), password)
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// The password for that name, by another program.
fn by_openssl(secret: &str, username: &str) -> String {
    let script = r#"printf %s "$1" | openssl dgst -sha1 -hmac "$0" -binary | base64"#;
    let output = Command::new("sh").args(["-c", script, secret, username]).output().expect("sh");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn ask(peer: &mut TestPeer) -> Received {
    peer.send_json(&json!({"type": "ice", "id": "i"}));
    let answer = peer.receive("ice_servers");
    assert_eq!(answer["re"], "i");
    answer
}

#[test]
fn each_peer_gets_credentials_of_its_own_and_a_fresh_set_for_the_asking() {
    let turn = Turn::new();
    let server = TestServer::set("ice.servers", turn.servers()).start();
    let before = seconds_now();
    let [mut ada, bob] = server.join_some("blue");
    for peer in [&ada, &bob] {
        let joined = peer.joined.as_ref().expect("joined");
        let (expiry, name, _) = credentials(&joined["iceServers"]);
        assert_eq!((&joined["iceTtlMs"], &name), (&json!(TTL_MS), &peer.id), "{}", joined.text);
        let wanted = before + TTL_MS / 1000..=seconds_now() + TTL_MS / 1000;
        assert!(wanted.contains(&expiry), "{expiry} is not in {wanted:?}");
    }
    let fresh = ask(&mut ada);
    let (_, name, password) = credentials(&fresh["iceServers"]);
    assert_eq!((&fresh["ttlMs"], &name), (&json!(TTL_MS), &ada.id));
    server.wait_for_metric(MINTED, 3.0);
    let log = server.log().text();
    assert!(!log.contains(SECRET) && !log.contains(&password), "a secret in the log");
}

#[test]
fn servers_without_a_secret_have_no_end_and_nobody_is_counted() {
    let server = TestServer::set("ice.servers", r#"[{"urls":"turn:a","username":"u","credential":"c"}]"#).start();
    let mut ada = server.join("blue");
    let joined = ada.joined.clone().expect("joined");
    assert!(joined.json().get("iceTtlMs").is_none(), "{}", joined.text);
    let fresh = ask(&mut ada);
    assert_eq!(fresh["iceServers"], joined["iceServers"]);
    assert!(fresh.json().get("ttlMs").is_none(), "{}", fresh.text);
    assert_eq!(server.scrape().value(MINTED), 0.0);
}

#[test]
fn only_who_is_in_a_room_is_told_and_not_more_often_than_it_may_ask() {
    let turn = Turn::new();
    let server = TestServer::set("ice.servers", turn.servers()).set("limits.ice_per_minute", 2).start();
    let mut ada = server.connect();
    ada.send_json(&json!({"type": "ice", "id": "early"}));
    assert_eq!(ada.receive_error("not_in_room")["re"], "early");
    ada.join("blue");
    ask(&mut ada);
    ask(&mut ada);
    ada.send_json(&json!({"type": "ice", "id": "more"}));
    let error = ada.receive_error("rate_limited");
    let wait = error["retryAfterMs"].as_u64().expect("a time");
    assert!(error["re"] == "more" && (1..=30_000).contains(&wait), "{}", error.text);
    // The measure is the session's: leaving and joining does not fill it.
    ada.leave();
    ada.join("blue");
    ada.send_json(&json!({"type": "ice"}));
    ada.receive_error("rate_limited");
    server.wait_for_metric("switchboard_limit_hits_total{limit=\"ice_per_minute\"}", 2.0);
    // Somebody else's is its own.
    ask(&mut server.join("blue"));
}

#[test]
fn a_resume_brings_a_fresh_set_and_the_frames_count_like_any_other() {
    let turn = Turn::new();
    let server = TestServer::set("ice.servers", turn.servers()).start();
    let mut ada = server.connect();
    let joined = ada.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    confirm(&mut ada);
    ask(&mut ada);
    ada.send_json(&json!({"type": "ping"}));
    assert_eq!(ada.receive("pong")["ack"], 1, "the server has handled one");
    ada.abort();
    let mut back = server.connect();
    let resume = json!({"token": joined["resume"]["token"], "ack": 0});
    let resumed = back.join_with_fields(&json!({"type": "join", "room": "blue", "resume": resume}));
    assert_eq!(
        (&resumed["complete"], &resumed["ack"], &resumed["iceTtlMs"]),
        (&json!(true), &json!(1), &json!(TTL_MS))
    );
    let (_, name, _) = credentials(&resumed["iceServers"]);
    assert_eq!(name, joined["self"]["id"].as_str().expect("an id"));
    assert_eq!(back.receive("ice_servers")["re"], "i", "it was not acknowledged, and comes again");
}

#[test]
fn credentials_do_not_outlast_the_token_and_are_longer_once_it_is_renewed() {
    let (turn, secrets) = (Turn::new(), Secrets::new());
    let server = secrets.server("token").set("ice.servers", turn.servers()).start();
    let claims = json!({"room": "blue", "sub": "ada"});
    let mut ada = server.connect();
    let token = secrets.token_by("first", &claims, 600);
    let joined = ada.join_with_fields(&json!({"type": "join", "room": "blue", "token": token}));
    assert_eq!(joined["iceTtlMs"], joined["expiresInMs"], "{}", joined.text);
    let (first, ..) = credentials(&joined["iceServers"]);
    let token = secrets.token_by("first", &claims, 3600);
    ada.send_json(&json!({"type": "update", "token": token}));
    ada.receive("permissions");
    let fresh = ask(&mut ada);
    let (second, ..) = credentials(&fresh["iceServers"]);
    assert!((2_990..=3_010).contains(&(second - first)), "{first} and {second}");
    assert!(fresh["ttlMs"].as_u64().is_some_and(|ttl| (3_590_000..=3_600_000).contains(&ttl)), "{}", fresh.text);
}

#[test]
fn another_secret_is_in_force_without_a_restart_and_half_a_file_changes_nothing() {
    let turn = Turn::new();
    let server = TestServer::set("ice.servers", turn.servers()).start();
    let mut ada = server.join("blue");
    turn.put("short");
    server.wait_for_log("the file is broken", |line| line.event() == "config_not_reloaded");
    let old = ask(&mut ada);
    let (_, _, password) = credentials(&old["iceServers"]);
    assert_eq!(password, by_openssl(SECRET, old["iceServers"][1]["username"].as_str().expect("a name")));
    turn.put("another-secret-of-the-server");
    let line = server.wait_for_log("the new secret", |line| line.event() == "config_reloaded");
    assert_eq!(line.json["changed"], "the files of ice.servers", "{}", line.text);
    // By the new one, as a second implementation makes it.
    let fresh = ask(&mut ada);
    let (_, _, password) = credentials(&fresh["iceServers"]);
    let username = fresh["iceServers"][1]["username"].as_str().expect("a name");
    assert_eq!(password, by_openssl("another-secret-of-the-server", username));
    assert_eq!(server.log().lines_where("config_not_reloaded").len(), 1, "told once, not each time it is looked at");
    assert!(!server.log().text().contains("another-secret"), "a secret in the log");
}

#[test]
fn a_server_without_the_secret_does_not_start_and_says_which_file_it_misses() {
    let list = r#"[{"urls":"turn:a","secret_file":"/nowhere/turn"}]"#;
    let output = run(&[], &[("SWITCHBOARD__ICE__SERVERS", list)]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("/nowhere/turn") && text.contains("ice.servers"), "{text}");
}
