//! `/address`: by which address this machine is reached by others in its network. The page asks for it where it was opened as
//! `localhost`, a name that leads everybody to their own machine, so that an invitation can name an address that leads here.
//!
//! It is nobody else's business, so only a browser on this machine is told, and only without a proxy in between: behind one
//! everybody seems to be here.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    rc::Rc,
};

use actix_http::header::HeaderMap;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Version,
        header::{CACHE_CONTROL, HOST},
    },
    web,
};
use serde::Serialize;

use crate::{
    config::{Authority, Settings},
    http::{authority::the_one, client::KnownBy, socket::single_request::Input},
};

/// Where it is.
pub(in crate::http) const PATH: &str = "/address";

/// By these a proxy gives itself away, beside all that begin with [`FORWARDED`]: RFC 7239, RFC 9110 section 7.6.3, and what is usual.
const PROXY_HEADERS: [&str; 5] = ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip"];
/// How those begin that proxies made up before RFC 7239.
const FORWARDED: &str = "x-forwarded-";
/// Where the route to the internet is looked for: addresses of examples (RFC 5737, RFC 3849), to which nothing is sent.
const ELSEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
/// Any port: "discard" (RFC 863).
const ANY_PORT: u16 = 9;

/// What the answer depends on, for as long as the process lives.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct OwnAddress {
    listens: SocketAddr,
    /// Whether there may be somebody to tell it.
    is_told: bool,
}

/// The answer. Who is told nothing learns not even why.
#[derive(Debug, Serialize)]
struct Answer {
    address: Option<IpAddr>,
}

impl OwnAddress {
    /// `listens`: where the public listener does. With TLS nothing is told, since no certificate is for such an address, and neither
    /// where the settings name a proxy.
    pub(in crate::http) fn new(settings: &Settings, listens: SocketAddr) -> Self {
        let http = &settings.http;
        let proxied = http.proxy_protocol || !http.trusted_proxies.is_empty();
        Self { listens, is_told: !proxied && !settings.is_https() && !listens.ip().is_loopback() }
    }

    /// Whether it is a browser on this machine that asks, with nobody in between.
    fn tells(self, peer: SocketAddr, known_by: KnownBy, version: Version, headers: &HeaderMap) -> bool {
        self.is_told
            && peer.ip().to_canonical().is_loopback()
            && known_by == KnownBy::Socket
            // What browsers speak here; nginx, unless it is told otherwise, speaks 1.0.
            && version == Version::HTTP_11
            && !headers.keys().any(|name| {
                PROXY_HEADERS.contains(&name.as_str()) || name.as_str().starts_with(FORWARDED)
            })
            // A proxy that says nothing of itself has a port of its own, and a page elsewhere whose name was made to lead here has a name.
            && the_one(headers, &HOST).is_some_and(|host| self.is_here(host))
    }

    /// Whether `Host` is this listener, by a name that leads everybody to their own machine.
    fn is_here(self, host: &str) -> bool {
        let Some(host) = Authority::parse(host) else { return false };
        let name = host.name();
        let is_loopback =
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        is_loopback && host.port().unwrap_or(80) == self.listens.port()
    }

    /// The address of this machine on its way to the internet, if the listener takes connections there; `None` without such a way.
    fn find(self) -> Option<IpAddr> {
        match self.listens.ip() {
            IpAddr::V4(any) if any.is_unspecified() => source_towards(ELSEWHERE[0]),
            // It takes those of both families.
            IpAddr::V6(any) if any.is_unspecified() => ELSEWHERE.into_iter().find_map(source_towards),
            one => Some(one),
        }
    }
}

/// The route.
pub(in crate::http) async fn route(request: HttpRequest, own: web::Data<OwnAddress>) -> HttpResponse {
    let known_by = request.conn_data::<Rc<Input>>().map(|input| input.known_by.get()).unwrap_or_default();
    let is_told =
        request.peer_addr().is_some_and(|peer| own.tells(peer, known_by, request.version(), request.headers()));
    let address = if is_told { own.find() } else { None };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Answer { address })
}

/// Which of its addresses this machine would use for `target`. The kernel looks it up; nothing is sent.
fn source_towards(target: IpAddr) -> Option<IpAddr> {
    let any = if target.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((target, ANY_PORT)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_loopback() && !source.is_unspecified()).then_some(source)
}

