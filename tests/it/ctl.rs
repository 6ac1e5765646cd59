//! `switchboard ctl`: an operator with a terminal, and no browser.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::Output,
    thread,
};

use serde_json::{Value, json};

use crate::support::{PATIENCE, TestServer, eventually, run, temp_dir, tls::Certificates};

/// Runs `switchboard ctl` against that server.
#[track_caller]
fn ctl(server: &TestServer, arguments: &[&str]) -> Output {
    let url = format!("http://{}", server.ops);
    run(&[&["ctl", "--url", &url], arguments].concat(), &[])
}

/// What it prints when all is well.
#[track_caller]
fn said(server: &TestServer, arguments: &[&str]) -> String {
    let output = ctl(server, arguments);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*err), (Some(0), ""), "{arguments:?}: {out}");
    out
}

/// What it complains of.
#[track_caller]
fn complaint(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn rooms_and_peers_are_shown_in_columns_or_as_json() {
    let server = TestServer::start();
    let peers: Vec<_> = ["a/b", "a/b", "c"].iter().map(|room| server.join(room)).collect();
    let listed = said(&server, &["rooms"]);
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["PEERS", "AWAY", "LOCKED", "SINCE", "NAME"], "{listed}");
    assert_eq!((lines.len(), lines[1][0], lines[1][4], lines[2][4]), (3, "2", "a/b", "c"), "{listed}");
    assert!(said(&server, &["rooms", "--limit", "1"]).contains("there are more"), "{listed}");
    assert_eq!(said(&server, &["rooms", "--prefix", "a/", "--min-peers", "3"]).lines().count(), 1);

    let room = said(&server, &["room", "a/b"]);
    assert!(room.contains(&peers[0].id) && room.contains(&peers[1].id) && !room.contains(&peers[2].id), "{room}");
    let all: Value = serde_json::from_str(&said(&server, &["--json", "peers"])).unwrap();
    assert_eq!((all["peers"].as_array().unwrap().len(), &all["next"]), (3, &json!(null)), "{all}");
    assert_eq!(said(&server, &["peers", "--room", "c"]).lines().count(), 2);
    let refused = complaint(&ctl(&server, &["room", "nowhere"]));
    assert!(refused.contains("404 room_not_found"), "{refused}");
}

