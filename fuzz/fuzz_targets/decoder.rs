//! Bytes of a connection, in any pieces: what comes out is what RFC 6455 says of them as one piece.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_models::decoder::play;

fuzz_target!(|input: &[u8]| play(input));
