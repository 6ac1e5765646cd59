//! The STUN responder: what it answers, to whoever asks it and from where, and that it goes on without the rest.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    LogDrain, PATIENCE, TestPeer, TestServer, eventually_within, http, ports, program, run, send_signal, ws::Handshake,
};

/// A Binding request, and nothing else (RFC 8489 section 5).
const REQUEST: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// A client that takes answers only from where it asks.
fn client(server: SocketAddr) -> UdpSocket {
    let any: IpAddr = if server.is_ipv4() { [127, 0, 0, 1].into() } else { "::1".parse().unwrap() };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(server).unwrap();
    socket
}

/// The address in an answer, by RFC 8489 section 14.2 and with nobody's library.
#[track_caller]
fn mapped(answer: &[u8]) -> SocketAddr {
    assert_eq!((&answer[..2], &answer[4..20]), (&[1, 1][..], &REQUEST[4..20]), "a success response to this request");
    let family = answer[25];
    assert_eq!((&answer[20..22], answer.len()), (&[0, 0x20][..], if family == 1 { 32 } else { 44 }), "{answer:?}");
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    let bytes: Vec<u8> = answer[28..].iter().zip(&REQUEST[4..]).map(|(hidden, key)| hidden ^ key).collect();
    let address: IpAddr = match family {
        1 => <[u8; 4]>::try_from(bytes).unwrap().into(),
        _ => <[u8; 16]>::try_from(bytes).unwrap().into(),
    };
    SocketAddr::new(address, port)
}

/// Asks once, and says where it was seen.
#[track_caller]
fn ask(client: &UdpSocket) -> SocketAddr {
    client.send(&REQUEST).unwrap();
    let mut buffer = [0; 100];
    let length = client.recv(&mut buffer).expect("an answer from the address that was asked");
    mapped(&buffer[..length])
}

/// A process that ends with the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn outcome(label: &str) -> String {
    format!("switchboard_stun_requests_total{{outcome=\"{label}\"}}")
}

#[test]
fn whoever_asks_is_told_where_it_was_seen_from_whichever_address_it_asked() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).set("stun.host", "::").set("ice.check_interval_ms", 0).start();
    for host in ["127.0.0.1", "127.0.0.2", "::1"] {
        let client = client(SocketAddr::new(host.parse().unwrap(), port));
        assert_eq!(ask(&client), client.local_addr().unwrap(), "{host}");
    }
    let client = client(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    for stray in [
        &b"hello, is this STUN?"[..],
        &REQUEST[..19],
        &[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    ] {
        client.send(stray).unwrap();
    }
    // What is no request is not answered: the next answer is that to the next request.
    assert_eq!(ask(&client), client.local_addr().unwrap());
    server.wait_for_metric(&outcome("answered"), 4.0);
    server.wait_for_metric(&outcome("not_stun"), 2.0);
    server.wait_for_metric(&outcome("not_binding"), 1.0);
}

#[test]
fn nobody_is_answered_more_often_than_the_limits_say() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port)
        .set("stun.rate", 1)
        .set("stun.burst", 5)
        // It asks from the same address.
        .set("ice.check_interval_ms", 0)
        .start();
    let client = client(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    for _ in 0..5 {
        ask(&client);
    }
    for _ in 0..100 {
        client.send(&REQUEST).unwrap();
    }
    server.wait_for_metric_from(&outcome("address_limit"), 90.0);
    // Somebody else has a share of their own.
    let other = UdpSocket::bind("127.0.0.9:0").unwrap();
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    other.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert_eq!(ask(&other), other.local_addr().unwrap());
}

