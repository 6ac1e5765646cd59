//! An open loop of offers: sent when they are due, whether or not earlier ones have arrived.

use crate::{
    measure::latency::Latency,
    payload::Kind,
    swarm::{Next, Note, Phase, SECOND, Script, Swarm},
};

/// Offers at a constant rate, going round the rooms; within a room everybody sends to the next by turns.
///
/// Latency counts from the time a message was due, not from when the generator got round to it: a server that stalls
/// cannot hide the messages that had to wait (coordinated omission).
#[derive(Debug)]
pub(crate) struct Traffic {
    /// From due to received.
    pub(crate) one_way: Latency,
    /// From due to sent: how late the generator itself was.
    pub(crate) lag: Latency,
    rate: f64,
    rooms: u32,
    started: Option<u64>,
    sent: u64,
    stopped: bool,
}

impl Traffic {
    /// `rate` messages a second over `rooms` rooms.
    pub(crate) fn new(rate: f64, rooms: u32) -> Self {
        Self {
            one_way: Latency::default(),
            lag: Latency::default(),
            rate,
            rooms,
            started: None,
            sent: 0,
            stopped: false,
        }
    }

    /// Forgets what was timed so far: the warm-up is over.
    pub(crate) fn begin(&mut self) {
        self.one_way.clear();
        self.lag.clear();
    }

    /// Sends nothing any more.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    fn due(&self) -> u64 {
        let start = self.started.unwrap_or_default();
        start + (self.sent as f64 * SECOND as f64 / self.rate) as u64
    }

    fn send(&mut self, swarm: &mut Swarm, due: u64, now: u64) {
        let room = (self.sent % u64::from(self.rooms)) as u32;
        let seats = swarm.room(room);
        let turn = (self.sent / u64::from(self.rooms)) as u32;
        self.sent += 1;
        let size = seats.len() as u32;
        let from = seats.start + turn % size;
        let to = seats.start + (turn + 1) % size;
        // Rooms that are not full yet, or lost somebody, are passed over.
        if from != to && [from, to].iter().all(|w| swarm.peer(*w).phase == Phase::Joined) {
            self.lag.record(now - due);
            swarm.signal(from, to, Kind::Offer, due);
        }
    }
}

impl Script for Traffic {
    fn note(&mut self, swarm: &mut Swarm, _who: u32, note: &Note) {
        if let Note::Signal { stamp, .. } = note {
            self.one_way.record(swarm.clock.now().saturating_sub(stamp.time));
        }
    }

    fn step(&mut self, swarm: &mut Swarm, now: u64) -> Next {
        if self.stopped {
            return if swarm.tally.lost() == 0 { Next::Done } else { Next::Wait };
        }
        self.started.get_or_insert(now);
        while self.due() <= now {
            self.send(swarm, self.due(), now);
        }
        Next::At(self.due())
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let p50 = self.one_way.quantiles().map_or(0.0, |q| q.p50);
        let delivered = swarm.tally.delivered;
        Some((delivered as f64 / swarm.tally.sent.max(1) as f64, format!("{delivered} delivered, p50 {p50:.0} µs")))
    }
}
