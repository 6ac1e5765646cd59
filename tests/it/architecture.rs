//! The walls: imports run down the layers, and some names stay where they belong. A break is named by file and line.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The layers, lowest first. A file may use what stands on lower layers and its own folder, nothing else.
const LAYERS: [&[&str]; 10] = [
    &["protocol", "config", "files", "late"],
    &["telemetry", "auth", "limits"],
    &["lifecycle", "liveness"],
    &["messages"],
    &["session", "room", "supervisor", "metrics", "cluster"],
    &["arbiters", "watchdog", "cli"],
    &["http"],
    &["shutdown", "probe"],
    &["app"],
    &["main", "lib"],
];

const LONGEST_FILE: usize = 400;

struct Source {
    /// As in `src/room/actor.rs`.
    name: String,
    text: String,
}

/// All Rust files below a folder of this crate.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The program's own files: those of `src` that are not compiled for tests alone.
fn program() -> Vec<Source> {
    let all = sources("src");
    let for_tests: Vec<String> = all.iter().flat_map(Source::test_modules).collect();
    let own = |source: &Source| !for_tests.iter().any(|start| source.name.starts_with(start));
    all.into_iter().filter(own).collect()
}

impl Source {
    /// How the paths of those modules begin that this file declares for tests only.
    fn test_modules(&self) -> Vec<String> {
        let folder = self.name.trim_end_matches("mod.rs").trim_end_matches("lib.rs");
        // Models that the fuzz targets play, too, are hidden from everybody else.
        let gates = ["#[cfg(test)]\n", "#[cfg(any(test, feature = \"fuzzing\"))]\n#[doc(hidden)]\n"];
        let behind = gates.into_iter().flat_map(|gate| self.text.split(gate).skip(1));
        let declared = behind.filter_map(|rest| {
            let (name, _) = rest.trim_start_matches("pub ").strip_prefix("mod ")?.split_once(';')?;
            name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
        });
        declared.flat_map(|name| [format!("{folder}{name}.rs"), format!("{folder}{name}/")]).collect()
    }

