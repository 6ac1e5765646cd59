//! Why a configuration is refused: one line that names the key, where it came from, what was found, what is allowed.

use std::{fmt, io, path::Path};

use super::{
    section::{Key, Section},
    settings::SECTIONS,
    variables,
};

/// Why the settings could not be loaded. Its text is one line and shows no credential.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", OneLine(origin))]
    Read {
        /// The file.
        origin: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("cannot read the configuration {}: {}; allowed is TOML 1.0", OneLine(origin), OneLine(found))]
    Syntax {
        /// The file.
        origin: String,
        /// Where and what, without a quotation.
        found: String,
    },
    /// No such section, key or variable.
    #[error(
        "cannot use {} from {}: there is no such {what}; allowed: {allowed}{}",
        OneLine(name),
        OneLine(origin),
        Near(near)
    )]
    Unknown {
        /// The name that was found.
        name: String,
        /// The file or variable.
        origin: String,
        /// What it would have named.
        what: &'static str,
        /// The names there are.
        allowed: String,
        /// The nearest of all names, if one is near.
        near: Option<String>,
    },
    /// A value that its key does not take.
    #[error("cannot use {} from {}: found {}; allowed: {allowed}", OneLine(key), OneLine(origin), OneLine(found))]
    Value {
        /// The key, and the place in it.
        key: String,
        /// The file or variable.
        origin: String,
        /// What was found there.
        found: String,
        /// What it takes.
        allowed: String,
    },
    /// Values that do not go together.
    #[error("cannot use {} together: found {}; allowed: {allowed}", .keys.join(" and "), OneLine(found))]
    Conflict {
        /// The keys.
        keys: Vec<&'static str>,
        /// Their values and where each came from.
        found: String,
        /// The rule.
        allowed: String,
    },
    /// A value passed its check and yet has no place in the settings: a fault of this program.
    // Without the source's text, which could quote a credential.
    #[error("cannot build the settings: a checked value does not fit its field")]
    Unfit,
    /// A variable of ours is not UTF-8.
    #[error("cannot use variable {}: found bytes that are not UTF-8; allowed: text", OneLine(variable))]
    NotText {
        /// Its name.
        variable: String,
    },
}

impl ConfigError {
    /// The file at `path` cannot be read.
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { origin: file_origin(path), source }
    }

    /// `[name]` is no section.
    pub(super) fn unknown_section(name: &str, origin: &str) -> Self {
        let names: Vec<_> = SECTIONS.iter().map(|section| format!("[{}]", section.name)).collect();
        Self::unknown(format!("[{name}]"), origin, "section", names.join(", "))
    }

    /// `[section]` has no key `name`.
    pub(super) fn unknown_key(section: &Section, name: &str, origin: &str) -> Self {
        let names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
        let allowed = format!("in [{}] {}", section.name, names.join(", "));
        Self::unknown(format!("{}.{name}", section.name), origin, "key", allowed)
    }

    /// No key belongs to a variable that begins like ours.
    pub(super) fn unknown_variable(name: &str, section: Option<&Section>) -> Self {
        let allowed = section.map_or_else(
            || "SWITCHBOARD__SECTION__KEY in upper case, as in SWITCHBOARD__SERVER__PORT".to_owned(),
            |section| section.keys.iter().map(Key::variable).collect::<Vec<_>>().join(", "),
        );
        let near = variables::nearest(name);
        Self::Unknown { name: name.to_owned(), origin: "the environment".to_owned(), what: "variable", allowed, near }
    }

    fn unknown(name: String, origin: &str, what: &'static str, allowed: String) -> Self {
        Self::Unknown { name, origin: origin.to_owned(), what, allowed, near: None }
    }
}

/// How errors name a file.
pub(super) fn file_origin(path: &Path) -> String {
    format!("file {}", path.display())
}

struct Near<'a>(&'a Option<String>);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |near| write!(f, "; did you mean {near}?"))
    }
}

/// Names and values from outside, with whatever could break the line escaped.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}
