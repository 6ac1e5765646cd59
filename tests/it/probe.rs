//! `switchboard --probe`, as a container's health check runs it: with the server's variables, and without its arguments.

use std::{
    io::Write,
    net::{Ipv6Addr, TcpListener},
    process::{Output, Stdio},
    thread,
};

use tempfile::TempDir;

use crate::{
    stun::Ended,
    support::{Builder, LogDrain, TestServer, ports, program, run, temp_dir, tls::Certificates},
};

/// The variables that a server was started with, which are those of its container.
fn variables(server: &TestServer) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(format!("/proc/{}/environ", server.pid())).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What the health check of that server's container says.
fn health_check(server: &TestServer) -> Output {
    let variables = variables(server);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    run(&["--probe"], &variables)
}

/// That it lives, and where it was asked.
#[track_caller]
fn lives(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()), "{output:?}");
    let asked = text.strip_prefix("GET http://").and_then(|rest| rest.strip_suffix("/healthz: 200 ok\n"));
    asked.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// What it says of a server that does not live, in one line.
#[track_caller]
fn does_not(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{output:?}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

/// A server whose place the variables do not say.
fn builder() -> Builder {
    TestServer::builder().unset("SWITCHBOARD__SERVER__HOST").unset("SWITCHBOARD__SERVER__PORT")
}

/// A file that says it.
fn file(dir: &TempDir, host: &str, port: u16) -> String {
    let path = dir.path().join("switchboard.toml");
    std::fs::write(&path, format!("[server]\nhost = \"{host}\"\nport = {port}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_server_whose_place_is_in_a_file_is_found_without_that_file() {
    let dir = temp_dir();
    for (host, asked) in
        [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1")]
    {
        let port = ports::reserve();
        let file = file(&dir, host, port);
        let server = builder().arg("--config").arg(&file).start();
        // A name's first address may be the other loopback.
        let asked = if host == "localhost" { server.public.to_string() } else { format!("{asked}:{port}") };
        assert_eq!(lives(&health_check(&server)), asked, "{host}");
        assert_eq!(lives(&run(&["--probe", "--config", &file], &[])), asked, "{host}");
    }
}

#[test]
fn a_file_may_be_named_by_a_variable_for_both() {
    let dir = temp_dir();
    let port = ports::reserve();
    let file = file(&dir, "127.0.0.1", port);
    let server = builder().env("SWITCHBOARD__CONFIG", &file).start();
    assert_eq!(server.public.port(), port);
    assert_eq!(lives(&health_check(&server)), format!("127.0.0.1:{port}"));
    assert_eq!(lives(&run(&["--probe"], &[("SWITCHBOARD__CONFIG", &file)])), format!("127.0.0.1:{port}"));
}

#[test]
fn what_the_variables_say_wins_over_the_file_for_both() {
    let dir = temp_dir();
    let (in_file, port) = (ports::reserve(), ports::reserve().to_string());
    let file = file(&dir, "127.0.0.3", in_file);
    let server = builder().env("PORT", &port).arg("--config").arg(&file).start();
    assert_eq!(server.public.to_string(), format!("127.0.0.3:{port}"));
    assert_eq!(lives(&health_check(&server)), format!("127.0.0.3:{port}"), "the host is the file's");
    // Without the file it is known by its port alone, whatever else runs on this machine.
    assert_eq!(lives(&run(&["--probe"], &[("PORT", &port)])), format!("127.0.0.3:{port}"));
}

#[test]
fn what_else_the_program_does_is_not_taken_for_a_server() {
    let dir = temp_dir();
    let port = ports::reserve();
    let file = file(&dir, "127.0.0.1", port);
    let server = builder().set("stun.port", ports::reserve()).set("stun.host", "127.0.0.1").set("stun.serve", false);
    let server = server.arg("--config").arg(&file).start();
    // As a second container of the same host, or by the same service: with the same variables.
    let mut command = program();
    command.arg("stun").env_clear().envs(variables(&server)).stdout(Stdio::piped());
    let mut stun = Ended(command.spawn().unwrap());
    LogDrain::on(stun.0.stdout.take().unwrap()).wait_for("it listens", |line| line.event() == "stun_started");
    assert_eq!(lives(&health_check(&server)), format!("127.0.0.1:{port}"));
}

#[test]
fn a_port_that_the_system_chose_is_found() {
    let server = TestServer::start();
    let asked = lives(&health_check(&server));
    assert!([server.public, server.ops].map(|address| address.to_string()).contains(&asked), "{asked}");
}

#[test]
fn addresses_of_ipv6_are_asked_as_they_are() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        // This machine has no IPv6; the addresses that are asked for are tested beside the code.
        return;
    }
    for host in ["::1", "::"] {
        let port = ports::reserve();
        let server = builder().env("HOST", host).env("PORT", &port.to_string()).start();
        assert_eq!(lives(&health_check(&server)), format!("[::1]:{port}"), "{host}");
    }
}

#[test]
fn where_nobody_listens_it_says_where_it_asked_and_what_happened() {
    let port = ports::reserve().to_string();
    let told = does_not(&run(&["--probe"], &[("HOST", "127.0.0.1"), ("PORT", &port)]));
    assert!(told.contains(&format!("GET http://127.0.0.1:{port}/healthz: ")), "{told}");
    assert!(told.contains("refused"), "{told}");
    let told = does_not(&run(&["--probe"], &[("HOST", "no-such-host.invalid"), ("PORT", &port)]));
    assert!(told.contains(&format!("GET http://no-such-host.invalid:{port}/healthz: ")), "{told}");
}

/// Answers one connection with that, and holds it open until the probe has ended.
#[track_caller]
fn answered_with(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(answer).unwrap();
        stream
    });
    let told = does_not(&run(&["--probe"], &[("HOST", "127.0.0.1"), ("PORT", &port)]));
    other.join().unwrap();
    assert!(told.contains(&format!("GET http://127.0.0.1:{port}/healthz: ")), "{told}");
    told
}

#[test]
fn another_answer_than_200_is_told() {
    let unwell = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 19\r\n\r\na part is not well\n";
    assert!(answered_with(unwell).contains(": 503 a part is not well"));
    assert!(answered_with(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").contains(": 404"));
}

#[test]
fn what_says_nothing_or_no_http_is_told_within_a_health_checks_time() {
    for answer in [b"".as_slice(), b"\x15\x03\x01\x00\x02\x02\x46"] {
        let told = answered_with(answer);
        assert!(told.contains("no answer in time") || told.contains("no HTTP"), "{told}");
    }
}

#[test]
fn settings_that_are_not_sound_are_told_as_at_the_start() {
    let told = does_not(&run(&["--probe"], &[("PORT", "http")]));
    assert!(told.contains("server.port from variable PORT"), "{told}");
}

#[test]
fn a_server_that_speaks_tls_is_asked_over_tls_whatever_its_certificate_is_for() {
    let certificates = Certificates::new();
    certificates.put(2020);
    let server = certificates.server().start();
    // The variables leave the port open, so that it may be either listener.
    for _ in 0..2 {
        let output = health_check(&server);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success() && text.ends_with("/healthz: 200 ok\n"), "{output:?}");
    }
    let port = ports::reserve();
    let server = certificates.server().set("server.port", port).set("http.trusted_proxies", "127.0.0.1");
    let server = server.set("http.proxy_protocol", true).start();
    let output = health_check(&server);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text, format!("GET https://127.0.0.1:{port}/healthz: 200 ok\n"), "{output:?}");
}
