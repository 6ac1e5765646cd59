//! Every scenario against the baseline, through real sockets: generator and baseline hold each other to the protocol.

use std::{net::SocketAddr, sync::OnceLock, thread};

use clap::Parser as _;
use switchboard_load::{
    baseline::{Baseline, Options},
    cli::{Cli, Command},
    report::Report,
    scenario::{broadcast, churn, idle, join, memory, mesh, paced, profile, relay},
};

/// One baseline for all tests; it ends with the process.
fn baseline() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let baseline = Baseline::bind(Options { address: ([127, 0, 0, 1], 0).into(), ping: 1 }).unwrap();
        let address = baseline.address().unwrap();
        thread::spawn(|| baseline.run());
        address
    })
}

fn run(line: &str) -> Report {
    let target = format!("--target={}", baseline());
    let words = std::iter::once("switchboard-load").chain(line.split(' ')).chain([target.as_str()]);
    let report = match Cli::try_parse_from(words).unwrap().command {
        Command::Idle(args) => idle::run(&args),
        Command::Relay(args) => relay::run(&args),
        Command::Paced(args) => paced::run(&args),
        Command::Mesh(args) => mesh::run(&args),
        Command::Broadcast(args) => broadcast::run(&args),
        Command::Churn(args) => churn::run(&args),
        Command::Join(args) => join::run(&args),
        Command::Memory(args) => memory::run(&args),
        Command::Ramp(args) => profile::ramp(&args),
        Command::Stress(args) => profile::stress(&args),
        Command::Spike(args) => profile::spike(&args),
        Command::Compare(_) => unreachable!("no scenario"),
    }
    .unwrap();
    assert!(report.passed(), "{line}: {report:#?}");
    report
}

fn count(report: &Report, name: &str) -> u64 {
    report.counts[name].as_u64().unwrap()
}

#[test]
fn relay_ends_at_its_number_of_messages_and_loses_none() {
    let report = run("relay --rooms 3 --window 4 --silent 2 --warmup 0 --seconds 60 --messages 500");
    assert_eq!(count(&report, "joined"), 10);
    assert!(count(&report, "delivered") >= 500);
    assert_eq!(count(&report, "sent"), count(&report, "delivered"));
    assert!(report.latencies["offer_to_answer"].count > 0);
}

#[test]
fn thinking_pairs_rest_between_round_trips() {
    let report = run("relay --rooms 1 --think 50 --warmup 0 --seconds 0.4");
    let rounds = report.latencies["offer_to_answer"].count;
    assert!((1..=8).contains(&rounds), "{rounds} round trips in 400 ms with 50 ms between them");
}

#[test]
fn paced_keeps_its_rate() {
    let report = run("paced --rooms 5 --room-size 3 --rate 500 --warmup 0 --seconds 1");
    let sent = count(&report, "sent");
    assert!((490..=700).contains(&sent), "{sent} messages in one second at 500 a second");
    assert_eq!(count(&report, "delivered"), sent);
}

#[test]
fn a_mesh_has_every_pair_and_both_sides_candidates() {
    let report = run("mesh --rooms 4 --room-size 5 --candidates 3");
    // 10 pairs in each room; an offer, an answer and three candidates each way.
    assert_eq!(count(&report, "delivered"), 4 * 10 * 8);
    assert_eq!(report.latencies["offer_to_answer"].count, 40);
}

#[test]
fn a_broadcast_reaches_everybody_else_once() {
    let report = run("broadcast --rooms 2 --receivers 7 --window 2 --warmup 0 --seconds 0.2");
    assert!(count(&report, "delivered") > 0);
    assert_eq!(count(&report, "delivered") % 7, 0);
}

#[test]
fn who_leaves_closes_or_dies_is_replaced() {
    let report = run("churn --peers 40 --room-size 4 --rate 200 --seconds 0.5");
    assert!(count(&report, "joined") > 100, "{report:#?}");
}

#[test]
fn joins_and_idle_peers_stay_whole() {
    assert_eq!(count(&run("join --peers 300"), "joined"), 300);
    // Pinged every second by the baseline, which the peers answer.
    assert_eq!(count(&run("idle --peers 50 --hold 1.5 --warmup 0"), "cut"), 0);
    assert_eq!(count(&run("memory --peers 20 --hold 0"), "delivered"), 10 * 6);
}

#[test]
fn profiles_hold_their_thresholds() {
    for line in ["ramp --peers 60", "stress --peers 60", "spike --peers 60"] {
        let report = run(&format!("{line} --rise 0.3 --hold 0.5 --rate 4"));
        assert_eq!(report.checks.len(), 5);
        assert!(count(&report, "delivered") > 50);
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("--target={}", listener.local_addr().unwrap());
    drop(listener);
    let cli = Cli::try_parse_from(["switchboard-load", "idle", "--peers", "2", &target]).unwrap();
    let Command::Idle(args) = cli.command else { unreachable!("asked for idle") };
    assert!(idle::run(&args).unwrap_err().to_string().contains("no peer could join"));
}
