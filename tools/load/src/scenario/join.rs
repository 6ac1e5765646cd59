//! The cost of coming and going: connect, upgrade, join; then close.

use std::io;

use super::Bench;
use crate::{cli::Run, report::Report};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Peers
    #[arg(long, default_value_t = 5000)]
    pub peers: u32,
    /// Peers in each room
    #[arg(long, default_value_t = 2)]
    pub room_size: u32,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let mut bench = Bench::new(&run.common, "join", run.own.peers, run.own.room_size)?;
    let base = bench.base();
    bench.open_all()?;
    let opened = bench.mark()?;
    let joined = bench.engine.swarm.tally.joined as f64;
    bench.cpu("join", &base, &opened, joined);
    bench.report.figure("join_rate", joined / opened.seconds_since(&base), "joins/s");
    bench.close_all()?;
    let closed = bench.mark()?;
    bench.cpu("leave", &opened, &closed, joined);
    Ok(bench.finish_flawless())
}
