//! The frames, compared with their fixtures, their document and their own laws.
mod client;
mod document;
mod laws;
mod server;
mod wire_schema;
mod wire_types;

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::{PeerId, ResumeToken, RoomName, client::ParseLimits};

/// The limits of `config/default.toml`.
const BOUNDS: ParseLimits =
    ParseLimits { room_name_bytes: 128, meta_bytes: 4096, json_depth: 32, recipients: 64, report_events: 32 };

const A: &str = "3f1c9a52d07e4b6f8a1b2c3d4e5f6071";
const B: &str = "a94d1e07c2b84f35b6e8d0f1a2c3e4f5";
const C: &str = "5b20e8f1946d4c7ab3d15f6e7c8091a2";

/// The token of Ada's first `joined`, and that of the next.
const TOKEN: &str = "c7e0b1d2f3a44586978695a4b3c2d1e0.0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const NEXT_TOKEN: &str = "c7e0b1d2f3a44586978695a4b3c2d1e0.9d3e51c07ab248f6e1c4d5b6a7980123";

/// The secret that Ada is known by.
const IDENTITY: &str = "correct-horse-battery-staple-417";
/// The token of Ada, who may join, as others make it.
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoidGVhbS1zdGFuZHVwIn0.c2lnbmF0dXJl";

fn peer(id: &str) -> PeerId {
    PeerId::parse(id).expect("a canonical id")
}

fn token(text: &str) -> ResumeToken {
    ResumeToken::parse(text).expect("a canonical token")
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name, BOUNDS.room_name_bytes).expect("a good name")
}

/// All fixtures of one folder: name without `.json`, text.
fn fixtures(folder: &str) -> BTreeMap<String, String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/protocol").join(folder);
    let entries = fs::read_dir(&path).expect("the folder is there");
    entries
        .map(|entry| {
            let path = entry.expect("it can be listed").path();
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("it is text"))
        })
        .collect()
}

/// JSON text without the white space between its tokens; everything else, order included, stays as it is.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            let keep = in_string || !c.is_ascii_whitespace();
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = !in_string,
                _ => {}
            }
            keep
        })
        .collect()
}
