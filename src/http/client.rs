//! Who asks, and whether that address may ask for more.

use std::{
    iter,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix_http::header::HeaderMap;

use super::authority::text_lines;
use crate::{
    config::{ForwardedHeader, Network, Settings},
    limits::{AddressPermit, Addresses, By, ClientAddr, Quotas, Rate, Subnet, hops, resolve_client},
    telemetry::{self, Event, LimitHit},
};

/// How often it is told at most that one of our proxies does not name its clients.
const NAMELESS_AGAIN: Duration = Duration::from_secs(600);

/// Sockets of an address that holds few: a household, an office, a class behind one address, each person with another one for the page.
/// A flood needs many times as many of each address.
const FEW: usize = 64;

/// What is known of clients by their addresses. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clients {
    addresses: Addresses,
    /// The same, with sockets in place of connections, and handshakes of TLS in place of those of WebSocket.
    sockets: Addresses,
    trusted: Arc<[Network]>,
    /// In which they name their clients.
    header: ForwardedHeader,
    /// Whether they begin their connections with a line of the PROXY protocol.
    proxy_protocol: bool,
    exempt_loopback: bool,
    /// Whether it was told that somebody who is not trusted sends that header.
    reported: Arc<AtomicBool>,
    /// When it may be told again that one of our proxies names nobody: seconds after `since`.
    nameless_at: Arc<AtomicU64>,
    since: Instant,
}

/// How it is known who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum KnownBy {
    /// By the address that it comes from.
    #[default]
    Socket,
    /// By the PROXY header of one of our proxies.
    Header,
    /// It is the address of one of our proxies, whose PROXY header names nobody: whoever asks through it may have written the
    /// whole request, other headers that name somebody included.
    Nobody,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// As it is believed, for the log.
    pub(super) remote: SocketAddr,
    /// As the limits count it; `None`: they do not concern it.
    pub(super) subnet: Option<Subnet>,
    /// In which header whoever asks for it is believed, if that is one of our proxies.
    pub(super) believed: Option<ForwardedHeader>,
}

