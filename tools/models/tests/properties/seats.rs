//! Supervisor, rooms and sessions together, over random histories.

use proptest::prelude::{any, prop, proptest};

use switchboard_models::seats::{Step, play};

proptest! {
    #![proptest_config(crate::histories::config())]

    #[test]
    fn once_quiet_every_client_believes_the_truth(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..100),
        newest_first: bool,
    ) {
        play(steps.into_iter().map(|(kind, other)| Step::read(kind, other)), newest_first);
    }
}
