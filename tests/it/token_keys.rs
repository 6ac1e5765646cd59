//! The keys of join tokens: made, rotated while everybody joins, broken, and used by the command line.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::{Value, json};

use crate::support::{TestPeer, TestServer, eventually, run, tokens::Secrets};

fn key_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys").join(name);
    path.to_str().expect("a path of text").to_owned()
}

fn join(room: &str, token: &str) -> Value {
    json!({"type": "join", "room": room, "token": token})
}

/// Whether that token lets somebody in now.
fn is_good(server: &TestServer, token: &str) -> bool {
    let mut peer = server.connect();
    peer.send_json(&join("blue", token));
    let answer = peer.receive_any();
    match answer.kind() {
        "joined" => true,
        _ if answer["code"] == "unauthorized" => false,
        _ => panic!("{}", answer.text),
    }
}

/// Prints a token by the program itself.
#[track_caller]
fn printed(args: &[&str], variables: &[(&str, &str)]) -> String {
    let args: Vec<_> = ["token"].iter().chain(args).copied().collect();
    let output = run(&args, variables);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn keys_are_rotated_and_nobody_who_joins_meanwhile_is_refused() {
    let secrets = Secrets::new();
    secrets.put("second", "the-second-secret");
    let keys = secrets.keys(&["first", "second"]);
    let server = secrets.server("token").set("auth.keys", keys).start();
    let claims = json!({"room_prefix": "b"});
    let (old, current) = (secrets.token(&claims), secrets.token_by("second", &claims, 3600));
    let stop = AtomicBool::new(false);
    let joins: usize = thread::scope(|scope| {
        let crowd: Vec<_> = (0..4)
            .map(|n| {
                let (current, server, stop) = (&current, &server, &stop);
                scope.spawn(move || {
                    let mut joins = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let mut peer = TestPeer::connect(server.public);
                        peer.join_with_fields(&join(&format!("b{n}"), current));
                        peer.leave();
                        joins += 1;
                    }
                    joins
                })
            })
            .collect();
        assert!(is_good(&server, &old));
        // Half a file first: nothing changes, and somebody is told.
        std::fs::write(secrets.path("first"), "half").expect("written");
        server.wait_for_log("the key is broken", |line| line.event() == "config_not_reloaded");
        assert!(is_good(&server, &old), "the former key stays in force");
        secrets.put("first", "the-third-secret");
        let new = secrets.token(&claims);
        eventually(
            "the new key is in force",
            || if is_good(&server, &new) { Ok(()) } else { Err(server.log().text()) },
        );
        assert!(!is_good(&server, &old), "the former key is forgotten");
        stop.store(true, Ordering::Relaxed);
        crowd.into_iter().map(|one| one.join().expect("nobody is refused")).sum()
    });
    assert!(joins > 4, "{joins} joins");
    let log = server.log().text();
    assert!(!log.contains("secret---"), "a secret in the log");
    assert_eq!(server.log().lines_where("config_not_reloaded").len(), 1, "told once, not each time it is looked at");
}

#[test]
fn a_reload_takes_other_keys_or_none_at_all() {
    let secrets = Secrets::new();
    secrets.put("second", "the-second-secret");
    let home = crate::support::temp_dir();
    let file = home.path().join("switchboard.toml");
    let write = |kids: &[&str]| {
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| format!("{{ algorithm = \"HS256\", file = {:?}, kid = \"{kid}\" }}", secrets.path(kid)))
            .collect();
        std::fs::write(&file, format!("[auth]\nmode = \"token\"\nkeys = [{}]\n", keys.join(", "))).expect("written");
    };
    write(&["first"]);
    let server = TestServer::builder().arg("--config").arg(&file).start();
    let claims = json!({"room": "blue"});
    let (first, second) = (secrets.token(&claims), secrets.token_by("second", &claims, 60));
    assert!(is_good(&server, &first) && !is_good(&server, &second));
    write(&["second"]);
    server.signal("HUP");
    let line = server.wait_for_log("the reload", |line| line.event() == "config_reloaded");
    assert_eq!((&line.json["changed"], &line.json["restart"]), (&json!("auth.keys"), &json!("")), "{}", line.text);
    assert!(!is_good(&server, &first) && is_good(&server, &second));
    write(&["second", "missing"]);
    server.signal("HUP");
    let line = server.wait_for_log("no reload", |line| line.event() == "config_not_reloaded");
    assert!(line.text.contains("missing"), "{}", line.text);
    assert!(is_good(&server, &second));
}

