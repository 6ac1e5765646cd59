//! Answers as people read them: a line for each thing, columns below their names.

use std::fmt::Write;

use serde_json::Value;

/// A value as text. Whatever cannot be seen, or would change how a terminal shows the rest, is escaped: names are their
/// clients' own.
pub(super) fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.as_str(),
        other => return other.to_string(),
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// Every field on a line; nothing for an answer without a body.
pub(super) fn fields(answer: &Value) -> String {
    let Value::Object(fields) = answer else { return String::new() };
    let rows = fields.iter().map(|(name, value)| {
        let value = match value {
            Value::Array(items) if items.is_empty() => "-".to_owned(),
            Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
            value => text(value),
        };
        vec![name.clone(), value]
    });
    columns(&rows.collect::<Vec<_>>())
}

/// A list of rooms.
pub(super) fn rooms(answer: &Value) -> String {
    table(&answer["rooms"], &["peers", "away", "locked", "since", "name"]) + &more(answer)
}

/// One room with its members.
pub(super) fn room(answer: &Value) -> String {
    let mut head = answer.clone();
    let members = head.as_object_mut().and_then(|head| head.remove("members")).unwrap_or_default();
    fields(&head) + "\n" + &peers(&members, false)
}

/// A list of peers, of one room or of several.
pub(super) fn peers(list: &Value, with_room: bool) -> String {
    let columns = ["id", "away", "since", "who", "user", "room"];
    table(list, if with_room { &columns } else { &columns[..5] })
}

/// Who reaches which peer in a room: its peers, and below them each pair with what either says of it.
pub(super) fn mesh(answer: &Value) -> String {
    if answer["known"] != true {
        return "nothing is known: nobody reports, or there are too many\n".to_owned();
    }
    let peers = table(&answer["peers"], &["id", "reaches", "reports", "away", "fractured"]);
    let pairs = answer["pairs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let head = ["FIRST", "SECOND", "STATE", "FIRST SAYS", "SECOND SAYS"].map(str::to_owned).to_vec();
    let rows = pairs.iter().map(|pair| {
        let [first, second] = [0, 1].map(|at| &pair["peers"][at]);
        vec![text(first), text(second), text(&pair["state"]), says(pair, first), says(pair, second)]
    });
    format!("{peers}\n{}", columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))
}

/// What that peer says of a pair: whether it is connected, by which path or why not, and how far away the other is.
fn says(pair: &Value, peer: &Value) -> String {
    let told = pair["told"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(told) = told.iter().find(|told| told["by"] == *peer) else { return text(&Value::Null) };
    let mut said = text(&told["says"]);
    for detail in ["candidate", "reason"].map(|name| &told[name]).into_iter().filter(|detail| !detail.is_null()) {
        // Writing to a String cannot fail.
        let _ = write!(said, " {}", text(detail));
    }
    if let Some(ms) = told["roundTripMs"].as_u64() {
        let _ = write!(said, " {ms} ms");
    }
    said
}

/// What went on in a room: its facts, and below them the offers that nobody answered.
pub(super) fn recorder(answer: &Value) -> String {
    let older = match answer["older"].as_u64() {
        None | Some(0) => String::new(),
        Some(older) => format!("{older} older ones are not shown\n"),
    };
    let facts = table(&answer["facts"], &["at", "kind", "peer", "to", "bytes", "outcome"]);
    let unanswered = match answer["unanswered"].as_array().map(Vec::as_slice) {
        None | Some([]) => String::new(),
        Some(_) => format!("\nunanswered offers\n{}", table(&answer["unanswered"], &["at", "from", "to", "waitedMs"])),
    };
    older + &facts + &unanswered
}

/// A room's bans.
pub(super) fn bans(answer: &Value) -> String {
    let locked = if answer["locked"] == true { "the room is locked\n" } else { "" };
    locked.to_owned() + &table(&answer["bans"], &["id", "leftMs", "address", "who", "user"])
}

/// That a list goes on.
pub(super) fn more(answer: &Value) -> String {
    if answer["next"].is_null() { String::new() } else { "there are more: --limit\n".to_owned() }
}

fn table(list: &Value, names: &[&str]) -> String {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let head = names.iter().map(|name| name.to_uppercase()).collect();
    let rows = items.iter().map(|item| names.iter().map(|name| text(&item[*name])).collect());
    columns(&std::iter::once(head).chain(rows).collect::<Vec<Vec<String>>>())
}

/// As wide as the widest of each column, but for the last.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let mut out = String::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = if at + 1 == row.len() { 0 } else { width(at).unwrap_or_default() + 2 };
            // Writing to a String cannot fail.
            let _ = write!(out, "{cell:width$}");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rooms_are_lines_and_a_name_cannot_play_tricks() {
        let answer = json!({"rooms": [
            {"name": "it's \"a\"", "peers": 2, "away": 0, "locked": false, "since": "2026-05-04T10:20:55.123Z"},
            {"name": "b\u{202e}c\u{1b}[31m", "peers": 12, "away": 1, "locked": true, "since": "2026-05-04T10:20:55.123Z"},
        ], "next": "b"});
        let lines = [
            "PEERS  AWAY  LOCKED  SINCE                     NAME",
            "2      0     false   2026-05-04T10:20:55.123Z  it's \"a\"",
            "12     1     true    2026-05-04T10:20:55.123Z  b\\u{202e}c\\u{1b}[31m",
            "there are more: --limit",
        ];
        assert_eq!(rooms(&answer), lines.join("\n") + "\n");
    }

    #[test]
    fn a_pair_is_a_line_with_what_either_says() {
        let pair = |state: &str, told: Value| json!({"peers": ["a", "b"], "state": state, "told": told});
        let peer = |id: &str| json!({"id": id, "reaches": 1, "reports": true, "away": false, "fractured": false});
        let told = json!([
            {"by": "b", "says": "failed", "reason": "ice_failed"},
            {"by": "a", "says": "connected", "candidate": "relay", "roundTripMs": 40},
        ]);
        let answer = json!({
            "known": true, "peers": [peer("a"), peer("b")], "pairs": [pair("connected", told), pair("silent", json!([]))],
        });
        let lines = [
            "ID  REACHES  REPORTS  AWAY   FRACTURED",
            "a   1        true     false  false",
            "b   1        true     false  false",
            "",
            "FIRST  SECOND  STATE      FIRST SAYS             SECOND SAYS",
            "a      b       connected  connected relay 40 ms  failed ice_failed",
            "a      b       silent     -                      -",
        ];
        assert_eq!(mesh(&answer), lines.join("\n") + "\n");
        let silent = mesh(&json!({"known": false, "peers": [], "pairs": []}));
        assert_eq!(silent, "nothing is known: nobody reports, or there are too many\n");
    }

    #[test]
    fn what_is_not_there_is_a_dash_and_lists_are_one_line() {
        let answer = json!({"changed": ["a.b", "c.d"], "restart": [], "node": null, "uptimeMs": 7});
        assert_eq!(fields(&answer), "changed   a.b, c.d\nnode      -\nrestart   -\nuptimeMs  7\n");
    }
}