impl Clients {
    /// From the settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        // One for each request and each WebSocket handshake that an address may make.
        let tls = (
            limits.handshake_rate.saturating_add(limits.http_rate),
            limits.handshake_burst.saturating_add(limits.http_burst),
        );
        let quotas = Quotas {
            connections: limits.most_sockets_per_address(),
            handshakes: Rate::per_second(tls.0, tls.1),
            ..Quotas::from(settings)
        };
        Self {
            addresses: settings.into(),
            sockets: Addresses::new(quotas, Instant::now()),
            trusted: settings.http.trusted_networks().into(),
            header: settings.http.forwarded_header,
            proxy_protocol: settings.http.proxy_protocol,
            exempt_loopback: settings.limits.exempt_loopback,
            reported: Arc::default(),
            nameless_at: Arc::default(),
            since: Instant::now(),
        }
    }

    /// What each address has used up.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Forgets addresses that are not used any more. Says how many are left.
    pub fn sweep(&self) -> usize {
        self.sockets.sweep(Instant::now());
        self.addresses.sweep(Instant::now())
    }

    /// A place for one more socket from that address, of which nothing was read yet. `None`: it holds all it may. A proxy
    /// of ours brings everybody's, and may have any number.
    pub(super) fn socket(&self, peer: IpAddr, known_by: KnownBy) -> Option<AddressPermit> {
        let peer = peer.to_canonical();
        let exempt = self.is_exempt(peer, known_by) || self.is_proxy(peer);
        if exempt { Some(AddressPermit::uncounted()) } else { self.sockets.connect(Subnet::of(peer), Instant::now()) }
    }

    /// The same while memory is nearly used: for addresses that hold few. Whether somebody does that the limits do not concern is not known.
    pub(super) fn socket_of_few(&self, peer: IpAddr) -> Option<AddressPermit> {
        let peer = peer.to_canonical();
        let exempt = self.is_exempt(peer, KnownBy::Socket) || self.is_proxy(peer);
        if exempt { None } else { self.sockets.connect_within(FEW, Subnet::of(peer), Instant::now()) }
    }

    /// Whether that address may make one more TLS handshake: it costs the server a signature. A proxy of ours makes everybody's.
    pub(super) fn tls_handshake(&self, peer: IpAddr, known_by: KnownBy) -> bool {
        let peer = peer.to_canonical();
        let exempt = self.is_exempt(peer, known_by) || self.is_proxy(peer);
        exempt || self.sockets.handshake(Subnet::of(peer), Instant::now()).is_ok()
    }

    /// Whether a connection from there begins with a line of the PROXY protocol.
    pub(super) fn speaks_proxy_protocol(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.is_proxy(peer.to_canonical())
    }

    /// Whether it is this machine, and the limits do not concern that. What a proxy takes for its own machine is another.
    fn is_exempt(&self, address: IpAddr, known_by: KnownBy) -> bool {
        self.exempt_loopback && known_by == KnownBy::Socket && address.is_loopback()
    }

    fn is_proxy(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|one| one.contains(peer))
    }

    /// Who is behind a request from `peer`.
    pub(super) fn identify(&self, peer: SocketAddr, known_by: KnownBy, headers: &HeaderMap) -> Client {
        let seen = match known_by {
            KnownBy::Nobody => resolve_client(peer, iter::empty(), &self.trusted),
            KnownBy::Socket | KnownBy::Header => self.look(peer, headers),
        };
        match seen.by {
            By::Presuming if !self.reported.swap(true, Ordering::Relaxed) => {
                telemetry::emit(&Event::ForwardedNotBelieved { remote: seen.remote });
            }
            By::NamelessProxy if self.may_report_nameless() => {
                telemetry::emit(&Event::ProxyNamesNobody { remote: seen.remote });
            }
            _ => {}
        }
        // Whoever comes through a proxy is not on this machine, even if the proxy is.
        let exempt = matches!(seen.by, By::Itself | By::Presuming) && self.is_exempt(seen.remote.ip(), known_by);
        let is_believed = matches!(seen.by, By::Proxy | By::NamelessProxy) && known_by != KnownBy::Nobody;
        let believed = is_believed.then_some(self.header);
        Client { remote: seen.remote, subnet: (!exempt).then(|| Subnet::of(seen.remote.ip())), believed }
    }

    /// The address of who is behind a request; nothing is told of how it is known.
    pub(super) fn remote(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        self.look(peer, headers).remote
    }

    fn look(&self, peer: SocketAddr, headers: &HeaderMap) -> ClientAddr {
        let lines = text_lines(headers, self.header.as_str());
        resolve_client(peer, hops::hops(self.header, lines.iter().map(|line| &**line)), &self.trusted)
    }

    /// Again and again, since a check of the proxy's own may have been the first.
    fn may_report_nameless(&self) -> bool {
        let now = self.since.elapsed();
        let due = |at: u64| (at <= now.as_secs()).then(|| (now + NAMELESS_AGAIN).as_secs());
        self.nameless_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }

    /// Counts a handshake; the time until the next may come, if it is one too many.
    pub(super) fn handshake(&self, client: Client) -> Result<(), Duration> {
        client.subnet.map_or(Ok(()), |subnet| self.addresses.handshake(subnet, Instant::now())).inspect_err(|_| {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::HandshakeRate));
        })
    }

    /// Counts a request, as above.
    pub(super) fn request(&self, client: Client) -> Result<(), Duration> {
        client.subnet.map_or(Ok(()), |subnet| self.addresses.request(subnet, Instant::now())).inspect_err(|_| {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::HttpRate));
        })
    }

    /// A place for one more connection of that client. `None`: it holds all it may.
    pub(super) fn connect(&self, client: Client) -> Option<AddressPermit> {
        let Some(subnet) = client.subnet else { return Some(AddressPermit::uncounted()) };
        let place = self.addresses.connect(subnet, Instant::now());
        if place.is_none() {
            telemetry::tally(|t| t.limit_hits.add(LimitHit::ConnectionsPerAddress));
        }
        place
    }
}

/// What the `Retry-After` header says for a wait: whole seconds, and at least one.
pub(super) fn retry_after_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero())
}

#[cfg(test)]
mod tests {
    use actix_http::header::{HeaderValue, X_FORWARDED_FOR};

    use super::*;

    fn clients(change: impl FnOnce(&mut Settings)) -> Clients {
        let mut settings = Settings::default();
        settings.limits.sockets_per_address = 2;
        change(&mut settings);
        Clients::new(&settings)
    }

