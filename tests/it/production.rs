//! `config/production.toml` is a server that can be put on the internet: with the files that it names nothing about it is doubtful,
//! and nobody comes in who should not.

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use switchboard::{auth::issue::SigningKey, config::KeyAlgorithm};
use tempfile::TempDir;

use crate::support::{
    TestPeer, TestServer, http, run, temp_dir,
    tls::{Certificates, NAME},
    tokens::Secrets,
    ws::Handshake,
};

/// The file with all that it names in folders of the test's own, and its path.
struct Production {
    home: Arc<TempDir>,
    certificates: Certificates,
    file: String,
}

impl Production {
    fn new() -> Self {
        let (home, certificates, secrets) = (temp_dir(), Certificates::new(), Secrets::new());
        let put = |name: &str, text: &[u8]| fs::write(home.path().join(name), text).unwrap();
        put("fullchain.pem", &fs::read(certificates.path("cert.pem")).unwrap());
        put("privkey.pem", &fs::read(certificates.path("key.pem")).unwrap());
        put("tokens.secret", &fs::read(secrets.path("first")).unwrap());
        put("ops.token", b"correct-horse-battery-staple\n");
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/production.toml")).unwrap();
        let folder = home.path().display().to_string();
        let text = text.replace("/etc/switchboard", &folder).replace("/var/lib/switchboard", &folder);
        put("switchboard.toml", text.as_bytes());
        let file = home.path().join("switchboard.toml").display().to_string();
        Self { home, certificates, file }
    }

    /// A token by the key of that name in the file, which is where the file says.
    fn token(&self, kid: &str) -> String {
        let path = self.home.path().join("tokens.secret");
        let key = SigningKey::read(&path, KeyAlgorithm::HS256, Some(kid.to_owned())).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let claims = json!({"room": "blue"}).as_object().unwrap().clone();
        key.sign(claims, now, Duration::from_secs(60)).unwrap()
    }
}

#[test]
fn it_is_sound_and_nothing_about_it_is_doubtful() {
    let production = Production::new();
    let checked = run(&["--config", &production.file, "--check-config"], &[]);
    let shown = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && shown.starts_with("OK\n") && !shown.contains("warning"), "{checked:?}");
    assert!(shown.contains("allowed_origins = [\"same\"]"), "{shown}");
    // All that it names was replaced, so nothing else is needed.
    let text = fs::read_to_string(&production.file).unwrap();
    let named = text.lines().filter(|line| !line.starts_with('#') && line.contains("/etc/")).count();
    assert_eq!((named, production.home.path().join("tokens.secret").exists()), (0, true), "{text}");
}

#[test]
fn nobody_comes_in_who_should_not() {
    let production = Production::new();
    // As it is on the internet: on every address, with limits for all of them.
    let server = TestServer::builder().unset("SWITCHBOARD__SERVER__HOST").unset("SWITCHBOARD__LIMITS__EXEMPT_LOOPBACK");
    let server = server.unset("SWITCHBOARD__STATE__DIR").arg("--config").arg(&production.file).start();
    let public = std::net::SocketAddr::from(([127, 0, 0, 1], server.public.port()));
    let warned = server.log().lines_where("config_warning");
    let of_the_machine =
        |text: &str| text.contains("net.core") || text.contains("memory_bytes") || text.contains("ulimit");
    assert!(warned.iter().all(|line| of_the_machine(&line.text)), "{warned:#?}");

    assert_eq!(http::get(public, "/", &[]).status, 400, "plain HTTP");
    let client = production.certificates.client();
    let page = client.get(public, "/", NAME);
    assert!(page.status == 200 && page.header("Strict-Transport-Security").is_some(), "{page:?}");
    let open = |origin: &str| {
        let handshake = Handshake::new().with("Host", NAME).with("Origin", origin);
        handshake.send_on(client.dial(public).stream)
    };
    assert_eq!(open("https://evil.example").0.status, 403);
    assert_eq!(open("http://meet.example").0.status, 403, "the same name without TLS");
    let (answer, stream) = open("https://meet.example");
    assert_eq!(answer.status, 101);
    let mut ada = TestPeer::on(stream);
    ada.receive("welcome");
    ada.send_json(&json!({"type": "join", "room": "blue"}));
    ada.receive_error("unauthorized");
    ada.send_json(&json!({"type": "join", "room": "blue", "token": production.token("another")}));
    ada.receive_error("unauthorized");
    ada.join_with_fields(&json!({"type": "join", "room": "blue", "token": production.token("1")}));
    assert!(server.ops.ip().is_loopback());
    let drain = "POST /admin/drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(http::exchange(server.ops, drain).status, 401);
}

#[test]
fn what_it_has_in_comments_for_some_is_sound() {
    let production = Production::new();
    let text = fs::read_to_string(&production.file).unwrap();
    for section in ["[stun]", "[[ice.servers]]", "[webhooks]"] {
        let (_, rest) = text.split_once(&format!("\n# {section}\n")).expect(section);
        let lines: Vec<_> = rest.lines().map_while(|line| line.strip_prefix("# ")).collect();
        assert!(lines.len() >= 2, "{section}: {lines:?}");
        let file = production.home.path().join("more.toml").display().to_string();
        fs::write(&file, format!("{text}\n{section}\n{}\n", lines.join("\n"))).unwrap();
        let checked = run(&["--config", &file, "--check-config"], &[]);
        let shown = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(checked.status.success() && !shown.contains("warning"), "{section}: {checked:?}");
        assert!(lines.iter().all(|line| shown.contains(line.split(" = ").next().unwrap())), "{shown}");
    }
}