#[cfg(test)]
mod tests {
    use actix_http::header::{HeaderName, HeaderValue};

    use super::*;

    const HERE: &str = "localhost:8080";

    fn own(change: impl FnOnce(&mut Settings)) -> OwnAddress {
        let mut settings = Settings::default();
        change(&mut settings);
        OwnAddress::new(&settings, "0.0.0.0:8080".parse().unwrap())
    }

    fn tells(own: OwnAddress, peer: &str, headers: &[(&str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        own.tells(peer.parse().unwrap(), KnownBy::Socket, Version::HTTP_11, &map)
    }

    #[test]
    fn a_browser_on_this_machine_is_told_and_nobody_else() {
        let own = own(|_| ());
        for (peer, host, is_told) in [
            ("127.0.0.1:5", HERE, true),
            ("127.0.0.1:5", "LOCALHOST:8080", true),
            ("127.9.9.9:5", "127.0.0.1:8080", true),
            ("[::1]:5", "[::1]:8080", true),
            ("[::ffff:127.0.0.1]:5", HERE, true),
            ("192.168.1.20:5", HERE, false),
            ("[fe80::1]:5", HERE, false),
            ("127.0.0.1:5", "localhost", false),
            ("127.0.0.1:5", "localhost:8081", false),
            ("127.0.0.1:5", "meet.example:8080", false),
            ("127.0.0.1:5", "localhost.meet.example:8080", false),
            ("127.0.0.1:5", "192.168.1.20:8080", false),
            ("127.0.0.1:5", "", false),
        ] {
            assert_eq!(tells(own, peer, &[("host", host)]), is_told, "{peer} {host}");
        }
        assert!(!tells(own, "127.0.0.1:5", &[]), "a request that names no host");
        assert!(
            !tells(own, "127.0.0.1:5", &[("host", HERE), ("host", HERE)]),
            "of two, a proxy may have read the other"
        );
    }

    #[test]
    fn whatever_a_proxy_gives_itself_away_by_is_enough_to_be_told_nothing() {
        for name in
            ["forwarded", "via", "x-real-ip", "x-forwarded-for", "X-Forwarded-Proto", "x-client-ip", "true-client-ip"]
        {
            assert!(!tells(own(|_| ()), "127.0.0.1:5", &[("host", HERE), (name, "192.0.2.7")]), "{name}");
        }
        let mut host = HeaderMap::new();
        host.append(HOST, HeaderValue::from_static(HERE));
        let peer = "127.0.0.1:5".parse().unwrap();
        for (known_by, version) in [
            (KnownBy::Header, Version::HTTP_11),
            (KnownBy::Nobody, Version::HTTP_11),
            (KnownBy::Socket, Version::HTTP_10),
        ] {
            assert!(!own(|_| ()).tells(peer, known_by, version, &host), "{known_by:?} {version:?}");
        }
    }

    #[test]
    fn a_server_with_a_proxy_or_with_tls_or_for_this_machine_only_tells_nobody() {
        let asked = |own| tells(own, "127.0.0.1:5", &[("host", HERE)]);
        assert!(asked(own(|_| ())));
        assert!(!asked(own(|s| s.http.trusted_proxies = vec!["10.0.0.0/8".into()])));
        assert!(!asked(own(|s| s.http.behind_tls = true)));
        assert!(!asked(OwnAddress::new(&Settings::default(), "127.0.0.1:8080".parse().unwrap())));
    }

    #[test]
    fn what_is_told_is_where_the_listener_takes_connections() {
        let find = |listens: &str| OwnAddress::new(&Settings::default(), listens.parse().unwrap()).find();
        assert_eq!(find("192.0.2.20:8080"), Some("192.0.2.20".parse().unwrap()));
        // Whether this machine has a way to the internet is its own matter; that it is not told loopback is ours.
        let own = find("0.0.0.0:8080");
        assert!(own.is_none_or(|ip| ip.is_ipv4() && !ip.is_loopback() && !ip.is_unspecified()), "{own:?}");
        assert!(find("[::]:8080").is_none_or(|ip| !ip.is_loopback()));
        assert_eq!(source_towards(IpAddr::V4(Ipv4Addr::LOCALHOST)), None);
    }
}
