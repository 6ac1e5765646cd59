//! The program: arguments, settings, logger, signals; everything else is the library's.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use switchboard::{
    app,
    cli::{Arguments, Command, StunArguments},
    config::{self, Settings},
    telemetry::{self, LogOptions},
};

/// Chosen by measurement: of jemalloc, mimalloc and glibc's it keeps the least memory per connection, and none of them
/// relays for less (docs/performance.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads that either, the exit code says it.
            let _ = writeln!(io::stderr(), "switchboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let environment = config::environment(std::env::vars_os())?;
    let file = config::file(arguments.config.as_deref(), &environment);
    if arguments.check_config {
        return Ok(print(&config::check_config(file.as_deref(), environment)?)?);
    }
    if arguments.probe {
        return Ok(print(&switchboard::probe::probe(file.as_deref(), &environment)?)?);
    }
    if let Some(Command::Token(order)) = &arguments.command {
        let settings = Settings::load(file.as_deref(), environment)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        return Ok(print(&(order.issue(&settings, now)? + "\n"))?);
    }
    if let Some(Command::Ctl(order)) = &arguments.command {
        let settings = Settings::load(file.as_deref(), environment)?;
        return Ok(print(&order.run(&settings)?)?);
    }
    if let Some(Command::Stun(StunArguments { probe: true })) = &arguments.command {
        let settings = Settings::load(file.as_deref(), environment)?;
        return Ok(print(&switchboard::probe::probe_stun(&settings.stun)?)?);
    }
    let (settings, doubts) = Settings::load_with_doubts(file.as_deref(), &environment)?;
    let _log = telemetry::start_log(&LogOptions::from(&settings))?;
    // One per process. Counted first, so that whoever saw the line finds the count.
    let _ = telemetry::install_sinks(vec![
        Box::new(telemetry::EventCounts),
        Box::new(telemetry::SampledErrors),
        Box::new(telemetry::LogSink),
    ]);
    telemetry::install_panic_hook();
    for doubt in &doubts {
        telemetry::emit(&telemetry::Event::ConfigWarning { what: doubt });
    }
    if let Some(Command::Stun(_)) = &arguments.command {
        return Ok(app::run_stun(&settings)?);
    }
    let again = move || Settings::load_with_doubts(file.as_deref(), &config::environment(std::env::vars_os())?);
    Ok(app::run(settings, again)?)
}

/// Writes to standard output. A reader that has seen enough (`| head -1`) is no failure.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
