//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{compare, dialect::Protocol, scenario};

/// Load generator for signaling servers.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A scenario against one server, or the comparison of several.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open N joined peers and hold them: memory per connection, idle CPU
    Idle(Run<scenario::idle::Args>),
    /// Closed loop of 2 kB offers and answers within pairs: CPU per message, round trips
    Relay(Run<scenario::relay::Args>),
    /// Open loop at a rate: one-way latency from the intended sending time
    Paced(Run<scenario::paced::Args>),
    /// Full meshes: everybody offers, answers and trickles candidates: CPU per pair
    Mesh(Run<scenario::mesh::Args>),
    /// One to many: CPU per delivery
    Broadcast(Run<scenario::broadcast::Args>),
    /// Leave, close and kill at a rate, each followed by a new join: CPU per cycle
    Churn(Run<scenario::churn::Args>),
    /// Open N joined peers and close them: CPU per join and per leave
    Join(Run<scenario::join::Args>),
    /// N peers in pairs after an SDP exchange: memory per connection
    Memory(Run<scenario::memory::Args>),
    /// Up to 1000 peers, slowly, with traffic; thresholds decide the exit code
    Ramp(Run<scenario::profile::Ramp>),
    /// 2000 peers with traffic for ten minutes; thresholds decide the exit code
    Stress(Run<scenario::profile::Stress>),
    /// 5000 peers within a second; thresholds decide the exit code
    Spike(Run<scenario::profile::Spike>),
    /// All servers by turns, written into a document
    Compare(compare::Args),
}

/// A scenario's own arguments and those that all share.
#[derive(Debug, Args)]
pub struct Run<A: Args> {
    /// Shared by all scenarios.
    #[command(flatten)]
    pub common: Common,
    /// The scenario's own.
    #[command(flatten)]
    pub own: A,
}

/// The server to load, and from where.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The server's address
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub target: SocketAddr,
    /// The server's protocol
    #[arg(long, value_enum, default_value = "switchboard")]
    pub protocol: Protocol,
    /// Speak TLS, to a server whose certificate is for the target's address and vouched for by one in this file (PEM)
    #[arg(long)]
    pub tls: Option<PathBuf>,
    /// The server's process id, on this machine: for its CPU and memory
    #[arg(long)]
    pub pid: Option<u32>,
    /// Where to write the report as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Source addresses (127.1.0.x) to spread the peers over
    #[arg(long, default_value_t = 100)]
    pub sources: u16,
    /// Joins under way at once while peers are opened
    #[arg(long, default_value_t = 64)]
    pub concurrency: u32,
    /// Seconds that opening all peers may take
    #[arg(long, default_value_t = 120.0)]
    pub opening: f64,
    /// Bytes of an offer's and of an answer's JSON
    #[arg(long, default_value_t = 2048)]
    pub payload: usize,
    /// Seconds between a client's own heartbeats, on protocols that want them
    #[arg(long, default_value_t = 30.0)]
    pub heartbeat: f64,
    /// Poll without sleeping: the generator's own wake-ups then add nothing to latencies, at the price of a core
    #[arg(long)]
    pub spin: bool,
}
