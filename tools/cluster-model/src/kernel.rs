//! Time, order and chance: a queue of events, and pipes that keep order but not what is in them.

use std::collections::BTreeMap;

use crate::event::Event;

/// Milliseconds of the model.
pub(crate) type Time = u64;

/// First in, first out, each event with a delay of its own. Closing it loses what is on the way.
#[derive(Debug)]
struct Pipe {
    least: Time,
    most: Time,
    open: bool,
    last: Time,
}

/// A pipe, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PipeId(usize);

/// Which life of which node an event is for: it waits while the process is stopped, and is void once that life is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard {
    /// The node's number.
    pub(crate) node: usize,
    /// Which of its lives.
    pub(crate) life: u64,
}

/// An event that is planned.
#[derive(Debug)]
pub(crate) struct Planned {
    pipe: Option<PipeId>,
    /// The process that it is for; none: it happens whatever stands still.
    pub(crate) guard: Option<Guard>,
    /// What happens.
    pub(crate) event: Event,
}

/// The queue. Events come in the order of their time; equal times in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// What time it is.
    pub(crate) now: Time,
    /// All chance comes from here.
    pub(crate) rng: fastrand::Rng,
    planned: u64,
    queue: BTreeMap<(Time, u64), Planned>,
    pipes: Vec<Pipe>,
}

impl Kernel {
    /// With the chance of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { now: 0, rng, planned: 0, queue: BTreeMap::new(), pipes: Vec::new() }
    }

    /// Plans an event.
    pub(crate) fn after(&mut self, delay: Time, guard: impl Into<Option<Guard>>, event: Event) {
        self.plan(self.now + delay, Planned { pipe: None, guard: guard.into(), event });
    }

    fn plan(&mut self, at: Time, planned: Planned) {
        self.planned += 1;
        self.queue.insert((at, self.planned), planned);
    }

    /// A new pipe, whose delays are between these.
    pub(crate) fn pipe(&mut self, least: Time, most: Time) -> PipeId {
        self.pipes.push(Pipe { least, most, open: true, last: 0 });
        PipeId(self.pipes.len() - 1)
    }

    /// Sends an event through a pipe.
    pub(crate) fn send(&mut self, pipe: PipeId, guard: impl Into<Option<Guard>>, event: Event) {
        let now = self.now;
        let Pipe { least, most, last, .. } = &mut self.pipes[pipe.0];
        *last = (*last).max(now + self.rng.u64(*least..=*most));
        let at = *last;
        self.plan(at, Planned { pipe: Some(pipe), guard: guard.into(), event });
    }

    /// What is sent next takes at least until then.
    pub(crate) fn stall(&mut self, pipe: PipeId, until: Time) {
        let last = &mut self.pipes[pipe.0].last;
        *last = until.max(*last);
    }

    /// What is on the way is lost.
    pub(crate) fn close(&mut self, pipe: PipeId) {
        self.pipes[pipe.0].open = false;
    }

    /// The next event that is not lost, until that time; the clock stands there then.
    pub(crate) fn next(&mut self, end: Time) -> Option<Planned> {
        while let Some(first) = self.queue.first_entry()
            && first.key().0 <= end
        {
            let ((at, _), planned) = first.remove_entry();
            self.now = at;
            if planned.pipe.is_none_or(|pipe| self.pipes[pipe.0].open) {
                return Some(planned);
            }
        }
        self.now = end;
        None
    }

    /// One of these, by chance.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(..from.len())]
    }
}
