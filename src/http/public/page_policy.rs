//! What the page for everybody may do, as browsers are told with each of its files.

use std::sync::Arc;

use actix_http::RequestHead;

use super::origin::place_asked_for;
use crate::config::{ForwardedHeader, Settings};

/// The value of `Permissions-Policy` (W3C permissions-policy): this page shows its visitors to each other, and no frame in it may.
pub(in crate::http) const PERMISSIONS: &str = "camera=(self), display-capture=(self), microphone=(self)";

/// What the page may connect to besides its own server.
#[derive(Debug, Clone)]
pub(in crate::http) struct PagePolicy {
    /// `http.page_connect_src`.
    connect: Arc<[String]>,
}

impl From<&Settings> for PagePolicy {
    fn from(settings: &Settings) -> Self {
        Self { connect: settings.http.page_connect_src.as_slice().into() }
    }
}

impl PagePolicy {
    /// The value of `Content-Security-Policy` (W3C CSP3) for a file of the page that was asked for so. Browsers of before 2022 do not
    /// count a WebSocket of the page's own host as `'self'`, so that is named, too. The worker waits for hidden pages, whose timers
    /// browsers slow down. `believed`: see `OriginPolicy::check`.
    pub(in crate::http) fn content_security(&self, head: &RequestHead, believed: Option<ForwardedHeader>) -> String {
        // The grammar of the policy knows no IPv6 address.
        let own = place_asked_for(head, believed).filter(|place| !place.starts_with('['));
        let own = own.map(|place| format!(" ws://{place} wss://{place}")).unwrap_or_default();
        let more: String = self.connect.iter().flat_map(|source| [" ", source]).collect();
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; worker-src blob:; connect-src 'self'{own}{more}; \
             img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        )
    }
}

#[cfg(test)]
mod tests {
    use actix_http::test::TestRequest;

    use super::*;

    fn connect_src(more: &[&str], headers: &[(&str, &str)], believed: Option<ForwardedHeader>) -> String {
        let policy = PagePolicy { connect: more.iter().map(ToString::to_string).collect() };
        let mut request = TestRequest::with_uri("/");
        for (name, value) in headers {
            request.append_header((*name, *value));
        }
        let all = policy.content_security(request.finish().head(), believed);
        let parts: Vec<&str> = all.split("; ").filter_map(|part| part.strip_prefix("connect-src ")).collect();
        assert_eq!(parts.len(), 1, "{all}");
        parts[0].to_owned()
    }

    #[test]
    fn the_page_connects_to_the_host_that_was_asked_for_and_to_what_is_configured() {
        let plain: &[_] = &[("host", "a.example:8080"), ("x-forwarded-host", "b.example")];
        assert_eq!(connect_src(&[], plain, None), "'self' ws://a.example:8080 wss://a.example:8080");
        let more = ["https://*.c.example", "wss://d.example:1"];
        assert_eq!(
            connect_src(&more, plain, Some(ForwardedHeader::XForwardedFor)),
            "'self' ws://b.example wss://b.example https://*.c.example wss://d.example:1"
        );
        assert_eq!(connect_src(&more[..1], &[("host", "[::1]:80")], None), "'self' https://*.c.example");
    }

    #[test]
    fn a_host_adds_nothing_to_the_policy_but_itself() {
        for bad in [
            "a.example; script-src *",
            "a.example *",
            "*",
            "*.example",
            "a.example,b",
            "a.example:x",
            "u@a.example",
            "",
        ] {
            assert_eq!(connect_src(&[], &[("host", bad)], None), "'self'", "{bad}");
        }
    }
}
