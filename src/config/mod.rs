//! The settings: one struct and one file per section, each key with its unit, default and reason.
//!
//! Four layers, the later one wins: the defaults in code, a TOML file, the plain variables (`PORT` and its like), the
//! structured ones (`SWITCHBOARD__SERVER__PORT`). The plain ones have names that other programs use as well (`HOST` is
//! exported by some shells, `PORT` by many platforms), so they may be set by accident; a structured one never is, and wins.
//!
//! A key is written down once, in its section's file (how: `section.rs`); `config/default.toml` and
//! `docs/configuration.md` are generated from it, and a test keeps them so.

mod capacity;
#[cfg(test)]
mod doubtful;
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
mod variables;
mod warnings;
mod watchdog;

use std::{
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};

use config::{Value, ValueKind};
use serde::{Deserialize, Serialize};

pub use self::{
    capacity::Capacity,
    error::ConfigError,
    health::Health,
    heartbeat::Heartbeat,
    http::{Http, SAME_ORIGIN},
    ice::{Ice, IceServer, Secret, Urls},
    limits::Limits,
    log::{Log, LogLevel},
    network::Network,
    ops::Ops,
    server::Server,
    state::State,
    warnings::{exposure_warnings, machine_warnings},
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

/// Everything that can be configured. Durations are in milliseconds (`_ms`), sizes in bytes (`_bytes`).
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

    /// The same, and what somebody should know although it stops nothing, a sentence each: values that are hardly meant
    /// (with their unit), variables that resemble ours and are not read.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_with_doubts(file: Option<&Path>, env: &[(String, String)]) -> Result<(Self, Vec<String>), ConfigError> {
        let (settings, origins) = load(file, env.to_vec())?;
        let doubts = warnings::doubts(&settings, &origins, env);
        Ok((settings, doubts))
    }

    /// The keys in which `other` differs: those that a running server can take over, and those that need a restart.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Differences {
        let (ours, theirs) = (report::values(self), report::values(other));
        // Credentials are not among the values.
        let differs = |key: &&section::Key| {
            report::value(&ours, key) != report::value(&theirs, key)
                || (key.section == Ice::SECTION.name && self.ice != other.ice)
        };
        let (live, fixed): (Vec<_>, Vec<_>) = layer::keys().filter(differs).partition(|key| key.live);
        let paths = |keys: Vec<&section::Key>| keys.into_iter().map(section::Key::path).collect();
        Differences { live: paths(live), fixed: paths(fixed) }
    }

    /// Takes over the keys of `other` that can change while the server runs.
    pub fn take_live(&mut self, other: &Self) {
        self.log.level = other.log.level;
        self.http.allowed_origins.clone_from(&other.http.allowed_origins);
        self.ops.token_file.clone_from(&other.ops.token_file);
    }
}

/// Whether that variable sets this key, given as `section.key`.
#[must_use]
pub fn sets(variable: &str, key: &str) -> bool {
    layer::keys().any(|known| known.path() == key && (known.plain == Some(variable) || known.variable() == variable))
}

/// The keys in which two settings differ, each as `section.key`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Those that can change while the server runs.
    pub live: Vec<String>,
    /// Those that need a restart.
    pub fixed: Vec<String>,
}

/// The file that is read: that of `--config`, or else that of `SWITCHBOARD__CONFIG`.
#[must_use]
pub fn file(argument: Option<&Path>, env: &[(String, String)]) -> Option<PathBuf> {
    let variable = env.iter().find(|(name, value)| name == variables::CONFIG_FILE && !value.is_empty());
    argument.map(Path::to_owned).or_else(|| variable.map(|(_, path)| path.into()))
}

/// What `--check-config` prints: `OK`, what is doubtful, and the effective settings as TOML, with the origin of whatever is
/// not at its default and without credentials.
///
/// # Errors
/// As [`Settings::load`].
pub fn check_config(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<String, ConfigError> {
    let env: Vec<_> = env.into_iter().collect();
    let (settings, origins) = load(file, env.clone())?;
    let mut out = "OK\n".to_owned();
    for doubt in warnings::doubts(&settings, &origins, &env) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# warning: {doubt}");
    }
    if let [first, others @ ..] = warnings::of_services(&env).as_slice() {
        let others = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        let _ =
            writeln!(out, "# not read: {first}{others}, which Kubernetes or Docker made for a service of that name");
    }
    out += &report::effective(&settings, &origins);
    Ok(out)
}

/// The variables of the process that concern us or resemble those that do. (`std::env::vars` would panic on a
/// stranger's variable that is not UTF-8.)
///
/// # Errors
/// One that is read is not UTF-8.
pub fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = named.filter(|(name, _)| variables::concerns_us(name));
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) if variables::is_read(&name) => Err(ConfigError::NotText { variable: name }),
        Err(other) => Ok((name, other.to_string_lossy().into_owned())),
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
            let _ = writeln!(help, "  {plain:<20} {}: {}", key.path(), key.kind.allowed_plainly());
        }
    }
    help + "  SWITCHBOARD__SECTION__KEY   any key, as in SWITCHBOARD__OPS__PORT=9465; wins over the plain names\n  \
            SWITCHBOARD__CONFIG         the file, where --config cannot be given\n\n\
            Later ones win: built-in defaults, --config FILE, plain variables, SWITCHBOARD__ variables.\n\
            Every key is explained in docs/configuration.md and config/default.toml."
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
