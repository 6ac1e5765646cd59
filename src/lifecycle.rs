//! The server's phases, the count of its connections, and the call to drain.
//!
//! Shared between threads on purpose: it is asked before any actor exists, for every connection, by every arbiter.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;

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

/// As [`Phase::Draining`], once the drain has closed a connection, or has found that there is none: it cannot be withdrawn.
const CLOSING: u8 = Phase::Draining as u8 + 1;

/// Who asked for the drain, and when. The first who asks is remembered.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which drain of this process it calls for: one that was withdrawn may be followed by another.
    pub number: u64,
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
    /// Whatever depends on the call and changes the phase does so within its lock.
    calls: watch::Sender<Calls>,
}

/// The calls to drain.
#[derive(Debug, Default)]
struct Calls {
    /// So many there were.
    count: u64,
    /// The one that counts now.
    current: Option<Call>,
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

/// Why a drain goes on that somebody wanted to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithdrawError {
    /// There is none.
    NotDraining,
    /// It has closed a connection, or there was none to close: the process ends.
    Closing,
}

impl Lifecycle {
    /// Starting, for at most `limit` connections.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            phase: AtomicU8::new(Phase::Starting as u8),
            connections: AtomicUsize::new(0),
            limit,
            calls: watch::Sender::default(),
        }))
    }

    /// Moves on. A server that drains does not become ready by that.
    pub fn enter(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Asks the server to go. When this returns, nobody new is let in and `/readyz` says so; whoever waits for
    /// [`Lifecycle::drain_called`] does the rest. Says whether this was the first call, and which one counts.
    pub fn call_drain(&self, by: &'static str, request: Option<RequestId>) -> (bool, Call) {
        let (mut first, mut counts) = (false, None);
        self.0.calls.send_if_modified(|calls| {
            let number = calls.count;
            let call = calls.current.get_or_insert_with(|| {
                first = true;
                Call { number, at: Instant::now(), by, request }
            });
            counts = Some(call.clone());
            calls.count += u64::from(first);
            self.enter(Phase::Draining);
            first
        });
        (first, counts.expect("the closure has run"))
    }

    /// Takes the call to drain back: new connections are let in from now on, and whoever waits for
    /// [`Lifecycle::withdrawn`] does the rest. The call that counted.
    ///
    /// # Errors
    /// Nobody has called, or the drain has begun to close connections.
    pub fn withdraw_drain(&self) -> Result<Call, WithdrawError> {
        let mut withdrawn = Err(WithdrawError::NotDraining);
        self.0.calls.send_if_modified(|calls| {
            withdrawn = match calls.current.take() {
                None => Err(WithdrawError::NotDraining),
                Some(call) if self.0.phase.load(Ordering::Acquire) == CLOSING => {
                    calls.current = Some(call);
                    Err(WithdrawError::Closing)
                }
                Some(call) => {
                    self.0.phase.store(Phase::Ready as u8, Ordering::Release);
                    Ok(call)
                }
            };
            withdrawn.is_ok()
        });
        withdrawn
    }

    /// The drain of that call is about to close a connection, or to end because there is none. Says whether it may: from then
    /// on it cannot be withdrawn. `false`: it was.
    #[must_use]
    pub fn begin_closing(&self, number: u64) -> bool {
        let mut may = false;
        self.0.calls.send_if_modified(|calls| {
            may = calls.current.as_ref().is_some_and(|call| call.number == number);
            if may {
                self.0.phase.store(CLOSING, Ordering::Release);
            }
            false
        });
        may
    }

    /// Whether the call of that number counts.
    #[must_use]
    pub fn is_called(&self, number: u64) -> bool {
        self.0.calls.borrow().current.as_ref().is_some_and(|call| call.number == number)
    }

    /// Waits until somebody has asked the server to go.
    pub async fn drain_called(&self) -> Call {
        let mut calls = self.0.calls.subscribe();
        // It fails when the sender is gone, which lives as long as `self`.
        let call = calls.wait_for(|calls| calls.current.is_some()).await.ok().and_then(|calls| calls.current.clone());
        call.expect("somebody has called")
    }

    /// Waits until that call was taken back.
    pub async fn withdrawn(&self, number: u64) {
        let counts = |calls: &Calls| calls.current.as_ref().is_some_and(|call| call.number == number);
        // As above.
        let _ = self.0.calls.subscribe().wait_for(|calls| !counts(calls)).await;
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

    #[actix::test]
    async fn a_call_can_be_taken_back_until_a_connection_is_closed_and_another_may_follow() {
        let lifecycle = Lifecycle::new(2);
        lifecycle.enter(Phase::Ready);
        assert_eq!(lifecycle.withdraw_drain().unwrap_err(), WithdrawError::NotDraining);
        let former = lifecycle.call_drain("one", None).1.number;
        assert_eq!(lifecycle.withdraw_drain().unwrap().by, "one");
        assert_eq!(lifecycle.phase(), Phase::Ready);
        assert!(lifecycle.admit(AddressPermit::uncounted()).is_ok());
        lifecycle.withdrawn(former).await;
        let later = lifecycle.call_drain("two", None).1.number;
        assert!(!lifecycle.begin_closing(former), "a connection that the former one would have closed stays");
        assert!(!lifecycle.is_called(former) && lifecycle.is_called(later));
        assert!(lifecycle.begin_closing(later) && lifecycle.begin_closing(later));
        assert_eq!(lifecycle.withdraw_drain().unwrap_err(), WithdrawError::Closing);
        assert_eq!((lifecycle.phase(), lifecycle.drain_called().await.by), (Phase::Draining, "two"));
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
