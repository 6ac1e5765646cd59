//! Host and port, as URLs and the headers `Host` and `Origin` name them.

use actix_web::http::uri;

use super::server::is_url_host;

/// An authority (RFC 3986 section 3.2) without user information, which no browser sends, and whose port is a number if
/// there is a colon: `http` takes more than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    parsed: uri::Authority,
    port: Option<u16>,
}

impl Authority {
    /// Reads `host`, `host:port` or `[IPv6 address]:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parsed: uri::Authority = text.parse().ok()?;
        let rest = parsed.as_str().strip_prefix(parsed.host())?;
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
            None if rest.is_empty() => None,
            _ => return None,
        };
        let authority = Self { parsed, port };
        (!authority.name().is_empty()).then_some(authority)
    }

    /// As it was written: an IPv6 address in its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.parsed.host()
    }

    /// Without the dot that a complete name may end with; an IPv6 address without its brackets.
    #[must_use]
    pub fn name(&self) -> &str {
        let host = self.host();
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        address.unwrap_or_else(|| host.strip_suffix('.').unwrap_or(host))
    }

    /// As it was written, where it can stand in a URL as it is: a name or an address, and nothing that JSON has to escape.
    #[must_use]
    pub fn url_host(&self) -> Option<&str> {
        Some(self.host()).filter(|host| is_url_host(host))
    }

    /// If one is named.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_can_stand_in_a_url_is_a_name_or_an_address() {
        let host = |text: &str| Authority::parse(text).and_then(|found| found.url_host().map(str::to_owned));
        for (text, kept) in [
            ("a.example:80", "a.example"),
            ("[::1]:9464", "[::1]"),
            ("10.0.0.1", "10.0.0.1"),
            ("LOCALHOST", "LOCALHOST"),
        ] {
            assert_eq!(host(text).as_deref(), Some(kept), "{text}");
        }
        for bad in ["a'b", "a!b", "a,b", "a;b", "(a)", "300.1.1.1", "-a"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }

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
            assert_eq!((found.name(), found.port()), (host, port), "{text}");
        }
        for bad in
            ["", ":80", ".", "a:", "a:x", "a:+1", "a:1:2", "a:99999", "[::1", "[::1]x", "::1", "[]", "u@a", "a@a"]
        {
            assert!(Authority::parse(bad).is_none(), "{bad}");
        }
    }
}
