//! How the settings come to be: four layers, checked and laid one over the other.

use std::{
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};

use config::{Value, ValueKind};

use super::{
    error::ConfigError,
    layer::Layer,
    report,
    rules::{self, Origins},
    section::Key,
    settings::{Settings, keys},
    variables, warnings,
};

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
    for key in keys() {
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

pub(super) fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<(Settings, Origins), ConfigError> {
    let file = file.map(Layer::from_file).transpose()?;
    merge(file.unwrap_or_default(), env.into_iter().collect())
}

/// Lays the file over the defaults and the variables over both.
pub(super) fn merge(file: Layer, mut variables: Vec<(String, String)>) -> Result<(Settings, Origins), ConfigError> {
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
    let value = |key: &Key| {
        let ValueKind::Table(sections) = &merged.kind else { return None };
        let ValueKind::Table(entries) = &sections.get(key.section)?.kind else { return None };
        entries.get(key.name)?.origin().map(str::to_owned)
    };
    keys().filter_map(|key| Some((key.path(), value(key)?))).collect()
}
