//! What proxies write into the header that is believed: one hop after the other, the nearest last.
//!
//! Only the end of it was written by a proxy of ours, and what stands before that may be made to deceive. So it is read from
//! the end: no quotation mark that a client left open, and no comma within one, can change what a proxy of ours wrote.

use crate::config::ForwardedHeader;

/// In place of a hop that says nothing: nobody's address.
const UNREADABLE: &str = "unknown";

/// The hops that all lines of the header name, the nearest first. Empty ones may be among them.
pub fn hops<'a>(
    header: ForwardedHeader,
    lines: impl DoubleEndedIterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let is_quoted = header == ForwardedHeader::Forwarded;
    let elements = lines.rev().flat_map(move |line| Elements { rest: Some(line), is_quoted });
    elements.map(move |element| match header {
        ForwardedHeader::XForwardedFor => element,
        ForwardedHeader::Forwarded if element.trim().is_empty() => element,
        ForwardedHeader::Forwarded => parameter(element, "for").unwrap_or(UNREADABLE),
    })
}

/// The hosts that proxies were asked for, by all lines of `Forwarded`, the nearest first.
pub fn forwarded_hosts<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let elements = lines.rev().flat_map(|line| Elements { rest: Some(line), is_quoted: true });
    elements.filter_map(|element| parameter(element, "host"))
}

/// The members of a list (RFC 9110 section 5.6.1), the last one first.
struct Elements<'a> {
    rest: Option<&'a str>,
    /// Whether a comma may stand within quotation marks.
    is_quoted: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let comma = if self.is_quoted { last_comma(rest) } else { rest.rfind(',') };
        let Some(comma) = comma else { return Some(rest) };
        self.rest = Some(&rest[..comma]);
        Some(&rest[comma + 1..])
    }
}

/// The last comma outside of quotation marks.
fn last_comma(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut is_within = false;
    for at in (0..bytes.len()).rev() {
        match bytes[at] {
            b'"' if !is_escaped(bytes, at) => is_within = !is_within,
            b',' if !is_within => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether a backslash before it, itself not escaped, makes it part of the text.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The value of a parameter of one element (RFC 7239 section 4), if it is there once, and the element is one. What is
/// asked for here never needs a backslash: a text that has one is none.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (mut rest, mut found) = (element.trim(), None);
    loop {
        let (this, value) = rest.split_once('=')?;
        let (value, behind) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').filter(|(value, _)| !value.contains('\\'))?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if this.trim().eq_ignore_ascii_case(name) && found.replace(value.trim()).is_some() {
            return None;
        }
        let behind = behind.trim_start();
        if behind.is_empty() {
            return found;
        }
        rest = behind.strip_prefix(';')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Vec<String> {
        hops(ForwardedHeader::Forwarded, lines.iter().copied()).map(str::to_owned).collect()
    }

    #[test]
    fn the_nearest_hop_comes_first() {
        for (lines, found) in [
            (&["for=192.0.2.43"][..], &["192.0.2.43"][..]),
            (&["For=\"[2001:db8:cafe::17]:4711\""], &["[2001:db8:cafe::17]:4711"]),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], &["192.0.2.60"]),
            (&["proto=http ; FOR = 192.0.2.60 ;by=_x"], &["192.0.2.60"]),
            (&["for=192.0.2.43, for=198.51.100.17"], &["198.51.100.17", "192.0.2.43"]),
            (&["for=192.0.2.43", "for=198.51.100.17"], &["198.51.100.17", "192.0.2.43"]),
            (&["for=_hidden, for=_SEVKISEK"], &["_SEVKISEK", "_hidden"]),
            (&["for=192.0.2.43,,"], &["", "", "192.0.2.43"]),
            (&["proto=http"], &[UNREADABLE]),
            (&["for=192.0.2.1;for=192.0.2.2"], &[UNREADABLE]),
            (&["for"], &[UNREADABLE]),
            (&["192.0.2.1"], &[UNREADABLE]),
            (&["for=\"192.0.2.1"], &[UNREADABLE]),
            (&["for=\"192.0.2.1\"x"], &[UNREADABLE]),
            (&["for=\"192\\.0.2.1\""], &[UNREADABLE]),
            (&["for=192.0.2.1;"], &[UNREADABLE]),
            (&["for=192.0.2.1;host=\"a,b\";proto=https"], &["192.0.2.1"]),
        ] {
            assert_eq!(of(lines), found, "{lines:?}");
        }
    }

    #[test]
    fn what_a_client_wrote_never_changes_what_a_proxy_appended() {
        for before in [
            "for=1.1.1.1",
            "for=\"",
            "for=1.1.1.1;x=\"",
            "\"\"\"",
            "x=\"\\\"",
            "\\",
            "for=1.1.1.1;x=\"\\",
            ",,\",\"",
            "=;,=\"",
        ] {
            for own in
                ["for=192.0.2.1", "for=192.0.2.1;host=\"a.example:8080\";proto=https", "proto=http;for=\"192.0.2.1\""]
            {
                let line = format!("{before}, {own}");
                assert_eq!(of(&[&line])[0], "192.0.2.1", "{line}");
                assert_eq!(of(&[before, own])[0], "192.0.2.1", "{line}");
            }
        }
    }

    #[test]
    fn hosts_are_read_wherever_they_stand() {
        let line = "for=192.0.2.1;host=a.example, for=10.0.0.1;host=\"b.example:8080\";proto=https, host=\"";
        assert_eq!(forwarded_hosts([line].into_iter()).next(), None, "a proxy of ours leaves no quotation mark open");
        let line = line.trim_end_matches(", host=\"");
        assert!(forwarded_hosts([line].into_iter()).eq(["b.example:8080", "a.example"]));
    }
}
