//! Open loop: a constant rate over many rooms, one-way latency from the intended sending time.

use std::io;

use super::{Bench, Traffic};
use crate::{cli::Run, report::Report};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Rooms
    #[arg(long, default_value_t = 200)]
    pub rooms: u32,
    /// Peers in each
    #[arg(long, default_value_t = 2)]
    pub room_size: u32,
    /// Messages a second, over all rooms
    #[arg(long, default_value_t = 4000.0)]
    pub rate: f64,
    /// Seconds before the measured time
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds of the measured time
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let mut bench = Bench::new(&run.common, "paced", args.rooms * args.room_size, args.room_size)?;
    bench.parameter("rate", args.rate);
    bench.open_all()?;
    let mut traffic = Traffic::new(args.rate, args.rooms);
    bench.run(&mut traffic, args.warmup)?;
    traffic.begin();
    let from = bench.mark()?;
    bench.run(&mut traffic, args.seconds)?;
    let to = bench.mark()?;
    traffic.stop();
    bench.drain(&mut traffic)?;
    let messages = to.delivered_since(&from);
    bench.cpu("message", &from, &to, messages);
    bench.report.figure("throughput", messages / to.seconds_since(&from), "messages/s");
    bench.report.latency("one_way", &traffic.one_way);
    bench.report.latency("generator_lag", &traffic.lag);
    Ok(bench.finish_flawless())
}
