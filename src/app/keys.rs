//! Looks at the files of the join tokens' keys: another key is in force without a signal or a restart.

use std::time::Duration;

use crate::{
    auth::KeyRing,
    telemetry::{self, Event},
};

/// How often. Whoever puts a new key in place waits no longer than this before tokens are made with it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks again and again. A file that is not whole is told of once, and the keys that were read before stay in force.
pub(super) async fn watch(keys: KeyRing) {
    let mut timer = tokio::time::interval(LOOK_EVERY);
    let mut failed = None;
    loop {
        timer.tick().await;
        let keys = keys.clone();
        // A file system may take its time, and the supervisor lives on this thread.
        match actix_rt::task::spawn_blocking(move || keys.look_again()).await {
            Ok(Ok(changed)) => {
                failed = None;
                if changed {
                    telemetry::emit(&Event::ConfigReloaded { changed: "the files of auth.keys", restart: "" });
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
