//! The wire's types for clients in TypeScript, written from the tables of `docs/protocol.md` and from the enums:
//! `UPDATE_DOCS=1 cargo test --lib wire_types` writes them anew.

use std::{env, fmt::Write, fs, path::Path};

use super::{
    document::{document, table},
    wire_schema::{FieldRow, FrameTable, Kind, frames},
};
use crate::protocol::{
    CandidateType, EndReason, ErrorCategory, ErrorCode, Feature, LeaveReason, PairFailure, Permissions, ReportKind,
    SignalKind,
};

const FILE: &str = "clients/web/client/src/wire.generated.ts";

const HEAD: &str = "\
// Generated from src/protocol and docs/protocol.md by `UPDATE_DOCS=1 cargo test --lib wire_types`. Do not edit.

/** A word of a list that newer servers may have made longer: go by what else the frame says. */
export type Open<Word extends string> = Word | (string & {});

/** What a peer lets the others know of itself. */
export type Meta = { [name: string]: unknown };

/** An `RTCIceServer`, for where there is no DOM. */
export interface IceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}
";

/// `RoomFull` for `room_full`.
fn type_name(word: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    word.split('_').map(capital).collect()
}

fn union<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | ")
}

fn words<'w>(out: &mut String, text: &str, name: &str, words: impl IntoIterator<Item = &'w str>) {
    let list: String = words.into_iter().fold(String::new(), |list, word| list + "\n  | '" + word + "'");
    write!(out, "\n/** {text} */\nexport type {name} ={list};\n").expect("a string takes all");
}

/// All but the last, which stands for what is not known.
fn known_words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> impl Iterator<Item = &'static str> {
    all[..all.len() - 1].iter().map(move |value| word(*value))
}

fn enums(out: &mut String) {
    words(out, "What a signal carries.", "SignalKind", SignalKind::ALL.iter().map(|kind| kind.as_str()));
    words(out, "Optional parts of the protocol.", "Feature", Feature::ALL.iter().map(|feature| feature.as_str()));
    words(out, "What a session may do.", "Permission", Permissions::ALL.words());
    let categories = ErrorCategory::ALL.iter().map(|category| category.as_str());
    words(out, "What kind of trouble an error is.", "ErrorCategory", categories);
    words(
        out,
        "Why a peer is no longer in a room.",
        "LeaveReason",
        LeaveReason::ALL.iter().map(|reason| reason.as_str()),
    );
    words(out, "What an event of a report is about.", "ReportKind", known_words(ReportKind::ALL, ReportKind::as_str));
    let candidates = known_words(CandidateType::ALL, CandidateType::as_str);
    words(out, "The type of a candidate.", "CandidateType", candidates);
    words(out, "Why two peers have no connection.", "PairFailure", known_words(PairFailure::ALL, PairFailure::as_str));
    *out += "\n/** Every error code of the server. */\nexport const ERROR_CODES = {\n";
    for code in ErrorCode::ALL {
        let (name, category, retryable) = (code.as_str(), code.category().as_str(), code.retryable());
        writeln!(out, "  {name}: {{ category: '{category}', retryable: {retryable} }},").expect("a string takes all");
    }
    *out += "} as const;\n\n/** A code of the server's errors. */\nexport type ErrorCode = keyof typeof ERROR_CODES;\n";
    *out += "\n/** Every reason of an ending. `closeCode`: null where the socket is reset, which a client sees as 1006. */\n";
    *out += "export const END_REASONS = {\n";
    for reason in EndReason::ALL {
        let code = reason.close_code().map_or_else(|| "null".to_owned(), |code| code.to_string());
        let (name, action) = (reason.as_str(), reason.action().as_str());
        let others = reason.leave_reason().as_str();
        writeln!(out, "  {name}: {{ closeCode: {code}, action: '{action}', others: '{others}' }},")
            .expect("it takes all");
    }
    *out +=
        "} as const;\n\n/** Why the server ends a connection. */\nexport type EndReason = keyof typeof END_REASONS;\n";
}

