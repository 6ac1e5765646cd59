//! Closed loop: within each pair W offers are always under way; each is answered, and each answer brings the next offer.

use std::{collections::VecDeque, io};

use super::Bench;
use crate::{
    cli::Run,
    measure::latency::Latency,
    payload::Kind,
    report::Report,
    swarm::{Next, Note, Phase, SECOND, Script, Swarm},
};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Pairs that talk
    #[arg(long, default_value_t = 50)]
    pub rooms: u32,
    /// Offers under way in each pair
    #[arg(long, default_value_t = 1)]
    pub window: u32,
    /// Milliseconds of silence after each round trip: an unloaded server, sockets gone cold
    #[arg(long, default_value_t = 0.0)]
    pub think: f64,
    /// Further pairs that have joined and are silent
    #[arg(long, default_value_t = 0)]
    pub silent: u32,
    /// Seconds before the measured time
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds of the measured time
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Messages after which the measured time ends earlier; 0 for no such bound
    #[arg(long, default_value_t = 0)]
    pub messages: u64,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let mut bench = Bench::new(&run.common, "relay", (args.rooms + args.silent) * 2, 2)?;
    bench.parameter("window", args.window);
    bench.parameter("think ms", args.think);
    bench.open_all()?;
    let mut relay = Relay::new(args);
    bench.run(&mut relay, args.warmup)?;
    relay.begin(&bench.engine.swarm);
    let from = bench.mark()?;
    bench.run(&mut relay, args.seconds)?;
    let to = bench.mark()?;
    relay.stop();
    bench.drain(&mut relay)?;
    let messages = to.delivered_since(&from);
    bench.cpu("message", &from, &to, messages);
    bench.report.figure("throughput", messages / to.seconds_since(&from), "messages/s");
    bench.report.latency("offer_to_answer", &relay.round_trip);
    bench.report.latency("one_way", &relay.one_way);
    Ok(bench.finish_flawless())
}

#[derive(Debug)]
struct Relay {
    rooms: u32,
    window: u32,
    think: u64,
    limit: u64,
    round_trip: Latency,
    one_way: Latency,
    resting: VecDeque<(u64, u32)>,
    started: bool,
    stopped: bool,
    enough: u64,
}

impl Relay {
    fn new(args: &Args) -> Self {
        Self {
            rooms: args.rooms,
            window: args.window.max(1),
            think: (args.think * SECOND as f64 / 1000.0) as u64,
            limit: args.messages,
            round_trip: Latency::default(),
            one_way: Latency::default(),
            resting: VecDeque::new(),
            started: false,
            stopped: false,
            enough: u64::MAX,
        }
    }

    /// The warm-up is over.
    fn begin(&mut self, swarm: &Swarm) {
        self.round_trip.clear();
        self.one_way.clear();
        if self.limit > 0 {
            self.enough = swarm.tally.delivered + self.limit;
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.enough = u64::MAX;
    }

    fn start(&self, swarm: &mut Swarm, now: u64) {
        for room in 0..self.rooms {
            let seats = swarm.room(room);
            if seats.clone().all(|who| swarm.peer(who).phase == Phase::Joined) {
                for _ in 0..self.window {
                    swarm.signal(seats.start, seats.start + 1, Kind::Offer, now);
                }
            }
        }
    }
}

impl Script for Relay {
    fn note(&mut self, swarm: &mut Swarm, who: u32, note: &Note) {
        let Note::Signal { kind, stamp } = note else { return };
        let now = swarm.clock.now();
        let took = now.saturating_sub(stamp.time);
        if *kind == Kind::Offer {
            self.one_way.record(took);
            return swarm.signal(who, stamp.sender, Kind::Answer, stamp.time);
        }
        self.round_trip.record(took);
        match self.think {
            _ if self.stopped => {}
            0 => swarm.signal(who, stamp.sender, Kind::Offer, now),
            think => self.resting.push_back((now + think, who)),
        }
    }

    fn step(&mut self, swarm: &mut Swarm, now: u64) -> Next {
        if self.stopped {
            return if swarm.tally.lost() == 0 { Next::Done } else { Next::Wait };
        }
        if !std::mem::replace(&mut self.started, true) {
            self.start(swarm, now);
        }
        while let Some((_, who)) = self.resting.front().copied().filter(|(due, _)| *due <= now) {
            self.resting.pop_front();
            swarm.signal(who, who + 1, Kind::Offer, now);
        }
        match self.resting.front() {
            _ if swarm.tally.delivered >= self.enough => Next::Done,
            Some((due, _)) => Next::At(*due),
            None => Next::Wait,
        }
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let delivered = swarm.tally.delivered;
        let share = delivered as f64 / swarm.tally.sent.max(1) as f64;
        Some((share, format!("relay: {delivered} messages delivered")))
    }
}
