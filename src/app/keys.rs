//! Looks at the files of keys, secrets and certificates: others are in force without a signal or a restart.

use std::{error::Error, time::Duration};

use super::{announce::warn_of_certificates, reload::Secrets};
use crate::{
    ice::IceServers,
    telemetry::{self, Event},
};

/// How often. Whoever puts a new key in place waits no longer than this before tokens are made with it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks again and again, at those of the join tokens, of the TURN servers and of the listeners. Chain and key of a certificate are
/// two files, and whoever replaces them does so one after the other: what is wrong at one look alone is not told.
pub(super) fn watch(Secrets { keys, certificates, .. }: Secrets, ice: IceServers) {
    actix_rt::spawn(watch_files("the files of auth.keys", 1, move || keys.look_again(), |_| ()));
    actix_rt::spawn(watch_files("the files of ice.servers", 1, move || ice.look_again(), |_| ()));
    let looked = certificates.clone();
    let report = move |changed| {
        telemetry::tally(|t| t.certificates = Some(certificates.ends()));
        if changed {
            warn_of_certificates(&certificates);
        }
    };
    actix_rt::spawn(watch_files("the files of tls and ops.tls", 2, move || looked.look_again(), report));
}

/// Calls `look_again` in turn with `after`, which is told whether anything has changed. What fails `patience` times in the same way is told once, and what was read before stays
/// in force.
async fn watch_files<E: Error + Send + 'static>(
    what: &'static str,
    patience: u32,
    look_again: impl Fn() -> Result<bool, E> + Clone + Send + 'static,
    after: impl Fn(bool),
) {
    let mut timer = tokio::time::interval(LOOK_EVERY);
    let mut failed = (String::new(), 0);
    loop {
        timer.tick().await;
        // A file system may take its time, and the supervisor lives on this thread.
        let changed = match actix_rt::task::spawn_blocking(look_again.clone()).await {
            Ok(Ok(changed)) => {
                failed = (String::new(), 0);
                if changed {
                    telemetry::emit(&Event::ConfigReloaded { changed: what, restart: "" });
                }
                changed
            }
            Ok(Err(error)) => {
                let text = error.to_string();
                failed = if failed.0 == text { (text, failed.1 + 1) } else { (text, 1) };
                if failed.1 == patience {
                    telemetry::emit(&Event::ConfigNotReloaded { error: &error });
                }
                false
            }
            // It panicked, which is told elsewhere, or the process ends.
            Err(_) => false,
        };
        after(changed);
    }
}
