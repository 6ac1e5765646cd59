//! Looks at the files of the join tokens' keys and of the certificates: others are in force without a signal or a restart.

use std::{error::Error, time::Duration};

use crate::{
    auth::KeyRing,
    telemetry::{self, Event},
    tls::Certificates,
};

/// How often. Whoever puts a new key in place waits no longer than this before tokens are made with it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks at the keys again and again. A file that is not whole is told of once, and those that were read before stay in force.
pub(super) async fn watch(keys: KeyRing) {
    watch_files("the files of auth.keys", 1, move || keys.look_again(), || ()).await;
}

/// The same of the certificates, and says when they end. Chain and key are two files, and whoever replaces them does so one after
/// the other: what is wrong at one look alone is not told.
pub(super) async fn watch_certificates(certificates: Certificates) {
    let looked = certificates.clone();
    let report = move || telemetry::tally(|t| t.certificates = Some(certificates.ends()));
    watch_files("the files of tls and ops.tls", 2, move || looked.look_again(), report).await;
}

/// Calls `look` in turn with `after`. What fails `patience` times in the same way is told.
async fn watch_files<E: Error + Send + 'static>(
    what: &str,
    patience: u32,
    look: impl Fn() -> Result<bool, E> + Clone + Send + 'static,
    after: impl Fn(),
) {
    let mut timer = tokio::time::interval(LOOK_EVERY);
    let mut failed = (String::new(), 0);
    loop {
        timer.tick().await;
        // A file system may take its time, and the supervisor lives on this thread.
        match actix_rt::task::spawn_blocking(look.clone()).await {
            Ok(Ok(changed)) => {
                failed = (String::new(), 0);
                if changed {
                    telemetry::emit(&Event::ConfigReloaded { changed: what, restart: "" });
                }
            }
            Ok(Err(error)) => {
                let text = error.to_string();
                failed = if failed.0 == text { (text, failed.1 + 1) } else { (text, 1) };
                if failed.1 == patience {
                    telemetry::emit(&Event::ConfigNotReloaded { error: &error });
                }
            }
            // It panicked, which is told elsewhere, or the process ends.
            Err(_) => {}
        }
        after();
    }
}
