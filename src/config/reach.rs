//! Where a host leads: whether clients on the internet can reach it, and where to ask who listens on an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{authority::Authority, warnings::is_open};

/// The last labels of names that are nobody's on the internet (RFC 6761, RFC 6762, RFC 8375 and ICANN's own).
const PRIVATE_NAMES: [&str; 8] = ["localhost", "local", "internal", "lan", "home", "corp", "test", "invalid"];

/// Whether clients on the internet can reach that host, as far as its name tells; an IPv6 address has its brackets.
#[must_use]
pub fn is_public_host(host: &str) -> bool {
    let Some(authority) = Authority::parse(host) else { return false };
    if let Ok(address) = authority.name().parse::<IpAddr>() {
        return is_open(address) && !address.is_unspecified();
    }
    let last = authority.name().rsplit_once('.').map(|(_, last)| last.to_ascii_lowercase());
    last.is_some_and(|last| !PRIVATE_NAMES.contains(&&*last))
}

/// Where this machine asks who listens on `address`, the likeliest first. A wildcard address is listened on, never connected to;
/// `::` is for IPv4 as well, where there is no IPv6.
#[must_use]
pub fn asked_at(address: IpAddr) -> Vec<IpAddr> {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => vec![Ipv4Addr::LOCALHOST.into()],
        IpAddr::V6(v6) if v6.is_unspecified() => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        specific => vec![specific],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_public_by_its_name() {
        for host in ["a.example", "203.0.113.7", "[2001:db8::7]", "a.example."] {
            assert!(is_public_host(host), "{host}");
        }
        for host in
            ["", "localhost", "box", "box.local", "BOX.LAN", "127.0.0.1", "10.0.0.7", "[::1]", "[fd00::1]", "0.0.0.0"]
        {
            assert!(!is_public_host(host), "{host}");
        }
    }
}
