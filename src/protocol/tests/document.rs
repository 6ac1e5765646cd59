//! `docs/protocol.md` is the authority for client authors, so it may not drift: its examples are the fixtures, and its
//! tables are the enums.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{compact, fixtures};
use crate::protocol::{
    CandidateType, EndReason, ErrorCode, FrameKind, LeaveReason, PairFailure, ReportKind, SignalKind,
    client::own_parts, close_code, errors::Outcome,
};

pub(super) fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md");
    fs::read_to_string(path).expect("the document is there")
}

/// The contents of all ```` ```json ```` blocks.
fn examples(document: &str) -> BTreeSet<&str> {
    let blocks = document.split("```json\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("split gives one")).collect()
}

/// The rows of the table under the heading `heading`, without its head, each cell without code quotes.
pub(super) fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let section = document.split(&format!("# {heading}\n")).nth(1).expect(heading);
    let section = section.split("\n#").next().expect("split gives one");
    let cell = |cell: &str| cell.trim().replace('`', "");
    let row = |line: &str| line.trim_matches('|').split('|').map(cell).collect();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(row).collect()
}

/// The first columns of a table.
fn columns<const N: usize>(document: &str, heading: &str) -> Vec<[String; N]> {
    let first = |row: Vec<String>| <[String; N]>::try_from(row[..N].to_vec()).expect("N cells");
    table(document, heading).into_iter().map(first).collect()
}

/// A row for each value.
fn rows<T: Copy, const N: usize>(values: &[T], row: impl Fn(T) -> [String; N]) -> Vec<[String; N]> {
    values.iter().copied().map(row).collect()
}

fn closing(reason: EndReason) -> String {
    reason.close_code().map_or_else(|| "reset".to_owned(), |code| code.to_string())
}

#[test]
fn every_example_is_a_fixture_and_every_fixture_an_example() {
    let document = document();
    let files: Vec<_> = ["client", "server", "http"].iter().flat_map(|folder| fixtures(folder)).collect();
    let shown = examples(&document);
    let kept: BTreeSet<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
    for example in &shown {
        assert!(kept.contains(example), "no fixture is exactly this example:\n{example}");
    }
    for (name, text) in &files {
        assert!(shown.contains(text.as_str()), "the document does not show {name}");
    }
}

#[test]
fn every_frame_has_a_section() {
    let document = document();
    let signals = SignalKind::ALL.iter().map(|&kind| FrameKind::from(kind)).collect::<Vec<_>>();
    let kinds = FrameKind::ALL.iter().copied().filter(|kind| !signals.contains(kind) && *kind != FrameKind::Invalid);
    for name in kinds.map(FrameKind::as_str).chain(["signal"]) {
        assert!(document.contains(&format!("\n### `{name}`")), "no section on {name}");
    }
}

#[test]
fn the_error_table_is_the_enum() {
    let closing = |code: ErrorCode| match code.outcome() {
        Outcome::StaysOpen => "stays open".to_owned(),
        Outcome::Ends(reason) => closing(reason),
        Outcome::NeverOpened => "never opened".to_owned(),
    };
    let yes_no = |yes| if yes { "yes" } else { "no" };
    let row = |code: ErrorCode| {
        [code.as_str(), code.category().as_str(), yes_no(code.retryable()), &closing(code)].map(str::to_owned)
    };
    assert_eq!(columns(&document(), "Error codes"), rows(ErrorCode::ALL, row));
}

#[test]
fn the_table_of_endings_is_the_enum() {
    let row = |reason: EndReason| {
        [reason.as_str(), &closing(reason), reason.action().as_str(), reason.leave_reason().as_str()].map(str::to_owned)
    };
    assert_eq!(columns(&document(), "Reasons of an ending"), rows(EndReason::ALL, row));
}

#[test]
fn the_table_of_leave_reasons_is_the_enum() {
    let row = |reason: LeaveReason| [reason.as_str().to_owned()];
    assert_eq!(columns(&document(), "Reasons of a leave"), rows(LeaveReason::ALL, row));
}

/// All but the last, which stands for what is not known.
fn known<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<[String; 1]> {
    rows(&all[..all.len() - 1], |value| [word(value).to_owned()])
}

#[test]
fn the_tables_of_reports_are_the_enums() {
    let row = |kind: ReportKind| {
        let parts: Vec<_> = own_parts(kind);
        [kind.as_str().to_owned(), parts.join(", ")]
    };
    let kinds = &ReportKind::ALL[..ReportKind::ALL.len() - 1];
    assert_eq!(columns(&document(), "Kinds of reports"), rows(kinds, row));
    let page = document();
    assert_eq!(columns(&page, "Types of candidates"), known(CandidateType::ALL, CandidateType::as_str));
    assert_eq!(columns(&page, "Reasons of a failure"), known(PairFailure::ALL, PairFailure::as_str));
}

#[test]
fn the_table_of_close_codes_has_all_that_are_sent() {
    let sent: BTreeSet<u16> = EndReason::ALL.iter().filter_map(|reason| reason.close_code()).collect();
    let told: Vec<[String; 2]> = columns(&document(), "Close codes");
    let codes: BTreeSet<u16> = told.iter().map(|[code, _]| code.parse().expect("a code")).collect();
    assert_eq!(codes, sent);
    assert_eq!(told.len(), sent.len(), "a code has two rows");
    for [code, comes_back] in told {
        // By RFC 6455 section 7.4.1 where it has a code, by our two ranges where it has none.
        let again = matches!(
            code.parse(),
            Ok(close_code::INTERNAL | close_code::SERVICE_RESTART | close_code::TRY_AGAIN_LATER | 4000..=4499)
        );
        assert_eq!(comes_back, if again { "yes" } else { "no" }, "{code}");
    }
}

#[test]
fn the_table_of_limits_has_all_that_welcome_tells() {
    let file = &fixtures("server")["welcome"];
    let welcome: Value = serde_json::from_str(&compact(file)).expect("JSON");
    let told = welcome["limits"].as_object().expect("an object");
    let rows: Vec<[String; 3]> = columns(&document(), "Limits");
    let listed = rows.into_iter().filter(|[field, ..]| !field.is_empty());
    let listed: BTreeSet<(String, String)> = listed.map(|[field, _, default]| (field, default)).collect();
    assert_eq!(listed, told.iter().map(|(key, value)| (key.clone(), value.to_string())).collect());
}