#[test]
fn a_reload_takes_the_rules_of_its_keys_and_never_no_key_where_everybody_needs_a_token() {
    let secrets = Secrets::new();
    let home = crate::support::temp_dir();
    let file = home.path().join("switchboard.toml");
    let write = |mode: &str, keys: bool, rules: &str| {
        let key = format!("{{ algorithm = \"HS256\", file = {:?}, kid = \"first\" }}", secrets.path("first"));
        let keys = if keys { key } else { String::new() };
        std::fs::write(&file, format!("[auth]\nmode = \"{mode}\"\nkeys = [{keys}]\n{rules}\n")).expect("written");
    };
    write("token", true, "issuers = ['old']");
    let server = TestServer::builder().arg("--config").arg(&file).start();
    let by = |issuer: &str| secrets.token(&json!({"room": "blue", "iss": issuer, "aud": "meet"}));
    let (old, new) = (by("old"), by("new"));
    assert!(is_good(&server, &old) && !is_good(&server, &new));
    write("token", true, "issuers = ['new']\naudiences = ['meet']");
    server.signal("HUP");
    let line = server.wait_for_log("the reload", |line| line.event() == "config_reloaded");
    let changed = json!("auth.issuers, auth.audiences");
    assert_eq!((&line.json["changed"], &line.json["restart"]), (&changed, &json!("")), "{}", line.text);
    assert!(!is_good(&server, &old) && is_good(&server, &new));
    // Such a server would start; this one could let nobody in.
    write("open", false, "");
    server.signal("HUP");
    let line = server.wait_for_log("no reload", |line| line.event() == "config_not_reloaded");
    assert!(line.text.contains("auth.mode = token"), "{}", line.text);
    assert!(!is_good(&server, &old) && is_good(&server, &new), "nothing has changed");
}

#[test]
fn the_welcome_names_tokens_as_long_as_there_are_keys() {
    let secrets = Secrets::new();
    let home = crate::support::temp_dir();
    let file = home.path().join("switchboard.toml");
    let key = format!("[auth]\nkeys = [{{ algorithm = \"HS256\", file = {:?} }}]\n", secrets.path("first"));
    std::fs::write(&file, "").expect("written");
    let server = TestServer::builder().arg("--config").arg(&file).start();
    let takes_tokens = || {
        let welcome = server.connect().welcome.expect("welcome");
        welcome["features"].as_array().expect("a list").contains(&json!("tokens"))
    };
    assert!(!takes_tokens());
    for (text, expected) in [(key.as_str(), true), ("", false)] {
        std::fs::write(&file, text).expect("written");
        server.signal("HUP");
        eventually("the reload", || if takes_tokens() == expected { Ok(()) } else { Err(server.log().text()) });
    }
}

