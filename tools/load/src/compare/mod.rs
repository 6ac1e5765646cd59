//! All servers by turns, on one core, with the generator on another; medians of several rounds, written into a document.
//!
//! A round runs every trial against every server, each time in a fresh process, before the next round begins: whatever
//! else the machine does meanwhile falls on all of them alike.

mod contestant;
mod document;
mod plot;
mod results;
mod runner;
mod trial;

use std::{io, path::PathBuf};

pub use contestant::{Contestant, Places};
pub use results::{Results, Spread};
pub use trial::{Measure, Trial};

/// Arguments of the comparison. `tools/compare/run.sh` gives the paths.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where the servers are
    #[command(flatten)]
    pub places: Places,
    /// The Markdown document to write between its markers
    #[arg(long, default_value = "docs/performance.md")]
    pub document: PathBuf,
    /// The plot that the document shows
    #[arg(long, default_value = "docs/performance.svg")]
    pub plot: PathBuf,
    /// Write the document from this run's results only, without measuring
    #[arg(long)]
    pub render: bool,
    /// How often each trial is run against each server
    #[arg(long, default_value_t = 3)]
    pub repeats: u32,
    /// Short trials with few peers: shows that everything works, measures nothing
    #[arg(long)]
    pub quick: bool,
    /// Only Switchboard, with its log, and the baseline; only the document's part about these two is written
    #[arg(long, conflicts_with = "servers")]
    pub baseline: bool,
    /// Only these servers
    #[arg(long, value_enum, value_delimiter = ',')]
    pub servers: Vec<Contestant>,
    /// Only these trials, by name
    #[arg(long, value_delimiter = ',')]
    pub trials: Vec<String>,
    /// The core that servers are pinned to
    #[arg(long, default_value_t = 0)]
    pub server_core: u32,
    /// The core that the generator is pinned to
    #[arg(long, default_value_t = 1)]
    pub generator_core: u32,
    /// The first port to use; each server process gets its own
    #[arg(long, default_value_t = 21_000)]
    pub port: u16,
}

/// Measures (unless told only to render) and writes the document.
///
/// # Errors
/// A file or a program is missing, or there is no trial of a given name. A server that fails a trial is no error: the
/// results say so.
pub fn run(args: &Args) -> io::Result<()> {
    let trials = chosen(args)?;
    let file = args.places.cache.join(if args.baseline { "baseline.json" } else { "results.json" });
    let results = if args.render { Results::read(&file)? } else { runner::Runner::new(args)?.run(&trials, &file)? };
    if !args.baseline {
        std::fs::write(&args.plot, plot::svg(&results))?;
        document::write_comparison(&args.document, &args.plot, &results)?;
    }
    if results.contestants().contains(&Contestant::Baseline) {
        document::write_baseline(&args.document, &results)?;
    }
    print!("{}", document::text(&results));
    Ok(())
}

fn chosen(args: &Args) -> io::Result<Vec<Trial>> {
    let mut trials = trial::all(args.quick);
    if let Some(unknown) = args.trials.iter().find(|t| trials.iter().all(|known| known.name != t.as_str())) {
        let known: Vec<&str> = trials.iter().map(|t| t.name).collect();
        let message = format!("no trial {unknown}; there are {}", known.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    trials.retain(|t| args.trials.is_empty() || args.trials.iter().any(|name| name == t.name));
    Ok(trials)
}
