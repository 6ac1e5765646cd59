//! Looks at the files of keys and secrets: another one is in force without a signal or a restart.

use std::{error::Error, time::Duration};

use crate::{
    auth::KeyRing,
    ice::IceServers,
    telemetry::{self, Event},
};

/// How often. Whoever puts a new key in place waits no longer than this before tokens are made with it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks again and again, at those of the join tokens and at those of the TURN servers.
pub(super) fn watch(keys: KeyRing, ice: IceServers) {
    actix_rt::spawn(watch_files("the files of auth.keys", move || keys.look_again()));
    actix_rt::spawn(watch_files("the files of ice.servers", move || ice.look_again()));
}

/// A file that is not whole is told of once, and what was read before stays in force.
async fn watch_files<E: Error + Send + 'static>(
    what: &'static str,
    look_again: impl Fn() -> Result<bool, E> + Clone + Send + 'static,
) {
    let mut timer = tokio::time::interval(LOOK_EVERY);
    let mut failed = None;
    loop {
        timer.tick().await;
        // A file system may take its time, and the supervisor lives on this thread.
        match actix_rt::task::spawn_blocking(look_again.clone()).await {
            Ok(Ok(changed)) => {
                failed = None;
                if changed {
                    telemetry::emit(&Event::ConfigReloaded { changed: what, restart: "" });
                }
            }
            Ok(Err(error)) => {
                let text = error.to_string();
                if failed.as_ref() != Some(&text) {
                    telemetry::emit(&Event::ConfigNotReloaded { error: &error });
                    failed = Some(text);
                }
            }
            // It panicked, which is told elsewhere, or the process ends.
            Err(_) => {}
        }
    }
}
