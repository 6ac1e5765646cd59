//! How the clients' departures are spread over a drain.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::lifecycle::{Call, Lifecycle};

/// The part of a drain that passes before the first connection is closed: balancers have the time to see that the server goes
/// before its clients come back by way of them, and an operator to take the drain back.
const HEAD_START: u32 = 10;

/// The departures of all arbiters' clients. The arbiters take places from one count, so that the spread is even however the
/// connections are distributed over them. Cloning shares it.
#[derive(Debug, Clone)]
pub struct DrainSpread {
    over: Duration,
    connections: u32,
    next: Arc<AtomicU32>,
    lifecycle: Lifecycle,
    /// The drain's.
    number: u64,
}

impl DrainSpread {
    /// The connections that there are now, over that time, for the drain of that call.
    #[must_use]
    pub fn new(over: Duration, lifecycle: &Lifecycle, call: &Call) -> Self {
        let connections = u32::try_from(lifecycle.connections()).unwrap_or(u32::MAX).max(1);
        Self { over, connections, next: Arc::default(), lifecycle: lifecycle.clone(), number: call.number }
    }

    /// Whether the drain goes on: it was not withdrawn.
    pub(super) fn goes_on(&self) -> bool {
        self.lifecycle.is_called(self.number)
    }

    /// Whether a connection may be closed now. From the first one on the drain goes on whatever anybody wants.
    pub(super) fn may_close(&self) -> bool {
        self.lifecycle.begin_closing(self.number)
    }

    /// The next place. No later than the last one, should there be more to place than were counted.
    pub(super) fn take(&self) -> Duration {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let first = self.over / HEAD_START;
        first + self.over.saturating_sub(first).mul_f64((f64::from(place) / f64::from(self.connections)).min(1.0))
    }

    /// The last place.
    pub(super) fn end(&self) -> Duration {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::AddressPermit;

    #[test]
    fn departures_are_spread_evenly_after_a_head_start_whoever_asks_for_the_next_place() {
        let lifecycle = Lifecycle::new(4);
        let _connections: Vec<_> = (0..4).map(|_| lifecycle.admit(AddressPermit::uncounted())).collect();
        let (_, call) = lifecycle.call_drain("a test", None);
        let spread = DrainSpread::new(Duration::from_secs(20), &lifecycle, &call);
        let twin = spread.clone();
        let places = [spread.take(), twin.take(), twin.take(), spread.take(), twin.take(), spread.take()];
        assert_eq!(places.map(|place| place.as_secs()), [2, 6, 11, 15, 20, 20]);
    }
}
