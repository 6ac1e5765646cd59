//! The maps agree with the tree: the table of layers in `src/lib.rs`, and the threads and shared state in
//! `docs/architecture.md`.

use std::{collections::BTreeSet, fs, path::Path};

use super::source::program;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Each module in the table of `src/lib.rs` with its layer: the table is the only place that says so.
fn layers() -> Vec<(usize, String)> {
    let text = read("src/lib.rs");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let cells = rows.filter_map(|row| row.split_once(" | "));
    let numbered = cells.filter_map(|(layer, rest)| Some((layer.parse::<usize>().ok()?, rest)));
    numbered
        .flat_map(|(layer, rest)| {
            let modules = rest.split(" | ").next().unwrap_or_default();
            let names = modules.split(['[', '`', ']', ',', ' ']).filter(|name| !name.is_empty());
            names.map(|name| (layer, name.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

/// The layer that a module is on.
pub(super) fn layer(module: &str) -> Option<usize> {
    layers().into_iter().find(|(_, name)| name == module).map(|(layer, _)| layer)
}

#[test]
fn every_module_is_in_the_table_of_layers_once() {
    let text = read("src/lib.rs");
    let declared = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut declared: Vec<String> = declared.map(str::to_owned).chain(["lib".into(), "main".into()]).collect();
    declared.sort();
    let layers = layers();
    assert!(layers.is_sorted_by_key(|(layer, _)| *layer), "lowest first: {layers:?}");
    let mut listed: Vec<String> = layers.into_iter().map(|(_, name)| name).collect();
    listed.sort();
    assert_eq!(listed, declared);
}

/// What is in the code spans of the first cells of the table below this heading of `docs/architecture.md`.
fn listed(heading: &str) -> BTreeSet<String> {
    let text = read("docs/architecture.md");
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap_or(section);
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The files whose code has one of these words, as `http/live.rs`.
fn files_with(words: &[&str]) -> BTreeSet<String> {
    let sources = program();
    let found = sources.iter().filter(|source| words.iter().any(|word| !source.places(word).is_empty()));
    found.map(|source| source.name.trim_start_matches("src/").to_owned()).collect()
}

#[test]
fn the_threads_are_those_that_the_document_lists() {
    assert_eq!(
        listed("Threads"),
        files_with(&["thread::Builder", "thread::spawn", "Arbiter::new(", "#[global_allocator]"])
    );
}

/// The messages in this file whose comment says that they are sent unbounded.
fn unbounded(file: &str) -> Vec<String> {
    let (text, mut marked, mut found) = (read(file), false, Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("#[")) {
        if let Some(comment) = line.strip_prefix("///") {
            marked |= comment.starts_with(" From ") && comment.contains(", unbounded");
        } else if std::mem::take(&mut marked) {
            let names = line
                .trim_start_matches("pub struct ")
                .trim_start_matches("pub enum ")
                .split(|c: char| !c.is_alphanumeric());
            found.extend(names.take(1).map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_unbounded_messages_are_those_that_the_document_lists() {
    let document = read("docs/architecture.md");
    let (_, paragraph) = document.split_once("\n*Unbounded* ").expect("a paragraph on them");
    let paragraph = paragraph.split("\n\n").next().unwrap_or(paragraph);
    let spans = paragraph.split('`').skip(1).step_by(2);
    let listed: BTreeSet<_> = spans.filter(|span| span.starts_with(char::is_uppercase)).map(str::to_owned).collect();
    let files = ["room", "session", "supervisor", "handover", "metrics", "cluster/port", "cluster/far"];
    let files = files.map(|file| format!("src/messages/{file}.rs"));
    let marked: BTreeSet<_> = files.iter().flat_map(|file| unbounded(file)).collect();
    assert_eq!(listed, marked);
}

#[test]
fn the_shared_state_is_what_the_document_lists() {
    let shares = [
        "Mutex<",
        "RwLock<",
        "OnceLock<",
        "LazyLock<",
        ": Atomic",
        "<Atomic",
        "(Atomic",
        "watch::channel",
        "watch::Sender",
    ];
    assert_eq!(listed("Shared state beside the actors"), files_with(&shares));
}
