//! Settings: what they do, where they come from, and what a mistake in them is answered with.

use std::{net::TcpListener, process::Output};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{TestServer, run, temp_dir, ws::Handshake};

/// What went to standard error, which must be one line.
#[track_caller]
fn only_line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!output.status.success(), "it ended well: {output:?}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file with this text.
fn file(dir: &TempDir, text: &str) -> String {
    let path = dir.path().join("switchboard.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_impossible_variable_stops_the_start_with_one_line_that_says_everything() {
    let cases: [(&str, &str, &[&str]); 8] = [
        ("SWITCHBOARD__LIMITS__PEERS_PER_ROOM", "0", &["limits.peers_per_room", "0", "1"]),
        ("SWITCHBOARD__LIMITS__PEERS_PER_ROOM", "ten", &["limits.peers_per_room", "ten", "integer"]),
        ("SWITCHBOARD__HTTP__BEHIND_TLS", "perhaps", &["http.behind_tls", "perhaps", "true or false"]),
        ("SWITCHBOARD__LOG__LEVEL", "loud", &["log.level", "loud", "debug"]),
        ("PORT", "70000", &["server.port", "70000", "65535"]),
        ("HEARTBEAT_INTERVAL", "30s", &["heartbeat.interval_ms", "30s", "milliseconds"]),
        ("MAX_CONNECTIONS", "-1", &["server.max_connections", "-1"]),
        ("LOG_LEVEL", "verbose", &["log.level", "verbose", "info"]),
    ];
    for (variable, value, told) in cases {
        let line = only_line(&run(&[], &[(variable, value)]));
        for part in told.iter().chain(&[variable]) {
            assert!(line.contains(part), "{part} is not in: {line}");
        }
    }
}

#[test]
fn a_variable_that_names_no_key_stops_the_start() {
    for name in ["SWITCHBOARD__LIMITS__PEERS", "SWITCHBOARD__LIMIT__ROOMS", "SWITCHBOARD__PORT"] {
        let line = only_line(&run(&[], &[(name, "1")]));
        assert!(line.contains(name), "{line}");
    }
}

#[test]
fn a_mistake_in_the_file_names_the_file_and_the_key() {
    let dir = temp_dir();
    let cases: [(&str, &[&str]); 5] = [
        ("[limits]\npeers_per_rom = 4\n", &["limits.peers_per_rom", "peers_per_room"]),
        ("[limit]\nrooms = 4\n", &["limit", "limits"]),
        ("[server]\nport = \"8080\"\n", &["server.port", "8080", "65535"]),
        ("[server\nport = 8080\n", &["TOML"]),
        ("[ice]\nservers = [{ urls = \"http://x\" }]\n", &["ice.servers"]),
    ];
    for (text, told) in cases {
        let path = file(&dir, text);
        let line = only_line(&run(&["--config", &path], &[]));
        for part in told.iter().chain(&[path.as_str()]) {
            assert!(line.contains(part), "{part} is not in: {line}");
        }
    }
}

#[test]
fn values_that_do_not_go_together_are_all_named() {
    let variables = [("SWITCHBOARD__SERVER__DRAIN_MS", "30000"), ("SWITCHBOARD__SERVER__DRAIN_DEADLINE_MS", "20000")];
    let line = only_line(&run(&[], &variables));
    for part in ["server.drain_ms", "30000", "server.drain_deadline_ms", "20000"] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let line = only_line(&run(&["--config", "/nowhere/at-all.toml"], &[]));
    assert!(line.contains("/nowhere/at-all.toml"), "{line}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = temp_dir();
    let state = dir.path().to_str().unwrap();
    for (mine, other) in [("SERVER", "OPS"), ("OPS", "SERVER")] {
        let (mine, other) = (format!("SWITCHBOARD__{mine}__PORT"), format!("SWITCHBOARD__{other}__PORT"));
        let variables =
            [("HOST", "127.0.0.1"), (mine.as_str(), port.as_str()), (&other, "0"), ("SWITCHBOARD__STATE__DIR", state)];
        let output = run(&[], &variables);
        assert!(!output.status.success(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&said).contains(&format!("127.0.0.1:{port}")), "{mine}: it must say where");
    }
}

#[test]
fn check_config_says_ok_or_what_is_wrong_and_starts_nothing() {
    let fine = run(&["--check-config"], &[("PORT", "9999")]);
    let text = String::from_utf8(fine.stdout).unwrap();
    assert!(fine.status.success() && text.contains("OK") && text.contains("9999"), "{text}");
    let line = only_line(&run(&["--check-config"], &[("PORT", "x")]));
    assert!(line.contains("PORT"), "{line}");
}

#[test]
fn check_config_shows_no_credential() {
    let dir = temp_dir();
    let path = file(
        &dir,
        "[ice]\nservers = [{ urls = \"turn:turn.example:3478\", username = \"u\", credential = \"hunter2\" }]\n",
    );
    let output = run(&["--check-config", "--config", &path], &[]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && said.contains("turn.example") && !said.contains("hunter2"), "{said}");
}

#[test]
fn the_files_that_come_with_the_program_are_sound() {
    for name in ["default", "production"] {
        let path = format!("{}/config/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let output = run(&["--check-config", "--config", &path], &[]);
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn version_and_help_are_answered() {
    let version = run(&["--version"], &[]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("switchboard {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(&["--help"], &[]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(help.status.success());
    for word in ["--config", "--check-config", "PORT", "LOG_LEVEL", "SWITCHBOARD__"] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    assert!(!run(&["--no-such-option"], &[]).status.success());
}

#[test]
fn host_and_port_decide_where_it_listens() {
    let port = free_port().to_string();
    let server = TestServer::builder()
        .unset("SWITCHBOARD__SERVER__HOST")
        .unset("SWITCHBOARD__SERVER__PORT")
        .env("HOST", "127.0.0.2")
        .env("PORT", &port)
        .start();
    assert_eq!(server.public.to_string(), format!("127.0.0.2:{port}"));
    server.connect();
}

#[test]
fn the_plain_variables_work_in_milliseconds() {
    let server = TestServer::builder()
        .env("HEARTBEAT_INTERVAL", "1500")
        .env("CONNECTION_TIMEOUT", "2500")
        .env("MAX_CONNECTIONS", "1")
        .start();
    let alice = server.connect();
    assert_eq!(alice.welcome.as_ref().unwrap()["heartbeat"], json!({"intervalMs": 1500, "timeoutMs": 2500}));
    Handshake::new().send(server.public).0.error(503, "over_capacity");
}

#[test]
fn the_environment_wins_over_the_file_and_the_structured_name_over_the_plain_one() {
    let dir = temp_dir();
    let path = file(&dir, "[limits]\nroom_name_bytes = 11\npeers_per_room = 3\n[heartbeat]\ninterval_ms = 1111\n");
    let server = TestServer::set("limits.peers_per_room", 5)
        .env("HEARTBEAT_INTERVAL", "2222")
        .set("heartbeat.interval_ms", 3333)
        .arg("--config")
        .arg(&path)
        .start();
    let welcome = server.connect().welcome.unwrap();
    assert_eq!(welcome["limits"]["roomNameBytes"], 11);
    assert_eq!(welcome["limits"]["peersPerRoom"], 5);
    assert_eq!(welcome["heartbeat"]["intervalMs"], 3333);
}

#[test]
fn ice_servers_reach_the_clients_as_they_stand() {
    let dir = temp_dir();
    let path = file(
        &dir,
        "[ice]\nservers = [{ urls = [\"stun:stun.example:3478\"] }, \
         { urls = \"turn:turn.example:3478\", username = \"u\", credential = \"c\" }]\n",
    );
    let server = TestServer::builder().arg("--config").arg(&path).start();
    let ice = server.join("blue").joined.unwrap()["iceServers"].clone();
    assert_eq!(ice[0]["urls"], json!(["stun:stun.example:3478"]));
    assert_eq!((&ice[1]["username"], &ice[1]["credential"]), (&json!("u"), &json!("c")));
}

#[test]
fn fewer_file_descriptors_than_connections_is_a_warning_with_both_figures() {
    let server = TestServer::set("server.max_connections", 4321).after("ulimit -n 300").start();
    let warning = server.wait_for_log("the warning", |line| line.event() == "config_warning");
    assert!(warning.says("level", "warning"), "{}", warning.text);
    assert!(warning.text.contains("4321") && warning.text.contains("300"), "{}", warning.text);
    server.connect();
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let server = TestServer::builder().env("HEARTBEAT_INTERVAL", "").start();
    assert_eq!(server.connect().welcome.unwrap()["heartbeat"]["intervalMs"], 30_000);
    assert_eq!(Handshake::new().send(server.public).0.status, 101);
}

#[test]
fn a_variable_that_is_nearly_one_of_ours_is_told_at_the_start_and_by_the_check() {
    let server = TestServer::builder().env("SWITCHBOARD_OPS_PORT", "9999").env("switchboard_log_dir", "/tmp").start();
    for (name, meant) in [("SWITCHBOARD_OPS_PORT", "__OPS__PORT"), ("switchboard_log_dir", "__LOG__DIR")] {
        let told = server.wait_for_log(name, |line| line.event() == "config_warning" && line.text.contains(name));
        assert!(told.text.contains(meant), "{}", told.text);
    }
    let output = run(&["--check-config"], &[("SWITCHBOARD_OPS_PORT", "9999"), ("MAX_CONNECTION", "5")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.starts_with("OK\n"), "{text}");
    for told in
        ["SWITCHBOARD_OPS_PORT is not read: did you mean SWITCHBOARD__OPS__PORT?", "did you mean MAX_CONNECTIONS?"]
    {
        assert!(text.contains(told), "{text}");
    }
    let line = only_line(&run(&[], &[("SWITCHBOARD__OPS__PROT", "1")]));
    assert!(line.contains("did you mean SWITCHBOARD__OPS__PORT?"), "{line}");
}

#[test]
fn the_variables_of_a_kubernetes_service_are_no_concern() {
    let of_service = [
        ("SWITCHBOARD_SERVICE_HOST", "10.0.0.1"),
        ("SWITCHBOARD_SERVICE_PORT", "8080"),
        ("SWITCHBOARD_SERVICE_PORT_HTTP", "8080"),
        ("SWITCHBOARD_PORT", "tcp://10.0.0.1:8080"),
        ("SWITCHBOARD_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("SWITCHBOARD_PORT_8080_TCP_PORT", "8080"),
        ("SWITCHBOARD_OPS_PORT", "tcp://10.0.0.2:9464"),
        ("SWITCHBOARD__OPS_PORT", "tcp://10.0.0.2:9464"),
    ];
    let server =
        of_service.iter().fold(TestServer::builder(), |builder, (name, value)| builder.env(name, value)).start();
    server.join("blue").close();
    let warnings = server.log().lines_where("config_warning");
    assert!(warnings.iter().all(|line| !line.text.contains("SWITCHBOARD")), "{warnings:#?}");
    let text = String::from_utf8(run(&["--check-config"], &of_service).stdout).unwrap();
    assert!(text.contains("\n# not read: ") && text.contains("Kubernetes") && !text.contains("warning"), "{text}");
}

#[test]
fn seconds_where_milliseconds_are_meant_are_refused_in_plain_variables_and_told_elsewhere() {
    for (name, value, told) in
        [("HEARTBEAT_INTERVAL", "30", "30 milliseconds"), ("CONNECTION_TIMEOUT", "300", "300 milliseconds")]
    {
        let line = only_line(&run(&[], &[(name, value)]));
        assert!(line.contains(name) && line.contains(told), "{line}");
        only_line(&run(&["--check-config"], &[(name, value)]));
    }
    let drain = [("SWITCHBOARD__SERVER__DRAIN_MS", "20"), ("SWITCHBOARD__LIMITS__META_BYTES", "4")];
    let text = String::from_utf8(run(&["--check-config"], &drain).stdout).unwrap();
    for told in ["is 20 milliseconds", "for 20 seconds write 20000", "is 4 bytes", "for 4 KiB write 4096"] {
        assert!(text.contains(told), "{text}");
    }
    let server = TestServer::set("limits.resume_window_ms", 30).start();
    let told = server.wait_for_log("the warning", |line| {
        line.event() == "config_warning" && line.text.contains("limits.resume_window_ms")
    });
    assert!(told.text.contains("30 milliseconds") && told.text.contains("write 30000"), "{}", told.text);
}
