//! Which pages may open a WebSocket. A page from elsewhere could open one with its visitor's cookies and address; browsers
//! always say where a page is from. A client without `Origin` is no browser.

use std::borrow::Cow;

use actix_http::{
    RequestHead,
    header::{self, HeaderMap, X_FORWARDED_HOST},
};

use crate::{
    config::{ANY_SUBDOMAIN, Authority, FILE_ORIGIN, ForwardedHeader, NULL_ORIGIN, SAME_ORIGIN},
    http::{
        authority::{is_page_of, printable, text_lines, the_one},
        live::Live,
    },
    limits::hops,
    protocol::error_texts,
};

/// So many of the hosts that a request names are told: that of the proxy's client, and the server's own.
const HOSTS_SHOWN: usize = 2;

/// How the origin of a page begins that came by TLS.
const HTTPS: &str = "https://";

/// Which origins are let in.
#[derive(Clone)]
pub(in crate::http) struct OriginPolicy {
    /// `http.allowed_origins`, which a reload may replace.
    pub(in crate::http) allowed: Live<[String]>,
    /// Whether the listener itself speaks TLS: a page of the same host that came without it may be anybody's.
    pub(in crate::http) speaks_tls: bool,
    /// `http.require_origin`.
    pub(in crate::http) is_required: bool,
}

impl OriginPolicy {
    /// Whether a page that says where it is from, or a client that does not say, may come in; if not, why. `believed`: one of
    /// our proxies asks for it, and is believed as to which host it was asked for.
    pub(in crate::http) fn check(
        &self,
        head: &RequestHead,
        believed: Option<ForwardedHeader>,
    ) -> Result<(), Cow<'static, str>> {
        let Some(origin) = head.headers().get(header::ORIGIN) else {
            return if self.is_required { Err(error_texts::NO_ORIGIN.into()) } else { Ok(()) };
        };
        let lines = lines(head.headers(), believed);
        let hosts = hosts(head.headers(), &lines, believed);
        // What a proxy of ours speaks to its clients is for it to know.
        let asks_tls = self.speaks_tls && believed.is_none();
        let may = |one: &String, origin| {
            is_meant(one, origin, &hosts) && !(asks_tls && one == SAME_ORIGIN && !origin.starts_with(HTTPS))
        };
        if origin.to_str().is_ok_and(|origin| self.allowed.get().iter().any(|one| may(one, origin))) {
            return Ok(());
        }
        let shown: Vec<_> = hosts.iter().take(HOSTS_SHOWN).map(|host| printable(host.as_bytes())).collect();
        let asked = if shown.is_empty() { "no host".to_owned() } else { shown.join(", ") };
        Err(error_texts::origin_denied(&printable(origin.as_bytes()), &asked).into())
    }
}

/// The host that the client itself used, where it can stand in a URL. One that a client makes up is told to that client alone.
/// `believed`: as above.
pub(super) fn host_asked_for(head: &RequestHead, believed: Option<ForwardedHeader>) -> Option<Box<str>> {
    asked_for(head, believed, |place| place.url_host().map(Box::from))
}

/// The same with its port, if the client named one.
pub(super) fn place_asked_for(head: &RequestHead, believed: Option<ForwardedHeader>) -> Option<String> {
    asked_for(head, believed, |place| {
        let host = place.url_host()?;
        Some(place.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    })
}

fn asked_for<T>(
    head: &RequestHead,
    believed: Option<ForwardedHeader>,
    part: impl Fn(&Authority) -> Option<T>,
) -> Option<T> {
    let lines = lines(head.headers(), believed);
    let hosts = hosts(head.headers(), &lines, believed);
    hosts.into_iter().find_map(|host| part(&Authority::parse(host)?))
}

/// The lines in which our proxies say which host they were asked for.
fn lines(headers: &HeaderMap, believed: Option<ForwardedHeader>) -> Vec<Cow<'_, str>> {
    // No browser lets a page write any of these headers: whatever else stands in the list, no page has put it there.
    match believed {
        None => Vec::new(),
        Some(ForwardedHeader::XForwardedFor) => text_lines(headers, X_FORWARDED_HOST),
        Some(ForwardedHeader::Forwarded) => text_lines(headers, header::FORWARDED),
    }
}

