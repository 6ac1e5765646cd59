//! Full meshes, as calls are set up: each room fills one peer after the other, and each newcomer and each member make an
//! offer, an answer and candidates both ways.

use std::{collections::VecDeque, io};

use super::{Bench, opening::under_way};
use crate::{
    cli::Run,
    dialect::{Name, Offerer},
    measure::latency::Latency,
    payload::{Kind, Stamp},
    report::Report,
    swarm::{Next, Note, Phase, Script, Swarm},
};

/// The scenario's arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Rooms
    #[arg(long, default_value_t = 50)]
    pub rooms: u32,
    /// Peers in each
    #[arg(long, default_value_t = 10)]
    pub room_size: u32,
    /// Candidates each way in each pair
    #[arg(long, default_value_t = 2)]
    pub candidates: u32,
}

/// Runs it.
pub fn run(run: &Run<Args>) -> io::Result<Report> {
    let args = &run.own;
    let mut bench = Bench::new(&run.common, "mesh", args.rooms * args.room_size, args.room_size)?;
    bench.parameter("candidates", args.candidates);
    let mut mesh = Mesh::new(args.rooms, args.room_size, args.candidates, run.common.concurrency);
    let from = bench.base();
    bench.run(&mut mesh, run.common.opening)?;
    let to = bench.mark()?;
    mesh.report(&mut bench);
    // Connecting and joining are part of a call's set-up, and of this figure.
    bench.cpu("pair", &from, &to, mesh.pairs as f64);
    bench.report.figure("pairs", mesh.pairs as f64 / to.seconds_since(&from), "pairs/s");
    Ok(bench.finish_flawless())
}

/// The script; `memory` uses it with pairs.
#[derive(Debug)]
pub(super) struct Mesh {
    /// Pairs whose offer was answered.
    pub(super) pairs: u64,
    expected: u64,
    candidates: u32,
    concurrency: u64,
    ready: VecDeque<u32>,
    offer_to_answer: Latency,
}

impl Mesh {
    pub(super) fn new(rooms: u32, room_size: u32, candidates: u32, concurrency: u32) -> Self {
        let pairs = room_size * room_size.saturating_sub(1) / 2;
        Self {
            pairs: 0,
            expected: u64::from(rooms) * u64::from(pairs),
            candidates,
            concurrency: u64::from(concurrency.max(1)),
            ready: (0..rooms).map(|room| room * room_size).collect(),
            offer_to_answer: Latency::default(),
        }
    }

    /// What both scenarios say of it.
    pub(super) fn report(&self, bench: &mut Bench) {
        bench.report.latency("offer_to_answer", &self.offer_to_answer);
        let missing = self.expected - self.pairs;
        bench.report.check("every pair of peers got its answer", missing as f64, missing == 0);
    }

    fn offer(&self, swarm: &mut Swarm, from: u32, to: Name) {
        let now = swarm.clock.now();
        swarm.signal_to(from, to, Kind::Offer, now);
        for _ in 0..self.candidates {
            swarm.signal_to(from, to, Kind::Candidate, now);
        }
    }

    fn joined(&mut self, swarm: &mut Swarm, who: u32) {
        let seats = swarm.room(swarm.peer(who).identity.room);
        if who + 1 < seats.end {
            self.ready.push_back(who + 1);
        }
        if swarm.traits().offerer == Offerer::Newcomer {
            for member in seats.start..who {
                if swarm.peer(member).phase == Phase::Joined {
                    let name = swarm.peer(member).identity.name;
                    self.offer(swarm, who, name);
                }
            }
        }
    }

    fn received(&mut self, swarm: &mut Swarm, who: u32, kind: Kind, stamp: Stamp) {
        match kind {
            Kind::Offer => {
                swarm.signal(who, stamp.sender, Kind::Answer, stamp.time);
                for _ in 0..self.candidates {
                    swarm.signal(who, stamp.sender, Kind::Candidate, stamp.time);
                }
            }
            Kind::Answer => {
                self.pairs += 1;
                self.offer_to_answer.record(swarm.clock.now().saturating_sub(stamp.time));
            }
            Kind::Candidate => {}
        }
    }
}

impl Script for Mesh {
    fn note(&mut self, swarm: &mut Swarm, who: u32, note: &Note) {
        match note {
            Note::Joined => self.joined(swarm, who),
            Note::PeerJoined(name) if swarm.traits().offerer == Offerer::Members => self.offer(swarm, who, *name),
            Note::Signal { kind, stamp } => self.received(swarm, who, *kind, *stamp),
            Note::PeerJoined(_) | Note::Ended => {}
        }
    }

    fn step(&mut self, swarm: &mut Swarm, _now: u64) -> Next {
        while under_way(swarm) < self.concurrency {
            let Some(who) = self.ready.pop_front() else { break };
            swarm.open(who);
        }
        if self.pairs == self.expected && swarm.tally.lost() == 0 { Next::Done } else { Next::Wait }
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let share = self.pairs as f64 / self.expected.max(1) as f64;
        Some((share, format!("mesh: {} pairs, {} joined", self.pairs, swarm.tally.joined)))
    }
}
