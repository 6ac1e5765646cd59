//! Three load profiles with thresholds: a slow ramp, a long stress, a sudden spike. The exit code says whether they were
//! kept.

use std::io;

use super::{Bench, Opening, Traffic};
use crate::{
    cli::{Common, Run},
    measure::latency::Latency,
    report::Report,
    swarm::{Next, Note, Script, Swarm},
};

/// Milliseconds that 95 of 100 connections and messages may take: 2 s and 1 s.
const CONNECT_P95_MS: f64 = 2000.0;
const MESSAGE_P95_MS: f64 = 1000.0;
/// Joins that must succeed, and errors that are allowed, of 100.
const SUCCESS_PERCENT: f64 = 95.0;
const ERROR_PERCENT: f64 = 1.0;

/// Arguments of the slow ramp.
#[derive(Debug, Clone, clap::Args)]
pub struct Ramp {
    /// Peers in the end
    #[arg(long, default_value_t = 1000)]
    pub peers: u32,
    /// Seconds of the ramp
    #[arg(long, default_value_t = 60.0)]
    pub rise: f64,
    /// Seconds at full height
    #[arg(long, default_value_t = 30.0)]
    pub hold: f64,
    /// What they do
    #[command(flatten)]
    pub talk: Talk,
}

/// Arguments of the long stress.
#[derive(Debug, Clone, clap::Args)]
pub struct Stress {
    /// Peers
    #[arg(long, default_value_t = 2000)]
    pub peers: u32,
    /// Seconds until all are there
    #[arg(long, default_value_t = 20.0)]
    pub rise: f64,
    /// Seconds at full height
    #[arg(long, default_value_t = 600.0)]
    pub hold: f64,
    /// What they do
    #[command(flatten)]
    pub talk: Talk,
}

/// Arguments of the sudden spike.
#[derive(Debug, Clone, clap::Args)]
pub struct Spike {
    /// Peers
    #[arg(long, default_value_t = 5000)]
    pub peers: u32,
    /// Seconds until all have come
    #[arg(long, default_value_t = 1.0)]
    pub rise: f64,
    /// Seconds at full height
    #[arg(long, default_value_t = 30.0)]
    pub hold: f64,
    /// What they do
    #[command(flatten)]
    pub talk: Talk,
}

/// What the peers of a profile do once they are in.
#[derive(Debug, Clone, clap::Args)]
pub struct Talk {
    /// Peers in each room
    #[arg(long, default_value_t = 4)]
    pub room_size: u32,
    /// Offers that each peer sends in a second
    #[arg(long, default_value_t = 0.5)]
    pub rate: f64,
}

/// Runs the slow ramp.
pub fn ramp(run: &Run<Ramp>) -> io::Result<Report> {
    let Ramp { peers, rise, hold, talk } = &run.own;
    profile(&run.common, "ramp", *peers, *rise, *hold, talk)
}

/// Runs the long stress.
pub fn stress(run: &Run<Stress>) -> io::Result<Report> {
    let Stress { peers, rise, hold, talk } = &run.own;
    profile(&run.common, "stress", *peers, *rise, *hold, talk)
}

/// Runs the sudden spike.
pub fn spike(run: &Run<Spike>) -> io::Result<Report> {
    let Spike { peers, rise, hold, talk } = &run.own;
    profile(&run.common, "spike", *peers, *rise, *hold, talk)
}

fn profile(common: &Common, name: &str, peers: u32, rise: f64, hold: f64, talk: &Talk) -> io::Result<Report> {
    let mut bench = Bench::new(common, name, peers, talk.room_size)?;
    bench.parameter("rise", rise);
    bench.parameter("hold", hold);
    let rate = f64::from(peers) / rise.max(0.001);
    let rooms = bench.engine.swarm.rooms();
    let mut script = Profile {
        // The rate is the only brake: a server that is slow to admit is met by ever more at once.
        opening: Opening::new(peers, peers, Some(rate)),
        traffic: Traffic::new(f64::from(peers) * talk.rate, rooms),
    };
    let from = bench.base();
    bench.run(&mut script, rise + hold)?;
    let to = bench.mark()?;
    script.traffic.stop();
    bench.drain(&mut script)?;
    let messages = to.delivered_since(&from);
    bench.report.figure("throughput", messages / to.seconds_since(&from), "messages/s");
    bench.cpu("message_joins_included", &from, &to, messages);
    bench.memory(&to, bench.engine.swarm.tally.joined as f64);
    bench.report.latency("one_way", &script.traffic.one_way);
    thresholds(&mut bench, &script.traffic.one_way);
    Ok(bench.finish())
}

fn thresholds(bench: &mut Bench, one_way: &Latency) {
    let p95 = |latency: &Latency| latency.quantiles().map_or(f64::INFINITY, |q| q.p95 / 1000.0);
    let tally = &bench.engine.swarm.tally;
    let (connect, message) = (p95(&tally.join), p95(one_way));
    let (success, errors) = (tally.success_rate() * 100.0, tally.error_rate() * 100.0);
    let report = &mut bench.report;
    report.check("connected and joined within 2 s, p95 (ms)", connect, connect < CONNECT_P95_MS);
    report.check("messages within 1 s, p95 (ms)", message, message < MESSAGE_P95_MS);
    report.check("more than 95 % of the joins succeed (%)", success, success > SUCCESS_PERCENT);
    report.check("fewer than 1 % errors (%)", errors, errors < ERROR_PERCENT);
}

/// Arrivals and traffic at once.
#[derive(Debug)]
struct Profile {
    opening: Opening,
    traffic: Traffic,
}

impl Script for Profile {
    fn note(&mut self, swarm: &mut Swarm, who: u32, note: &Note) {
        self.traffic.note(swarm, who, note);
    }

    fn step(&mut self, swarm: &mut Swarm, now: u64) -> Next {
        let opening = self.opening.step(swarm, now);
        match (opening, self.traffic.step(swarm, now)) {
            (Next::At(one), Next::At(other)) => Next::At(one.min(other)),
            (_, next) => next,
        }
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let (share, opening) = self.opening.progress(swarm)?;
        let (_, traffic) = self.traffic.progress(swarm)?;
        Some((share, format!("{opening}; {traffic}")))
    }
}
