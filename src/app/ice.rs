//! The checks of the ICE servers that clients are told of.

use std::{net::IpAddr, time::Instant};

use tokio::sync::watch;

use super::error::StartError;
use crate::{
    config::{Settings, Stun, asked_at},
    ice::{IceServers, Recipient},
    ice_checks::{IceChecks, IceHealth},
    protocol::PeerId,
};

/// Starts them, if there is anything to check.
pub(super) fn start_checks(
    settings: &Settings,
    servers: &IceServers,
) -> Result<watch::Receiver<IceHealth>, StartError> {
    let (interval, timeout) = (settings.ice.check_interval_ms.get(), settings.ice.check_timeout_ms.get());
    if interval.is_zero() || (settings.ice.servers.is_empty() && settings.stun.port == 0) {
        return Ok(watch::channel(IceHealth::default()).1);
    }
    let host = own_host(&settings.stun);
    // A peer that never was: its credentials are as good as anybody's.
    let peer = PeerId::random();
    let servers = servers.clone();
    let list = move || {
        let recipient = Recipient { peer, until: None, host: host.as_deref(), now: Instant::now() };
        servers.list_for(recipient).json.into_owned()
    };
    let checks = IceChecks { list: Box::new(list), interval, timeout, ca_file: settings.ice.ca_file.clone() };
    checks.start().map_err(|source| StartError::Machine { what: "the checks of ICE servers", source })
}

/// Where this process asks its own STUN responder; `None` where another process answers, and only clients know where.
fn own_host(stun: &Stun) -> Option<String> {
    stun.is_served_here().then(|| {
        // Of two, IPv4's: a responder on `::` takes both, and it is there on every machine.
        match stun.host.parse().ok().and_then(|address| asked_at(address).pop()) {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(address) => address.to_string(),
            None => stun.host.clone(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_responder_is_asked_where_it_listens() {
        let host = |host: &str, serve| own_host(&Stun { port: 3478, host: host.to_owned(), serve, ..Stun::default() });
        for (listens, asked) in [
            ("0.0.0.0", "127.0.0.1"),
            ("::", "127.0.0.1"),
            ("0::0", "127.0.0.1"),
            ("2001:db8::7", "[2001:db8::7]"),
            ("192.0.2.7", "192.0.2.7"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(host(listens, true).as_deref(), Some(asked), "{listens}");
        }
        assert_eq!(host("0.0.0.0", false), None, "only clients know where another process is reached");
    }
}
