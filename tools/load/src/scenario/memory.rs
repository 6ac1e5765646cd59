//! Memory per connection after what every real connection has done: join, exchange SDP and candidates, fall silent.

use std::io;

use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, mesh::Mesh};
use crate::{
    cli::Run,
    dialect::Protocol,
    report::Report,
    swarm::{Next, Note, Script, Swarm},
};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Peers, in pairs
    #[arg(long, default_value_t = 10_000)]
    pub peers: u32,
    /// Candidates each way in each pair
    #[arg(long, default_value_t = 2)]
    pub candidates: u32,
    /// Seconds of silence before memory is read
    #[arg(long, default_value_t = 5.0)]
    pub hold: f64,
    /// Send the server SIGUSR2 before each reading: the Node peers then collect garbage. Other servers may die of it
    #[arg(long)]
    pub collect: bool,
    /// Let the clients be such that could come back, and acknowledge everything before memory is read
    #[arg(long)]
    pub resumable: bool,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let rooms = args.peers / 2;
    collect(args, run.common.pid)?;
    let mut common = run.common.clone();
    if args.resumable {
        common.protocol = Protocol::SwitchboardResumable;
    }
    let mut bench = Bench::new(&common, "memory", rooms * 2, 2)?;
    bench.parameter("candidates", args.candidates);
    let mut mesh = Mesh::new(rooms, 2, args.candidates, run.common.concurrency);
    bench.run(&mut mesh, run.common.opening)?;
    for who in 0..bench.engine.swarm.len() {
        bench.engine.swarm.acknowledge(who);
    }
    bench.run(&mut Silence, args.hold)?;
    collect(args, run.common.pid)?;
    bench.run(&mut Silence, 1.0)?;
    let to = bench.mark()?;
    let joined = bench.engine.swarm.tally.joined as f64;
    bench.memory(&to, joined);
    mesh.report(&mut bench);
    Ok(bench.finish_flawless())
}

fn collect(args: &Args, pid: Option<u32>) -> io::Result<()> {
    let pid = pid.and_then(|p| Pid::from_raw(p.cast_signed()));
    match pid {
        Some(pid) if args.collect => Ok(kill_process(pid, Signal::USR2)?),
        _ => Ok(()),
    }
}

/// Nobody sends anything but heartbeats.
#[derive(Debug)]
pub(super) struct Silence;

impl Script for Silence {
    fn note(&mut self, _swarm: &mut Swarm, _who: u32, _note: &Note) {}

    fn step(&mut self, _swarm: &mut Swarm, _now: u64) -> Next {
        Next::Wait
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        Some((1.0, format!("holding {} peers", swarm.tally.joined - swarm.tally.cut)))
    }
}
