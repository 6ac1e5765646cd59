//! Whether those who ask can come from the internet: behind Docker's proxy, or a NAT that rewrites what comes in, every request
//! comes from the gateway, and its address is what everybody would be told.

use std::net::IpAddr;

use crate::{
    config::{is_open, is_public_host},
    ice::IceServers,
};

/// So many requests, all from private addresses, are no chance: a page sends one or two for each connection.
const ENOUGH: u32 = 20;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Sources {
    /// Requests from private addresses; `None` once nothing can follow from them any more.
    private: Option<u32>,
    /// Where clients are told the host that they used: whoever tells them, and so knows whether any of those was public.
    told_by: Option<IceServers>,
}

impl Sources {
    /// `public_host` is what clients are told. Where it is empty they are told what they used themselves, by `servers`; without
    /// those it is not known where clients come from.
    pub(super) fn new(public_host: &str, servers: Option<&IceServers>) -> Self {
        let told_by = servers.filter(|_| public_host.is_empty()).cloned();
        Self { private: (is_public_host(public_host) || told_by.is_some()).then_some(0), told_by }
    }

    /// Notes who has asked. Says once that nobody does from anywhere but private networks, although clients on the internet are
    /// told to. What comes from this machine itself, as health checks do, says nothing of those.
    pub(super) fn only_private(&mut self, source: IpAddr) -> bool {
        if source.is_loopback() {
            return false;
        }
        let Some(private) = &mut self.private else { return false };
        *private = private.saturating_add(1);
        let others_come = self.told_by.as_ref().is_none_or(IceServers::is_told_at_public_host);
        let told = *private >= ENOUGH && others_come && !is_open(source);
        if told || is_open(source) {
            self.private = None;
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        config::{Ice, Stun},
        ice::Recipient,
        protocol::PeerId,
    };

    const GATEWAY: [&str; 60] = ["172.17.0.1"; 60];

    fn count(seen: &mut Sources, sources: &[&str]) -> usize {
        sources.iter().filter(|source| seen.only_private(source.parse().expect("an address"))).count()
    }

    fn told(host: &str, sources: &[&str]) -> usize {
        count(&mut Sources::new(host, None), sources)
    }

    #[test]
    fn only_private_sources_are_told_once_and_only_where_others_should_come() {
        assert_eq!(told("a.example", &GATEWAY), 1);
        assert_eq!(told("a.example", &GATEWAY[..19]), 0, "they may be the first");
        assert_eq!(told("box.local", &GATEWAY), 0);
        assert_eq!(told("", &GATEWAY), 0, "it is not known who should come");
        let mixed: Vec<_> = ["192.168.1.2", "198.51.100.7"].into_iter().chain(GATEWAY).collect();
        assert_eq!(told("a.example", &mixed), 0, "somebody came from the internet");
    }

    #[test]
    fn who_asks_from_this_machine_is_neither_a_sign_nor_the_end_of_the_watch() {
        let probes = ["127.0.0.1", "::1"].repeat(30);
        assert_eq!(told("a.example", &probes), 0);
        let then: Vec<_> = probes.iter().copied().chain(GATEWAY).collect();
        assert_eq!(told("a.example", &then), 1);
    }

    #[test]
    fn where_clients_are_told_the_host_that_they_used_a_public_one_among_them_counts() {
        let stun = Stun { port: 3478, ..Stun::default() };
        let servers = IceServers::open(&Ice::default(), &stun).expect("no files");
        let tell = |host| {
            let _ = servers.list_for(Recipient { peer: PeerId::random(), host, until: None, now: Instant::now() });
        };
        let mut seen = Sources::new("", Some(&servers));
        tell(Some("box.lan"));
        tell(None);
        assert_eq!(count(&mut seen, &GATEWAY), 0, "all of them are at home");
        tell(Some("rooms.example.org"));
        assert_eq!(count(&mut seen, &GATEWAY), 1);
        let mut named = Sources::new("box.lan", Some(&servers));
        assert_eq!(count(&mut named, &GATEWAY), 0, "clients are told that one alone");
    }
}
