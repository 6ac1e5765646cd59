//! The tables of fields in `docs/protocol.md`, read as a schema: which fields a frame has, of which type, and whether they
//! may be absent. Every fixture has to keep to it, so the tables cannot drift; what clients are written in is made from it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{document::document, fixtures};
use crate::protocol::{Feature, client::own_fields};

/// One row of a table.
#[derive(Debug)]
pub(super) struct FieldRow {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) optional: bool,
    /// What it says to people.
    pub(super) text: String,
    /// The rows named after this one and a dot.
    pub(super) inner: Vec<FieldRow>,
}

/// What the second column of a table may say, without what follows a comma: then the field may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Flag,
    Meta,
    Payload,
    Recipients,
    Limits,
    Words(&'static str),
    ListOf(Box<Kind>),
    IceServer,
    /// One of these words.
    OneOf(Vec<String>),
    Object,
}

/// A frame with its fields, `type` and the request's `id` apart.
#[derive(Debug)]
pub(super) struct FrameTable {
    pub(super) name: String,
    /// The first sentence of its section.
    pub(super) text: String,
    pub(super) fields: Vec<FieldRow>,
}

/// The frames of a direction, in the order of the page. `heading` is that of their part of it.
pub(super) fn frames(heading: &str) -> Vec<FrameTable> {
    let page = document();
    let part = page.split(&format!("\n## {heading}\n")).nth(1).expect(heading);
    let part = part.split("\n## ").next().expect("split gives one");
    part.split("\n### `").skip(1).map(frame).collect()
}

fn frame(section: &str) -> FrameTable {
    let (name, rest) = section.split_once("`\n").expect("a heading");
    let text = rest.trim_start().split("\n\n").next().expect("split gives one").replace('\n', " ");
    let text = match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    };
    let lines = rest.lines().skip_while(|line| !line.starts_with("| field | type |")).skip(2);
    let mut fields = Vec::new();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').splitn(3, " | ").map(str::trim).collect();
        let [path, kind, text] = cells[..] else { panic!("{name}: a row has three cells: {line}") };
        put(&mut fields, path.trim_matches('`'), kind, text.trim_matches('|').trim());
    }
    FrameTable { name: name.to_owned(), text: plain(&text), fields }
}

/// Puts a row at its place, below the row of the object that it is a part of.
fn put(fields: &mut Vec<FieldRow>, path: &str, kind: &str, text: &str) {
    if let Some((outer, rest)) = path.split_once('.') {
        let outer = fields.iter_mut().find(|field| field.name == outer);
        return put(&mut outer.unwrap_or_else(|| panic!("no row above that of {path}")).inner, rest, kind, text);
    }
    let (kind, optional) = kind_of(kind);
    fields.push(FieldRow { name: path.to_owned(), kind, optional, text: plain(text), inner: Vec::new() });
}

/// Markdown's links as their text alone.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((label, after)) = link.split_once("](") else { break };
        out += before;
        out += label;
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    out + rest
}

fn kind_of(cell: &str) -> (Kind, bool) {
    if cell.starts_with("`\"") {
        return (Kind::OneOf(cell.split('"').skip(1).step_by(2).map(str::to_owned).collect()), false);
    }
    let (kind, optional) = cell.split_once(", ").map_or((cell, false), |(kind, _)| (kind, true));
    // "metadata, optional beside `token`" is optional like any other.
    let kind = match kind {
        _ if kind.starts_with("string") => Kind::Text,
        _ if kind.starts_with("integer") => Kind::Integer,
        _ if kind.starts_with("peer id; or a list of") => Kind::Recipients,
        "room" | "peer id" | "who" | "32 lower-case hex digits" => Kind::Text,
        "number" => Kind::Number,
        "boolean" => Kind::Flag,
        "metadata" => Kind::Meta,
        "payload" => Kind::Payload,
        "limits" => Kind::Limits,
        "object" => Kind::Object,
        "error code" => Kind::Words("ErrorCode"),
        "category" => Kind::Words("ErrorCategory"),
        "reason of a leave" => Kind::Words("LeaveReason"),
        "reason of an ending" => Kind::Words("EndReason"),
        "kind of a report" => Kind::Words("ReportKind"),
        "type of a candidate" => Kind::Words("CandidateType"),
        "reason of a failure" => Kind::Words("PairFailure"),
        "list of strings" => Kind::ListOf(Box::new(Kind::Text)),
        "list of features" => Kind::ListOf(Box::new(Kind::Words("Feature"))),
        "list of permissions" => Kind::ListOf(Box::new(Kind::Words("Permission"))),
        "list of objects" => Kind::ListOf(Box::new(Kind::Object)),
        "list of `RTCIceServer`" => Kind::ListOf(Box::new(Kind::IceServer)),
        _ => panic!("src/protocol/tests/wire_schema.rs does not know what {kind:?} is in JSON: teach it"),
    };
    (kind, optional)
}

