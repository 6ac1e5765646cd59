//! What is measured, by instructions (`instructions.rs`) and by the clock (`wall.rs`).
//!
//! A case is prepared once, and each of its steps then does the same work [`TIMES`] times over: what only the first time
//! costs (tables that grow, pages of the allocator) is done before, and what only some times cost is spread.
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod live;
pub(crate) mod parse;
pub(crate) mod roster;
mod server;
mod texts;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How often a step does a case's work. A multiple of 16: one relay in 16 is timed.
pub(crate) const TIMES: u16 = 16;

/// A prepared case.
pub(crate) struct Step(Box<dyn FnMut()>);

impl Step {
    /// A case whose work is this, warmed up.
    pub(crate) fn of(work: impl FnMut() + 'static) -> Self {
        let mut step = Self(Box::new(work));
        step.take();
        step
    }

    /// Does the work, [`TIMES`] times.
    pub(crate) fn take(&mut self) {
        for _ in 0..TIMES {
            (self.0)();
        }
    }
}

/// The list of all cases, given to a macro of the caller group by group.
#[macro_export]
macro_rules! all_cases {
    ($group:ident) => {
        $group! { parse: offer, candidate, ping, offer_cut_short }
        $group! { decode: frame_2k }
        $group! { encode: signal_2k, joined_10, joined_100, peer_joined, error }
        $group! { roster: change_10, change_100 }
        $group! { live: relay, relay_8_at_once, broadcast_10, rejoin_10 }
    };
}