#[test]
fn the_program_makes_tokens_that_its_servers_take() {
    let secrets = Secrets::new();
    let listed = json!([
        {"algorithm": "ES256", "file": key_file("es256.public.pem"), "kid": "e"},
        {"algorithm": "EdDSA", "file": key_file("eddsa.public.pem")},
        {"algorithm": "RS256", "file": key_file("rs256.public.pem")},
        {"algorithm": "HS256", "file": secrets.path("first"), "kid": "first"},
    ]);
    let listed = listed.to_string();
    let server = secrets.server("token").set("auth.keys", &listed).set("auth.audiences", "meet").start();
    let variables = [("SWITCHBOARD__AUTH__KEYS", listed.as_str()), ("SWITCHBOARD__AUTH__AUDIENCES", "meet")];
    for args in [
        &["--room", "blue"][..],
        &["--prefix", "bl", "--ttl", "30s", "--user", "ada", "--cap", "9"],
        &["--room", "blue", "--kid", "first"],
        &[
            "--room",
            "blue",
            "--room",
            "red",
            "--key",
            &key_file("es256.private.pem"),
            "--algorithm",
            "ES256",
            "--kid",
            "e",
        ],
        &["--room", "blue", "--key", &key_file("eddsa.private.pem"), "--algorithm", "EdDSA"],
        &["--room", "blue", "--key", &key_file("rs256.private.pem"), "--algorithm", "RS256"],
    ] {
        let token = printed(args, &variables);
        assert!(is_good(&server, &token), "{args:?}: {token}");
    }
    assert!(!is_good(&server, &printed(&["--room", "blue"], &variables[..1])), "for nobody in particular");
    let mut admin = server.connect();
    let token = printed(&["--room", "blue", "--perm", "join", "--perm", "admin", "--ttl", "5m"], &variables);
    let joined = admin.join_with_fields(&join("blue", &token));
    assert_eq!(joined["permissions"], json!(["join", "admin"]));
    assert!(joined["expiresInMs"].as_u64().is_some_and(|left| left <= 300_000), "{}", joined.text);
}

#[test]
fn the_program_makes_no_token_that_its_server_would_refuse() {
    let secrets = Secrets::new();
    let keys = secrets.keys(&["first"]);
    let server = [("SWITCHBOARD__AUTH__KEYS", keys.as_str())];
    let (long, private) = ("x".repeat(129), key_file("es256.private.pem"));
    let rooms: Vec<String> = (0..65).map(|n| format!("--room=r{n}")).collect();
    let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
    let signed = ["--room", "blue", "--key", &private, "--algorithm", "ES256"];
    for (args, variables, word) in [
        (&["--room", "blue", "--ttl", "18446744073709551615s"][..], &server[..], "longer than time"),
        (&["--room", "blue", "--ttl", "2d"], &server, "auth.max_ttl_ms"),
        (&["--room", "blue", "--user", &long], &server, "128 bytes"),
        (&["--room", "blue", "--user", ""], &server, "128 bytes"),
        (&["--room", "blue", "--cap", "0"], &server, "a cap of 1"),
        (&["--prefix", ""], &server, "a prefix"),
        (&rooms, &server, "64 rooms"),
        (&["--room", "blue", "--perm", "jion"], &server, "join, signal"),
        (&["--room", "blue", "--perm", "signal"], &server, "permit to join"),
        (&signed, &server, "belongs to --key"),
        (&[&signed[..], &["--ttl", "2d"]].concat(), &[], "auth.max_ttl_ms"),
    ] {
        let output = run(&[&["token"][..], args].concat(), variables);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(word) && !told.contains("panicked"), "{args:?}: {told}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    for (algorithm, name) in [("ES256", "es256"), ("RS256", "rs256"), ("EdDSA", "eddsa")] {
        let private = key_file(&format!("{name}.private.pem"));
        let token = printed(&["--room", "blue", "--key", &private, "--algorithm", algorithm], &[]);
        assert_eq!(token.split('.').count(), 3, "where no server is: {token}");
    }
    let secret = secrets.path("first");
    let secret = secret.to_str().expect("a path of text");
    printed(&["--room", "blue", "--key", secret, "--algorithm", "HS256"], &[]);
}

#[test]
fn without_a_key_there_is_no_token_and_no_server_that_asks_for_one() {
    for (args, variables, word) in [
        (&["token", "--room", "blue"][..], &[][..], "no HS256 secret"),
        (
            &["token", "--room", "blue", "--key", &key_file("es256.public.pem"), "--algorithm", "ES256"],
            &[],
            "private key",
        ),
        (&["--check-config"], &[("SWITCHBOARD__AUTH__MODE", "token")], "auth.keys = 0"),
        (&[], &[("SWITCHBOARD__AUTH__JWKS_FILE", "/nowhere/keys.json")], "/nowhere/keys.json"),
    ] {
        let output = run(args, variables);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(word), "{args:?}: {told}");
    }
}