/// An address of this machine that is not loopback: a private one, if it has any.
fn own_address() -> Option<IpAddr> {
    let found = nix::ifaddrs::getifaddrs().unwrap().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    let is_link_local = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    found
        .filter(|address| !address.is_loopback() && !is_link_local(address))
        .min_by_key(|address| !is_private(*address))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Asks so often that it is no chance: from loopback, as health checks do, and then from this machine's own address. How many warnings
/// there should be, and how many there were by then.
fn ask_from_home(server: &TestServer, port: u16) -> (usize, usize) {
    let told = || server.log().lines().iter().filter(|line| line.event() == "stun_only_private").count();
    let near = client(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    for _ in 0..25 {
        ask(&near);
    }
    server.wait_for_metric(&outcome("answered"), 25.0);
    assert_eq!(told(), 0, "who asks from this machine says nothing of the others");
    let Some(own) = own_address() else { return (0, told()) };
    let socket = UdpSocket::bind((own, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect((own, port)).unwrap();
    for _ in 0..45 {
        ask(&socket);
    }
    server.wait_for_metric(&outcome("answered"), 70.0);
    let wanted = usize::from(is_private(own));
    if wanted > 0 {
        server.wait_for_log("the warning", |line| line.event() == "stun_only_private");
    }
    (wanted, told())
}

#[test]
fn one_that_everybody_asks_from_private_addresses_warns_where_others_should_come() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port)
        .set("stun.host", "::")
        .set("stun.public_host", "rooms.example.org")
        .set("ice.check_interval_ms", 0)
        .start();
    let (wanted, told) = ask_from_home(&server, port);
    assert_eq!(told, wanted);
    for line in server.log().lines().iter().filter(|line| line.event() == "stun_only_private") {
        let (level, host) = (line.json["level"].as_str(), &line.json["public_host"]);
        assert_eq!((level, host), (Some("warning"), &json!("rooms.example.org")));
    }
}

#[test]
fn a_public_host_that_a_client_used_itself_is_one_where_others_should_come() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).set("stun.host", "::").set("ice.check_interval_ms", 0).start();
    by(&server, "box.lan").join_with_fields(&join("blue"));
    by(&server, "rooms.example.org").join_with_fields(&join("blue"));
    let (wanted, told) = ask_from_home(&server, port);
    assert_eq!(told, wanted);
}

#[test]
fn a_flood_beyond_the_limit_of_all_is_counted_and_told_once() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).set("stun.total_rate", 1).set("ice.check_interval_ms", 0).start();
    let client = client(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    for _ in 0..100 {
        client.send(&REQUEST).unwrap();
    }
    server.wait_for_metric_from(&outcome("total_limit"), 90.0);
    server.wait_for_metric_from("switchboard_limit_hits_total{limit=\"stun_total\"}", 1.0);
    let line = server.wait_for_log("that the limit was met", |line| line.event() == "stun_total_limit");
    assert!(line.json["refused"].as_u64() >= Some(1), "{}", line.text);
    client.send(&REQUEST).unwrap();
    client.send(&REQUEST).unwrap();
    server.wait_for_metric_from("switchboard_limit_hits_total{limit=\"stun_total\"}", 2.0);
    let told = server.log().lines().iter().filter(|line| line.event() == "stun_total_limit").count();
    assert_eq!(told, 1, "and not each second");
}

#[test]
fn without_a_port_there_is_none_and_a_port_that_is_taken_is_told_at_the_start() {
    let server = TestServer::start();
    assert!(!server.log().lines().iter().any(|line| line.event() == "stun_started"));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let state = crate::support::temp_dir();
    let variables = [
        ("SWITCHBOARD__SERVER__PORT", "0"),
        ("SWITCHBOARD__OPS__PORT", "0"),
        ("SWITCHBOARD__STATE__DIR", state.path().to_str().unwrap()),
        ("SWITCHBOARD__STUN__HOST", "127.0.0.1"),
        ("SWITCHBOARD__STUN__PORT", &port),
    ];
    for arguments in [&[][..], &["stun"]] {
        let output = run(arguments, &variables);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("cannot listen on 127.0.0.1:{port} (UDP) (stun.host, stun.port)")), "{text}");
    }
}

#[test]
fn a_process_of_its_own_answers_is_probed_and_ends_by_a_signal_with_what_it_counted() {
    let port = ports::reserve().to_string();
    let variables = [("SWITCHBOARD__STUN__PORT", port.as_str()), ("SWITCHBOARD__STUN__HOST", "127.0.0.1")];
    let probe = || run(&["stun", "--probe"], &variables);
    let refused = probe();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("STUN Binding request to 127.0.0.1"), "{refused:?}");

    let mut command = program();
    command.arg("stun").envs(variables).stdout(Stdio::piped());
    let mut child = Ended(command.spawn().unwrap());
    let log = LogDrain::on(child.0.stdout.take().unwrap());
    log.wait_for("it listens", |line| line.event() == "stun_started");
    let alive = probe();
    assert_eq!(alive.status.code(), Some(0), "{alive:?}");
    assert!(String::from_utf8_lossy(&alive.stdout).contains("seen as 127.0.0.1:"), "{alive:?}");
    let client = client(format!("127.0.0.1:{port}").parse().unwrap());
    client.send(b"no request").unwrap();
    ask(&client);

    send_signal(child.0.id(), "HUP");
    log.wait_for("a signal that means nothing to it", |line| {
        line.event() == "signal_ignored" && line.says("signal", "SIGHUP")
    });
    send_signal(child.0.id(), "TERM");
    let status = eventually_within(Duration::from_secs(10), "it ends", || {
        child.0.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
    });
    assert!(status.success(), "{status}");
    let counted = log.wait_for("what it counted", |line| line.event() == "stun_counted");
    assert_eq!((&counted.json["answered"], &counted.json["refused"]), (&json!(2), &json!(1)));
}

