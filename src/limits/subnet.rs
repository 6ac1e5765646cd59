//! An address as the limits count it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// What an entry of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Block {
    pub(super) size: Size,
    /// The bits of the prefix; of a shared one its number.
    bits: u64,
}

/// How large a block of addresses is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Size {
    /// One IPv4 address.
    V4,
    /// An IPv6 /64: one network, a household's or a phone's.
    Net64,
    /// An IPv6 /56: what many providers give a household.
    Net56,
    /// An IPv6 /48: what a company gets, or whoever asks a tunnel broker.
    Net48,
    /// IPv4 addresses that found no room in the table.
    SharedV4,
    /// IPv6 /48 that found no room in the table.
    SharedV6,
}

/// Blocks that one subnet is in, at most.
pub(super) const LEVELS: usize = 3;

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

    /// Its first address: [`Subnet::of`] that is the subnet again.
    #[must_use]
    pub fn address(self) -> IpAddr {
        match self.0 {
            Prefix::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Prefix::V6(bits) => Ipv6Addr::from_bits(u128::from(bits) << 64).into(),
        }
    }

    /// The blocks that it is counted in, the smallest first. Who has one /64 mostly has the 255 beside it, too, and
    /// often 65 535.
    pub(super) fn blocks(self) -> [Option<Block>; LEVELS] {
        let block = |size, bits| Some(Block { size, bits });
        match self.0 {
            Prefix::V4(bits) => [block(Size::V4, bits.into()), None, None],
            Prefix::V6(bits) => {
                [block(Size::Net64, bits), block(Size::Net56, bits >> 8), block(Size::Net48, bits >> 16)]
            }
        }
    }
}

impl Block {
    /// The `number`th of those that blocks of this size share when the table is full; `None` where a larger block
    /// counts for it.
    pub(super) fn shared(self, number: u64) -> Option<Self> {
        let size = match self.size {
            Size::V4 => Size::SharedV4,
            Size::Net48 => Size::SharedV6,
            Size::Net64 | Size::Net56 | Size::SharedV4 | Size::SharedV6 => return None,
        };
        Some(Self { size, bits: number })
    }
}

impl Size {
    /// How many times what one address may do it may do.
    pub(super) fn shares(self) -> u32 {
        match self {
            Self::V4 | Self::SharedV4 | Self::Net64 => 1,
            Self::Net56 => 4,
            Self::Net48 | Self::SharedV6 => 16,
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
        for text in ["192.0.2.1", "2001:db8:1:2::7", "::1"] {
            assert_eq!(Subnet::of(subnet(text).address()), subnet(text));
        }
        assert_eq!(subnet("2001:db8:1:2::1"), subnet("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(subnet("2001:db8:1:2::1"), subnet("2001:db8:1:3::1"));
    }

    #[test]
    fn an_ipv6_network_is_in_a_56_and_a_48_and_an_ipv4_address_in_nothing_larger() {
        let same = |one: &str, other: &str| {
            let (one, other) = (subnet(one).blocks(), subnet(other).blocks());
            [0, 1, 2].map(|level| one[level].is_some() && one[level] == other[level])
        };
        assert_eq!(same("2001:db8:1:2::1", "2001:db8:1:2::2"), [true, true, true]);
        assert_eq!(same("2001:db8:1:0200::", "2001:db8:1:02ff::"), [false, true, true]);
        assert_eq!(same("2001:db8:1:02ff::", "2001:db8:1:0300::"), [false, false, true]);
        assert_eq!(same("2001:db8:1:ffff::", "2001:db8:2::"), [false, false, false]);
        assert_eq!(same("192.0.2.1", "192.0.2.2"), [false, false, false]);
        let shares = |text: &str| subnet(text).blocks().map(|block| block.map(|block| block.size.shares()));
        assert_eq!(shares("2001:db8::"), [Some(1), Some(4), Some(16)]);
        assert_eq!(shares("192.0.2.1"), [Some(1), None, None]);
    }
}
