//! The soak: hundreds of peers join, talk, stall, die and resume through a bad network, for as long as one likes. Each
//! checks every frame it hears; now and then it is calm, and then everything must be as the peers know it to be.
#![expect(clippy::float_cmp, reason = "metrics are floats, and counts are whole")]
mod acts;
mod connection;
mod counts;
mod membership;
mod numbering;
mod peer;
mod plan;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the scenarios, which need more of it")]
mod support;
mod truth;
mod world;

use std::{sync::Arc, time::Duration};

use switchboard_chaos::Proxy;
use tokio::runtime;

use crate::{
    peer::{Peer, Shared, look},
    plan::Plan,
    support::{Builder, Scrape, TestServer},
    truth::Truth,
    world::{Phase, World},
};

/// How long a parked session waits: short, so that some come too late.
const WINDOW: Duration = Duration::from_millis(2_500);
/// By how much memory may differ between two calm moments: the allocator keeps pages that the last round's queues and
/// unacknowledged frames (up to 192 KiB a peer) were in, more or fewer of them. Some 4 MiB either way were seen; a
/// leak of 1 KiB per connection is more than this after 8 000 connections, some six minutes.
const LEEWAY_KIB: u64 = 8 * 1024;
const WORKERS: f64 = 2.0;
/// How long it may take until everything is as it should be: sessions that nobody comes back to must have ended.
const CALM: Duration = Duration::from_secs(20);

/// Everything that can be exceeded is small.
fn server() -> Builder {
    TestServer::set("limits.resume_window_ms", WINDOW.as_millis())
        .set("server.workers", WORKERS)
        .set("heartbeat.interval_ms", 1_000)
        .set("heartbeat.send_buffer_bytes", 16_384)
        .set("limits.queue_frames", 20)
        .set("limits.queue_bytes", 65_536)
        .set("limits.resume_frames", 40)
        .set("limits.resume_bytes", 131_072)
        .set("limits.meta_bytes", 1_024)
        .set("limits.frame_bytes", 16_384)
        .set("limits.busy_pause_ms", 200)
        .set("limits.slow_ms", 1_000)
        .set("log.level", "info")
}

#[test]
fn whatever_the_network_does_everything_is_true_once_it_is_calm() {
    let plan = Plan::from_env();
    eprintln!("soak: {plan}");
    let server = server().start();
    server.wait_for_metric("switchboard_arbiters", WORKERS);
    let idle = server.descriptors();
    let proxy = Proxy::start(server.public).expect("start the proxy");
    let world = Arc::new(World::new(plan, proxy, WINDOW));
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let slots: Vec<Shared> = (0..plan.peers)
        .map(|index| {
            let peer = Peer::new(&world, index);
            let slot = Arc::clone(&peer.slot);
            runtime.spawn(peer.run());
            slot
        })
        .collect();
    let mut memory = Vec::new();
    for round in 1..=plan.rounds {
        world.phase.send_replace(Phase::Chaos);
        world.watch_for(plan.round);
        world.phase.send_replace(Phase::Calm);
        world.proxy.heal();
        settle(&world, &server, || truth::holds(&slots));
        memory.push(server.memory_kib("VmRSS"));
        eprintln!("soak: round {round} of {}, {} KiB; so far {}", plan.rounds, memory[memory.len() - 1], world.story());
    }
    world.phase.send_replace(Phase::Leave);
    settle(&world, &server, || match slots.iter().filter(|slot| !look(slot).gone).count() {
        0 => Ok(Truth::NOBODY),
        left => Err(format!("{left} peers have not gone")),
    });
    support::eventually("no descriptor is left open", || match server.descriptors() {
        open if open > idle => Err(format!("{open} instead of {idle}")),
        _ => Ok(()),
    });
    tell(&server.scrape());
    is_flat(&memory, &world);
}

/// Waits until the peers and the gauges say the same.
#[track_caller]
fn settle(world: &World, server: &TestServer, truth: impl Fn() -> Result<Truth, String>) {
    let deadline = std::time::Instant::now() + CALM;
    loop {
        world.watch_for(Duration::from_millis(100));
        let state = truth().and_then(|truth| truth.is_told_by(&server.scrape()));
        let Err(state) = state else { return };
        let late = std::time::Instant::now() > deadline;
        assert!(!late, "not within {CALM:?}: {state}; {}; again: {}", world.story(), world.plan);
    }
}

/// What the first round's chaos needed is there afterwards, and so many peers are again: more chaos must not need more.
#[track_caller]
fn is_flat(memory: &[u64], world: &World) {
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    let connections = world.counted("connections");
    eprintln!("soak: {first} KiB after the first round, {last} KiB after the last, {connections} connections");
    assert!(
        last <= first + LEEWAY_KIB,
        "memory grew from {first} to {last} KiB; all: {memory:?}; again: {}",
        world.plan
    );
}

/// What the server says of the run.
fn tell(scrape: &Scrape) {
    for name in ["connections_closed_total", "relays_total", "reconnection_attempts_total", "leaves_total"] {
        let series = format!("switchboard_{name}");
        let figures = scrape.series(&series).filter(|(_, value)| *value > 0.0);
        let figures: Vec<String> = figures.map(|(labels, value)| format!("{labels} {value}")).collect();
        eprintln!("soak: {name}: {}", figures.join(", "));
    }
}
