//! One to many: the first peer of each room sends to all others; the next message follows when all have received it.

use std::io;

use super::Bench;
use crate::{
    cli::Run,
    measure::latency::Latency,
    payload::Kind,
    report::Report,
    swarm::{Next, Note, Script, Swarm},
};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Rooms
    #[arg(long, default_value_t = 1)]
    pub rooms: u32,
    /// Receivers in each
    #[arg(long, default_value_t = 50)]
    pub receivers: u32,
    /// Messages under way in each
    #[arg(long, default_value_t = 1)]
    pub window: u32,
    /// Seconds before the measured time
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds of the measured time
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let room_size = args.receivers + 1;
    let mut bench = Bench::new(&run.common, "broadcast", args.rooms * room_size, room_size)?;
    bench.parameter("window", args.window);
    bench.open_all()?;
    let mut script = Broadcast::new(args);
    bench.run(&mut script, args.warmup)?;
    script.one_way.clear();
    let from = bench.mark()?;
    bench.run(&mut script, args.seconds)?;
    let to = bench.mark()?;
    script.stopped = true;
    bench.drain(&mut script)?;
    let deliveries = to.delivered_since(&from);
    bench.cpu("delivery", &from, &to, deliveries);
    bench.report.figure("throughput", deliveries / to.seconds_since(&from), "deliveries/s");
    bench.report.latency("one_way", &script.one_way);
    Ok(bench.finish_flawless())
}

#[derive(Debug)]
struct Broadcast {
    window: u32,
    /// Deliveries that each room still waits for.
    pending: Vec<u32>,
    one_way: Latency,
    started: bool,
    stopped: bool,
}

impl Broadcast {
    fn new(args: &Args) -> Self {
        Self {
            window: args.window.max(1),
            pending: vec![0; args.rooms as usize],
            one_way: Latency::default(),
            started: false,
            stopped: false,
        }
    }

    /// Sends as many as the window allows.
    fn refill(&mut self, swarm: &mut Swarm, room: u32) {
        let now = swarm.clock.now();
        let sender = swarm.room(room).start;
        let full = (self.window - 1) * (swarm.setup.room_size - 1);
        while !self.stopped && self.pending[room as usize] <= full {
            match swarm.broadcast(sender, Kind::Offer, now) {
                0 => break,
                receivers => self.pending[room as usize] += receivers,
            }
        }
    }
}

impl Script for Broadcast {
    fn note(&mut self, swarm: &mut Swarm, who: u32, note: &Note) {
        let Note::Signal { stamp, .. } = note else { return };
        self.one_way.record(swarm.clock.now().saturating_sub(stamp.time));
        let room = swarm.peer(who).identity.room;
        self.pending[room as usize] = self.pending[room as usize].saturating_sub(1);
        self.refill(swarm, room);
    }

    fn step(&mut self, swarm: &mut Swarm, _now: u64) -> Next {
        if !std::mem::replace(&mut self.started, true) {
            for room in 0..swarm.rooms() {
                self.refill(swarm, room);
            }
        }
        if self.stopped && swarm.tally.lost() == 0 { Next::Done } else { Next::Wait }
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let delivered = swarm.tally.delivered;
        let share = delivered as f64 / swarm.tally.sent.max(1) as f64;
        Some((share, format!("broadcast: {delivered} deliveries")))
    }
}
