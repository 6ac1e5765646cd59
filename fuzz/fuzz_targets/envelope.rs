//! A client's text: what the server takes of it is what `serde_json` reads and docs/protocol.md allows.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use switchboard_models::envelope::play;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(input) else { return Corpus::Reject };
    play(text);
    Corpus::Keep
});
