//! Getting all peers in, and out again.

use crate::swarm::{Departure, Next, Note, Phase, SECOND, Script, Swarm};

/// Opens the peers 0 to `until`, by index.
#[derive(Debug)]
pub(crate) struct Opening {
    next: u32,
    until: u32,
    concurrency: u64,
    rate: Option<f64>,
    started: Option<u64>,
}

impl Opening {
    /// At most `concurrency` joins are under way at once, and at most `rate` begin in a second.
    pub(crate) fn new(until: u32, concurrency: u32, rate: Option<f64>) -> Self {
        Self { next: 0, until, concurrency: u64::from(concurrency.max(1)), rate, started: None }
    }

    /// Whether all were opened and have joined or failed.
    pub(crate) fn settled(&self, swarm: &Swarm) -> bool {
        self.next == self.until && under_way(swarm) == 0
    }

    fn allowed(&self, now: u64) -> u32 {
        let Some(rate) = self.rate else { return self.until };
        let elapsed = (now - self.started.unwrap_or(now)) as f64 / SECOND as f64;
        ((elapsed * rate) as u32 + 1).min(self.until)
    }
}

/// Joins that have begun and are neither done nor failed.
pub(crate) fn under_way(swarm: &Swarm) -> u64 {
    swarm.tally.attempted - swarm.tally.joined - swarm.tally.failed
}

impl Script for Opening {
    fn note(&mut self, _swarm: &mut Swarm, _who: u32, _note: &Note) {}

    fn step(&mut self, swarm: &mut Swarm, now: u64) -> Next {
        self.started.get_or_insert(now);
        let allowed = self.allowed(now);
        while self.next < allowed && under_way(swarm) < self.concurrency {
            swarm.open(self.next);
            self.next += 1;
        }
        match self.rate {
            _ if self.settled(swarm) => Next::Done,
            Some(rate) if self.next < self.until => Next::At(now + (SECOND as f64 / rate) as u64),
            _ => Next::Wait,
        }
    }

    fn progress(&self, swarm: &Swarm) -> Option<(f64, String)> {
        let (joined, failed) = (swarm.tally.joined, swarm.tally.failed);
        let share = (joined + failed) as f64 / f64::from(self.until.max(1));
        Some((share, format!("opening: {joined} joined, {failed} failed")))
    }
}

/// Closes all joined peers in the proper way and waits for their sockets' end.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    started: bool,
}

impl Script for Closing {
    fn note(&mut self, _swarm: &mut Swarm, _who: u32, _note: &Note) {}

    fn step(&mut self, swarm: &mut Swarm, _now: u64) -> Next {
        if !std::mem::replace(&mut self.started, true) {
            for who in 0..swarm.len() {
                if swarm.peer(who).phase == Phase::Joined {
                    swarm.depart(who, Departure::Close);
                }
            }
        }
        let open = (0..swarm.len()).any(|who| swarm.peer(who).phase == Phase::Leaving);
        if open { Next::Wait } else { Next::Done }
    }
}
