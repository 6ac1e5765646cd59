//! Secrets stay where they were put: each kind that there is, marked, is planted wherever it belongs, everything is done that could
//! bring it to light, and then everything that comes out of the server is looked through.

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    Received, TestPeer, TestServer,
    http::{Response, read_response},
    receiver::{self, Answer, Receiver},
    run, temp_dir,
    tls::{Certificates, Client},
    tokens::Secrets,
    ws::{Handshake, first, frame},
};

const OPS_TOKEN: &str = "planted-ops-token-0001";
const CREDENTIAL: &str = "planted-turn-credential-0002";
const TURN_SECRET: &str = "planted-turn-secret-00000003";
const JWKS_KEY: &str = "planted-key-of-the-jwks-00000000000004";
const IDENTITY: &str = "planted-identity-of-a-person-0005";
const SDP: &str = "planted-ice-pwd-0006";
const CANDIDATE: &str = "planted.candidate.0007.local";
const BAD_TOKEN: &str = "planted-no-token-0008";
const BAD_SECRET: &str = "planted-x9";

/// What was planted, by what it is.
struct Planted(BTreeMap<&'static str, Vec<String>>);

impl Planted {
    fn add(&mut self, what: &'static str, secret: &str) {
        self.0.entry(what).or_default().push(secret.to_owned());
    }

    /// None of it is in this text, whatever it is the text of.
    #[track_caller]
    fn is_not_in(&self, place: &str, text: &str) {
        for (what, secrets) in &self.0 {
            for secret in secrets {
                assert!(!text.contains(secret.as_str()), "{what} is in {place}: {text}");
            }
        }
    }
}

/// A server with a secret of each kind, what they are, and all else that it needs.
struct Stage {
    planted: Planted,
    variables: Vec<(String, String)>,
    secrets: Secrets,
    certificates: Certificates,
    /// Of webhooks. It wants none of them at first.
    receiver: Receiver,
    home: std::sync::Arc<tempfile::TempDir>,
}

impl Stage {
    fn set() -> Self {
        let (home, secrets, certificates) = (temp_dir(), Secrets::new(), Certificates::new());
        let receiver = Receiver::with(|_| Answer::Status(503, "retry-after: 0\r\n"));
        let mut planted = Planted(BTreeMap::new());
        let file = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let encoded = BASE64_URL_SAFE_NO_PAD.encode(JWKS_KEY);
        let jwks = json!({"keys": [{"kty": "oct", "alg": "HS256", "use": "sig", "kid": "set", "k": encoded}]});
        let ice = json!([
            {"urls": ["turn:a.example"], "username": "rooms", "credential": CREDENTIAL},
            {"urls": ["turn:b.example"], "secret_file": file("turn", TURN_SECRET)},
        ]);
        let variables = [
            ("AUTH__MODE", "token".to_owned()),
            ("AUTH__KEYS", secrets.keys(&["first"])),
            ("AUTH__JWKS_FILE", file("jwks", &jwks.to_string())),
            ("OPS__TOKEN_FILE", file("ops", OPS_TOKEN)),
            ("ICE__SERVERS", ice.to_string()),
            ("TLS__CERT_FILE", certificates.path("cert.pem").display().to_string()),
            ("TLS__KEY_FILE", certificates.path("key.pem").display().to_string()),
            ("WEBHOOKS__URL", format!("http://{}/in", receiver.address)),
            ("WEBHOOKS__SECRET_FILE", receiver.secret_file().display().to_string()),
            ("WEBHOOKS__RETRY_MIN_MS", "1".to_owned()),
            ("WEBHOOKS__RETRY_MAX_MS", "20".to_owned()),
            ("LOG__DIR", home.path().join("log").display().to_string()),
        ];
        for (what, secret) in [
            ("the operator's token", OPS_TOKEN),
            ("a TURN credential", CREDENTIAL),
            ("the TURN server's secret", TURN_SECRET),
            ("a key of the JWKS", JWKS_KEY),
            ("a key of the JWKS", &encoded),
            ("the secret of webhooks", receiver::SECRET),
            ("the secret of webhooks", receiver::SECRET.trim_start_matches("whsec_")),
            ("a key for tokens", "the-first-secret"),
            ("an identity", IDENTITY),
            ("SDP", SDP),
            ("a candidate", CANDIDATE),
            ("a token that is none", BAD_TOKEN),
        ] {
            planted.add(what, secret);
        }
        let key = fs::read_to_string(certificates.path("key.pem")).unwrap();
        key.lines().filter(|line| !line.starts_with("-----")).for_each(|line| planted.add("the key of TLS", line));
        let variables = variables.map(|(name, value)| (format!("SWITCHBOARD__{name}"), value)).into();
        Self { planted, variables, secrets, certificates, receiver, home }
    }

    fn start(&self) -> TestServer {
        let builder = TestServer::builder();
        self.variables.iter().fold(builder, |builder, (name, value)| builder.env(name, value)).start()
    }
}

/// Everything that a peer hears until its ping is answered.
fn heard(peer: &mut TestPeer) -> String {
    peer.receive_all().iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join("\n")
}

fn join_with(peer: &mut TestPeer, fields: &Value, token: &str) -> Received {
    let mut join = json!({"type": "join", "room": "blue", "token": token});
    join.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    peer.join_with_fields(&join)
}

/// Errors of every kind about frames that have secrets in them.
fn provoke(peer: &mut TestPeer, planted: &Planted) {
    let sdp = json!({"type": "offer", "sdp": format!("v=0\r\na=ice-pwd:{SDP}\r\n")});
    for wrong in [
        json!({"type": "join", "room": "blue", "token": BAD_TOKEN}),
        json!({"type": "join", "room": "blue", "token": format!("e30.{BAD_TOKEN}.e30")}),
        json!({"type": "join", "room": "blue", "identity": IDENTITY, "token": 7}),
        json!({"type": "join", "room": "", "identity": IDENTITY}),
        json!({"type": "join", "room": "blue", "resume": {"token": BAD_TOKEN, "ack": 0}}),
        json!({"type": "update", "token": BAD_TOKEN}),
        json!({"type": "signal", "to": "nobody", "kind": "offer", "data": sdp}),
        json!({"type": "signal", "to": "*", "kind": SDP, "data": sdp}),
        json!({"type": "signal", "kind": "candidate", "data": {"candidate": format!("candidate:1 1 udp 1 {CANDIDATE} 9 typ host")}}),
        json!({"type": CANDIDATE, "data": sdp}),
    ] {
        peer.send_json(&wrong);
    }
    peer.send(&frame(first::TEXT, format!("{{\"type\":\"signal\",\"data\":\"{SDP}").as_bytes()));
    planted.is_not_in("an answer to what was wrong", &heard(peer));
}

fn get(server: &TestServer, path: &str) -> Response {
    use std::io::Write;
    let mut stream = crate::support::http::dial(server.ops);
    let host = server.ops;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {OPS_TOKEN}\r\n\r\n").unwrap();
    read_response(&mut std::io::BufReader::new(stream)).unwrap()
}

/// A ticket for the room `red`.
fn ticket(server: &TestServer) -> String {
    let (host, body) = (server.ops, r#"{"room": "red"}"#);
    let request = format!(
        "POST /admin/v1/tickets HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {OPS_TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = crate::support::http::exchange(server.ops, &request);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["ticket"].as_str().expect("a ticket").to_owned()
}

/// One ticket is shown in a frame, one in a handshake; both once more when they are used up.
fn use_tickets(server: &TestServer, stage: &mut Stage) {
    let client = stage.certificates.client();
    let [in_frame, in_handshake] = [(); 2].map(|()| ticket(server));
    for ticket in [&in_frame, &in_handshake] {
        stage.planted.add("a ticket", ticket.strip_prefix("ticket.").expect("a ticket"));
    }
    let join = json!({"type": "join", "room": "red", "token": in_frame});
    let protocols = format!("switchboard.v1, bearer.{in_handshake}");
    let handshake = Handshake::new().with("Sec-WebSocket-Protocol", &protocols);
    let open = || {
        let mut peer = TestPeer::open(client.dial(server.public).stream, &handshake);
        peer.receive("welcome");
        peer
    };
    let (mut first, mut second) = (client.connect(server), open());
    first.join_with_fields(&join);
    second.join_with_fields(&json!({"type": "join", "room": "red"}));
    stage.planted.is_not_in("what others in the room heard", &heard(&mut first));
    for (mut late, join) in [(client.connect(server), join), (open(), json!({"type": "join", "room": "red"}))] {
        late.send_json(&join);
        stage.planted.is_not_in("a refusal", &late.receive_error("unauthorized").text);
    }
}

/// Every event went wrong so far, which is told; then all of them are taken. Nothing secret is in any.
fn take_webhooks(server: &TestServer, stage: &Stage) {
    server.wait_for_log("that they are not taken", |line| line.event() == "webhook_failed");
    stage.receiver.now(|_| Answer::Status(204, ""));
    server.wait_for_log("that they are", |line| line.event() == "webhook_restored");
    stage.receiver.wait_for("events of both rooms", |got| {
        ["blue", "red"]
            .iter()
            .all(|room| got.iter().any(|one| one.name() == format!("peer_joined {room}")))
            .then_some(())
    });
    for one in stage.receiver.got() {
        stage.planted.is_not_in("an event for the receiver of webhooks", &format!("{one:?}"));
    }
}

/// Whatever the operator's side lets read: what the routes of its API say, and what is beside them.
fn readable() -> Vec<String> {
    let routes = include_str!("../../src/http/ops/v1/routes.rs");
    let paths = routes.split('"').filter(|text| text.starts_with("/admin/")).map(|path| path.replace("{room}", "blue"));
    let others =
        ["/metrics", "/errors", "/healthz", "/readyz", "/health", "/", "/app.js", "/nothing"].map(str::to_owned);
    let all: Vec<_> = paths.chain(others).collect();
    assert!(all.len() > 12, "{all:?}");
    all
}

fn files(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn planted_secrets_come_out_nowhere() {
    let mut stage = Stage::set();
    let variables: Vec<_> = stage.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let checked = run(&["--check-config"], &variables);
    assert!(checked.status.success(), "{checked:?}");
    stage.planted.is_not_in("--check-config", &format!("{checked:?}"));

    let mut server = stage.start();
    let client: Client = stage.certificates.client();
    let token =
        stage.secrets.token(&json!({"room": "blue", "sub": "ada", "perms": ["join", "signal", "broadcast", "update"]}));
    stage.planted.add("a join token", &token);
    stage.planted.add("the signature of a join token", token.rsplit('.').next().unwrap());
    let protocols = format!("switchboard.v1, bearer.{token}");
    let handshake = Handshake::new().with("Sec-WebSocket-Protocol", &protocols);
    let mut ada = TestPeer::open(client.dial(server.public).stream, &handshake);
    ada.receive("welcome");
    let joined = join_with(&mut ada, &json!({"identity": IDENTITY, "resumable": true}), &token);
    assert!(joined.text.contains(CREDENTIAL), "it was planted: {}", joined.text);
    let resume = joined["resume"]["token"].as_str().expect("a token").to_owned();
    stage.planted.add("a resume token", &resume);
    let made = joined["iceServers"][1]["credential"].as_str().expect("a credential of its own").to_owned();
    stage.planted.add("a TURN credential of a peer's own", &made);
    let mut grace = client.connect(&server);
    join_with(&mut grace, &json!({}), &token);
    let mut witness = client.connect(&server);
    join_with(&mut witness, &json!({}), &token);
    heard(&mut ada);
    heard(&mut grace);
    let data = json!({"sdp": format!("v=0\r\na=ice-pwd:{SDP}\r\n"), "candidate": CANDIDATE});
    ada.send_json(&json!({"type": "signal", "to": grace.id, "kind": "offer", "data": data}));
    assert!(grace.receive("signal").text.contains(SDP), "it was planted");
    provoke(&mut ada, &stage.planted);
    let mut stranger = client.connect(&server);
    provoke(&mut stranger, &stage.planted);
    // The socket is lost, its session found by its secret, and a wrong one tried.
    ada.abort();
    witness.receive("peer_away");
    let mut back = client.connect(&server);
    let resume = json!({"type": "join", "room": "blue", "resume": {"token": resume, "ack": 0}});
    let again = back.join_with_fields(&resume);
    stage.planted.add("a resume token", again["resume"]["token"].as_str().expect("a token"));
    stage.planted.is_not_in("what others in the room heard", &heard(&mut witness));
    use_tickets(&server, &mut stage);
    end_badly(&mut server, &mut back, &mut grace, &stage);
    take_webhooks(&server, &stage);

    let mut read = 0;
    for path in readable() {
        let answer = get(&server, &path);
        assert!(![401, 403].contains(&answer.status), "{path}: {answer:?}");
        read += usize::from(answer.status == 200);
        stage.planted.is_not_in(&path, &format!("{answer:?}"));
    }
    assert!(read >= 12, "{read} were answered");
    for path in ["/", "/health", "/ws", "/healthz"] {
        stage.planted.is_not_in(path, &format!("{:?}", client.get(server.public, path, "localhost")));
    }
    server.terminate();
    assert!(server.wait_exit(std::time::Duration::from_secs(40)).success());
    stage.planted.is_not_in("the log", &server.log().text());
    let written = files(&stage.home.path().join("log"));
    assert!(written.contains("connection_opened"), "the log's files have the log: {written}");
    stage.planted.is_not_in("the log's files", &written);
}

/// A wrong operator's token, a handshake that is refused, and parts that panic while they hold all of it.
fn end_badly(server: &mut TestServer, ada: &mut TestPeer, grace: &mut TestPeer, stage: &Stage) {
    let wrong = format!(
        "POST /admin/drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {BAD_TOKEN}\r\n\
                         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stage.planted.is_not_in("a refusal", &format!("{:?}", crate::support::http::exchange(server.ops, &wrong)));
    let client = stage.certificates.client();
    let handshake = Handshake::new()
        .with("Origin", "https://evil.example")
        .with("Sec-WebSocket-Protocol", &format!("bearer.{BAD_TOKEN}"));
    let (refused, _) = handshake.send_on(client.dial(server.public).stream);
    assert_eq!(refused.status, 403);
    stage.planted.is_not_in("a refusal", &format!("{refused:?}"));
    #[cfg(feature = "fault-injection")]
    {
        server.forgive_panics();
        let fault = |what: &str| {
            let request = format!("POST /fault/{what} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(crate::support::http::exchange(server.ops, &request).status, 202, "{what}");
        };
        fault(&format!("session-panic?session={}", grace.session()));
        grace.receive_at_last("bye");
        fault("room-panic?room=blue");
        ada.receive_at_last("error");
        crate::support::eventually("both panics are told", || match server.log().lines_where("panicked").len() {
            2 => Ok(()),
            other => Err(format!("{other}")),
        });
    }
    #[cfg(not(feature = "fault-injection"))]
    let _ = (ada, grace);
}

#[test]
fn a_start_that_fails_shows_nothing_of_what_it_found() {
    let stage = Stage::set();
    for (variable, text) in [
        ("SWITCHBOARD__OPS__TOKEN_FILE", BAD_SECRET.to_owned()),
        ("SWITCHBOARD__AUTH__JWKS_FILE", format!("{{\"keys\":[{{\"k\":\"{BAD_SECRET}\"}}]}}")),
        ("SWITCHBOARD__AUTH__JWKS_FILE", format!("{{\"keys\": {BAD_SECRET}")),
        (
            "SWITCHBOARD__TLS__KEY_FILE",
            format!("-----BEGIN PRIVATE KEY-----\n{BAD_SECRET}\n-----END PRIVATE KEY-----\n"),
        ),
        ("SWITCHBOARD__TLS__CERT_FILE", BAD_SECRET.to_owned()),
        ("SWITCHBOARD__WEBHOOKS__SECRET_FILE", BAD_SECRET.to_owned()),
        ("SWITCHBOARD__WEBHOOKS__SECRET_FILE", format!("{}\nwhsec_{BAD_SECRET}\n", receiver::SECRET)),
    ] {
        let path = stage.home.path().join("bad");
        fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let others = stage.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut variables: Vec<_> = others.filter(|(name, _)| *name != variable).collect();
        variables.extend([(variable, path.as_str()), ("PORT", "0"), ("SWITCHBOARD__OPS__PORT", "0")]);
        let output = run(&[], &variables);
        assert!(!output.status.success(), "{variable}: {output:?}");
        let told = format!("{output:?}");
        assert!(told.contains(&path) && !told.contains(BAD_SECRET), "{variable}: {told}");
        stage.planted.is_not_in("the words of a start that failed", &told);
    }
    // A secret where a path should be, and one in a list that is not sound.
    for (name, value) in [
        ("SWITCHBOARD__AUTH__KEYS", format!("[{{\"algorithm\":\"HS256\",\"secret\":\"{BAD_SECRET}\"}}]")),
        ("SWITCHBOARD__ICE__SERVERS", format!("[{{\"urls\":\"turn:a\",\"credential\":\"{BAD_SECRET}\"}}]")),
        ("SWITCHBOARD__ICE__SERVERS", format!("[{{\"urls\":\"turn:a\",\"credential\":\"{BAD_SECRET}\"")),
    ] {
        for args in [&[][..], &["--check-config"]] {
            let told = format!("{:?}", run(args, &[(name, &value)]));
            assert!(!told.contains(BAD_SECRET), "{name}: {told}");
        }
    }
}