#[test]
fn pages_are_put_together() {
    let server = TestServer::set("limits.exempt_loopback", true).start();
    let _peers: Vec<_> = (0..25).map(|number| server.join(&format!("room {number:02}"))).collect();
    let rooms: Value = serde_json::from_str(&said(&server, &["rooms", "--json", "--limit", "24"])).unwrap();
    let names: Vec<_> = rooms["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), names[23], &rooms["next"]), (24, "room 23", &json!("room 23")));
}

#[test]
fn it_shows_the_token_that_it_is_given_and_never_prints_it() {
    let dir = temp_dir();
    let (right, wrong) = (dir.path().join("token"), dir.path().join("wrong"));
    fs::write(&right, "correct-horse-battery-staple\n").unwrap();
    fs::write(&wrong, "another-horse-battery-staple\n").unwrap();
    let server = TestServer::set("ops.token_file", right.display()).start();
    let with = |file: &std::path::Path| ctl(&server, &["--token-file", file.to_str().unwrap(), "version"]);
    assert_eq!(with(&right).status.code(), Some(0));
    let refused = complaint(&with(&wrong));
    assert!(refused.contains("401 unauthorized") && !refused.contains("another-horse"), "{refused}");
    assert!(complaint(&ctl(&server, &["version"])).contains("401 unauthorized"));
    assert!(complaint(&with(&dir.path().join("nothing"))).contains("cannot read the token"));
    // As the server's own configuration has both.
    let port = server.ops.port().to_string();
    let settings = [("SWITCHBOARD__OPS__PORT", &*port), ("SWITCHBOARD__OPS__TOKEN_FILE", right.to_str().unwrap())];
    assert_eq!(run(&["ctl", "version"], &settings).status.code(), Some(0));
}

#[test]
fn it_changes_what_can_be_changed() {
    let mut server = TestServer::set("server.drain_ms", 60_000)
        .set("server.drain_deadline_ms", 90_000)
        .set("auth.mode", "open")
        .set("log.level", "info")
        .start();
    let mut resident = server.join("blue");
    assert_eq!(said(&server, &["log-level"]), "level  info\n");
    assert_eq!(said(&server, &["log-level", "debug"]), "level  debug\n");
    assert!(complaint(&ctl(&server, &["log-level", "loud"])).contains("400 invalid_body"));
    assert_eq!(said(&server, &["reload"]), "changed  -\nrestart  -\n");
    let ticket = said(&server, &["ticket", "--room", "blue", "--ttl", "5m", "--user", "ada"]);
    let joined = server.connect().join_with_fields(&json!({
        "type": "join", "id": "j", "room": "blue", "token": ticket.trim()
    }));
    assert!(joined["expiresInMs"].as_u64().is_some_and(|left| left <= 300_000), "{}", joined.text);
    assert!(complaint(&ctl(&server, &["undrain"])).contains("409 not_draining"));
    assert!(said(&server, &["drain"]).contains("status       draining"));
    assert!(said(&server, &["undrain"]).contains("status       ready"));
    server.wait_for_log("that it goes on", |line| line.event() == "drain_withdrawn");
    said(&server, &["drain"]);
    resident.receive_at_last("bye");
    resident.hang_up();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn where_nobody_answers_it_says_so() {
    let nowhere = complaint(&run(&["ctl", "--url", "http://127.0.0.1:1", "version"], &[]));
    assert!(nowhere.contains("GET http://127.0.0.1:1/admin/v1/version"), "{nowhere}");
    let no_port = complaint(&run(&["ctl", "version"], &[("SWITCHBOARD__OPS__PORT", "0")]));
    assert!(no_port.contains("--url"), "{no_port}");
    assert_eq!(run(&["ctl", "--url", "localhost", "version"], &[]).status.code(), Some(2));
}

#[test]
fn a_listener_that_speaks_tls_is_asked_over_tls_and_must_prove_who_it_is() {
    let (certificates, dir) = (Certificates::new(), temp_dir());
    certificates.put_for("127.0.0.1", 2020..2100);
    let token = dir.path().join("token");
    fs::write(&token, "correct-horse-battery-staple").unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| certificates.path(name).display().to_string());
    let server = TestServer::set("ops.tls_cert_file", &cert).set("ops.tls_key_file", &key);
    let server = server.set("ops.token_file", token.display()).start();
    let other = Certificates::new();
    let files = [certificates.signer_file(), other.signer_file(), token];
    let [signer, stranger, token] = [0, 1, 2].map(|n| files[n].to_str().unwrap());
    let url = format!("https://{}", server.ops);
    let ask = |url: &str, ca_file: &str| {
        run(&["ctl", "--url", url, "--token-file", token, "--ca-file", ca_file, "version"], &[])
    };
    assert_eq!(ask(&url, signer).status.code(), Some(0), "{:?}", ask(&url, signer));
    // As the server's own configuration has it all, and with a signer that the machine itself trusts.
    let port = server.ops.port().to_string();
    let settings = [
        ("SWITCHBOARD__OPS__PORT", &*port),
        ("SWITCHBOARD__OPS__TOKEN_FILE", token),
        ("SWITCHBOARD__OPS__TLS_CERT_FILE", &cert),
        ("SWITCHBOARD__OPS__TLS_KEY_FILE", &key),
        ("SSL_CERT_FILE", signer),
    ];
    let asked = run(&["ctl", "version"], &settings);
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");

    let unknown = complaint(&ask(&url, stranger));
    assert!(unknown.contains(&format!("GET {url}/admin/v1/version")) && unknown.contains("certificate"), "{unknown}");
    let nothing = complaint(&ask(&url, token));
    assert!(nothing.contains(token) && nothing.contains("no certificate in PEM"), "{nothing}");
    assert!(!nothing.contains("correct-horse"), "{nothing}");
    let plain = complaint(&ask(&url.replace("https:", "http:"), signer));
    assert!(plain.contains(": 400 "), "{plain}");
}

/// What it says of somebody who answers that.
fn answered_with(arguments: &[&str], answer: &'static str) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let other = thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
    });
    let output = run(&[&["ctl", "--url", &url], arguments].concat(), &[]);
    other.join().unwrap();
    output
}

