//! Joins, leaves, messages and absences in any order: no view of a room diverges from what the room knows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_models::room::{Step, play};

fuzz_target!(|input: &[u8]| {
    play(input.chunks_exact(2).take(400).map(|pair| Step::read(pair[0], pair[1])));
});
