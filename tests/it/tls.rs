//! TLS on the public listener: handshakes old and new, whatever is done over sockets done over it, and clients that speak
//! something else.

use std::{
    io::{BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};
use serde_json::json;

use crate::support::{
    TestPeer, TestServer, eventually,
    http::{self, dial, dial_from, read_response},
    tls::{Certificates, Client, NAME},
    ws::{Handshake, first, frame},
};

fn rejected(kind: &str) -> String {
    format!("switchboard_http_rejections_total{{kind=\"{kind}\"}}")
}

/// What a request over TLS is answered with.
#[track_caller]
fn get(client: &Client, to: SocketAddr, path: &str) -> http::Response {
    client.get(to, path, NAME)
}

/// What `openssl s_client` comes to with these arguments: whether it has made a handshake, and its words.
fn openssl(server: &TestServer, certificates: &Certificates, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-brief", "-verify_return_error", "-verify_hostname", NAME]);
    command.arg("-CAfile").arg(certificates.signer_file());
    command.args(["-connect", &server.public.to_string()]).args(args);
    let output = command.stdin(Stdio::null()).output().expect("openssl, which scripts/install-test-tools.sh installs");
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (words.contains("Verification: OK"), words)
}

#[test]
fn handshakes_of_tls_1_2_and_1_3_are_made_and_older_ones_are_not() {
    let certificates = Certificates::new();
    let server = certificates.server().start();
    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let secured = certificates.client_of(&[version]).dial(server.public);
        assert_eq!(secured.version, Some(number));
    }
    for (args, says) in [
        (&["-tls1_3"][..], "TLSv1.3"),
        (&["-tls1_2"], "TLSv1.2"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "AES128-GCM"),
    ] {
        let (made, words) = openssl(&server, &certificates, args);
        assert!(made && words.contains(says), "{args:?}: {words}");
    }
    for (args, says) in [
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..], "alert"),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "alert"),
        // Without forward secrecy, and with a cipher of the last century.
        (&["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], "handshake failure"),
    ] {
        let (made, words) = openssl(&server, &certificates, args);
        assert!(!made && words.contains(says), "{args:?}: {words}");
    }
    server.wait_for_metric(&rejected("tls_handshake"), 3.0);
    let told = server.wait_for_log("why", |line| line.event() == "request_rejected");
    assert!(told.text.contains("tls.min_version"), "{}", told.text);
}

#[test]
fn the_oldest_version_can_be_1_3() {
    let certificates = Certificates::new();
    let server = certificates.server().set("tls.min_version", "1.3").start();
    assert!(certificates.client_of(&[&TLS12]).try_dial(server.public).is_err());
    assert_eq!(get(&certificates.client(), server.public, "/healthz").status, 200);
}

#[test]
fn peers_meet_over_tls_as_they_do_without() {
    let certificates = Certificates::new();
    let (server, client) = (certificates.server().start(), certificates.client());
    let mut ada = client.join(&server, "blue");
    let mut grace = certificates.client_of(&[&TLS12]).join(&server, "blue");
    ada.receive_joined(&grace.id);
    // Longer than a record, and than what one read takes.
    for size in [1, 1500, 16_384, 60_000] {
        let data = json!("x".repeat(size));
        ada.send_signal(&grace.id, &data);
        assert_eq!(grace.receive("signal")["data"], data);
        grace.send_signal(&ada.id, &data);
        assert_eq!(ada.receive("signal")["data"], data);
    }
    // Everything at once, and none of it is left behind in a buffer.
    let many: Vec<u8> = (0..100)
        .flat_map(|n| frame(first::TEXT, json!({"type": "ping", "id": n.to_string()}).to_string().as_bytes()))
        .collect();
    ada.send(&many);
    for n in 0..100 {
        assert_eq!(ada.receive("pong")["re"], n.to_string());
    }
    grace.hang_up();
    ada.receive_left(&grace.id, "disconnected");
    ada.close();
}

