//! The proxies before the server: the networks that `http.trusted_proxies` names, and the header that they write.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// In which header proxies say who asks. One is believed: a proxy that writes one of them passes on what its clients write
/// into the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[strum(ascii_case_insensitive)]
pub enum ForwardedHeader {
    /// A list of addresses, to which each proxy appends the one that it was asked from.
    #[serde(rename = "X-Forwarded-For")]
    #[strum(serialize = "X-Forwarded-For")]
    XForwardedFor,
    /// RFC 7239: a list of what each proxy knows.
    Forwarded,
}

impl ForwardedHeader {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the name in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

/// All addresses that begin with the same bits. IPv4 is kept as IPv6 writes it (`::ffff:192.0.2.1`): a socket that listens on
/// `::` has its clients' addresses so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(Ipv6Net);

/// Every IPv4 address.
const ALL_IPV4: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

impl Network {
    /// Reads an address (`10.0.0.1`) or a network in CIDR notation (`10.0.0.0/8`, RFC 4632; `fd00::/8`, RFC 4291).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
        match network {
            IpNet::V4(v4) => Ipv6Net::new(v4.addr().to_ipv6_mapped(), 96 + v4.prefix_len()).ok().map(Self),
            IpNet::V6(v6) => Some(Self(v6)),
        }
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        self.0.contains(&address)
    }
}

/// Whether it names a network, for the key's check. `::/0` and its like would trust everybody.
pub(super) fn is_network(text: &str) -> bool {
    Network::parse(text).is_some_and(|network| network.0.prefix_len() > 0 && !network.0.contains(&ALL_IPV4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        Network::parse(network).expect(network).contains(address.parse().expect(address))
    }

    #[test]
    fn a_network_holds_what_begins_like_it() {
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("192.0.2.128/25", "192.0.2.200") && !holds("192.0.2.128/25", "192.0.2.127"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("10.0.0.1", "::ffff:10.0.0.1") && !holds("::1", "127.0.0.1"));
    }

    #[test]
    fn what_is_no_network_or_everybody_is_refused() {
        for good in ["127.0.0.1", "::1", "10.0.0.0/8", "10.1.2.3/32", "fd00::/8", "::1/128"] {
            assert!(is_network(good), "{good}");
        }
        for bad in ["", "*", "localhost", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "/8", "[::1]"]
        {
            assert!(!is_network(bad), "{bad}");
        }
        for everybody in ["0.0.0.0/0", "::/0", "::/64"] {
            assert!(!is_network(everybody), "{everybody}");
        }
    }
}
