//! The table of events in `docs/logging.md`.

use std::fmt::Write;

use super::level::word;
use crate::telemetry::{drift, event::table::EVENTS};

fn events() -> String {
    let mut table = String::from("| event | level | fields of its own | when |\n|---|---|---|---|\n");
    for event in EVENTS {
        let fields: Vec<String> = event.fields.iter().filter_map(shown).collect();
        let (key, level, help) = (event.key, word(event.level), event.help.trim());
        let _ = writeln!(table, "| `{key}` | {level} | {} | {help} |", fields.join(" "));
    }
    table
}

/// `context` stands for those of the common ids that are known; the empty name for what makes an error.
fn shown(field: &&str) -> Option<String> {
    (!field.is_empty() && *field != "context").then(|| format!("`{field}`"))
}

#[test]
fn the_page_names_every_event() {
    drift::check("logging.md", "events", &events());
}
