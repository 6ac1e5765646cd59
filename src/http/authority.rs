//! Host and port, as `Host` and `Origin` name them.

use actix_http::header::{HeaderMap, HeaderName};

/// An authority (RFC 3986 section 3.2) without user information, which no browser sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authority<'a> {
    /// Without the dot that a complete name may end with; an IPv6 address without its brackets.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
            None if port.is_empty() => None,
            _ => return None,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// Whether both name the same host and port, where `port` is meant if none is named.
    fn is(self, other: Authority<'_>, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host) && self.port.unwrap_or(port) == other.port.unwrap_or(port)
    }
}

/// Whether a page of this origin comes from `host`. The scheme does not matter: TLS may end before us.
pub(super) fn is_page_of(origin: &str, host: &str) -> bool {
    let (authority, port) = match (origin.strip_prefix("http://"), origin.strip_prefix("https://")) {
        (Some(authority), _) => (authority, 80),
        (_, Some(authority)) => (authority, 443),
        _ => return false,
    };
    Authority::parse(authority).zip(Authority::parse(host)).is_some_and(|(page, host)| page.is(host, port))
}

/// The header, if there is exactly one of it: of two, somebody else may have read the other.
pub(super) fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name);
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("a.example", "a.example", None),
            ("a.example.:80", "a.example", Some(80)),
            ("[::1]:9464", "::1", Some(9464)),
            ("[::1]", "::1", None),
            ("10.0.0.1:1", "10.0.0.1", Some(1)),
        ] {
            let found = Authority::parse(text).expect(text);
            assert_eq!((found.host, found.port), (host, port), "{text}");
        }
        for bad in ["", ":80", ".", "a:", "a:x", "a:+1", "a:1:2", "a:99999", "[::1", "[::1]x", "::1", "[]"] {
            assert!(Authority::parse(bad).is_none(), "{bad}");
        }
    }

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
