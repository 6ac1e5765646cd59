//! Where values come from: a file, the structured variables, the plain ones. Each layer is checked as it is read, so that
//! an error can name its source, and a mistake is not kept in silence because another layer happens to cover it.

use std::{fmt, path::Path};

use config::{FileFormat, FileSourceString, Map, Source, Value, ValueKind};

use super::{
    error::{ConfigError, file_origin},
    kind::{Kind, name_of_type},
    section::{Key, PREFIX, Section},
    settings::{SECTIONS, keys},
    variables::{CONFIG_FILE, is_of_service, is_read},
};

/// Checked values of one source, each with its origin.
#[derive(Clone, Default)]
pub(super) struct Layer(Vec<(String, Value)>);

impl Layer {
    /// Reads a TOML file.
    pub(super) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::read(path, source))?;
        Self::from_toml(&text, &file_origin(path))
    }

    /// Reads TOML. `origin` names its file.
    pub(super) fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let mut layer = Self::default();
        for (name, value) in in_order(parse(text, origin)?) {
            let section = SECTIONS.iter().find(|section| section.name == name);
            let section = section.ok_or_else(|| ConfigError::unknown_section(&name, origin))?;
            let ValueKind::Table(entries) = value.kind else { return Err(no_table(section, &value.kind, origin)) };
            for (name, value) in in_order(entries) {
                let key = section.key(&name).ok_or_else(|| ConfigError::unknown_key(section, &name, origin))?;
                layer.add(key, value.kind, origin)?;
            }
        }
        Ok(layer)
    }

    /// Reads the structured variables; one that begins like them and names no key is an error.
    pub(super) fn from_structured(variables: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut layer = Self::default();
        let other = |name: &str, text: &str| name == CONFIG_FILE || (!is_read(name) && is_of_service(name, text));
        for (name, text) in variables.iter().filter(|(name, text)| is_structured(name) && !other(name, text)) {
            let key = keys().find(|key| key.variable() == *name).ok_or_else(|| unknown_variable(name))?;
            layer.add_text(key, name, text)?;
        }
        Ok(layer)
    }

    /// Reads the plain variables: `PORT` and its like.
    pub(super) fn from_plain(variables: &[(String, String)]) -> Result<Self, ConfigError> {
        let mut layer = Self::default();
        for (name, text) in variables {
            if let Some(key) = keys().find(|key| key.plain == Some(name)) {
                layer.add_text(key, name, text)?;
                refuse_doubtful(key, name, text)?;
            }
        }
        Ok(layer)
    }

    /// An empty variable counts as not set: that is what `PORT=${PORT}` of a compose file gives. But for a key that can be
    /// emptied by no other means, being set by default.
    fn add_text(&mut self, key: &Key, variable: &str, text: &str) -> Result<(), ConfigError> {
        let unset = text.is_empty() && !matches!(key.kind, Kind::TextOrNone { .. });
        if unset { Ok(()) } else { self.add(key, key.kind.read(text), &format!("variable {variable}")) }
    }

    fn add(&mut self, key: &Key, value: ValueKind, origin: &str) -> Result<(), ConfigError> {
        let checked = key.kind.check(value).map_err(|refusal| ConfigError::Value {
            key: format!("{}{}", key.path(), refusal.at),
            origin: origin.to_owned(),
            found: refusal.found,
            allowed: refusal.allowed,
        })?;
        self.0.push((key.path(), Value::new(Some(&origin.to_owned()), checked)));
        Ok(())
    }
}

/// `HEARTBEAT_INTERVAL=30` means seconds, and would end every connection after 60 ms. The name has no unit that could
/// have warned its user; who means it takes the structured name, which has.
fn refuse_doubtful(key: &Key, name: &str, text: &str) -> Result<(), ConfigError> {
    let ValueKind::I64(value) = key.kind.read(text) else { return Ok(()) };
    let doubt = key.kind.doubt(value).filter(|doubt| doubt.low);
    doubt.map_or(Ok(()), |doubt| {
        Err(ConfigError::Value {
            key: key.path(),
            origin: format!("variable {name}"),
            found: doubt.text,
            allowed: format!("{}; less is taken from {}", key.kind.allowed_plainly(), key.variable()),
        })
    })
}

/// Names only: a value may be a credential.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.iter().cloned().collect())
    }
}

/// Whether a variable is one of the structured ones, well spelt or not.
pub(super) fn is_structured(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn unknown_variable(name: &str) -> ConfigError {
    let section = name[PREFIX.len()..].split("__").next().unwrap_or_default();
    ConfigError::unknown_variable(name, SECTIONS.iter().find(|known| known.name.eq_ignore_ascii_case(section)).copied())
}

fn no_table(section: &Section, value: &ValueKind, origin: &str) -> ConfigError {
    ConfigError::Value {
        key: format!("[{}]", section.name),
        origin: origin.to_owned(),
        found: name_of_type(value).to_owned(),
        allowed: "a table".to_owned(),
    }
}

fn parse(text: &str, origin: &str) -> Result<Map<String, Value>, ConfigError> {
    let source: config::File<FileSourceString, FileFormat> = config::File::from_str(text, FileFormat::Toml);
    source.collect().map_err(|error| {
        let report = match error {
            config::ConfigError::FileParse { cause, .. } => cause.to_string(),
            other => other.to_string(),
        };
        ConfigError::Syntax { origin: origin.to_owned(), found: without_quotation(&report) }
    })
}

/// The parser quotes the faulty line in lines two to four of its report; it may hold a credential.
fn without_quotation(report: &str) -> String {
    let quotes = report.starts_with("TOML parse error at");
    let kept = report.lines().enumerate().filter(|(index, _)| !(quotes && (1..4).contains(index)));
    kept.map(|(_, line)| line).collect::<Vec<_>>().join(", ")
}

/// Sorted, so that of several mistakes the same one is always told.
fn in_order(entries: Map<String, Value>) -> Vec<(String, Value)> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries
}
