//! The rules of a room against a naive model, over random histories.

use proptest::prelude::{any, prop, proptest};

use switchboard_models::room::{Step, play};

proptest! {
    #![proptest_config(crate::histories::config())]

    #[test]
    fn no_view_of_a_room_diverges(steps in prop::collection::vec(any::<(u8, u8)>(), 0..40)) {
        play(steps.into_iter().map(|(kind, peer)| Step::read(kind, peer)));
    }
}
