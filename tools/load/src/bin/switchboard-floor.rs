//! `switchboard-floor`: see `switchboard_load::floor`.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use switchboard_load::floor::{Floor, Options};

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
}

fn main() -> ExitCode {
    let Arguments { address, ping } = Arguments::parse();
    match Floor::bind(Options { address, ping }).and_then(Floor::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard-floor: {error}");
            ExitCode::FAILURE
        }
    }
}
