//! `switchboard-load`: see the library.

use std::{io, process::ExitCode};

use clap::Parser as _;
use switchboard_load::{
    cli::{Cli, Command, Common},
    compare,
    report::{Report, table},
    scenario::{broadcast, churn, idle, join, memory, mesh, paced, profile, relay},
};

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("switchboard-load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all thresholds were kept.
fn run(command: &Command) -> io::Result<bool> {
    let (common, report) = match command {
        Command::Idle(args) => (&args.common, idle::run(args)?),
        Command::Relay(args) => (&args.common, relay::run(args)?),
        Command::Paced(args) => (&args.common, paced::run(args)?),
        Command::Mesh(args) => (&args.common, mesh::run(args)?),
        Command::Broadcast(args) => (&args.common, broadcast::run(args)?),
        Command::Churn(args) => (&args.common, churn::run(args)?),
        Command::Join(args) => (&args.common, join::run(args)?),
        Command::Memory(args) => (&args.common, memory::run(args)?),
        Command::Ramp(args) => (&args.common, profile::ramp(args)?),
        Command::Stress(args) => (&args.common, profile::stress(args)?),
        Command::Spike(args) => (&args.common, profile::spike(args)?),
        Command::Compare(args) => return compare::run(args).map(|()| true),
    };
    show(common, &report)
}

fn show(common: &Common, report: &Report) -> io::Result<bool> {
    print!("{}", table::of(report));
    if let Some(path) = &common.json {
        report.write_json(path)?;
    }
    Ok(report.passed())
}
