//! The cases by instructions, with gungraun under Valgrind's callgrind: the same on a busy machine as on an idle one, but for the
//! allocator, which tidies up by the clock.
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
    // Instructions are all that is held against the baseline; caches would make it slower. A second thread in the process, even
    // one of the allocator's that does nothing, has the C library prepare each system call for being cancelled: some per cent
    // of a relay, that no server is spared and none of its code causes.
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]))
        .env("_RJEM_MALLOC_CONF", "background_thread:false");
    library_benchmark_groups = all
);
