//! What is told of the server when it has started.

use std::{io, net::SocketAddr, time::SystemTime};

use crate::{
    config::{Settings, exposure_warnings, machine_warnings, memory_warning},
    telemetry::{self, Event},
    tls::Certificates,
};

/// That the server listens, and what is odd about it.
pub(super) fn announce(
    configured: &Settings,
    settings: &Settings,
    open_files: u64,
    certificates: &Certificates,
    (public, ops): (SocketAddr, SocketAddr),
    state_problem: Option<&io::Error>,
) {
    let workers = settings.server.worker_count();
    let (memory, limits) = (settings.limits.memory_bytes as u64, settings.could_hold());
    telemetry::emit(&Event::ServerStarted { version: env!("CARGO_PKG_VERSION"), public, ops, workers, memory, limits });
    let exposed = exposure_warnings(configured, public.ip(), ops.ip());
    let memory = memory_warning(settings);
    for warning in machine_warnings(configured, open_files).into_iter().chain(exposed).chain(memory) {
        telemetry::emit(&Event::ConfigWarning { what: &warning });
    }
    warn_of_certificates(certificates);
    if let Some(error) = state_problem {
        telemetry::emit(&Event::ShutdownRecordFailed { error });
    }
}

/// What is wrong with those that are in force now: no client takes them.
pub(super) fn warn_of_certificates(certificates: &Certificates) {
    for doubt in certificates.doubts(SystemTime::now()) {
        telemetry::emit(&Event::ConfigWarning { what: &doubt });
    }
}
