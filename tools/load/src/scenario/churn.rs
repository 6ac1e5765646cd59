//! Coming and going at a rate: of a standing population somebody leaves, closes or dies, and somebody new takes the seat.

use std::io;

use super::Bench;
use crate::{
    cli::Run,
    report::Report,
    swarm::{Departure, Next, Note, Phase, SECOND, Script, Swarm},
};

/// A number without common factors with any sensible population: the departing come from everywhere.
const STRIDE: u64 = 7919;

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The standing population
    #[arg(long, default_value_t = 1000)]
    pub peers: u32,
    /// Peers in each room
    #[arg(long, default_value_t = 4)]
    pub room_size: u32,
    /// Departures a second
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// Seconds of the measured time
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let mut bench = Bench::new(&run.common, "churn", args.peers, args.room_size)?;
    bench.parameter("rate", args.rate);
    bench.open_all()?;
    bench.engine.swarm.tally.join.clear();
    let mut churn = Churn { rate: args.rate, started: None, departed: 0, vacant: Vec::new(), stopped: false };
    let before = bench.engine.swarm.tally.joined;
    let from = bench.mark()?;
    bench.run(&mut churn, args.seconds)?;
    churn.stopped = true;
    bench.drain(&mut churn)?;
    let to = bench.mark()?;
    let joins = (bench.engine.swarm.tally.joined - before) as f64;
    bench.cpu("cycle", &from, &to, joins);
    bench.report.figure("cycles", joins / to.seconds_since(&from), "cycles/s");
    let missing = f64::from(args.peers) - present(&bench.engine.swarm);
    bench.report.check("everybody who left was replaced", missing, missing == 0.0);
    Ok(bench.finish_flawless())
}

fn present(swarm: &Swarm) -> f64 {
    (0..swarm.len()).filter(|w| swarm.peer(*w).phase == Phase::Joined).count() as f64
}

#[derive(Debug)]
struct Churn {
    rate: f64,
    started: Option<u64>,
    departed: u64,
    /// Seats to be taken anew in the next turn of the loop.
    vacant: Vec<u32>,
    stopped: bool,
}

impl Churn {
    /// Ends the next peer in line, unless it is on its way in or out.
    fn depart(&mut self, swarm: &mut Swarm) {
        let who = (self.departed * STRIDE % u64::from(swarm.len())) as u32;
        let how = [Departure::Leave, Departure::Close, Departure::Kill][(self.departed % 3) as usize];
        self.departed += 1;
        if swarm.peer(who).phase == Phase::Joined {
            swarm.depart(who, how);
        }
    }
}

impl Script for Churn {
    fn note(&mut self, _swarm: &mut Swarm, who: u32, note: &Note) {
        // Also after the last departure: the population is made whole again.
        if matches!(note, Note::Ended) {
            self.vacant.push(who);
        }
    }

    fn step(&mut self, swarm: &mut Swarm, now: u64) -> Next {
        for who in self.vacant.drain(..) {
            swarm.open(who);
        }
        if self.stopped {
            return if present(swarm) >= f64::from(swarm.len()) { Next::Done } else { Next::Wait };
        }
        let start = *self.started.get_or_insert(now);
        let rate = self.rate;
        let due = |n: u64| start + (n as f64 * SECOND as f64 / rate) as u64;
        while due(self.departed) <= now {
            self.depart(swarm);
        }
        Next::At(due(self.departed))
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let words = format!("churn: {} departed, {} failed", self.departed, swarm.tally.failed);
        Some((present(swarm) / f64::from(swarm.len().max(1)), words))
    }
}
