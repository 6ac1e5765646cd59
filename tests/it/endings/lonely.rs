//! A peer whose network is gone: its kernel acknowledges nothing any more, and says nothing either. It lives in a network
//! of its own, with one cable to the server's, and the cable is cut.

use std::{
    env,
    process::{Command, Stdio},
};

use super::{Client, LOST, Stage, Told};
use crate::support::{Builder, TestServer, eventually};

/// Set where a test has its own network already.
const INSIDE: &str = "SWITCHBOARD_TEST_OWN_NETWORK";
/// The server's end of the cable, and the peer's.
const SERVER: &str = "10.77.0.1";
const PEER: &str = "10.77.0.2";

/// Runs the test of this name once more, in a network that it may change: it says the same there, and no other test and
/// nobody on this machine sees anything of it. False outside, where that was all.
#[track_caller]
fn in_own_network(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]).arg(env::current_exe().expect("this program"));
    command.args(["--exact", &format!("endings::lonely::{test}"), "--nocapture"]).env(INSIDE, "1");
    let output = command.stdin(Stdio::null()).output().expect("unshare, of util-linux");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "in a network of its own ({}):\n{said}", output.status);
    assert!(said.contains("1 passed"), "no such test: {test}\n{said}");
    false
}

#[track_caller]
fn sh(script: &str) {
    let output = Command::new("sh").args(["-e", "-c", script]).output().expect("sh");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A client at the far end of the cable.
fn connect_by_cable(stage: &Stage) -> Client {
    // It waits for its end of the cable, of which the line on its standard input tells.
    let before = format!("read -r && ip address add {PEER}/24 dev peer && ip link set peer up &&");
    let mut client = Client::spawn(stage, &["unshare", "--net", "--"], &before, SERVER);
    let pid = client.0.id();
    let own = std::fs::read_link("/proc/self/ns/net").expect("this network");
    eventually("the client has a network of its own", || {
        let network = std::fs::read_link(format!("/proc/{pid}/ns/net")).map_err(|e| e.to_string())?;
        if network == own { Err(format!("{}", network.display())) } else { Ok(()) }
    });
    // A cable goes with the client before, but not at once.
    sh(&format!(
        "if ip link show server; then ip link delete server; fi; ip link add server type veth peer name peer netns {pid}; ip address add {SERVER}/24 dev server; \
         ip link set server up"
    ));
    client.go_on();
    client
}

/// From here on nothing arrives at the client, and nothing comes from it. Neither kernel is told.
fn cut_cable(client: &Client) {
    sh(&format!("nsenter --target {} --net ip link set peer down", client.0.id()));
}

/// Plays it as `play` does.
#[track_caller]
fn play(test: &str, server: impl Fn() -> Builder, told: Told, meanwhile: impl Fn(&mut Stage, &str)) {
    if !in_own_network(test) {
        return;
    }
    sh("ip link set lo up");
    for resumable in [false, true] {
        let mut stage = Stage::set(server().set("server.host", "0.0.0.0"), resumable);
        let mut client = connect_by_cable(&stage);
        let who = client.joins(&mut stage);
        cut_cable(&client);
        meanwhile(&mut stage, &who);
        stage.check(&who, told);
    }
}

#[test]
fn a_peer_whose_network_is_gone_while_it_is_told_something() {
    let server = || TestServer::set("heartbeat.tcp_user_timeout_ms", 1000);
    play("a_peer_whose_network_is_gone_while_it_is_told_something", server, LOST, |stage, who| {
        stage.witnesses[0].send_signal(who, &serde_json::json!("are you there?"));
    });
}

#[test]
fn a_peer_whose_network_is_gone_while_all_is_quiet() {
    let server = || TestServer::set("heartbeat.interval_ms", 700);
    let told = Told { closed: "ping_timeout", left: "timeout", parks: true };
    play("a_peer_whose_network_is_gone_while_all_is_quiet", server, told, |_, _| {});
}
