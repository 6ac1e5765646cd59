//! The server's phases, the count of its connections, and the call to drain.
//!
//! Shared between threads on purpose: it is asked before any actor exists, for every connection, by every arbiter.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::sync::Notify;

use crate::{limits::AddressPermit, telemetry::RequestId};

/// Where the server stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Listening, and not advertised yet: `server.ready_delay_ms`.
    Starting,
    /// In service.
    Ready,
    /// On its way out: no new connections.
    Draining,
}

/// Who asked for the drain, and when. The first who asks is remembered.
#[derive(Debug, Clone)]
pub struct Call {
    /// When: the deadline counts from here.
    pub at: Instant,
    /// A signal's name, or a request.
    pub by: &'static str,
    /// That request.
    pub request: Option<RequestId>,
}

/// Phase, count and call. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    phase: AtomicU8,
    connections: AtomicUsize,
    limit: usize,
    call: OnceLock<Call>,
    called: Notify,
}

/// One connection's place in the count; dropping it gives the place back.
#[derive(Debug)]
pub struct Permit {
    lifecycle: Arc<Inner>,
    #[expect(dead_code, reason = "held for its Drop: the place in its address's count")]
    place: AddressPermit,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmissionError {
    /// `server.max_connections` are there.
    Full,
    /// The server is going away.
    Draining,
}

impl Lifecycle {
    /// Starting, for at most `limit` connections.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            phase: AtomicU8::new(Phase::Starting as u8),
            connections: AtomicUsize::new(0),
            limit,
            call: OnceLock::new(),
            called: Notify::new(),
        }))
    }

    /// Moves on. A server that drains never becomes ready again.
    pub fn enter(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Asks the server to go. When this returns, nobody new is let in and `/readyz` says so; whoever waits for
    /// [`Lifecycle::drain_called`] does the rest. Says whether this was the first call, and which one counts.
    pub fn call_drain(&self, by: &'static str, request: Option<RequestId>) -> (bool, &Call) {
        let mut first = false;
        let call = self.0.call.get_or_init(|| {
            first = true;
            Call { at: Instant::now(), by, request }
        });
        self.enter(Phase::Draining);
        self.0.called.notify_one();
        (first, call)
    }

    /// Waits until somebody has asked the server to go. For one waiter.
    pub async fn drain_called(&self) -> &Call {
        loop {
            if let Some(call) = self.0.call.get() {
                return call;
            }
            self.0.called.notified().await;
        }
    }

    /// Where the server stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Connections that hold a permit.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Acquire)
    }

    /// Most connections at a time.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Whether the next connection would be refused.
    #[must_use]
    pub fn saturated(&self) -> bool {
        self.connections() >= self.0.limit
    }

    /// A place for one more connection, which keeps `place` as well. A server that is still starting takes those who come
    /// without being advertised.
    pub fn admit(&self, place: AddressPermit) -> Result<Permit, AdmissionError> {
        if self.phase() == Phase::Draining {
            return Err(AdmissionError::Draining);
        }
        let more = |count: usize| (count < self.0.limit).then_some(count + 1);
        match self.0.connections.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Permit { lifecycle: Arc::clone(&self.0), place }),
            Err(_) => Err(AdmissionError::Full),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.lifecycle.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds_and_a_dropped_permit_makes_room() {
        let lifecycle = Lifecycle::new(2);
        let first = lifecycle.admit(AddressPermit::uncounted()).unwrap();
        let _second = lifecycle.admit(AddressPermit::uncounted()).unwrap();
        assert!(lifecycle.saturated());
        assert_eq!(lifecycle.admit(AddressPermit::uncounted()).unwrap_err(), AdmissionError::Full);
        drop(first);
        assert_eq!(lifecycle.connections(), 1);
        assert!(lifecycle.admit(AddressPermit::uncounted()).is_ok());
    }

    #[actix::test]
    async fn the_first_call_counts_and_admits_nobody_from_then_on() {
        let lifecycle = Lifecycle::new(2);
        let (first, call) = lifecycle.call_drain("one", None);
        assert_eq!((first, call.by, lifecycle.phase()), (true, "one", Phase::Draining));
        let (first, call) = lifecycle.call_drain("two", None);
        assert_eq!((first, call.by), (false, "one"));
        assert_eq!(lifecycle.drain_called().await.by, "one");
    }

    #[test]
    fn a_draining_server_admits_nobody_and_never_becomes_ready_again() {
        let lifecycle = Lifecycle::new(2);
        lifecycle.enter(Phase::Draining);
        lifecycle.enter(Phase::Ready);
        assert_eq!(lifecycle.phase(), Phase::Draining);
        assert_eq!(lifecycle.admit(AddressPermit::uncounted()).unwrap_err(), AdmissionError::Draining);
    }
}
