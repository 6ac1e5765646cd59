//! `/ws?room=NAME`: where a connection is going, for placement.

use crate::protocol::RoomName;

/// The room that a query names, if it names one that could be joined. `+` is a plus: percent-encoding (RFC 3986 section
/// 2.1) has no other meaning for it. (Forms write a space so; the rules of a session let both in.) Whatever else is
/// wrong, two names included, is no hint, and nobody is refused for it: a browser could not read why.
pub(in crate::http) fn of(query: &str, limit: usize) -> Option<RoomName> {
    let mut named = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == "room").then_some(value)
    });
    let name = named.next()?;
    if named.next().is_some() {
        return None;
    }
    RoomName::parse(&decode(name)?, limit).ok()
}

/// Percent-decoded; `None` if that is no UTF-8 or a `%` stands without its two digits.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            out.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
            rest = &tail[2..];
        } else {
            out.push(*first);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_percent_encoded_and_a_plus_is_a_plus() {
        let named = |query: &str| of(query, 16).map(|room| room.as_str().to_owned());
        for (query, room) in [
            ("room=blue", "blue"),
            ("room=a+b", "a+b"),
            ("room=a%2Bb", "a+b"),
            ("room=a%2bb", "a+b"),
            ("room=a%20b", "a b"),
            ("x=y&room=caf%C3%A9&z", "café"),
            ("%72oom=blue", "blue"),
            ("room=a=b", "a=b"),
        ] {
            assert_eq!(named(query).as_deref(), Some(room), "{query}");
        }
        for query in [
            "",
            "room",
            "room=",
            "x=y",
            "Room=a",
            "room=%00",
            "room=%",
            "room=%4",
            "room=%+1",
            "room=%zz",
            "room=%ff",
            "room=a&room=b",
            "room=0123456789abcdefg",
        ] {
            assert_eq!(named(query), None, "{query}");
        }
    }
}
