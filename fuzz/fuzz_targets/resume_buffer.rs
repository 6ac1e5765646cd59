//! Sockets cut, answers lost, acks true and false, tokens old and new, in any order: every frame arrives exactly once and in
//! order, or the client is told that it missed some.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_models::resume_buffer::{Step, play};

fuzz_target!(|input: &[u8]| {
    play(input.chunks_exact(2).take(400).map(|pair| Step::read(pair[0], pair[1])));
});
