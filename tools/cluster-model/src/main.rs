//! `switchboard-cluster-model`: plays random histories of a cluster and says what went wrong.

use std::{process::ExitCode, time::Instant};

use clap::Parser;
use switchboard_cluster_model::{Profile, Switch, history, play, run, shrink};

/// Plays random histories of a cluster, without a network, and says what went wrong. One seed is one history.
#[derive(Debug, Parser)]
struct Args {
    /// How many.
    #[arg(default_value_t = 5000)]
    histories: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What happens how often: all, calm, burst, leases, losses, several, moderation, movers.
    #[arg(long, default_value = "all")]
    profile: Profile,
    /// Breaks a rule.
    #[arg(long)]
    without: Option<Switch>,
    /// Shows the shortest history for so many kinds of failures.
    #[arg(long, default_value_t = 0)]
    shrink: usize,
    /// Tells the history of the seed alone, entry by entry and frame by frame.
    #[arg(long)]
    tell: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.tell {
        let world = play(&history(args.seed, args.profile), args.seed, args.without, true);
        return if world.truth.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let began = Instant::now();
    let findings = run(args.seed..args.seed + args.histories, args.profile, args.without, None);
    println!("{} histories in {:.1} s", findings.histories, began.elapsed().as_secs_f64());
    for (what, times) in &findings.counts {
        println!("{times:9}  {what}");
    }
    let mut failures: Vec<_> = findings.failures.iter().collect();
    failures.sort_by_key(|(_, (times, ..))| std::cmp::Reverse(*times));
    for (kind, (times, seed, detail)) in &failures {
        println!("{times:6} x {kind}; first with seed {seed}, {detail}");
    }
    for (kind, (_, seed, _)) in failures.iter().take(args.shrink) {
        let (steps, delays) = shrink(history(*seed, args.profile), *seed, args.without, kind);
        println!("\n{kind}: with the delays of seed {delays}");
        for step in &steps {
            println!("    {step:?}");
        }
        play(&steps, delays, args.without, true);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
