//! Who asks, when a proxy asks on somebody's behalf: `X-Forwarded-For`, to which each proxy appends the address that it
//! was asked from. Whatever stands left of the first proxy that is not ours may be invented.
//!
//! `Forwarded` (RFC 7239) is not read: proxies that set `X-Forwarded-For` pass a client's own `Forwarded` on as it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Network;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The address that is believed to ask. Port 0: not known.
    pub remote: SocketAddr,
    /// Whether it is one of our proxies, asking for itself.
    pub proxy: bool,
    /// Whether it named somebody else and was not believed.
    pub presumes: bool,
}

/// The rightmost hop that is not one of our proxies. `hops` are the values of all `X-Forwarded-For` lines, in order. A
/// hop that is no address ends the search at the proxy that reported it.
pub fn believed<'a>(peer: SocketAddr, hops: impl DoubleEndedIterator<Item = &'a str>, trusted: &[Network]) -> Seen {
    let is_ours = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let mut hops = hops.rev().map(str::trim).filter(|hop| !hop.is_empty()).peekable();
    if !is_ours(peer.ip()) {
        return Seen { remote: peer, proxy: false, presumes: hops.peek().is_some() };
    }
    let mut remote = peer;
    for hop in hops {
        let Some(address) = read(hop) else { break };
        remote = address;
        if !is_ours(remote.ip()) {
            return Seen { remote, proxy: false, presumes: false };
        }
    }
    Seen { remote, proxy: true, presumes: false }
}

/// An address as proxies write it: bare, with a port, in brackets.
fn read(hop: &str) -> Option<SocketAddr> {
    let bare = || hop.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0));
    let bracketed = || {
        let inner = hop.strip_prefix('[')?.strip_suffix(']')?;
        Some(SocketAddr::new(IpAddr::V6(inner.parse::<Ipv6Addr>().ok()?), 0))
    };
    let found = bare().or_else(|| hop.parse().ok()).or_else(bracketed)?;
    let ip = found.ip().to_canonical();
    // Nobody asks from there; it is a word for "unknown".
    (ip != IpAddr::V4(Ipv4Addr::UNSPECIFIED)).then_some(SocketAddr::new(ip, found.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, header: &str) -> (String, bool, bool) {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).expect("a network"));
        let hops = header.split(',');
        let Seen { remote, proxy, presumes } = believed(peer.parse().expect("an address"), hops, &trusted);
        (remote.to_string(), proxy, presumes)
    }

    fn client(address: &str) -> (String, bool, bool) {
        (address.to_owned(), false, false)
    }

    #[test]
    fn the_rightmost_hop_that_is_not_ours_is_the_client() {
        assert_eq!(seen("127.0.0.1:9", "203.0.113.7"), client("203.0.113.7:0"));
        assert_eq!(seen("127.0.0.1:9", "1.1.1.1, 203.0.113.7, 10.1.2.3"), client("203.0.113.7:0"));
        assert_eq!(seen("10.9.9.9:9", "203.0.113.7:555"), client("203.0.113.7:555"));
        assert_eq!(seen("127.0.0.1:9", "2001:db8::7"), client("[2001:db8::7]:0"));
        assert_eq!(seen("127.0.0.1:9", "[2001:db8::7]"), client("[2001:db8::7]:0"));
        assert_eq!(seen("[::ffff:127.0.0.1]:9", "::ffff:203.0.113.7"), client("203.0.113.7:0"));
    }

    #[test]
    fn who_is_not_our_proxy_speaks_for_nobody_but_itself() {
        assert_eq!(seen("203.0.113.7:9", "1.1.1.1"), ("203.0.113.7:9".into(), false, true));
        assert_eq!(seen("203.0.113.7:9", ""), client("203.0.113.7:9"));
    }

    #[test]
    fn our_proxy_may_ask_for_itself() {
        assert_eq!(seen("127.0.0.1:9", ""), ("127.0.0.1:9".into(), true, false));
        assert_eq!(seen("127.0.0.1:9", "10.0.0.1, 10.0.0.2"), ("10.0.0.1:0".into(), true, false));
    }

    #[test]
    fn behind_a_hop_that_is_no_address_nothing_is_believed() {
        assert_eq!(seen("127.0.0.1:9", "203.0.113.7, unknown"), ("127.0.0.1:9".into(), true, false));
        assert_eq!(seen("127.0.0.1:9", "203.0.113.7, x, 10.0.0.5"), ("10.0.0.5:0".into(), true, false));
        assert_eq!(seen("127.0.0.1:9", "0.0.0.0"), ("127.0.0.1:9".into(), true, false));
    }
}
