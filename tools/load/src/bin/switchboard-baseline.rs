//! `switchboard-baseline`: see `switchboard_load::baseline`.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use switchboard::config::Settings;
use switchboard_load::baseline::{Baseline, Options};

/// The least a relay can do: a yardstick, not a server.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8080")]
    address: SocketAddr,
    /// Seconds between two pings of one connection; 0 for none
    #[arg(long, default_value_t = 30)]
    ping: u64,
    /// The settings of the Switchboard that it is held against: it says the same of itself
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { address, ping, config } = Arguments::parse();
    let settings = Settings::load(config.as_deref(), []).map_err(io::Error::other);
    let baseline = settings.and_then(|settings| Baseline::bind_as(Options { address, ping }, &settings));
    match baseline.and_then(Baseline::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard-baseline: {error}");
            ExitCode::FAILURE
        }
    }
}