/// The hosts that the request names.
fn hosts<'h>(headers: &'h HeaderMap, lines: &'h [Cow<'h, str>], believed: Option<ForwardedHeader>) -> Vec<&'h str> {
    let lines = lines.iter().map(|line| &**line);
    let mut hosts: Vec<&str> = match believed {
        None => Vec::new(),
        Some(ForwardedHeader::XForwardedFor) => lines.flat_map(|line| line.split(',')).collect(),
        Some(ForwardedHeader::Forwarded) => hops::forwarded_hosts(lines).collect(),
    };
    hosts.extend(the_one(headers, &header::HOST));
    hosts.into_iter().map(str::trim).filter(|host| !host.is_empty()).collect()
}

/// Whether an entry of the list stands for this origin.
fn is_meant(entry: &str, origin: &str, hosts: &[&str]) -> bool {
    match entry {
        "*" => true,
        SAME_ORIGIN => hosts.iter().any(|host| is_page_of(origin, host)),
        NULL_ORIGIN | FILE_ORIGIN => origin == entry,
        entry => match entry.split_once(ANY_SUBDOMAIN) {
            Some((scheme, parent)) => is_equal(scheme, parent, origin, is_below),
            None => entry
                .split_once("://")
                .is_some_and(|(scheme, place)| is_equal(scheme, place, origin, str::eq_ignore_ascii_case)),
        },
    }
}