#[test]
fn what_is_no_answer_of_a_switchboard_is_no_success() {
    for (status, answer) in [
        ("200", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("200", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"),
        ("202", "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n[]"),
        ("302", "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n"),
        ("502", "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>"),
    ] {
        let told = complaint(&answered_with(&["version"], answer));
        assert!(told.contains(&format!("/admin/v1/version: {status} without an answer of Switchboard's")), "{told}");
    }
    let lifted = answered_with(&["lift", "blue", "7"], "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!((lifted.status.code(), lifted.stdout.as_slice()), (Some(0), b"".as_slice()), "{lifted:?}");
}

#[test]
fn a_room_whose_name_no_path_can_have_is_shown_in_another_way() {
    let server = TestServer::start();
    for name in [".", ".."] {
        let peer = server.join(name);
        let told = complaint(&ctl(&server, &["room", name]));
        assert!(told.contains(&format!("switchboard ctl peers --room {name} ")), "{told}");
        assert!(said(&server, &["peers", "--room", name]).contains(&peer.id));
    }
    let peer = server.join("...");
    assert!(said(&server, &["room", "..."]).contains(&peer.id), "these are a name like any other");
}

#[test]
fn who_reaches_which_peer_and_what_went_on_is_shown() {
    let server = TestServer::start();
    let [mut ada, mut bob] = server.join_some("blue");
    assert!(said(&server, &["mesh", "blue"]).starts_with("nothing is known"));
    ada.send_json(&json!({"type": "signal", "to": bob.id, "kind": "offer", "data": "secret"}));
    bob.receive("signal");
    let pair = [
        json!({"kind": "pair_attempt", "peer": bob.id}),
        json!({"kind": "pair_connected", "peer": bob.id, "ms": 700, "candidate": "relay"}),
    ];
    ada.send_json(&json!({"type": "report", "events": pair}));
    let line = eventually("its report is heard", || {
        let shown = said(&server, &["mesh", "blue"]);
        shown.lines().find(|line| line.ends_with("connected relay  -")).map(str::to_owned).ok_or(shown.clone())
    });
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[..3], [&*ada.id, &*bob.id, "connected"], "{line}");
    let mesh: Value = serde_json::from_str(&said(&server, &["--json", "mesh", "blue"])).unwrap();
    assert_eq!(mesh["pairs"][0]["state"], "connected", "{mesh}");

    let shown = said(&server, &["recorder", "blue"]);
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["AT", "KIND", "PEER", "TO", "BYTES", "OUTCOME"], "{shown}");
    assert!(rows.iter().any(|row| row[1..] == ["offer", &*ada.id, &*bob.id, "128", "delivered"]), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    eventually("the offer counts as unanswered", || {
        let shown = said(&server, &["recorder", "blue"]);
        let (_, offers) = shown.split_once("unanswered offers\n").ok_or(shown.clone())?;
        if offers.contains(&bob.id) { Ok(()) } else { Err(shown.clone()) }
    });
    let newest = said(&server, &["recorder", "blue", "--limit", "1"]);
    assert!(newest.contains("older ones are not shown"), "{newest}");
    let diagram = said(&server, &["recorder", "blue", "--mermaid"]);
    assert!(diagram.starts_with("sequenceDiagram\n") && diagram.contains("offer"), "{diagram}");
    for command in [&["mesh", "green"][..], &["recorder", "green"], &["recorder", "green", "--mermaid"]] {
        assert!(complaint(&ctl(&server, command)).contains("404 room_not_found"), "{command:?}");
    }
    assert!(complaint(&ctl(&server, &["recorder", "blue", "--limit", "0"])).contains("400 "));
    assert!(said(&server, &["--json", "recorder", "blue", "--mermaid"]).starts_with("sequenceDiagram\n"));
    let page = answered_with(&["recorder", "blue", "--mermaid"], "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>");
    assert!(complaint(&page).contains("200 without an answer of Switchboard's"), "{page:?}");
}

#[test]
fn it_moderates() {
    let server = TestServer::start();
    let [mut eve, mut bob] = server.join_some("blue");
    assert_eq!(said(&server, &["notice", "five minutes left", "--room", "blue"]), "peers  2\n");
    assert_eq!(bob.receive("notice")["text"], "five minutes left");
    assert!(said(&server, &["lock", "blue"]).contains("locked  true"));
    assert!(said(&server, &["bans", "blue"]).starts_with("the room is locked\n"));
    assert!(said(&server, &["unlock", "blue"]).contains("locked  false"));
    let kick = ["kick", "blue", "--peer", &eve.id, "--reason", "be nice"];
    assert_eq!(said(&server, &kick), format!("peers  {}\n", eve.id));
    eve.receive_at_last("bye");
    assert_eq!(ctl(&server, &["kick", "blue"]).status.code(), Some(2), "who?");
    let who = "af4ed5336492ea0680adb40e68cbdf0b";
    said(&server, &["kick", "blue", "--who", who, "--ban", "5m"]);
    let listed = said(&server, &["bans", "blue"]);
    assert!(listed.contains(who), "{listed}");
    let id = listed.lines().nth(1).and_then(|line| line.split_whitespace().next()).expect("a ban");
    said(&server, &["lift", "blue", id]);
    assert_eq!(said(&server, &["bans", "blue"]).lines().count(), 1);
    assert_eq!(said(&server, &["close", "blue", "--text", "we are done"]), "peers  1\n");
    bob.receive_at_last("bye");
}