#[test]
fn a_session_is_resumed_again_and_again_each_time_on_another_socket() {
    let certificates = Certificates::new();
    let (server, client) = (certificates.server().start(), certificates.client());
    let mut ada = client.connect(&server);
    let joined = ada.join_with_fields(&json!({"type": "join", "room": "blue", "resumable": true}));
    let mut token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    let mut grace = client.join(&server, "blue");
    ada.receive_joined(&grace.id);
    // It has heard of its session.
    ada.receive_nothing();
    let id = ada.id.clone();
    let mut former = ada;
    // Each socket goes to the thread of the session that it resumes, sometimes with a frame behind the `join`.
    for round in 0..6_u64 {
        former.abort();
        let away = grace.receive("peer_away");
        assert_eq!(away["id"], id);
        grace.send_signal(&id, &json!(round));
        let mut next = client.connect(&server);
        let resume = json!({"type": "join", "room": "blue", "resume": {"token": token, "ack": 1 + round}});
        let behind = json!({"type": "ping", "id": "behind"});
        let both = [resume, behind].map(|json| frame(first::TEXT, json.to_string().as_bytes())).concat();
        next.send(&both);
        let joined = next.receive("joined");
        assert_eq!((&joined["complete"], &joined["self"]["id"]), (&json!(true), &json!(id)), "{}", joined.text);
        token = joined["resume"]["token"].as_str().expect("a token").to_owned();
        let heard: Vec<_> = [next.receive_any(), next.receive_any()].into();
        assert!(heard.iter().any(|one| one.kind() == "signal" && one["data"] == round), "{heard:?}");
        assert!(heard.iter().any(|one| one.kind() == "pong" && one["re"] == "behind"), "{heard:?}");
        grace.receive("peer_back");
        former = next;
    }
}

#[test]
fn who_comes_back_with_a_ticket_is_spared_the_certificate() {
    let certificates = Certificates::new();
    let server = certificates.server().start();
    for version in [&TLS12, &TLS13] {
        let client = certificates.client_of(&[version]);
        let mut first = client.dial(server.public);
        assert!(!first.is_resumed);
        // The tickets of 1.3 come with what is said first.
        write!(first.stream, "GET /healthz HTTP/1.1\r\nHost: {NAME}\r\n\r\n").unwrap();
        read_response(&mut BufReader::new(first.stream)).unwrap();
        assert!(client.dial(server.public).is_resumed, "{version:?}");
        certificates.put(2099);
        server.wait_for_log("the other one", |line| line.event() == "config_reloaded");
        assert!(client.dial(server.public).is_resumed, "another certificate is no reason to forget it");
    }
}

#[test]
fn whatever_name_is_asked_for_there_is_one_certificate_and_one_protocol() {
    let certificates = Certificates::new();
    let server = certificates.server().start();
    let mut client = certificates.client();
    for protocols in [&[][..], &[&b"http/1.1"[..]], &[b"h2", b"http/1.1"]] {
        std::sync::Arc::make_mut(&mut client.config).alpn_protocols =
            protocols.iter().map(|one| one.to_vec()).collect();
        let secured = client.dial(server.public);
        assert_eq!(secured.protocol.as_deref(), (!protocols.is_empty()).then_some(&b"http/1.1"[..]));
    }
    std::sync::Arc::make_mut(&mut client.config).alpn_protocols = vec![b"h2".to_vec()];
    assert!(client.try_dial(server.public).is_err(), "HTTP/2 alone");
    // The client finds out that it is the wrong one, and says so.
    let stranger = Client { name: "other.example", ..certificates.client() };
    let error = stranger.try_dial(server.public).err().expect("another name").to_string();
    assert!(error.contains("certificate"), "{error}");
    server.wait_for_log("the client's reason", |line| line.text.contains("does not know who signed the certificate"));
    let (made, words) = openssl(&server, &certificates, &["-noservername"]);
    assert!(made, "{words}");
}

#[test]
fn who_speaks_plain_http_to_it_is_told_and_counted() {
    let certificates = Certificates::new();
    let server = certificates.server().start();
    let error = http::get(server.public, "/", &[]).error(400, "invalid_message");
    assert!(error["message"].as_str().unwrap().contains("HTTPS"), "{error}");
    let (answer, _) = Handshake::new().send(server.public);
    assert_eq!(answer.status, 400, "{answer:?}");
    server.wait_for_metric(&rejected("plain_http"), 2.0);
    for (bytes, kind) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], "http2"),
        (b"\x80\x9e\x01", "malformed"),
        (b"PROXY TCP4 ", "proxy_protocol"),
    ] {
        let mut stream = dial(server.public);
        stream.write_all(bytes).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        server.wait_for_metric(&rejected(kind), 1.0);
    }
    let mut stream = dial(server.public);
    // A ClientHello with nothing in it.
    stream.write_all(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00").unwrap();
    let mut alert = Vec::new();
    stream.read_to_end(&mut alert).unwrap();
    assert_eq!(alert.first(), Some(&0x15), "an alert: {alert:?}");
    server.wait_for_metric(&rejected("tls_handshake"), 1.0);
}

