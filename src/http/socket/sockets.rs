//! Every accepted socket has a place in the count of its listener and of its address, from its accept to its close,
//! whatever becomes of it in between: a request, a WebSocket, silence.
//!
//! Shared between threads on purpose: places are taken by the thread that accepts and given back wherever a socket ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

use crate::{limits::AddressPermit, telemetry::SocketRefusal};

/// The sockets of one listener. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Sockets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    /// What stands behind `most`.
    full: SocketRefusal,
    open: AtomicUsize,
    /// Those beyond `most` that are only to be answered with a probe or a refusal.
    reserved: AtomicUsize,
}

/// A socket's place in both counts; dropping it gives it back.
#[derive(Debug)]
pub struct SocketPlace {
    sockets: Arc<Inner>,
    /// Held for its Drop: the place in its address's count.
    address: AddressPermit,
}

impl SocketPlace {
    /// The socket is another address's than it came from.
    pub(in crate::http) fn belongs_to(&mut self, address: AddressPermit) {
        drop(std::mem::replace(&mut self.address, address));
    }
}

/// A place beyond the count; dropping it gives it back.
#[derive(Debug)]
pub(in crate::http) struct ReservedPlace(Arc<Inner>);

impl Sockets {
    /// None is open. `most` at a time; `full` is what the others are refused for.
    #[must_use]
    pub fn new(most: usize, full: SocketRefusal) -> Self {
        Self(Arc::new(Inner { most, full, open: AtomicUsize::new(0), reserved: AtomicUsize::new(0) }))
    }

    /// Those that are open, the reserved ones included.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Acquire) + self.0.reserved.load(Ordering::Acquire)
    }

    /// Whether the next one would be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.open.load(Ordering::Acquire) >= self.0.most
    }

    /// Whether one of so many parts of the places is left, or less.
    pub(in crate::http) fn is_nearly_full(&self, parts: usize) -> bool {
        let left = self.0.most.saturating_sub(self.0.open.load(Ordering::Acquire));
        left <= (self.0.most / parts).max(1)
    }

    /// A place for one more, which keeps `address` as well. `None`: its address has all the sockets it may.
    ///
    /// # Errors
    /// Which limit it meets.
    pub fn take(&self, address: Option<AddressPermit>) -> Result<SocketPlace, SocketRefusal> {
        let address = address.ok_or(SocketRefusal::Address)?;
        let more = |open: usize| (open < self.0.most).then_some(open + 1);
        match self.0.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(SocketPlace { sockets: Arc::clone(&self.0), address }),
            Err(_) => Err(self.0.full),
        }
    }

    /// A place beyond all limits, for whoever bounds them otherwise.
    pub(in crate::http) fn reserve(&self) -> ReservedPlace {
        self.0.reserved.fetch_add(1, Ordering::AcqRel);
        ReservedPlace(Arc::clone(&self.0))
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        self.sockets.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for ReservedPlace {
    fn drop(&mut self) {
        self.0.reserved.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The sockets that are being served as HTTP: what an orderly end waits for. Cloning shares the count.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Flights>);

#[derive(Debug, Default)]
struct Flights {
    count: AtomicUsize,
    none: Notify,
}

/// One of them; dropping it says that it was served.
#[derive(Debug)]
pub(in crate::http) struct Flight(InFlight);

impl InFlight {
    /// One more.
    pub(in crate::http) fn begin(&self) -> Flight {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Flight(self.clone())
    }

    /// Waits until there is none. For one waiter.
    pub async fn landed(&self) {
        while self.0.count.load(Ordering::Acquire) > 0 {
            self.0.none.notified().await;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.0.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.0.none.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_holds_and_a_socket_that_ends_makes_room() {
        let sockets = Sockets::new(2, SocketRefusal::Descriptors);
        let take = || sockets.take(Some(AddressPermit::uncounted()));
        let first = take().unwrap();
        let _second = take().unwrap();
        assert_eq!(take().unwrap_err(), SocketRefusal::Descriptors);
        assert_eq!(sockets.take(None).unwrap_err(), SocketRefusal::Address);
        let reserved = sockets.reserve();
        assert_eq!(sockets.open(), 3);
        drop(first);
        assert!(take().is_ok(), "a reserved place takes none of the others");
        drop(reserved);
        assert_eq!(sockets.open(), 1);
    }

    #[actix::test]
    async fn an_end_waits_for_the_last_that_is_served() {
        let flights = InFlight::default();
        flights.landed().await;
        let (one, other) = (flights.begin(), flights.begin());
        drop(one);
        let waiting = flights.clone();
        let waiter = actix_rt::spawn(async move { waiting.landed().await });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(other);
        waiter.await.unwrap();
    }
}
