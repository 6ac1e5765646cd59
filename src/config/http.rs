//! `[http]`: requests, origins, the proxy before us.

use url::Url;

use super::{
    kind::Kind,
    milliseconds::Milliseconds,
    network::{ForwardedHeader, Network, is_network},
    section::section,
    server::is_url_host,
};

/// What stands for the server's own page in [`Http::allowed_origins`].
pub const SAME_ORIGIN: &str = "same";
/// What browsers send for pages whose origin is none: in sandboxed frames, and some local files.
pub const NULL_ORIGIN: &str = "null";
/// What some send for local files.
pub const FILE_ORIGIN: &str = "file://";
/// Between scheme and name: all names below that one.
pub const ANY_SUBDOMAIN: &str = "://*.";

section! {
    /// Requests: who may make them from a browser, and how long they may take.
    Http = "http" {
        /// Origins whose pages may open a WebSocket, as browsers send them; an empty list for none, `*` for every one.
        /// `same` is the page of the host that the request names, whatever that is called (a trusted proxy may name another, see
        /// `http.forwarded_header`). `https://*.example.org` stands for all names below that one, and not for itself;
        /// `null` for pages in sandboxed frames and some local files, which any page can make; `file://` for other local files.
        /// The server's own page by default: a page from elsewhere acts with its visitors' addresses and places.
        allowed_origins: Vec<String> = vec![SAME_ORIGIN.to_owned()], Kind::List {
            check: is_origin,
            allowed: "a list of \"*\", \"same\", \"null\", \"file://\", scheme://host or scheme://host:port, where the host may \
                      begin with \"*.\"; lower case, no path, no default port",
        }, live;

        /// What the page at `/` may connect to besides its own server, as its Content-Security-Policy names it (`connect-src`).
        /// `https://*.example.org` stands for all names below that one, and not for itself.
        /// None by default: the page needs no other, and what is not listed cannot be told anything by a script that got in.
        page_connect_src: Vec<String> = Vec::new(), Kind::List {
            check: is_connect_source,
            allowed: "a list of scheme://host or scheme://host:port, where the scheme is https, http, wss or ws, and the host, which \
                      is no IPv6 address, may begin with \"*.\"; lower case, no path, no default port",
        };

        /// Whether a handshake without `Origin` is refused. Only programs send none: browsers name it for every page.
        /// Off by default, because apps and tests are programs, and who writes one can name any origin.
        require_origin: bool = false, Kind::Switch;

        /// Whether a proxy before this server speaks TLS to the clients: answers then carry HSTS, as they do with `tls.cert_file`.
        /// Off by default, since HSTS on a plain server would promise what it cannot keep.
        behind_tls: bool = false, Kind::Switch;

        /// Proxies before this server: only what these add to `http.forwarded_header` is believed, for the log and for limits.
        /// None by default, because anybody can write that header; with a proxy that is not listed, its clients count as one,
        /// and so do those that a listed one does not name. Not the network that clients are in: whoever is listed is no client.
        trusted_proxies: Vec<String> = Vec::new(), Kind::List {
            check: is_network,
            allowed: "a list of IP addresses and networks in CIDR notation, none of them everybody",
        };

        /// The header in which trusted proxies name their clients; any other is ignored, since proxies pass on what clients write.
        /// `X-Forwarded-For`, or `Forwarded` (RFC 7239). The host that a proxy was asked for, which `same` goes by, is then that
        /// of `X-Forwarded-Host` or of `Forwarded: host=`. The former by default, because that is what most proxies write.
        forwarded_header: ForwardedHeader = ForwardedHeader::XForwardedFor, Kind::Text {
            check: |text| ForwardedHeader::parse(text).map(|header| header.as_str().to_owned()),
            allowed: "X-Forwarded-For or Forwarded",
        };

        /// Whether trusted proxies begin each connection to the clients' port with a header of the PROXY protocol, version 1
        /// or 2, which names the client: balancers do that pass TCP on as it is. It is then required of `http.trusted_proxies`;
        /// from everybody else it is refused in any case. `LOCAL` and `UNKNOWN` are the proxy itself. At most
        /// `limits.head_bytes` long, and within `http.request_timeout_ms` together with the head behind it.
        /// Off by default: a proxy that is not set to it would be shut out.
        proxy_protocol: bool = false, Kind::Switch;

        /// Time a client has to send the head of a request, counted from the connection's start.
        /// 5 s suffice on a bad mobile network, and end those who open connections to hold them.
        /// Not below 1 s: the clock that it is measured by ticks coarsely.
        request_timeout_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(1000).usual(1000, 120_000), exported;

        /// Time a socket has for the whole of its one request, if it does not become a WebSocket: head, body, answer, and
        /// what is read until the client hangs up; then it is closed. 30 s let a phone on a bad network load the page,
        /// and end those who send a body, or read an answer, for ever.
        socket_timeout_ms: Milliseconds = Milliseconds(30_000), Kind::milliseconds(1000), exported;

        /// A request handled in more than this is logged as slow.
        /// 1 s is when people notice.
        slow_request_ms: Milliseconds = Milliseconds(1000), Kind::milliseconds(1).usual(10, 60_000);

        /// Connections the kernel keeps until they are accepted; it takes at most `net.core.somaxconn`.
        /// 4096, that setting's own default, holds a spike of returning clients for a second.
        backlog: u32 = 4096, Kind::count(1, 65_535, "connections");
    }
}

