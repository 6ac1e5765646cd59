//! Whether `Host` and `Origin` name the same place.

use std::borrow::Cow;

use actix_http::header::{AsHeaderName, HeaderMap, HeaderName};

use crate::config::Authority;

/// How much of a header is repeated to whoever sent it, and to the log.
pub(super) const SHOWN: usize = 80;

/// Whether a page of this origin comes from `host`. The scheme does not matter: TLS may end before us.
pub(super) fn is_page_of(origin: &str, host: &str) -> bool {
    let (authority, port) = match (origin.strip_prefix("http://"), origin.strip_prefix("https://")) {
        (Some(authority), _) => (authority, 80),
        (_, Some(authority)) => (authority, 443),
        _ => return false,
    };
    Authority::parse(authority).zip(Authority::parse(host)).is_some_and(|(page, host)| {
        page.name().eq_ignore_ascii_case(host.name()) && page.port().unwrap_or(port) == host.port().unwrap_or(port)
    })
}

/// The header, if there is exactly one of it: of two, somebody else may have read the other.
pub(super) fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name);
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// All lines of that header. A byte that is no text makes no other hop of a list unreadable: whoever sends it may be asking
/// through a proxy of ours, which appends to it.
pub(super) fn text_lines(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<Cow<'_, str>> {
    headers.get_all(name).map(|line| String::from_utf8_lossy(line.as_bytes())).collect()
}

/// A header's value as it can be shown anywhere: visible ASCII, and not too much of it.
pub(super) fn printable(value: &[u8]) -> String {
    let shown = value.iter().take(SHOWN).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' });
    let more = if value.len() > SHOWN { "..." } else { "" };
    shown.collect::<String>() + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_the_host_that_it_was_asked_from() {
        for (origin, host) in [
            ("http://a.example", "a.example"),
            ("https://a.example", "A.example:443"),
            ("http://a.example", "a.example:80"),
            ("https://a.example:8443", "a.example:8443"),
            ("http://[::1]:9464", "[::1]:9464"),
        ] {
            assert!(is_page_of(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "null"),
            ("", ""),
            ("a.example", "a.example"),
            ("file://", ""),
            ("ftp://a.example", "a.example"),
            ("https://a.example", "a.example:80"),
            ("https://a.example:8443", "a.example"),
            ("https://b.example", "a.example"),
            ("https://a.example.evil.example", "a.example"),
            ("https://evil.example@a.example", "a.example"),
        ] {
            assert!(!is_page_of(origin, host), "{origin} {host}");
        }
    }
}
