//! The program: arguments, settings, logger, signals; everything else is the library's.

use std::process::ExitCode;

use clap::Parser;
use switchboard::{
    app,
    cli::Arguments,
    config::{self, Settings},
    telemetry::{self, LogFiles},
};

/// Chosen by measurement: of jemalloc, mimalloc and glibc's it keeps the least memory per connection, and none of them
/// relays for less (docs/performance.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let file = arguments.config.as_deref();
    let environment = config::environment(std::env::vars_os())?;
    if arguments.check_config {
        print!("{}", config::check_config(file, environment)?);
        return Ok(());
    }
    let settings = Settings::load(file, environment)?;
    if arguments.probe {
        return Ok(switchboard::probe::healthz(&settings)?);
    }
    let level = telemetry::parse_level(settings.log.level.as_str()).unwrap_or(telemetry::Level::Info);
    let _log = telemetry::start_log(level, settings.log.queue_lines, log_files(&settings.log).as_ref())?;
    telemetry::name_node(settings.server.node_name());
    telemetry::install_panic_hook();
    Ok(app::run(settings)?)
}

/// An empty `log.dir` means: no files.
fn log_files(log: &config::Log) -> Option<LogFiles> {
    let wanted = !log.dir.as_os_str().is_empty();
    wanted.then(|| LogFiles { dir: log.dir.clone(), keep_days: log.keep_days, keep_error_days: log.keep_error_days })
}