#[test]
fn a_process_of_its_own_without_a_port_waits_for_a_signal_and_is_well() {
    let mut command = program();
    command.arg("stun").stdout(Stdio::piped());
    let mut child = Ended(command.spawn().unwrap());
    let log = LogDrain::on(child.0.stdout.take().unwrap());
    log.wait_for("why it answers nobody", |line| {
        line.event() == "config_warning" && line.text.contains("stun.port is 0")
    });
    let probe = run(&["stun", "--probe"], &[]);
    assert_eq!(probe.status.code(), Some(0), "{probe:?}");
    assert!(String::from_utf8_lossy(&probe.stdout).contains("there is no responder to ask"), "{probe:?}");
    send_signal(child.0.id(), "HUP");
    log.wait_for("a signal that means nothing to it", |line| line.event() == "signal_ignored");
    assert_eq!(child.0.try_wait().unwrap(), None, "it waits");
    send_signal(child.0.id(), "TERM");
    let status = eventually_within(Duration::from_secs(10), "it ends", || {
        child.0.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
    });
    assert!(status.success(), "{status}");
}

#[test]
fn a_server_that_leaves_it_to_another_process_listens_on_no_port() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).set("stun.serve", false).start();
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free for that process");
    assert_eq!(server.get("/healthz").status, 200);
}

/// A client that came by that host.
fn by(server: &TestServer, host: &str) -> TestPeer {
    let mut peer = TestPeer::open(http::dial(server.public), &Handshake::new().with("Host", host));
    peer.receive("welcome");
    peer
}

fn join(room: &str) -> Value {
    json!({"type": "join", "id": "j", "room": room})
}

fn at(host: &str, port: u16) -> Value {
    json!([{"urls": format!("stun:{host}:{port}")}])
}

#[test]
fn each_client_is_told_of_it_at_the_host_that_it_used_itself() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).start();
    for (host, told) in [
        ("rooms.example.org:8080", at("rooms.example.org", port)),
        ("[2001:db8::7]:8080", at("[2001:db8::7]", port)),
        ("10.0.0.7", at("10.0.0.7", port)),
        ("a.example\"},{\"urls\":\"stun:b.example", json!([])),
        ("300.1.1.1", json!([])),
    ] {
        let joined = by(&server, host).join_with_fields(&join("blue"));
        assert_eq!(joined["iceServers"], told, "{host}");
        assert!(joined["iceTtlMs"].is_null(), "nothing in it ends");
    }
    let mut peer = by(&server, "rooms.example.org");
    peer.join("red");
    peer.send_json(&json!({"type": "ice", "id": "i"}));
    assert_eq!(peer.receive("ice_servers").json()["iceServers"], at("rooms.example.org", port));
}

#[test]
fn who_comes_back_by_another_host_is_told_of_that_one() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).start();
    let mut peer = by(&server, "inside.example.org");
    let mut frame = join("blue");
    frame["resumable"] = json!(true);
    let joined = peer.join_with_fields(&frame);
    assert_eq!(joined["iceServers"], at("inside.example.org", port));
    let resume = json!({"token": joined["resume"]["token"], "ack": 0});
    let mut again = by(&server, "outside.example.org");
    let mut frame = join("blue");
    frame["resume"] = resume;
    let joined = again.join_with_fields(&frame);
    assert_eq!((&joined["complete"], &joined["iceServers"]), (&json!(true), &at("outside.example.org", port)));
}

#[test]
fn a_public_host_is_told_to_everybody_before_what_is_configured_beside_it() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port)
        .set("stun.public_host", "stun.example.org")
        .set("ice.servers", json!([{"urls": "stun:b.example"}]))
        .set("ice.check_interval_ms", 0)
        .start();
    let told = json!([{"urls": format!("stun:stun.example.org:{port}")}, {"urls": "stun:b.example"}]);
    for host in ["rooms.example.org", "300.1.1.1"] {
        assert_eq!(by(&server, host).join_with_fields(&join("blue"))["iceServers"], told, "{host}");
    }
}

#[test]
fn the_server_asks_its_own_responder_whether_it_answers() {
    let port = ports::reserve();
    let server = TestServer::set("stun.port", port).set("ice.check_interval_ms", 100).start();
    server.wait_for_metric_from(
        "switchboard_ice_checks_total{kind=\"stun\",outcome=\"answered\",transport=\"udp\"}",
        2.0,
    );
}
