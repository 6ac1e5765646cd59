//! Who asks, when a proxy asks on somebody's behalf: by the header to which each proxy appends the address that it was asked
//! from. Whatever stands left of the first proxy that is not ours may be invented.
//!
//! One header is read, the one that `http.forwarded_header` names: proxies that write one pass a client's own other one on as
//! it is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::config::Network;

/// Hops that are looked at, from the right. No chain of proxies is as long, and a head has room for thousands.
const MAX_HOPS: usize = 32;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr {
    /// The address that is believed to ask. Port 0: not known.
    pub remote: SocketAddr,
    /// How it is known.
    pub by: By,
}

/// How it is known who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// It is the address that the connection comes from.
    Itself,
    /// As above. It named somebody else, and is not one of our proxies: it was not believed.
    Presuming,
    /// One of our proxies named it.
    Proxy,
    /// One of our proxies named nobody that can be read, or nobody but our proxies: it is that proxy's address. All
    /// that it asks for are one client.
    NamelessProxy,
}

/// The nearest hop that is not one of our proxies. `hops` are those of all lines of the header, the nearest first. A hop that is no address ends the search, and so does the end of the list: who our proxies do not name is counted as
/// the proxy that the connection comes from, since anything else in that list may be invented.
pub fn resolve_client<'a>(peer: SocketAddr, hops: impl Iterator<Item = &'a str>, trusted: &[Network]) -> ClientAddr {
    let is_ours = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let mut hops = hops.map(str::trim).filter(|hop| !hop.is_empty()).peekable();
    if !is_ours(peer.ip()) {
        let by = if hops.peek().is_some() { By::Presuming } else { By::Itself };
        return ClientAddr { remote: peer, by };
    }
    let readable = hops.take(MAX_HOPS).map_while(read);
    match readable.into_iter().find(|hop| !is_ours(hop.ip())) {
        Some(remote) => ClientAddr { remote, by: By::Proxy },
        None => ClientAddr { remote: peer, by: By::NamelessProxy },
    }
}

