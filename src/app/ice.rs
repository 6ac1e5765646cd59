//! The checks of the ICE servers that clients are told of.

use std::sync::Arc;

use tokio::sync::watch;

use super::error::StartError;
use crate::{
    config::Settings,
    ice_checks::{IceChecks, IceHealth},
};

/// Starts them, if there is anything to check.
pub(super) fn start_checks(settings: &Arc<Settings>) -> Result<watch::Receiver<IceHealth>, StartError> {
    let (interval, timeout) = (settings.ice.check_interval_ms.get(), settings.ice.check_timeout_ms.get());
    if interval.is_zero() || settings.ice.servers.is_empty() {
        return Ok(watch::channel(IceHealth::default()).1);
    }
    let settings = Arc::clone(settings);
    let checks = IceChecks { list: Box::new(move || settings.ice.to_json()), interval, timeout };
    checks.start().map_err(|source| StartError::Machine { what: "the checks of ICE servers", source })
}