/// Whether scheme and port are those of the origin, a default port being none, and its name fits.
fn is_equal(scheme: &str, place: &str, origin: &str, fits: impl Fn(&str, &str) -> bool) -> bool {
    let Some((its_scheme, its_place)) = origin.split_once("://") else { return false };
    let Some((listed, its)) = Authority::parse(place).zip(Authority::parse(its_place)) else { return false };
    let port = |place: &Authority| place.port().or_else(|| default_port(scheme));
    its_scheme.eq_ignore_ascii_case(scheme) && port(&listed) == port(&its) && fits(its.name(), listed.name())
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Whether a name is one below `parent`, at any depth, and not that itself.
fn is_below(name: &str, parent: &str) -> bool {
    let Some(length) = name.len().checked_sub(parent.len() + 1) else { return false };
    let (labels, rest) = name.as_bytes().split_at(length);
    let is_dotted = rest[0] == b'.' && rest[1..].eq_ignore_ascii_case(parent.as_bytes());
    is_dotted && labels.split(|byte| *byte == b'.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use actix_http::test::TestRequest;

    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn check(list: &[&str], headers: Headers, believed: Option<ForwardedHeader>) -> Result<(), String> {
        let allowed = list.iter().map(ToString::to_string).collect::<Vec<_>>().into();
        let mut request = TestRequest::with_uri("/ws");
        for (name, value) in headers {
            request.append_header((*name, *value));
        }
        let policy = OriginPolicy { allowed, speaks_tls: false, is_required: false };
        policy.check(request.finish().head(), believed).map_err(Cow::into_owned)
    }

    /// Of a page with this origin that asks for a.example.
    fn allowed(entry: &str, origin: &str) -> bool {
        check(&[entry], &[("host", "a.example"), ("origin", origin)], None).is_ok()
    }

    #[test]
    fn the_host_that_was_asked_for_is_that_of_the_believed_proxy_or_else_the_requests_own() {
        let host = |headers: Headers, believed| {
            let mut request = TestRequest::with_uri("/ws");
            for (name, value) in headers {
                request.append_header((*name, *value));
            }
            host_asked_for(request.finish().head(), believed).map(String::from)
        };
        let (proxied, forwarded) = (Some(ForwardedHeader::XForwardedFor), Some(ForwardedHeader::Forwarded));
        let plain: Headers = &[("host", "a.example:8080"), ("x-forwarded-host", "b.example")];
        assert_eq!(host(plain, None).as_deref(), Some("a.example"), "whoever is no proxy of ours is not believed");
        assert_eq!(host(plain, proxied).as_deref(), Some("b.example"));
        assert_eq!(
            host(&[("host", "a.example"), ("forwarded", "for=1.2.3.4;host=\"c.example:443\"")], forwarded).as_deref(),
            Some("c.example")
        );
        assert_eq!(host(&[("host", "[2001:db8::7]:8080")], None).as_deref(), Some("[2001:db8::7]"));
        for bad in ["", "a b", "a.example\"]", "300.1.1.1", "u@a.example"] {
            assert_eq!(host(&[("host", bad)], None), None, "{bad}");
        }
        assert_eq!(
            host(&[("host", "a.example"), ("host", "b.example")], None),
            None,
            "of two, somebody else may have read the other"
        );
    }

    #[test]
    fn an_entry_stands_for_what_it_says_and_for_nothing_that_resembles_it() {
        for (entry, origin, is_allowed) in [
            ("*", "https://b.example", true),
            ("*", "null", true),
            ("same", "https://a.example", true),
            ("same", "http://A.example:80", true),
            ("same", "https://a.example:8443", false),
            ("same", "https://b.example", false),
            ("same", "https://a.example.evil.example", false),
            ("same", "https://b.a.example", false),
            ("same", "null", false),
            ("same", "file://", false),
            ("same", "a.example", false),
            ("https://b.example", "https://b.example", true),
            ("https://b.example", "https://B.example:443", true),
            ("https://b.example", "https://b.example.", true),
            ("https://b.example", "http://b.example", false),
            ("https://b.example", "https://b.example:80", false),
            ("https://b.example", "https://a.b.example", false),
            ("https://b.example", "https://b.example.evil.example", false),
            ("https://b.example", "https://evil@b.example", false),
            ("https://b.example", "https://a.example", false),
            ("https://b.example:8443", "https://b.example:8443", true),
            ("https://b.example:8443", "https://b.example", false),
            ("http://[::1]:8080", "http://[::1]:8080", true),
            ("http://[::1]:8080", "http://[::2]:8080", false),
            ("chrome-extension://abcdef", "chrome-extension://abcdef", true),
            ("chrome-extension://abcdef", "https://abcdef", false),
            ("https://*.b.example", "https://a.b.example", true),
            ("https://*.b.example", "https://A.c.B.example:443", true),
            ("https://*.b.example", "https://b.example", false),
            ("https://*.b.example", "https://.b.example", false),
            ("https://*.b.example", "https://a..b.example", false),
            ("https://*.b.example", "https://ab.example", false),
            ("https://*.b.example", "https://a.b.example.evil.example", false),
            ("https://*.b.example", "https://evil.example/.b.example", false),
            ("https://*.b.example", "https://evil.example#.b.example", false),
            ("https://*.b.example", "http://a.b.example", false),
            ("https://*.b.example", "https://a.b.example:8443", false),
            ("https://*.b.example:8443", "https://a.b.example:8443", true),
            ("https://*.b.example", "null", false),
            ("null", "null", true),
            ("null", "https://null", false),
            ("file://", "file://", true),
            ("file://", "file://a", false),
            ("file://", "null", false),
            ("", "", false),
        ] {
            assert_eq!(allowed(entry, origin), is_allowed, "{entry} {origin}");
        }
    }

    #[test]
    fn the_servers_own_page_is_that_of_the_host_that_was_asked_for() {
        use ForwardedHeader::{Forwarded, XForwardedFor};
        const HOST: (&str, &str) = ("host", "127.0.0.1:8080");
        const X_HOST: (&str, &str) = ("x-forwarded-host", "a.example, inner");
        const RFC_HOST: (&str, &str) = ("forwarded", "for=192.0.2.1;host=\"a.example\";proto=https, for=10.0.0.1");
        let cases: [(Headers, Option<ForwardedHeader>, bool); 10] = [
            (&[HOST, X_HOST], Some(XForwardedFor), true),
            (&[HOST, X_HOST], Some(Forwarded), false),
            (&[HOST, X_HOST], None, false),
            (&[HOST, RFC_HOST], Some(Forwarded), true),
            (&[HOST, RFC_HOST], Some(XForwardedFor), false),
            (&[HOST, RFC_HOST], None, false),
            (&[HOST, ("forwarded", "host=evil.example;host=a.example")], Some(Forwarded), false),
            (&[("host", "a.example")], Some(Forwarded), true),
            (&[("host", "a.example"), HOST], None, false),
            (&[], None, false),
        ];
        for (headers, believed, is_allowed) in cases {
            let headers = [headers, &[("origin", "https://a.example")]].concat();
            assert_eq!(check(&["same"], &headers, believed).is_ok(), is_allowed, "{headers:?} {believed:?}");
        }
    }

    #[test]
    fn a_host_that_is_no_text_hides_no_other() {
        use ForwardedHeader::{Forwarded, XForwardedFor};
        for (believed, name, line, is_allowed) in [
            (XForwardedFor, X_FORWARDED_HOST, &b"\xff, a.example"[..], true),
            (XForwardedFor, X_FORWARDED_HOST, b"\xffa.example", false),
            (Forwarded, header::FORWARDED, b"for=\"\xff, for=192.0.2.1;host=a.example", true),
            (Forwarded, header::FORWARDED, b"for=192.0.2.1;host=\"a.example\xff\"", false),
        ] {
            let line = header::HeaderValue::from_bytes(line).expect("a value");
            let mut request = TestRequest::with_uri("/ws");
            request.insert_header(("host", "inner")).insert_header(("origin", "https://a.example"));
            request.insert_header((name, line.clone()));
            let policy =
                OriginPolicy { allowed: vec!["same".to_owned()].into(), speaks_tls: false, is_required: false };
            assert_eq!(policy.check(request.finish().head(), Some(believed)).is_ok(), is_allowed, "{line:?}");
        }
    }

    #[test]
    fn a_page_without_tls_is_no_page_of_a_host_that_speaks_it() {
        let policy = OriginPolicy {
            allowed: vec!["same".to_owned(), "http://old.example".to_owned()].into(),
            speaks_tls: true,
            is_required: false,
        };
        let may = |origin: &str, believed: Option<ForwardedHeader>| {
            let mut request = TestRequest::with_uri("/ws");
            request.insert_header(("host", "a.example")).insert_header(("origin", origin));
            policy.check(request.finish().head(), believed).is_ok()
        };
        assert!(may("https://a.example", None) && !may("http://a.example", None));
        assert!(may("http://old.example", None), "one that is listed as it is");
        assert!(may("http://a.example", Some(ForwardedHeader::Forwarded)), "a proxy of ours knows what it speaks");
    }

    #[test]
    fn who_has_no_origin_is_let_in_unless_it_must_have_one() {
        let mut policy = OriginPolicy { allowed: Vec::new().into(), speaks_tls: false, is_required: false };
        let request = TestRequest::with_uri("/ws").finish();
        assert_eq!(policy.check(request.head(), None), Ok(()));
        policy.is_required = true;
        assert!(policy.check(request.head(), None).is_err_and(|why| why.contains("http.require_origin")));
    }

    #[test]
    fn a_refusal_names_both_hosts_and_the_origin_to_allow() {
        let headers = [("host", "127.0.0.1"), ("x-forwarded-host", "a.example"), ("origin", "https://b.example")];
        let why = check(&["same"], &headers, Some(ForwardedHeader::XForwardedFor)).unwrap_err();
        assert!(why.contains("a.example, 127.0.0.1") && why.contains("\"https://b.example\""), "{why}");
        let strange = check(&[], &[("origin", &format!("https://b\u{e4}.example\t{}", "x".repeat(200)))], None);
        let why = strange.unwrap_err();
        assert!(why.contains("https://b??.example?xxx") && why.contains("no host") && why.len() < 400, "{why}");
    }
}
