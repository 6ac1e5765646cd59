//! An address as the limits count it.

use std::net::IpAddr;

/// An IPv4 address, or the first 64 bits of an IPv6 address: a household gets 2^64 of those, and may change among them
/// with every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet(Prefix);

impl Subnet {
    /// Everything that one owner is likely to have: an IPv4 address alone, the /48 around an IPv6 address. For deciding who
    /// holds most, where 65 536 neighbours that hold little must not pass for as many owners.
    #[must_use]
    pub fn site(self) -> Self {
        match self.0 {
            Prefix::V4(_) => self,
            Prefix::V6(bits) => Self(Prefix::V6(bits & !0xffff)),
        }
    }
}

/// Every connection keeps one, so it is kept small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Prefix {
    V4(u32),
    V6(u64),
}

impl Subnet {
    /// The subnet of an address. An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is what it is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(Prefix::V4(v4.to_bits())),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Prefix::V6([a, b, c, d].iter().fold(0, |bits, part| bits << 16 | u64::from(*part))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        Subnet::of(text.parse().expect("an address"))
    }

    #[test]
    fn a_site_is_an_ipv4_address_or_an_ipv6_48() {
        assert_eq!(subnet("2001:db8:1:2::1").site(), subnet("2001:db8:1:ffff::1").site());
        assert_ne!(subnet("2001:db8:1:2::1").site(), subnet("2001:db8:2:2::1").site());
        assert_ne!(subnet("192.0.2.1").site(), subnet("192.0.2.2").site());
    }

    #[test]
    fn ipv4_is_counted_whole_and_ipv6_by_its_network() {
        assert_ne!(subnet("192.0.2.1"), subnet("192.0.2.2"));
        assert_eq!(subnet("192.0.2.1"), subnet("::ffff:192.0.2.1"));
        assert_eq!(subnet("2001:db8:1:2::1"), subnet("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(subnet("2001:db8:1:2::1"), subnet("2001:db8:1:3::1"));
    }
}