/// An address as proxies write it: bare, with a port, in brackets, in quotes; of one link perhaps with the interface
/// (`fe80::1%eth0`), which says nothing here.
fn read(hop: &str) -> Option<SocketAddr> {
    let hop = hop.trim_matches('"');
    let (address, port) = match hop.strip_prefix('[') {
        Some(rest) => {
            let (inner, after) = rest.split_once(']')?;
            (IpAddr::V6(without_zone(inner).parse::<Ipv6Addr>().ok()?), after)
        }
        None if without_zone(hop).parse::<IpAddr>().is_ok() => (without_zone(hop).parse().ok()?, ""),
        None => {
            let (address, port) = hop.split_at(hop.find(':')?);
            (address.parse().ok()?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 0,
        // A name for it that only the proxy understands (RFC 7239 section 6.3).
        Some(name) if name.starts_with('_') => 0,
        port => port?.parse().ok()?,
    };
    let address = address.to_canonical();
    // Nobody asks from there; it is a word for "unknown".
    (!address.is_unspecified()).then_some(SocketAddr::new(address, port))
}

fn without_zone(address: &str) -> &str {
    address.split_once('%').map_or(address, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ForwardedHeader, limits::hops::hops};

    fn seen(peer: &str, line: &str) -> (String, By) {
        seen_in(ForwardedHeader::XForwardedFor, peer, &[line])
    }

    fn seen_in(header: ForwardedHeader, peer: &str, lines: &[&str]) -> (String, By) {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).expect("a network"));
        let hops = hops(header, lines.iter().copied());
        let ClientAddr { remote, by } = resolve_client(peer.parse().expect("an address"), hops, &trusted);
        (remote.to_string(), by)
    }

    fn named(address: &str) -> (String, By) {
        (address.to_owned(), By::Proxy)
    }

    #[test]
    fn the_rightmost_hop_that_is_not_ours_is_the_client() {
        assert_eq!(seen("127.0.0.1:9", "203.0.113.7"), named("203.0.113.7:0"));
        assert_eq!(seen("127.0.0.1:9", "1.1.1.1, 203.0.113.7, 10.1.2.3"), named("203.0.113.7:0"));
        assert_eq!(seen("127.0.0.1:9", "unknown, 203.0.113.7, fd00::7, "), named("203.0.113.7:0"));
        assert_eq!(seen("[::ffff:127.0.0.1]:9", "::ffff:203.0.113.7"), named("203.0.113.7:0"));
    }

    #[test]
    fn an_address_is_read_however_proxies_write_it() {
        for (hop, address) in [
            ("203.0.113.7:555", "203.0.113.7:555"),
            ("2001:db8::7", "[2001:db8::7]:0"),
            ("[2001:db8::7]", "[2001:db8::7]:0"),
            ("[2001:db8::7]:555", "[2001:db8::7]:555"),
            ("\"[2001:db8::7]:555\"", "[2001:db8::7]:555"),
            ("fe80::7%eth0", "[fe80::7]:0"),
            ("[fe80::7%25eth0]:555", "[fe80::7]:555"),
            ("::ffff:cb00:7107", "203.0.113.7:0"),
            ("[::ffff:203.0.113.7]:555", "203.0.113.7:555"),
        ] {
            assert_eq!(seen("10.9.9.9:9", hop), named(address), "{hop}");
        }
    }

    #[test]
    fn who_is_not_our_proxy_speaks_for_nobody_but_itself() {
        assert_eq!(seen("203.0.113.7:9", "1.1.1.1"), ("203.0.113.7:9".into(), By::Presuming));
        assert_eq!(seen("203.0.113.7:9", ""), ("203.0.113.7:9".into(), By::Itself));
    }

    #[test]
    fn all_that_our_proxy_asks_for_without_a_name_are_one_client() {
        let invented = (0..10).map(|n| format!("10.0.0.{n}")).collect::<Vec<_>>().join(",");
        let endless = format!("203.0.113.7{}", ",10.0.0.1".repeat(MAX_HOPS));
        for nobody in [
            "",
            " , ,",
            "10.0.0.1, 10.0.0.2",
            &invented,
            &endless,
            "203.0.113.7, unknown",
            "203.0.113.7, _hidden",
            "203.0.113.7, x, 10.0.0.5",
            "0.0.0.0",
            "::",
            "[::]:80",
            "203.0.113.7:x",
            "203.0.113.7:99999",
            "203.0.113.7:",
            "[2001:db8::7",
            "[203.0.113.7]",
            "2001:db8::7]:80",
            "%eth0",
            "203.0.113.7 10.0.0.1",
            "client.example",
            ":80",
            "\"",
            "203.0.113.256",
        ] {
            assert_eq!(seen("127.0.0.1:9", nobody), ("127.0.0.1:9".into(), By::NamelessProxy), "{nobody}");
        }
    }

    #[test]
    fn who_forwarded_names_is_found_like_who_x_forwarded_for_does() {
        const PROXY: &str = "10.9.9.9:9";
        let itself = || (PROXY.to_owned(), By::NamelessProxy);
        for (lines, found) in [
            (&["for=203.0.113.7"][..], named("203.0.113.7:0")),
            (&["for=\"203.0.113.7:555\";proto=https"], named("203.0.113.7:555")),
            (&["for=203.0.113.7:555"], named("203.0.113.7:555")),
            (&["for=\"203.0.113.7:_port\""], named("203.0.113.7:0")),
            (&["for=\"[2001:db8::7]\""], named("[2001:db8::7]:0")),
            (&["FOR=\"[2001:db8::7]:555\";By=\"[fd00::1]\""], named("[2001:db8::7]:555")),
            (&["for=\"[::ffff:203.0.113.7]\""], named("203.0.113.7:0")),
            (&["for=1.1.1.1, for=203.0.113.7, for=10.1.2.3"], named("203.0.113.7:0")),
            (&["for=1.1.1.1", "for=203.0.113.7", "for=\"[fd00::7]\""], named("203.0.113.7:0")),
            (&["for=unknown, for=203.0.113.7"], named("203.0.113.7:0")),
            (&["for=1.1.1.1;x=\", for=203.0.113.7"], named("203.0.113.7:0")),
            (&["for=1.1.1.1;for=2.2.2.2, for=203.0.113.7;host=\"a,b;for=9.9.9.9\""], named("203.0.113.7:0")),
            (&["for=203.0.113.7, for=unknown"], itself()),
            (&["for=203.0.113.7, for=_hidden"], itself()),
            (&["for=203.0.113.7, proto=https"], itself()),
            (&["for=203.0.113.7, for=10.0.0.1;for=203.0.113.8"], itself()),
            (&["for=10.0.0.1"], itself()),
            (&["203.0.113.7"], itself()),
            (&["for="], itself()),
            (&["for=\"0.0.0.0\""], itself()),
            (&["for=\"203.0.113.7"], itself()),
            (&["for=203.0.113.7:99999"], itself()),
            (&["for=[2001:db8::7"], itself()),
            (&[""], itself()),
            (&[], itself()),
        ] {
            assert_eq!(seen_in(ForwardedHeader::Forwarded, PROXY, lines), found, "{lines:?}");
        }
        let stranger = |lines: &[&str]| seen_in(ForwardedHeader::Forwarded, "203.0.113.9:9", lines).1;
        assert_eq!((stranger(&["for=1.1.1.1"]), stranger(&[])), (By::Presuming, By::Itself));
    }
}
