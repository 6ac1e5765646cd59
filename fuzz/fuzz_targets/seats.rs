//! Supervisor, rooms and sessions with mailboxes in between that are emptied in any order, rooms that die, clients that come
//! and go: once quiet, every client believes the truth, and nothing remains of those who left.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_models::seats::{Step, play};

fuzz_target!(|input: &[u8]| {
    let Some((order, steps)) = input.split_first() else { return };
    play(steps.chunks_exact(2).take(400).map(|pair| Step::read(pair[0], pair[1])), order & 1 == 1);
});
