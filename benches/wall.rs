//! The cases by the clock, with divan: `make bench`. For people who tune; a machine with others on it says little.
mod cases;

use cases::{Step, TIMES};
use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

fn time(bencher: Bencher<'_, '_>, mut step: Step) {
    bencher.counter(ItemsCount::new(TIMES)).bench_local(move || step.take());
}

macro_rules! group {
    ($group:ident: $($case:ident),*) => {
        mod $group {
            $(
                #[divan::bench]
                fn $case(bencher: divan::Bencher<'_, '_>) {
                    super::time(bencher, super::cases::$group::$case());
                }
            )*
        }
    };
}

all_cases!(group);
