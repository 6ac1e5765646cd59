//! Many histories, and the shortest that shows a failure.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use crate::{
    history::{Profile, Step, history},
    switch::Switch,
    world::play,
};

/// What came of many histories.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many were played.
    pub histories: u64,
    /// For each kind of failure: in how many histories it showed, the first seed that showed it, and what exactly.
    pub failures: BTreeMap<String, (u64, u64, String)>,
    /// How often what happened.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Findings {
    fn add(&mut self, kind: String, seed: u64, detail: String) {
        let found = self.failures.entry(kind).or_insert((0, seed, String::new()));
        found.0 += 1;
        if seed <= found.1 {
            (found.1, found.2) = (seed, detail);
        }
    }

    fn merge(&mut self, other: Self) {
        self.histories += other.histories;
        for (kind, (times, seed, detail)) in other.failures {
            self.add(kind.clone(), seed, detail);
            self.failures.get_mut(&kind).expect("added").0 += times - 1;
        }
        for (what, times) in other.counts {
            *self.counts.entry(what).or_default() += times;
        }
    }

    fn play(&mut self, seed: u64, profile: Profile, broken: Option<Switch>) {
        self.histories += 1;
        let steps = history(seed, profile);
        match catch_unwind(AssertUnwindSafe(|| play(&steps, seed, broken, false))) {
            Ok(world) => {
                let mut kinds = BTreeMap::new();
                for failure in &world.truth.failures {
                    kinds.entry(failure.kind).or_insert_with(|| format!("at {}: {}", failure.at, failure.detail));
                }
                for (kind, detail) in kinds {
                    self.add(kind.to_owned(), seed, detail);
                }
                for (what, times) in world.counts {
                    *self.counts.entry(what).or_default() += times;
                }
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                self.add("the model panicked".to_owned(), seed, text.unwrap_or_default());
            }
        }
    }
}

/// Plays the histories of `seeds`, on as many threads as there are cores; with `enough`, until that many have failed.
#[must_use]
pub fn run(seeds: std::ops::Range<u64>, profile: Profile, broken: Option<Switch>, enough: Option<u64>) -> Findings {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicU64::new(0);
    let work = || {
        let mut findings = Findings::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || enough.is_some_and(|enough| failed.load(Ordering::Relaxed) >= enough) {
                return findings;
            }
            let before: u64 = findings.failures.values().map(|found| found.0).sum();
            findings.play(seed, profile, broken);
            let after: u64 = findings.failures.values().map(|found| found.0).sum();
            failed.fetch_add(u64::from(after > before), Ordering::Relaxed);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all = Findings::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            all.merge(worker.join().expect("a worker catches what panics in it"));
        }
    });
    all
}

/// So many other delays are tried for each shorter history.
const DELAYS: u64 = 12;

/// Leaves steps out of a history as long as the same failure shows, with its delays or those of a few other seeds. The
/// steps that are left, and the seed of the delays.
#[must_use]
pub fn shrink(mut steps: Vec<Step>, mut seed: u64, broken: Option<Switch>, kind: &str) -> (Vec<Step>, u64) {
    let shows = |steps: &[Step], seed: u64| {
        let seeds = std::iter::once(seed).chain((0..DELAYS).map(|other| (seed % 1_000_000) * 1000 + other));
        seeds.into_iter().find(|seed| {
            let played = catch_unwind(AssertUnwindSafe(|| play(steps, *seed, broken, false)));
            played.is_ok_and(|world| world.truth.failures.iter().any(|failure| failure.kind == kind))
        })
    };
    let mut chunk = steps.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + chunk).min(steps.len()));
            match shows(&fewer, seed) {
                Some(found) => (steps, seed) = (fewer, found),
                None => at += chunk,
            }
        }
        chunk /= 2;
    }
    (steps, seed)
}
