//! The settings: one struct and one file per section, each key with its unit, default and reason.
//!
//! Four layers, the later one wins: the defaults in code, a TOML file, the plain variables (`PORT` and its like), the
//! structured ones (`SWITCHBOARD__SERVER__PORT`). The plain ones have names that other programs use as well (`HOST` is
//! exported by some shells, `PORT` by many platforms), so they may be set by accident; a structured one never is, and wins.
//!
//! A key is written down once, in its section's file (how: `section.rs`); `config/default.toml` and
//! `docs/configuration.md` are generated from it, and a test keeps them so.

mod capacity;
mod error;
mod health;
mod heartbeat;
mod http;
mod ice;
mod kind;
mod layer;
mod limits;
mod log;
mod network;
mod ops;
#[cfg(test)]
mod reference;
mod report;
mod rules;
mod section;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod warnings;
mod watchdog;

use std::{ffi::OsString, fmt::Write, path::Path};

use config::{Value, ValueKind};
use serde::{Deserialize, Serialize};

pub use self::{
    capacity::Capacity,
    error::ConfigError,
    health::Health,
    heartbeat::Heartbeat,
    http::Http,
    ice::{Ice, IceServer, Secret, Urls},
    limits::Limits,
    log::{Log, LogLevel},
    network::Network,
    ops::Ops,
    server::Server,
    state::State,
    warnings::{machine_warnings, variable_warnings},
    watchdog::Watchdog,
};
use self::{layer::Layer, rules::Origins, section::Section};

/// Every section, in the order of the documents.
const SECTIONS: [&Section; 10] = [
    &Server::SECTION,
    &Ops::SECTION,
    &Http::SECTION,
    &Limits::SECTION,
    &Heartbeat::SECTION,
    &Log::SECTION,
    &Health::SECTION,
    &Watchdog::SECTION,
    &Ice::SECTION,
    &State::SECTION,
];

/// Everything that can be configured. Durations are in milliseconds (`_ms`), sizes in octets (`_bytes`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The public listener, its connections and how the process ends.
    pub server: Server,
    /// The operator's listener.
    pub ops: Ops,
    /// Requests.
    pub http: Http,
    /// What one peer, one room and one server may use.
    pub limits: Limits,
    /// How dead and stalled connections are found.
    pub heartbeat: Heartbeat,
    /// Logging.
    pub log: Log,
    /// The periodic checks.
    pub health: Health,
    /// How a server that hangs is found and ended.
    pub watchdog: Watchdog,
    /// STUN and TURN servers for the clients.
    pub ice: Ice,
    /// What outlives the process.
    pub state: State,
}

impl Settings {
    /// Loads the settings: the defaults, then the TOML `file`, then the plain variables of `env`, then its structured ones.
    /// Variables that are not ours are ignored, and so are empty ones. (See [`environment`].)
    ///
    /// # Errors
    /// The first unknown name, impossible value or impossible combination of any layer, as one line.
    pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        load(file, env).map(|(settings, _)| settings)
    }
}

/// What `--check-config` prints: `OK`, and the effective settings as TOML, with the origin of whatever is not at its
/// default and without credentials.
///
/// # Errors
/// As [`Settings::load`].
pub fn check_config(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<String, ConfigError> {
    let (settings, origins) = load(file, env)?;
    Ok(format!("OK\n{}", report::effective(&settings, &origins)))
}

/// The variables of the process that concern us or resemble those that do. (`std::env::vars` would panic on a
/// stranger's variable that is not UTF-8.)
///
/// # Errors
/// One of ours is not UTF-8.
pub fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = named.filter(|(name, _)| name.to_ascii_uppercase().starts_with("SWITCHBOARD") || is_plain(name));
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(ConfigError::NotText { variable: name }),
    })
    .collect()
}

/// What `--help` says about the environment.
#[must_use]
pub fn environment_help() -> String {
    let mut help = String::from("Environment:\n");
    for key in layer::keys() {
        if let Some(plain) = key.plain {
            // Writing to a String cannot fail.
            let _ = writeln!(help, "  {plain:<20} {}: {}", key.path(), key.kind.allowed());
        }
    }
    help + "  SWITCHBOARD__SECTION__KEY   any key, as in SWITCHBOARD__OPS__PORT=9465; wins over the plain names\n\n\
            Later ones win: built-in defaults, --config FILE, plain variables, SWITCHBOARD__ variables.\n\
            Every key is explained in docs/configuration.md and config/default.toml."
}

fn is_plain(name: &str) -> bool {
    layer::keys().any(|key| key.plain == Some(name))
}

fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<(Settings, Origins), ConfigError> {
    let file = file.map(Layer::from_file).transpose()?;
    merge(file.unwrap_or_default(), env.into_iter().collect())
}

/// Lays the file over the defaults and the variables over both.
fn merge(file: Layer, mut variables: Vec<(String, String)>) -> Result<(Settings, Origins), ConfigError> {
    // So that of several mistakes the same one is always told.
    variables.sort();
    let layers = [file, Layer::from_plain(&variables)?, Layer::from_structured(&variables)?];
    let mut builder = config::Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let merged = builder.build().map_err(|_| ConfigError::Unfit)?;
    let origins = origins(&merged.cache);
    let settings: Settings = merged.try_deserialize().map_err(|_| ConfigError::Unfit)?;
    rules::check(&settings, &origins)?;
    Ok((settings, origins))
}

fn origins(merged: &Value) -> Origins {
    let value = |key: &section::Key| {
        let ValueKind::Table(sections) = &merged.kind else { return None };
        let ValueKind::Table(entries) = &sections.get(key.section)?.kind else { return None };
        entries.get(key.name)?.origin().map(str::to_owned)
    };
    layer::keys().filter_map(|key| Some((key.path(), value(key)?))).collect()
}
