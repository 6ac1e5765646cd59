//! A client's bytes, unmasked and made a message.

use std::hint::black_box;

use switchboard::{
    config::Settings,
    ws::{Bound, Decoder},
};

use super::{
    Step,
    texts::{self, PEER},
};

pub(crate) fn frame_2k() -> Step {
    let limits = Settings::default().limits;
    let mut decoder = Decoder::new(Bound { bytes: limits.frame_bytes, fragments: limits.fragments });
    let frame = texts::frame(&texts::offer(PEER));
    Step::of(move || {
        decoder.feed(black_box(&frame));
        let message = decoder.next_permitted(|| true).expect("the frame is sound");
        assert!(black_box(message).is_some(), "the frame is whole");
    })
}
