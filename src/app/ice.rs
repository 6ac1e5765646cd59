//! The checks of the ICE servers that clients are told of.

use std::time::Instant;

use tokio::sync::watch;

use super::error::StartError;
use crate::{
    config::{Settings, Stun},
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
    let checks = IceChecks { list: Box::new(list), interval, timeout };
    checks.start().map_err(|source| StartError::Machine { what: "the checks of ICE servers", source })
}

/// Where this process asks its own STUN responder; `None` where another process answers, and only clients know where.
fn own_host(stun: &Stun) -> Option<String> {
    stun.is_served_here().then(|| match stun.host.as_str() {
        "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    })
}