fn limits(out: &mut String) {
    *out += "\n/** What a client is held to: `welcome.limits`. */\nexport interface Limits {\n";
    for row in table(&document(), "Limits") {
        let [field, _, _, text] = &row[..] else { panic!("a row of four cells: {row:?}") };
        if !field.is_empty() {
            writeln!(out, "  /** {text} */\n  {field}: number;").expect("a string takes all");
        }
    }
    *out += "}\n";
}

fn kind(kind: &Kind, inner: &[FieldRow], indent: usize, from_server: bool) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Integer | Kind::Number => "number".to_owned(),
        Kind::Flag => "boolean".to_owned(),
        Kind::Meta => "Meta".to_owned(),
        Kind::Payload => "unknown".to_owned(),
        Kind::Recipients => "string | readonly string[]".to_owned(),
        Kind::Limits => "Limits".to_owned(),
        Kind::IceServer => "IceServer".to_owned(),
        // A server of a later day may say more; a client may not.
        Kind::Words(name) if from_server => format!("Open<{name}>"),
        Kind::Words(name) => (*name).to_owned(),
        Kind::OneOf(words) if from_server => format!("Open<{}>", union(words.iter().map(String::as_str))),
        Kind::OneOf(words) => union(words.iter().map(String::as_str)),
        Kind::ListOf(item) => format!("Array<{}>", self::kind(item, inner, indent, from_server)),
        Kind::Object => {
            format!("{{\n{}{}}}", fields(inner, indent + 2, from_server), " ".repeat(indent))
        }
    }
}

fn fields(rows: &[FieldRow], indent: usize, from_server: bool) -> String {
    let mut out = String::new();
    let space = " ".repeat(indent);
    for row in rows {
        if !row.text.is_empty() {
            writeln!(out, "{space}/** {} */", row.text).expect("a string takes all");
        }
        let (mark, kind) = (if row.optional { "?" } else { "" }, kind(&row.kind, &row.inner, indent, from_server));
        writeln!(out, "{space}{}{mark}: {kind};", row.name).expect("a string takes all");
    }
    out
}

fn interface(out: &mut String, frame: &FrameTable, from_server: bool) {
    let (name, end) = (type_name(&frame.name), if from_server { "Frame" } else { "Request" });
    write!(out, "\n/** `{}`: {} */\nexport interface {name}{end} {{\n  type: '{0}';\n", frame.name, frame.text)
        .expect("a string takes all");
    if !from_server {
        *out += "  /** Comes back as the reply's `re`: 1 to 64 bytes. */\n  id?: string;\n";
    }
    *out += &fields(&frame.fields, 2, from_server);
    *out += "}\n";
}

fn typescript() -> String {
    let mut out = HEAD.to_owned();
    enums(&mut out);
    limits(&mut out);
    let (client, server) = (frames("Frames from the client"), frames("Frames from the server"));
    for frame in &client {
        interface(&mut out, frame, false);
    }
    out += "\n/** What a client sends. */\nexport type ClientFrame =";
    for frame in &client {
        write!(out, "\n  | {}Request", type_name(&frame.name)).expect("a string takes all");
    }
    out += ";\n";
    for frame in &server {
        interface(&mut out, frame, true);
    }
    out += "\n/** What the server sends, by `type`. */\nexport interface ServerFrames {\n";
    for frame in &server {
        writeln!(out, "  {}: {}Frame;", frame.name, type_name(&frame.name)).expect("a string takes all");
    }
    out += "}\n\n/** What the server sends. A newer one may send more: ignore what you do not know. */\n";
    out += "export type ServerFrame = ServerFrames[keyof ServerFrames];\n";
    out
}

#[test]
fn the_types_of_the_client_library_are_those_of_the_wire() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let wanted = typescript();
    if fs::read_to_string(&path).is_ok_and(|found| found == wanted) {
        return;
    }
    let update = env::var_os("UPDATE_DOCS").is_some();
    assert!(update, "{FILE} has drifted from the wire: run UPDATE_DOCS=1 cargo test --lib wire_types");
    fs::write(&path, wanted).expect("writing the types");
}
