//! The words of the field, in everything that is read here: code, comments, scripts and documents.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Words that were this project's own, with those that one searches for instead. They are found in names, too, whatever
/// their case.
const NOT_OURS: [(&str, &str); 12] = [
    ("ledger", "resume buffer"),
    ("newborn", "session init"),
    ("passage", "socket transfer"),
    ("handoff", "socket transfer"),
    ("must_arrive", "send_unbounded"),
    ("vitals", "liveness"),
    ("shelf", "retention"),
    ("unseated", "join error"),
    ("whom", "the peer or session that it is"),
    ("octet", "byte"),
    ("loseletter", "lost message"),
    ("the card's", "what the reader can see"),
];
/// What is read, by the end of its name.
const READ: [&str; 11] = ["rs", "md", "toml", "sh", "py", "js", "mjs", "ts", "yml", "html", "css"];
/// What nobody wrote by hand, or nobody here.
const NOT_READ: [&str; 6] = ["target", "node_modules", "corpus", "artifacts", "LICENSE", "words.rs"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(".git") || NOT_READ.contains(&name) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().and_then(|end| end.to_str()).is_some_and(|end| READ.contains(&end)) {
            found.push(path);
        }
    }
}

/// The words in this line that should be others. A media type is no word of ours.
fn strays(line: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let line = line.to_lowercase().replace("application/octet-stream", "");
    NOT_OURS.into_iter().filter(move |(word, _)| line.contains(word))
}

#[test]
fn what_is_written_here_is_in_the_words_of_the_field() {
    let mut all = Vec::new();
    files(Path::new(env!("CARGO_MANIFEST_DIR")), &mut all);
    let mut found = Vec::new();
    for path in &all {
        // A file that another test has just removed is none that was written here.
        let Ok(text) = fs::read_to_string(path) else { continue };
        for (at, line) in text.lines().enumerate() {
            let place = |(word, instead)| format!("{}:{}: {word:?} instead of {instead:?}", path.display(), at + 1);
            found.extend(strays(line).map(place));
        }
    }
    assert!(all.len() > 300, "{} files", all.len());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_word_is_found_within_a_name() {
    let words = |line: &str| strays(line).map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(words("let OCTETS = NewbornLedger;"), ["ledger", "newborn", "octet"]);
    assert_eq!(words("Content-Type: application/octet-stream"), Vec::<&str>::new());
}
