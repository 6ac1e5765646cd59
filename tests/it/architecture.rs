//! The walls: imports run down the layers, files of one folder do not need each other in a circle, and some names stay
//! where they belong. A break is named by file and line.

mod circles;
mod maps;
mod source;
mod unused;

use self::source::{Source, program, sources};

const LONGEST_FILE: usize = 400;

/// What in this file breaks the order of the layers: it may use lower layers and its own folder, nothing else.
fn breaks(source: &Source) -> Vec<String> {
    let here = source.module();
    let Some(mine) = maps::layer(here) else { return vec![format!("{}: {here} is on no layer", source.name)] };
    let uses = source.uses().into_iter().filter_map(|(path, place)| Some((path.into_iter().next()?, place)));
    uses.filter(|(used, _)| used != here)
        .filter_map(|(used, place)| match maps::layer(&used) {
            Some(theirs) if theirs >= mine => {
                Some(format!("{place}: {here} (layer {mine}) uses {used} (layer {theirs})"))
            }
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
    let of_rules = ["/state.rs", "/resume_rules.rs", "/resume_buffer.rs"];
    let rules = program().into_iter().filter(|source| of_rules.iter().any(|file| source.name.ends_with(file)));
    let forbidden = ["actix", "tokio", "Instant::now(", "SystemTime::now("];
    let found: Vec<_> =
        rules.flat_map(|source| forbidden.iter().flat_map(|word| source.places(word)).collect::<Vec<_>>()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// It could serve anything that speaks WebSocket.
#[test]
fn the_websocket_knows_of_the_server_its_close_codes_only() {
    let sources: Vec<_> = program().into_iter().filter(|source| source.module() == "ws").collect();
    let allowed = |path: &[String]| match path {
        [layer, ..] if layer == "ws" => true,
        [layer, name, ..] => layer == "protocol" && name == "close_code",
        _ => false,
    };
    let found: Vec<_> = sources.iter().flat_map(Source::uses).filter(|(path, _)| !allowed(path)).collect();
    assert!(!sources.is_empty() && found.is_empty(), "{found:#?}");
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
    assert_eq!(breaks(&source("src/cellar.rs", "")), ["src/cellar.rs: cellar is on no layer"]);
}
