//! What must never be in a log: SDP, candidates, tokens, identities, credentials.
//!
//! The first defence is that no event has a field for them. [`leaks`] is the second: the test suite reads every line
//! that it makes the server write with it. [`scrub`] is the third, for the two texts that are not ours: the words of
//! foreign errors and of panics.

use std::borrow::Cow;

/// Parts of SDP (RFC 8866, RFC 8839) and of an authorization header. Line ends may be escaped, as they are in JSON.
const FORBIDDEN: [(&str, &str); 11] = [
    ("v=0\r\n", "SDP"),
    ("v=0\\r\\n", "SDP"),
    ("v=0\\\\r\\\\n", "SDP"),
    ("a=fingerprint", "SDP"),
    ("a=ice-pwd", "SDP"),
    ("a=ice-ufrag", "SDP"),
    ("candidate:", "an ICE candidate"),
    (" typ host", "an ICE candidate"),
    (" typ srflx", "an ICE candidate"),
    (" typ relay", "an ICE candidate"),
    ("Bearer ", "a token"),
];

/// Names of JSON members that hold secrets.
const SECRET_KEYS: [&str; 12] = [
    "token",
    "identity",
    "credential",
    "credentials",
    "password",
    "secret",
    "authorization",
    "cookie",
    "api_key",
    "sdp",
    "usernameFragment",
    "candidate",
];

/// What forbidden thing `line` contains, if any.
#[must_use]
pub fn leaks(line: &str) -> Option<&'static str> {
    let part = FORBIDDEN.iter().find(|(part, _)| line.contains(part)).map(|(_, what)| *what);
    part.or_else(|| SECRET_KEYS.into_iter().find(|key| has_member(line, key)))
}

/// The text, or, where it contains what no log may, a word about that.
#[must_use]
pub fn scrub(text: &str) -> Cow<'_, str> {
    match leaks(text) {
        None => Cow::Borrowed(text),
        Some(what) => Cow::Owned(format!("(withheld: contains {what})")),
    }
}

/// Whether there is a JSON member of that name, in plain JSON or in JSON inside a JSON string (`\"token\":`).
fn has_member(line: &str, key: &str) -> bool {
    line.match_indices(key).any(|(at, _)| {
        let opens = line[..at].ends_with('"');
        let rest = line[at + key.len()..].trim_start_matches('\\');
        opens && rest.strip_prefix('"').is_some_and(|r| r.trim_start().starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_things_are_found_plain_and_escaped() {
        for (line, what) in [
            ("v=0\r\no=- 46117 2 IN IP4 127.0.0.1", "SDP"),
            (r#"{"cause":"v=0\r\no=-"}"#, "SDP"),
            (r#"{"cause":"{\"sdp\":\"…\"}"}"#, "sdp"),
            (r#"{"cause":"a=fingerprint:sha-256 AB"}"#, "SDP"),
            ("candidate:1 1 udp 2122 192.0.2.1 5000 typ host", "an ICE candidate"),
            (r#"{"token":"abc"}"#, "token"),
            (r#"{"token" : "abc"}"#, "token"),
            (r#"{"x":"{\"credential\":\"abc\"}"}"#, "credential"),
            ("authorization: Bearer abc", "a token"),
        ] {
            assert_eq!(leaks(line), Some(what), "{line}");
        }
    }

    #[test]
    fn ordinary_words_are_no_leak() {
        for line in [
            r#"{"event":"frame_refused","cause":"unknown field `token`"}"#,
            r#"{"kind":"candidate","took_ms":1.5}"#,
            r#"{"room":"secret"}"#,
        ] {
            assert_eq!(leaks(line), None, "{line}");
        }
    }

    #[test]
    fn a_text_that_leaks_is_withheld_whole() {
        assert_eq!(scrub("parsing v=0\r\ns=x"), "(withheld: contains SDP)");
        assert_eq!(scrub("timed out"), "timed out");
    }
}