    fn subnet(clients: &Clients, peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a line"));
        }
        let client = clients.identify(peer.parse().expect("an address"), KnownBy::Socket, &headers);
        client.subnet.map(|_| client.remote.ip().to_string())
    }

    #[test]
    fn limits_leave_out_nobody_unless_a_key_says_so_for_loopback() {
        let usual = clients(|_| ());
        let lenient = clients(|s| s.limits.exempt_loopback = true);
        for (peer, address) in [
            ("127.0.0.1:9", "127.0.0.1"),
            ("127.9.9.9:9", "127.9.9.9"),
            ("[::1]:9", "::1"),
            ("[::ffff:127.0.0.1]:9", "127.0.0.1"),
        ] {
            assert_eq!(subnet(&usual, peer, &[]).as_deref(), Some(address));
            assert_eq!(subnet(&lenient, peer, &[]), None, "{peer}");
        }
        assert_eq!(subnet(&lenient, "192.0.2.1:9", &[]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_proxy_of_ours_that_names_nobody_is_a_client_like_any_other() {
        for exempt_loopback in [false, true] {
            let proxied = clients(|s| {
                s.limits.exempt_loopback = exempt_loopback;
                s.http.trusted_proxies = vec!["127.0.0.1".into()];
            });
            for nobody in [&[][..], &[""], &["unknown"], &["127.0.0.1"], &["192.0.2.1", "\u{e4}"]] {
                assert_eq!(subnet(&proxied, "127.0.0.1:9", nobody).as_deref(), Some("127.0.0.1"), "{nobody:?}");
            }
            assert_eq!(subnet(&proxied, "127.0.0.1:9", &["192.0.2.1"]).as_deref(), Some("192.0.2.1"));
            assert_eq!(subnet(&proxied, "127.0.0.1:9", &["127.0.0.9"]).as_deref(), Some("127.0.0.9"));
        }
    }

    #[test]
    fn sockets_of_an_address_are_limited_unless_it_is_a_proxy_of_ours() {
        let clients = clients(|s| {
            s.limits.exempt_loopback = false;
            s.http.trusted_proxies = vec!["10.0.0.0/8".into()];
        });
        let take = |count, peer: &str| {
            let peer = peer.parse().expect("an address");
            (0..count).filter_map(|_| clients.socket(peer, KnownBy::Socket)).collect::<Vec<_>>()
        };
        let held = take(3, "192.0.2.1");
        assert_eq!((held.len(), take(1, "127.0.0.1").len(), take(9, "::ffff:10.1.2.3").len()), (2, 1, 9));
        drop(held);
        assert_eq!(take(3, "192.0.2.1").len(), 2);
    }

    #[test]
    fn while_memory_is_nearly_used_addresses_with_few_sockets_get_more() {
        let clients = clients(|s| {
            s.limits.exempt_loopback = true;
            s.limits.sockets_per_address = 1000;
            s.http.trusted_proxies = vec!["10.0.0.0/8".into()];
        });
        let address = |peer: &str| peer.parse().expect("an address");
        let hold =
            |count| -> Vec<_> { (0..count).map(|_| clients.socket(address("192.0.2.1"), KnownBy::Socket)).collect() };
        let many = hold(FEW);
        assert!(clients.socket_of_few(address("192.0.2.1")).is_none());
        assert!(clients.socket_of_few(address("192.0.2.2")).is_some());
        for uncounted in ["127.0.0.1", "10.1.2.3"] {
            assert!(clients.socket_of_few(address(uncounted)).is_none(), "{uncounted}");
        }
        drop(many);
        let _few = hold(FEW - 1);
        assert!(clients.socket_of_few(address("192.0.2.1")).is_some());
    }

    #[test]
    fn a_client_that_a_proxy_header_names_is_not_this_machine_and_one_that_it_does_not_is_the_proxy() {
        use KnownBy::{Header, Nobody, Socket};
        let proxied = clients(|s| {
            s.limits.exempt_loopback = true;
            s.http.trusted_proxies = vec!["10.0.0.0/8".into()];
        });
        let named = Some(ForwardedHeader::XForwardedFor);
        for (peer, known_by, remote, is_exempt, believed) in [
            ("127.0.0.1:9", Socket, "127.0.0.1", true, None),
            ("127.0.0.1:9", Header, "127.0.0.1", false, None),
            ("[::ffff:127.0.0.1]:9", Header, "127.0.0.1", false, None),
            ("203.0.113.7:9", Header, "203.0.113.7", false, None),
            ("10.0.0.1:9", Header, "192.0.2.1", false, named),
            ("10.0.0.1:9", Socket, "192.0.2.1", false, named),
            ("10.0.0.1:9", Nobody, "10.0.0.1", false, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"));
            let client = proxied.identify(peer.parse().expect("an address"), known_by, &headers);
            let found = (client.remote.ip().to_string(), client.subnet.is_none(), client.believed);
            assert_eq!(found, (remote.to_owned(), is_exempt, believed), "{peer} {known_by:?}");
        }
        let loopback = "127.0.0.1".parse().expect("an address");
        let held: Vec<_> = (0..9).filter_map(|_| proxied.socket(loopback, Header)).collect();
        assert_eq!(held.len(), 2, "a client that a proxy names has as many sockets as any other");
        assert!(proxied.socket(loopback, Socket).is_some());
    }

    #[test]
    fn all_lines_of_the_header_are_one_list() {
        let proxied = clients(|s| s.http.trusted_proxies = vec!["10.0.0.0/8".into()]);
        let lines = ["1.1.1.1", "192.0.2.1, 10.0.0.2", "10.0.0.3"];
        assert_eq!(subnet(&proxied, "10.0.0.1:9", &lines).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_hop_that_is_no_text_ends_the_search_where_it_stands_and_hides_nobody_before() {
        for (header, line, found) in [
            (ForwardedHeader::XForwardedFor, &b"\xff, 192.0.2.1"[..], "192.0.2.1"),
            (ForwardedHeader::XForwardedFor, b"1.1.1.1, \xe4\xb8, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
            (ForwardedHeader::XForwardedFor, b"\xf0, 192.0.2.1", "192.0.2.1"),
            (ForwardedHeader::XForwardedFor, b"192.0.2.1, \xff", "10.0.0.1"),
            (ForwardedHeader::XForwardedFor, b"192.0.2.1\xff", "10.0.0.1"),
            (ForwardedHeader::XForwardedFor, b"192.0.2.2, 192.0.2.1\xff, 10.0.0.2", "10.0.0.1"),
            (ForwardedHeader::Forwarded, b"for=\"\xff, for=192.0.2.1", "192.0.2.1"),
            (ForwardedHeader::Forwarded, b"\xff, for=192.0.2.1;host=\"\xff\"", "192.0.2.1"),
            (ForwardedHeader::Forwarded, b"for=192.0.2.1, for=\xff", "10.0.0.1"),
        ] {
            let proxied = clients(|s| {
                s.http.trusted_proxies = vec!["10.0.0.0/8".into()];
                s.http.forwarded_header = header;
            });
            let mut headers = HeaderMap::new();
            let name = actix_http::header::HeaderName::try_from(header.as_str()).expect("a name");
            headers.append(name, HeaderValue::from_bytes(line).expect("a value"));
            let client = proxied.identify("10.0.0.1:9".parse().expect("an address"), KnownBy::Socket, &headers);
            assert_eq!(client.remote.ip().to_string(), found, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn one_header_is_believed_and_the_other_is_ignored() {
        for (header, believed, ignored) in [
            (ForwardedHeader::XForwardedFor, ("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")),
            (ForwardedHeader::Forwarded, ("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.2")),
        ] {
            let proxied = clients(|s| {
                s.http.trusted_proxies = vec!["10.0.0.0/8".into()];
                s.http.forwarded_header = header;
            });
            let ip = |lines: &[(&str, &str)]| {
                let mut headers = HeaderMap::new();
                for (name, value) in lines {
                    let name = actix_http::header::HeaderName::try_from(*name).expect("a name");
                    headers.append(name, HeaderValue::from_str(value).expect("a value"));
                }
                let peer = "10.0.0.1:9".parse().expect("an address");
                proxied.identify(peer, KnownBy::Socket, &headers).remote.ip().to_string()
            };
            assert_eq!(ip(&[ignored, believed]), "192.0.2.1", "{header:?}");
            assert_eq!(ip(&[ignored]), "10.0.0.1", "{header:?}");
        }
    }

    #[test]
    fn retry_after_is_never_too_early() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(retry_after_seconds(Duration::from_millis(ms)), seconds);
        }
    }
}