impl Http {
    /// [`Self::trusted_proxies`].
    #[must_use]
    pub fn trusted_networks(&self) -> Vec<Network> {
        self.trusted_proxies.iter().filter_map(|text| Network::parse(text)).collect()
    }
}

/// Whether a browser could send this text in `Origin` (RFC 6454 section 6.2): what it never sends would never match. A browser
/// writes what the URL standard makes of it; so a text that this changes is none.
fn is_origin(text: &str) -> bool {
    if ["*", SAME_ORIGIN, NULL_ORIGIN, FILE_ORIGIN].contains(&text) {
        return true;
    }
    // Of a name below another one it must be possible to make one that a browser sends.
    let text = &text.replacen(ANY_SUBDOMAIN, "://any.", 1);
    let Ok(url) = Url::parse(text) else { return false };
    let Some(host) = url.host_str() else { return false };
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    // The standard lets more through as a host, and leaves that of schemes that it does not know as it is.
    let host_fits = is_url_host(host) && !host.bytes().any(|b| b.is_ascii_uppercase());
    host_fits && url.port() != Some(0) && format!("{}://{host}{port}", url.scheme()) == *text
}

/// Whether a policy can name this as something to connect to (W3C CSP3 section 2.3.1): its grammar has no IPv6 addresses.
fn is_connect_source(text: &str) -> bool {
    let is_known =
        |(scheme, host): (&str, &str)| ["https", "http", "wss", "ws"].contains(&scheme) && !host.starts_with('[');
    text.split_once("://").is_some_and(is_known) && is_origin(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_connects_to_hosts_and_no_text_adds_anything_else_to_its_policy() {
        for good in
            ["https://a.example", "http://10.0.0.1:8080", "wss://a.example:8443", "ws://localhost", "wss://*.a.example"]
        {
            assert!(is_connect_source(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "same",
            "null",
            "file://",
            "a.example",
            "https://",
            "https://[::1]",
            "data:",
            "chrome-extension://abc",
        ] {
            assert!(!is_connect_source(bad), "{bad}");
        }
        for bad in [
            "wss://a.example:443",
            "wss://a.example/ws",
            "https://a.example; script-src *",
            "https://a.example *",
            "'self'",
        ] {
            assert!(!is_connect_source(bad), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in [
            "*",
            "same",
            "null",
            "file://",
            "https://*.example.org",
            "https://*.a.example.org:8443",
            "http://*.localhost",
            "https://rooms.example.org",
            "http://localhost:8080",
            "https://10.0.0.1:8443",
            "http://[::1]:8080",
            "http://[::1]",
            "chrome-extension://abcdef",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "https://",
            "https://example.org/",
            "https://example.org/path",
            "https://Example.org",
            "https://example.org:443",
            "http://example.org:80",
            "http://example.org:080",
            "http://example.org:0",
            "http://example.org:x",
            "https://*",
            "https://*.",
            "https://*example.org",
            "https://a.*.example.org",
            "https://*.*.example.org",
            "https://*.example.org:443",
            "https://*.example.org/",
            "https://*.0.0.1",
            "https://*.[::1]",
            "*://example.org",
            "*.example.org",
            "file:///",
            "Null",
            "https://user@example.org",
            "http://::1",
            "HTTPS://example.org",
            "http://[0:0::1]",
            "http://user:pw@example.org",
            "http:///example.org",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
