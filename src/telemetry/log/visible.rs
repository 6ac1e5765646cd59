//! Characters that cannot be seen, or that change how what is around them looks: a room's name must not turn a line of the
//! log around on somebody's screen, hide a part of it, or drive their terminal.

use std::{borrow::Cow, fmt::Write};

/// Whether a character is written as `\uXXXX`: control characters, those that only format (Unicode's category Cf, and
/// with it everything that sets the direction of text), line and paragraph separators, tags and what else is invisible.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
        | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A line of JSON with these characters escaped. They can only be within its strings, since all else is ASCII; whoever
/// reads the JSON gets them back.
pub(in crate::telemetry) fn escape(line: &[u8]) -> Cow<'_, [u8]> {
    // Nearly all lines.
    if !line.iter().any(|byte| *byte >= 0x7f) {
        return Cow::Borrowed(line);
    }
    let Ok(text) = std::str::from_utf8(line) else { return Cow::Borrowed(line) };
    if !text.contains(is_hidden) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 64);
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        String::from_utf8(escape(text.as_bytes()).into_owned()).expect("UTF-8")
    }

    #[test]
    fn what_is_hidden_is_escaped_and_reads_back_as_it_was() {
        let hidden = [
            "\u{7f}",
            "\u{80}",
            "\u{9b}",
            "\u{9f}",
            "\u{ad}",
            "\u{61c}",
            "\u{180e}",
            "\u{200b}",
            "\u{200d}",
            "\u{200e}",
            "\u{200f}",
            "\u{2028}",
            "\u{2029}",
            "\u{202a}",
            "\u{202e}",
            "\u{2060}",
            "\u{2066}",
            "\u{2069}",
            "\u{206f}",
            "\u{feff}",
            "\u{fff9}",
            "\u{e0001}",
            "\u{e007f}",
            "\u{e0100}",
            "\u{1d173}",
        ];
        for text in hidden {
            let line = serde_json::to_string(&format!("a{text}b")).expect("JSON");
            let seen = escaped(&line);
            assert!(seen.is_ascii() && seen.bytes().all(|byte| byte != 0x7f), "{seen}");
            assert_eq!(serde_json::from_str::<String>(&seen).expect("JSON"), format!("a{text}b"));
        }
        assert_eq!(escaped("\u{202e}"), "\\u202e");
        assert_eq!(escaped("\u{e0041}"), "\\udb40\\udc41", "a pair beyond the first plane");
    }

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in ["plain", "Zürich", "会議室", "שלום", "سلام", "👍🏽", "a\u{301}", "\u{fe0f}", "\u{a0}", "\u{1f1e6}"]
        {
            assert_eq!(escaped(text), text);
        }
    }
}
