//! The STUN responder: as a thread of the server, and as a process of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use actix::System;
use tokio::sync::oneshot;

use super::error::StartError;
use crate::{
    config::Settings,
    ice::IceServers,
    shutdown,
    stun::{Responder, Telling},
    telemetry,
};

/// `switchboard stun`: answers until a signal ends it. With `stun.port` at 0 it answers nobody, and waits for that signal all the
/// same: who keeps it running needs no other rule for it, and it is there again after a restart of the machine.
///
/// # Errors
/// [`StartError`]: it never answered anybody, or its thread is gone.
pub fn run_stun(settings: &Settings) -> Result<(), StartError> {
    System::new().block_on(alone(settings))
}

/// Starts its thread, where this process is to answer.
pub(super) fn start(settings: &Settings, servers: &IceServers) -> Result<(), StartError> {
    if !settings.stun.is_served_here() {
        return Ok(());
    }
    let responder = listen(settings, Telling::Metrics(servers.clone()))?;
    responder.start().map_err(|source| StartError::Machine { what: "the STUN responder", source })
}

async fn alone(settings: &Settings) -> Result<(), StartError> {
    let failed = |source| StartError::Machine { what: "the STUN responder", source };
    let (mut signals, others) =
        shutdown::listen().map_err(|source| StartError::Machine { what: "signal handling", source })?;
    others.attend(|| {
        let why = "this process reads its configuration at its start alone";
        telemetry::emit(&telemetry::Event::SignalIgnored { signal: "SIGHUP", why });
    });
    if settings.stun.port == 0 {
        let what = "stun.port is 0: this process answers nobody, and waits until it is ended";
        telemetry::emit(&telemetry::Event::ConfigWarning { what });
        signals.any().await;
        telemetry::flush();
        return Ok(());
    }
    let responder = listen(settings, Telling::Log)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (alive, gone) = oneshot::channel::<()>();
    let told = Arc::clone(&stop);
    let thread = thread::Builder::new().name("stun".into()).spawn(move || {
        let _alive = alive;
        responder.run(&told);
    });
    let thread = thread.map_err(failed)?;
    tokio::select! {
        () = signals.any() => stop.store(true, Ordering::Relaxed),
        // It never ends by itself: it panicked, which is in the log.
        _ = gone => {}
    }
    let ended = thread.join().map_err(|_| failed(std::io::Error::other("it panicked")));
    telemetry::flush();
    ended
}

fn listen(settings: &Settings, telling: Telling) -> Result<Responder, StartError> {
    let stun = &settings.stun;
    Responder::open(settings, telling).map_err(|source| StartError::Listen {
        address: format!("{}:{} (UDP)", stun.host, stun.port),
        key: "stun.host, stun.port",
        source,
    })
}
