//! What comes from Redis, and from other nodes by way of it: entries of a room's log, answers of the script.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard_models::cluster_wire::play;

fuzz_target!(|input: &[u8]| play(input));