    /// The module of the crate that the file belongs to: `room` for `src/room/actor.rs`.
    fn module(&self) -> &str {
        let inside = self.name.strip_prefix("src/").unwrap_or(&self.name);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// How many modules deep its own names stand: 1 for `src/room/mod.rs`, 2 for `src/room/actor.rs`.
    fn depth(&self) -> usize {
        let parts = self.name.matches('/').count();
        if self.name.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// The text with comments and the contents of strings blanked out, lines kept, down to the tests at its end.
    fn code(&self) -> String {
        let code = blank(&self.text);
        let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
        code[..end].to_owned()
    }

    /// Where a pattern stands in the code, as `file:line`.
    fn places(&self, pattern: &str) -> Vec<String> {
        let code = self.code();
        code.match_indices(pattern).map(|(at, _)| self.place(&code, at)).collect()
    }

    fn place(&self, code: &str, at: usize) -> String {
        format!("{}:{}", self.name, code[..at].matches('\n').count() + 1)
    }

    /// The crate's modules that the code names, each with its place.
    fn uses(&self) -> Vec<(String, String)> {
        let code = self.code();
        let climbing = "super::".repeat(self.depth());
        let paths = code.match_indices("crate::").map(|(at, found)| (at, at + found.len()));
        let climbs = code.match_indices(&climbing).map(|(at, found)| (at, at + found.len()));
        let begins = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let uses = paths.chain(climbs).filter(|(at, _)| begins(*at));
        uses.flat_map(|(at, end)| named(&code[end..]).into_iter().map(move |name| (at, name)))
            .map(|(at, name)| (name, self.place(&code, at)))
            .collect()
    }
}

/// The first names after `crate::`: one, or those of a group in braces.
fn named(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            '}' => {
                names.push(name(&group[start..at]));
                break;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Blanks comments, strings and character literals. Enough of a lexer for code that the formatter has gone over.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = opaque(rest);
        if length == 0 {
            out.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of the comment or literal that `text` begins with, or 0.
fn opaque(text: &str) -> usize {
    let until = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until("*/", 2);
    }
    let hashes = text.strip_prefix('r').map_or(0, |rest| rest.len() - rest.trim_start_matches('#').len());
    if text.starts_with('r') && text[1 + hashes..].starts_with('"') {
        return until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
    }
    match text.as_bytes() {
        [b'"', ..] => quoted(text),
        [b'\'', b'\\', ..] => until("'", 3),
        [b'\'', _, b'\'', ..] => 3,
        _ => 0,
    }
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// What in this file breaks the order of the layers.
fn breaks(source: &Source) -> Vec<String> {
    let here = source.module();
    let Some(mine) = layer(here) else { return vec![format!("{}: {here} stands on no layer", source.name)] };
    let uses = source.uses().into_iter().filter(|(used, _)| used != here);
    uses.filter_map(|(used, place)| match layer(&used) {
        Some(theirs) if theirs >= mine => Some(format!("{place}: {here} (layer {mine}) uses {used} (layer {theirs})")),
        _ => None,
    })
    .collect()
}

#[test]
fn imports_run_down_the_layers() {
    let found: Vec<String> = program().iter().flat_map(breaks).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_deprecated_crate_is_named_in_one_folder_only() {
    let elsewhere = program().into_iter().filter(|source| source.module() != "session");
    let found: Vec<_> = elsewhere.flat_map(|source| source.places("actix_web_actors")).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn business_code_writes_no_log_and_moves_no_counter() {
    let forbidden = ["slog::", "slog_json", "slog_async", ".inc(", ".inc_by(", "println!(", "dbg!("];
    let business = |source: &Source| !["telemetry", "metrics", "main"].contains(&source.module());
    let sources: Vec<_> = program().into_iter().filter(business).collect();
    let found: Vec<_> =
        sources.iter().flat_map(|source| forbidden.iter().flat_map(|word| source.places(word))).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_telemetry_knows_the_log_and_only_metrics_the_registry() {
    let outside =
        |allowed: &'static [&str]| program().into_iter().filter(move |source| !allowed.contains(&source.module()));
    let mut found: Vec<_> =
        outside(&["metrics", "messages", "app"]).flat_map(|source| source.places("prometheus::")).collect();
    found.extend(outside(&["telemetry", "main"]).flat_map(|source| source.places("use slog")));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn rules_know_no_actor_and_no_clock() {
    let rules = program().into_iter().filter(|source| source.name.ends_with("/state.rs"));
    let forbidden = ["actix", "tokio", "Instant::now(", "SystemTime::now("];
    let found: Vec<_> =
        rules.flat_map(|source| forbidden.iter().flat_map(|word| source.places(word)).collect::<Vec<_>>()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_is_longer_than_a_reader_can_bear() {
    let all = ["src", "tests"].into_iter().flat_map(sources);
    let long = all.map(|source| (source.text.lines().count(), source.name)).filter(|(lines, _)| *lines > LONGEST_FILE);
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines: {long:#?}");
}

#[test]
fn nobody_sleeps_in_a_test() {
    let sleeping = sources("tests/it").into_iter().filter(|source| !source.name.contains("/support/"));
    let found: Vec<_> = sleeping.flat_map(|source| source.places("sleep(")).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_scanner_finds_a_break_and_names_its_line() {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let upwards = source(
        "src/room/actor.rs",
        "// use crate::http;\nuse crate::{\n    messages::{Cut, room::Update},\n    http::gate,\n};\nlet x = \"crate::app\";\n",
    );
    assert_eq!(breaks(&upwards), ["src/room/actor.rs:2: room (layer 4) uses http (layer 6)"]);
    let sideways = source("src/room/mod.rs", "\nfn f() { crate::session::x() }\n");
    assert_eq!(breaks(&sideways), ["src/room/mod.rs:2: room (layer 4) uses session (layer 4)"]);
    let climbing = source("src/room/mod.rs", "use super::app::App;");
    assert_eq!(breaks(&climbing), ["src/room/mod.rs:1: room (layer 4) uses app (layer 8)"]);
    let downwards =
        source("src/room/a.rs", "use super::state;\nuse crate::{room::x, protocol::PeerId};\nr#\"crate::app\"#;");
    assert_eq!(breaks(&downwards), Vec::<String>::new());
    let tests = source("src/room/mod.rs", "#[cfg(test)]\nmod fake;\n#[cfg(test)]\nmod tests {\nuse crate::http;\n}\n");
    assert_eq!(breaks(&tests), Vec::<String>::new());
    assert_eq!(tests.test_modules(), ["src/room/fake.rs", "src/room/fake/"]);
    assert_eq!(breaks(&source("src/cellar.rs", "")), ["src/cellar.rs: cellar stands on no layer"]);
}
