//! The rules of a room against a naive model, over random histories.

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::history::{Step, play};

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // More by PROPTEST_CASES.
    ProptestConfig { cases: config.cases.max(20_000), ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_view_of_a_room_diverges(steps in prop::collection::vec(any::<(u8, u8)>(), 0..40)) {
        play(steps.into_iter().map(|(kind, peer)| Step::read(kind, peer)));
    }
}
