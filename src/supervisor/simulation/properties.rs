//! Random histories.

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::{Step, play};

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // More by PROPTEST_CASES.
    ProptestConfig { cases: config.cases.max(20_000), ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn once_quiet_every_client_believes_the_truth(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..60),
        newest_first: bool,
    ) {
        play(steps.into_iter().map(|(kind, other)| Step::read(kind, other)), newest_first);
    }
}
