//! Joined peers that only keep alive: memory per connection, CPU per connection and minute.

use std::io;

use super::{Bench, memory::Silence};
use crate::{cli::Run, report::Report};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Peers
    #[arg(long, default_value_t = 1000)]
    pub peers: u32,
    /// Peers in each room
    #[arg(long, default_value_t = 2)]
    pub room_size: u32,
    /// Seconds to hold them; a whole number of heartbeat intervals measures best
    #[arg(long, default_value_t = 60.0)]
    pub hold: f64,
    /// Seconds of quiet before the measured time
    #[arg(long, default_value_t = 2.0)]
    pub warmup: f64,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let mut bench = Bench::new(&run.common, "idle", args.peers, args.room_size)?;
    bench.parameter("hold", args.hold);
    let base = bench.base();
    bench.open_all()?;
    let opened = bench.mark()?;
    let joined = bench.engine.swarm.tally.joined as f64;
    bench.report.figure("join_rate", joined / opened.seconds_since(&base), "joins/s");
    bench.run(&mut Silence, args.warmup)?;
    let from = bench.mark()?;
    bench.run(&mut Silence, args.hold)?;
    let to = bench.mark()?;
    let minutes = to.seconds_since(&from) / 60.0;
    bench.cpu("connection_minute", &from, &to, joined * minutes);
    bench.memory(&to, joined);
    Ok(bench.finish_flawless())
}