#[test]
fn a_slow_handshake_is_ended_and_a_silent_socket_is_no_news() {
    let certificates = Certificates::new();
    let server = certificates.server().set("http.request_timeout_ms", 1000).start();
    let began = Instant::now();
    let mut silent = dial(server.public);
    let mut slow = dial(server.public);
    slow.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    let quiet = certificates.client().dial(server.public);
    // It may become a request that is not encrypted, or anything else: it is not known yet in what to answer.
    let mut unclear = dial(server.public);
    unclear.write_all(b"GE").unwrap();
    for mut stream in [silent.try_clone().unwrap(), slow.try_clone().unwrap(), quiet.stream, unclear] {
        let mut words = Vec::new();
        let _ = stream.read_to_end(&mut words);
        assert!(words.is_empty(), "in plain words to who speaks TLS: {}", String::from_utf8_lossy(&words));
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    server.wait_for_metric(&rejected("timeout"), 2.0);
    assert_eq!(server.scrape().value(&rejected("timeout")), 2.0, "who said nothing has asked for nothing");
    // A client's part that never ends.
    let mut long = dial(server.public);
    for _ in 0..5 {
        let _ = long.write_all(&[&b"\x16\x03\x01\x10\x00\x01\x00\xff\xff"[..], &[0; 4092]].concat());
    }
    let _ = long.read_to_end(&mut Vec::new());
    eventually("it is refused", || {
        let scrape = server.scrape();
        let refused = scrape.value(&rejected("head_too_large")) + scrape.value(&rejected("tls_handshake"));
        if refused == 1.0 { Ok(()) } else { Err(scrape.text()) }
    });
    silent.shutdown(Shutdown::Both).ok();
    silent = slow;
    drop(silent);
}

#[test]
fn an_address_makes_as_many_handshakes_as_it_may_make_requests() {
    let certificates = Certificates::new();
    let server = certificates
        .server()
        .set("limits.exempt_loopback", false)
        .set("limits.handshake_rate", 1)
        .set("limits.http_rate", 1)
        .set("limits.handshake_burst", 5)
        .set("limits.http_burst", 5)
        .start();
    let client = certificates.client();
    let from = |last| Ipv4Addr::new(127, 0, 0, last);
    let made = (0..20).filter(|_| client.over(dial_from(from(7), server.public)).is_ok()).count();
    assert!((10..16).contains(&made), "{made}");
    assert!(client.over(dial_from(from(8), server.public)).is_ok(), "others are not concerned");
    server.wait_for_metric_from("switchboard_sockets_refused_total{listener=\"public\",reason=\"tls_rate\"}", 4.0);
}

#[test]
fn a_proxy_says_who_asks_before_the_handshake() {
    let certificates = Certificates::new();
    let server =
        certificates.server().set("http.proxy_protocol", true).set("http.trusted_proxies", "127.0.0.9").start();
    let client = certificates.client();
    for split in [false, true] {
        let mut tcp = dial_from(Ipv4Addr::new(127, 0, 0, 9), server.public);
        let line = b"PROXY TCP4 203.0.113.7 127.0.0.1 5555 443\r\n";
        tcp.write_all(if split { &line[..9] } else { &line[..] }).unwrap();
        if split {
            tcp.write_all(&line[9..]).unwrap();
        }
        let secured = client.over(tcp).unwrap();
        let mut peer = TestPeer::open(secured.stream, &Handshake::new());
        peer.receive("welcome");
        server.wait_for_log("whose it is", |line| {
            line.event() == "connection_opened" && line.text.contains("203.0.113.7")
        });
    }
}

#[test]
fn beyond_the_limits_probes_and_refusals_are_said_over_tls() {
    let certificates = Certificates::new();
    let server = certificates.server().set("limits.sockets", 2).start();
    let client = certificates.client();
    // Both are in a room: who says nothing would make room.
    let held: Vec<TestPeer> = (0..2)
        .map(|_| {
            let secured = client.over(dial(server.public)).unwrap();
            let mut peer = TestPeer::open(secured.stream, &Handshake::new());
            peer.receive("welcome");
            peer.join("demo");
            peer
        })
        .collect();
    assert_eq!(get(&client, server.public, "/healthz").status, 200);
    assert_eq!(get(&client, server.public, "/").status, 503);
    drop(held);
}

#[test]
fn pages_of_the_same_host_need_tls_and_answers_promise_it() {
    let certificates = Certificates::new();
    let (server, client) = (certificates.server().start(), certificates.client());
    let answer = |origin: &str| {
        let handshake = Handshake::new().with("Host", NAME).with("Origin", origin);
        handshake.send_on(client.dial(server.public).stream).0.status
    };
    assert_eq!((answer("https://meet.example"), answer("http://meet.example")), (101, 403));
    let page = get(&client, server.public, "/");
    assert!(page.status == 200 && page.header("Strict-Transport-Security").is_some(), "{page:?}");
}
