//! The cases by instructions, with gungraun under Valgrind's callgrind: the same on a busy machine as on an idle one.
//! `scripts/bench-guard.sh` holds the figures against those in `baseline.json`.
#![expect(missing_docs, reason = "gungraun's macros give none to what they make")]

mod cases;

use cases::Step;
use gungraun::{Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

macro_rules! group {
    ($group:ident: $($case:ident),*) => {
        // Preparing a case is not counted, and neither is the end of what is given back.
        #[library_benchmark]
        $(#[bench::$case(cases::$group::$case())])*
        fn $group(mut step: Step) -> Step {
            step.take();
            step
        }
    };
}

all_cases!(group);

library_benchmark_group!(name = all, benchmarks = [parse, decode, encode, roster, live]);

main!(
    // Instructions are all that is held against the baseline; caches would make it slower.
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = all
);
