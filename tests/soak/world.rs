//! What all peers share: the network, the phase, what went wrong, and what was done.

use std::{
    collections::BTreeMap,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use switchboard_chaos::Proxy;
use tokio::sync::watch;

use crate::plan::Plan;

/// What the peers are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything at once.
    Chaos,
    /// Be in a room, on a healthy connection, and do nothing.
    Calm,
    /// Go home.
    Leave,
}

/// The same for every peer.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) proxy: Proxy,
    pub(crate) phase: watch::Sender<Phase>,
    /// How long the server keeps a seat for a peer whose connection is lost.
    pub(crate) window: Duration,
    failures: (Mutex<Vec<String>>, Condvar),
    done: Mutex<BTreeMap<&'static str, u64>>,
    joins: AtomicU64,
}

impl World {
    pub(crate) fn new(plan: Plan, proxy: Proxy, window: Duration) -> Self {
        let (phase, _) = watch::channel(Phase::Chaos);
        Self {
            plan,
            proxy,
            phase,
            window,
            failures: Default::default(),
            done: Mutex::default(),
            joins: AtomicU64::new(0),
        }
    }

    /// A number that no join had before.
    pub(crate) fn next_join_seq(&self) -> u64 {
        self.joins.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A peer saw what must not be.
    pub(crate) fn fail(&self, what: String) {
        self.failures.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        self.failures.1.notify_all();
    }

    /// Counts something, so that a run can say what it did.
    pub(crate) fn count(&self, what: &'static str) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// How often that was counted.
    pub(crate) fn counted(&self, what: &str) -> u64 {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).get(what).copied().unwrap_or_default()
    }

    /// Everything that was counted.
    pub(crate) fn story(&self) -> String {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.iter().map(|(what, times)| format!("{times} {what}")).collect::<Vec<_>>().join(", ")
    }

    /// Waits for the first failure, and panics with it; without one, returns after that time.
    #[track_caller]
    pub(crate) fn watch_for(&self, time: Duration) {
        let failures = self.failures.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.failures.1.wait_timeout_while(failures, time, |failures| failures.is_empty());
        let (failures, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(failures.is_empty(), "{} failures; {}; again: {}\n{}", failures.len(), self.story(), self.plan, {
            failures.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n\n")
        });
    }
}
