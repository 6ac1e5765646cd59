//! The cases by the clock, with divan: `make bench`. For people who tune; a machine with others on it says little.
mod cases;
// By the clock only: the library does its work in assembly that depends on the processor.
#[path = "cases/tokens.rs"]
mod token_cases;

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

mod tokens {
    macro_rules! token {
        ($($case:ident),*) => {$(
            #[divan::bench]
            fn $case(bencher: divan::Bencher<'_, '_>) {
                super::time(bencher, super::token_cases::$case());
            }
        )*};
    }
    token!(hs256, rs256, es256, eddsa);
}
