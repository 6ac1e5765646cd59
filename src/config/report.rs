//! The settings as TOML, for `--check-config` and the documents.

use std::fmt::Write;

use serde_json::Value;

use super::{
    rules::Origins,
    section::Key,
    settings::{SECTIONS, Settings},
};

/// The effective settings as a TOML file, credentials hidden; what is not at its default names its origin.
pub(super) fn effective(settings: &Settings, origins: &Origins) -> String {
    let values = values(settings);
    let mut out = String::new();
    for section in SECTIONS {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n[{}]", section.name);
        for key in section.keys {
            let origin = origins.get(&key.path()).map(|origin| format!("  # {}", origin.escape_debug()));
            let _ = writeln!(out, "{} = {}{}", key.name, literal(value(&values, key)), origin.unwrap_or_default());
        }
    }
    out
}

/// The settings as one tree of values, credentials hidden.
pub(super) fn values(settings: &Settings) -> Value {
    // Numbers, texts and lists only: nothing in it can fail.
    serde_json::to_value(settings).unwrap_or_default()
}

/// A key's value in that tree.
pub(super) fn value<'a>(values: &'a Value, key: &Key) -> &'a Value {
    &values[key.section][key.name]
}

/// A value as TOML writes it.
pub(super) fn literal(value: &Value) -> String {
    match value {
        Value::Array(elements) => format!("[{}]", elements.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name} = {}", literal(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        // JSON writes numbers, booleans and texts as TOML does, but for DEL, which TOML wants escaped.
        scalar => scalar.to_string().replace('\u{7f}', "\\u007f"),
    }
}
