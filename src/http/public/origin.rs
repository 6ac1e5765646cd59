//! Which pages may open a WebSocket. A page from elsewhere could open one with its visitor's cookies; browsers always say
//! where a page is from. A client without `Origin` is no browser.

use actix_http::{
    RequestHead,
    header::{self, HeaderName},
};

use crate::{
    config::SAME_ORIGIN,
    http::authority::{is_page_of, the_one},
};

/// The host that a proxy was asked for, where it asks us by another.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether a page that says where it is from (or a client that does not say) is on the list. `proxied`: one of our
/// proxies asks for it, and is believed as to which host it was asked for.
pub(in crate::http) fn is_allowed(head: &RequestHead, allowed: &[String], proxied: bool) -> bool {
    let Some(origin) = head.headers().get(header::ORIGIN) else { return true };
    allowed.iter().any(|one| match one.as_str() {
        "*" => true,
        SAME_ORIGIN => origin.to_str().is_ok_and(|origin| is_same(head, origin, proxied)),
        one => origin.as_bytes().eq_ignore_ascii_case(one.as_bytes()),
    })
}

fn is_same(head: &RequestHead, origin: &str, proxied: bool) -> bool {
    let headers = head.headers();
    // No browser lets a page write either header: whatever else stands in the list, no page has put it there.
    let forwarded = headers.get_all(FORWARDED_HOST).filter(|_| proxied).filter_map(|line| line.to_str().ok());
    let mut hosts = forwarded.flat_map(|line| line.split(',')).map(str::trim).chain(the_one(headers, &header::HOST));
    hosts.any(|host| is_page_of(origin, host))
}

#[cfg(test)]
mod tests {
    use actix_http::test::TestRequest;

    use super::*;

    fn allowed(list: &[&str], headers: &[(&str, &str)], proxied: bool) -> bool {
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        let mut request = TestRequest::with_uri("/ws");
        for (name, value) in headers {
            request.append_header((*name, *value));
        }
        is_allowed(request.finish().head(), &list, proxied)
    }

    #[test]
    fn an_origin_on_the_list_is_allowed_and_so_is_who_has_none() {
        let page = [("host", "b.example"), ("origin", "https://a.example")];
        assert!(allowed(&["*"], &page, false));
        assert!(allowed(&["https://other.example", "https://A.example"], &page, false));
        assert!(!allowed(&["https://other.example"], &page, false) && !allowed(&[], &page, false));
        assert!(allowed(&[], &[("host", "b.example")], false));
    }

    #[test]
    fn the_servers_own_page_is_that_of_the_host_that_was_asked_for() {
        let own = |headers: &[(&str, &str)], proxied| allowed(&["same"], headers, proxied);
        assert!(own(&[("host", "a.example"), ("origin", "https://a.example")], false), "TLS may end before us");
        assert!(own(&[("host", "A.example:8080"), ("origin", "http://a.example:8080")], false));
        assert!(!own(&[("host", "a.example:8080"), ("origin", "http://a.example")], false));
        assert!(!own(&[("host", "a.example"), ("origin", "https://evil.example")], false));
        assert!(!own(&[("host", "a.example"), ("origin", "null")], false));
        assert!(!own(&[("origin", "https://a.example")], false));
        let forwarded =
            [("host", "127.0.0.1:8080"), ("x-forwarded-host", "a.example, inner"), ("origin", "https://a.example")];
        assert!(own(&forwarded, true));
        assert!(!own(&forwarded, false), "anybody else may write that header");
    }
}
