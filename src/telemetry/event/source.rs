//! Where a client is, as the log gathers what it causes.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// An IPv4 address, or an IPv6 network of 64 bits: a household has one, and changes among its addresses as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(Network);

/// Every session keeps one, so it is kept small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    /// The first half of the address.
    V6([u8; 8]),
}

impl Source {
    /// That of an address. An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is what it is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => Network::V4(v4),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Network::V6([a, b, c, d].iter().fold(0, |half: u64, part| half << 16 | u64::from(*part)).to_be_bytes())
            }
        })
    }

    /// It, as an address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        match self.0 {
            Network::V4(v4) => v4.into(),
            Network::V6(half) => Ipv6Addr::from_bits(u128::from(u64::from_be_bytes(half)) << 64).into(),
        }
    }
}

/// `192.0.2.1` or `2001:db8:1:2::/64`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_taken_whole_and_ipv6_by_its_network() {
        let source = |text: &str| Source::of(text.parse().expect("an address")).to_string();
        assert_eq!(source("192.0.2.1"), "192.0.2.1");
        assert_eq!(source("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(source("::1"), "::/64");
    }
}
