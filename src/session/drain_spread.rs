//! How the clients' departures are spread over a drain.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// The departures of all arbiters' clients. The arbiters take places from one count, so that the spread is even however the
/// connections are distributed over them. Cloning shares it.
#[derive(Debug, Clone)]
pub struct DrainSpread {
    over: Duration,
    connections: u32,
    next: Arc<AtomicU32>,
}

impl DrainSpread {
    /// So many connections over that time.
    #[must_use]
    pub fn new(over: Duration, connections: usize) -> Self {
        let connections = u32::try_from(connections).unwrap_or(u32::MAX).max(1);
        Self { over, connections, next: Arc::default() }
    }

    /// The next place. No later than the last one, should there be more to place than were counted.
    pub(super) fn take(&self) -> Duration {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.over.mul_f64((f64::from(place) / f64::from(self.connections)).min(1.0))
    }

    /// The last place.
    pub(super) fn end(&self) -> Duration {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_are_spread_evenly_whoever_asks_for_the_next_place() {
        let spread = DrainSpread::new(Duration::from_secs(20), 4);
        let twin = spread.clone();
        let places = [spread.take(), twin.take(), twin.take(), spread.take(), twin.take(), spread.take()];
        assert_eq!(places.map(|place| place.as_secs()), [0, 5, 10, 15, 20, 20]);
    }
}