/// What is wrong with `object`, whose fields are to be those of `rows`.
fn flaws(object: &Value, rows: &[FieldRow], common: &[&str], at: &str) -> Vec<String> {
    let Some(object) = object.as_object() else { return vec![format!("{at} is no object")] };
    let known: BTreeSet<&str> = rows.iter().map(|row| &*row.name).chain(common.iter().copied()).collect();
    let unknown = object.keys().filter(|name| !known.contains(&***name));
    let mut found: Vec<String> = unknown.map(|name| format!("{at}.{name} is in no table")).collect();
    for row in rows {
        let place = format!("{at}.{}", row.name);
        match object.get(&row.name) {
            None if row.optional => {}
            None => found.push(format!("{place} is missing, and not said to be optional")),
            Some(value) => found.extend(flaws_of(value, &row.kind, &row.inner, &place)),
        }
    }
    found
}

fn flaws_of(value: &Value, kind: &Kind, inner: &[FieldRow], at: &str) -> Vec<String> {
    let good = match kind {
        Kind::Text | Kind::Words(_) => value.is_string(),
        Kind::Integer => value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Flag => value.is_boolean(),
        Kind::Meta | Kind::Limits | Kind::IceServer => value.is_object(),
        Kind::Payload => true,
        Kind::Recipients => value.is_string() || value.is_array(),
        Kind::OneOf(words) => value.as_str().is_some_and(|word| words.iter().any(|known| known == word)),
        Kind::Object => return flaws(value, inner, &[], at),
        Kind::ListOf(item) => {
            let Some(items) = value.as_array() else { return vec![format!("{at} is no list")] };
            return items.iter().flat_map(|value| flaws_of(value, item, inner, at)).collect();
        }
    };
    if good { Vec::new() } else { vec![format!("{at} is no {kind:?}: {value}")] }
}

fn hold_fixtures_against(folder: &str, heading: &str, common: &[&str]) {
    let tables = frames(heading);
    let mut found = Vec::new();
    let mut met = BTreeSet::new();
    for (name, text) in fixtures(folder) {
        let frame: Value = serde_json::from_str(&text).expect("a fixture is JSON");
        let kind = frame["type"].as_str().expect("a frame has a type").to_owned();
        let table = tables.iter().find(|table| table.name == kind).unwrap_or_else(|| panic!("no table of {kind}"));
        found.extend(flaws(&frame, &table.fields, common, &format!("{folder}/{name}: {kind}")));
        met.insert(kind);
    }
    assert!(found.is_empty(), "fixtures and the tables of docs/protocol.md differ:\n{}", found.join("\n"));
    let told: BTreeSet<String> = tables.into_iter().map(|table| table.name).collect();
    assert_eq!(met, told, "a frame without a fixture, or without a table");
}

#[test]
fn every_client_frame_has_the_fields_of_its_table() {
    hold_fixtures_against("client", "Frames from the client", &["type", "id"]);
}

#[test]
fn every_server_frame_has_the_fields_of_its_table() {
    hold_fixtures_against("server", "Frames from the server", &["type"]);
}

#[test]
fn the_parser_takes_exactly_the_fields_of_the_tables() {
    for table in frames("Frames from the client") {
        let told: BTreeSet<&str> = table.fields.iter().map(|field| &*field.name).collect();
        let taken: BTreeSet<&str> = own_fields(&table.name).into_iter().collect();
        assert_eq!(told, taken, "{}", table.name);
    }
}

#[test]
fn every_feature_is_explained_where_welcome_names_it() {
    let welcome = frames("Frames from the server").into_iter().find(|frame| frame.name == "welcome").expect("a table");
    let features = welcome.fields.into_iter().find(|field| field.name == "features").expect("its row");
    for feature in Feature::ALL {
        let name = feature.as_str();
        assert!(features.text.contains(&format!("`{name}` when ")), "nothing says when {name} is named");
    }
}

#[test]
fn a_fixture_that_is_not_by_its_table_is_found() {
    let table = frames("Frames from the server").into_iter().find(|frame| frame.name == "peer_away").expect("a table");
    let good = serde_json::json!({"type": "peer_away", "id": "a", "until": 1});
    assert_eq!(flaws(&good, &table.fields, &["type"], "f"), Vec::<String>::new());
    let bad = serde_json::json!({"type": "peer_away", "until": "soon", "room": "a"});
    assert_eq!(flaws(&bad, &table.fields, &["type"], "f").len(), 3, "one is missing, one of another type, one unknown");
}
