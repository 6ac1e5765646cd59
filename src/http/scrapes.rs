//! Whether anybody scrapes, and whether a scrape has carried the news that the server is going: a drain with nobody
//! connected is over in less than a millisecond, and what Prometheus never saw it cannot excuse.
//!
//! Shared between threads on purpose: each scrape is answered by whichever worker it came to.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

/// What is known of scrapes. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Scrapes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    last: Mutex<Option<Instant>>,
    told: watch::Sender<bool>,
}

impl Default for Scrapes {
    fn default() -> Self {
        Self(Arc::new(Inner { last: Mutex::new(None), told: watch::Sender::new(false) }))
    }
}

impl Scrapes {
    /// A scrape was answered; `draining`: with the news that the server is going.
    pub fn served(&self, draining: bool) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if draining {
            self.0.told.send_replace(true);
        }
    }

    /// When the last one was answered.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a scrape has carried the news.
    #[must_use]
    pub fn was_told(&self) -> bool {
        *self.0.told.borrow()
    }

    /// Waits for a scrape that carried the news; returns at once if one has.
    pub async fn told(&self) {
        // It fails when the sender is gone, which lives as long as `self`.
        let _ = self.0.told.subscribe().wait_for(|told| *told).await;
    }
}
