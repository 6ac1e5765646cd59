//! Whether those who ask can come from the internet: behind Docker's proxy, or a NAT that rewrites what comes in, every request
//! comes from the gateway, and its address is what everybody would be told.

use std::net::IpAddr;

use crate::config::{Authority, is_open};

/// So many requests, all from private addresses, are no chance: a page sends one or two for each connection.
const ENOUGH: u32 = 20;
/// The last labels of names that are nobody's on the internet (RFC 6761, RFC 6762, RFC 8375 and ICANN's own).
const PRIVATE_NAMES: [&str; 8] = ["localhost", "local", "internal", "lan", "home", "corp", "test", "invalid"];

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Sources {
    /// Requests from private addresses; `None` once nothing can follow from them any more.
    private: Option<u32>,
}

impl Sources {
    /// `public_host` is what clients are told; empty where that is not known.
    pub(super) fn new(public_host: &str) -> Self {
        Self { private: is_public(public_host).then_some(0) }
    }

    /// Notes who has asked. Says once that nobody does from anywhere but private networks.
    pub(super) fn only_private(&mut self, source: IpAddr) -> bool {
        let Some(private) = &mut self.private else { return false };
        *private += 1;
        let told = *private >= ENOUGH && !is_open(source);
        if told || is_open(source) {
            self.private = None;
        }
        told
    }
}

/// Whether clients on the internet can reach that host, as far as its name tells.
fn is_public(host: &str) -> bool {
    let Some(authority) = Authority::parse(host) else { return false };
    if let Ok(address) = authority.name().parse::<IpAddr>() {
        return is_open(address) && !address.is_unspecified();
    }
    let last = authority.name().rsplit_once('.').map(|(_, last)| last.to_ascii_lowercase());
    last.is_some_and(|last| !PRIVATE_NAMES.contains(&&*last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(host: &str, sources: &[&str]) -> usize {
        let mut seen = Sources::new(host);
        sources.iter().filter(|source| seen.only_private(source.parse().expect("an address"))).count()
    }

    #[test]
    fn a_host_is_public_by_its_name() {
        for host in ["a.example", "203.0.113.7", "[2001:db8::7]", "a.example."] {
            assert!(is_public(host), "{host}");
        }
        for host in
            ["", "localhost", "box", "box.local", "BOX.LAN", "127.0.0.1", "10.0.0.7", "[::1]", "[fd00::1]", "0.0.0.0"]
        {
            assert!(!is_public(host), "{host}");
        }
    }

    #[test]
    fn only_private_sources_are_told_once_and_only_where_others_should_come() {
        let gateway = ["172.17.0.1"; 60];
        assert_eq!(told("a.example", &gateway), 1);
        assert_eq!(told("a.example", &gateway[..19]), 0, "they may be the first");
        assert_eq!(told("box.local", &gateway), 0);
        assert_eq!(told("", &gateway), 0, "it is not known who should come");
        let mixed: Vec<_> = ["192.168.1.2", "198.51.100.7"].into_iter().chain(gateway).collect();
        assert_eq!(told("a.example", &mixed), 0, "somebody came from the internet");
    }
}
