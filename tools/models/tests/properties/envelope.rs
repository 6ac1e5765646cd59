//! The documented frames, good and bad, and what a few changes make of them.

use std::{fs, path::Path, sync::LazyLock};

use proptest::prelude::{Strategy, any, prop, proptest};
use serde_json::Value;
use switchboard_models::envelope::play;

/// Frames as docs/protocol.md and its tests have them.
static DOCUMENTED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/protocol");
    let files = ["client", "invalid"].into_iter().flat_map(|folder| fs::read_dir(root.join(folder)).expect(folder));
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let texts = files.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("text");
        let fixture: Value = serde_json::from_str(&text).expect("JSON");
        match (&fixture["text"], &fixture["frame"]) {
            (Value::String(text), _) => text.clone(),
            // What stands in `client` is the frame itself.
            (_, Value::Null) => text,
            (_, frame) => frame.to_string(),
        }
    });
    texts.collect()
});

/// What is put into a frame, at some place and over so many characters.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, &'static str)> {
    let pieces = vec![
        "",
        "",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u0041",
        "\\ud83d",
        "\u{7f}",
        "é",
        "\"id\":\"x\",",
        "\"data\":",
        "*",
        "null",
        "true",
        "-1",
        "0.5",
        "1e9",
        " ",
        "\n",
    ];
    (any::<prop::sample::Index>(), 0..4_usize, prop::sample::select(pieces))
}

fn changed(text: &str, changes: &[(prop::sample::Index, usize, &str)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, over, piece) in changes {
        let at = at.index(characters.len() + 1);
        let end = characters.len().min(at + over);
        characters.splice(at..end, piece.chars());
    }
    characters.into_iter().collect()
}

#[test]
fn the_documented_frames_are_read_alike() {
    assert!(DOCUMENTED.len() > 80, "{} frames", DOCUMENTED.len());
    DOCUMENTED.iter().for_each(|text| play(text));
}

proptest! {
    #![proptest_config(crate::histories::config())]

    #[test]
    fn what_is_nearly_a_documented_frame_is_read_alike(
        from in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 0..4),
    ) {
        play(&changed(&DOCUMENTED[from.index(DOCUMENTED.len())], &changes));
    }
}
