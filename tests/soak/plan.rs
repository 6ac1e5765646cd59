//! How long, how many, and from which seed.

use std::{env, fmt, str::FromStr, time::Duration};

/// A long soak is looked at this often.
const ROUND: u64 = 30;

/// What this run is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Where every peer's dice begin.
    pub(crate) seed: u64,
    pub(crate) peers: usize,
    pub(crate) rooms: usize,
    /// Chaos, then a look at everything; so often.
    pub(crate) rounds: u32,
    /// How long one round's chaos goes on.
    pub(crate) round: Duration,
}

impl Plan {
    /// A short one, unless `SOAK_SECONDS`, `SOAK_PEERS` or `SOAK_SEED` say otherwise.
    pub(crate) fn from_env() -> Self {
        let seconds = read("SOAK_SECONDS", 10).max(2);
        let peers = read("SOAK_PEERS", 200_usize).max(2);
        let rounds = (seconds / ROUND).max(2);
        let rounds = u32::try_from(rounds).expect("fewer than four billion rounds");
        let round = Duration::from_secs(seconds) / rounds;
        // Six of the ten seats are taken on average, so that joins are refused now and then.
        Self { seed: read("SOAK_SEED", fastrand::u64(..)), peers, rooms: (peers / 6).max(1), rounds, round }
    }
}

fn read<T: FromStr<Err: fmt::Display>>(name: &str, otherwise: T) -> T {
    match env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|e| panic!("{name} is {text:?}: {e}")),
        _ => otherwise,
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.round * self.rounds).as_secs_f64().round();
        write!(f, "SOAK_SEED={} SOAK_PEERS={} SOAK_SECONDS={seconds}", self.seed, self.peers)
    }
}
