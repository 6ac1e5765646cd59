//! No file needs a file of its own folder that needs it in turn: whoever reads one of them would have to read them all.
//! A child that takes from its `mod.rs` what that one re-exports is such a circle: it takes it from where it is defined.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, program};

/// The circles there are: folder, files, and why they are let be. A folder below counts as one of the files.
/// A circle within such a list is no new one; a list without any circle in it has to go.
const KNOWN: [(&str, &[&str], &str); 2] = [
    (
        "messages",
        &["cluster", "room", "session"],
        "a room is sent how its members are reached, those on other nodes too, and a member how its room is: each type holds the \
         other, in whatever file",
    ),
    (
        "protocol/client",
        &["address", "check", "mod", "report", "resume"],
        "ClientFrame is defined in mod.rs, its parts beside it; fields of resume and of report are checked as all others are",
    ),
];

/// Which file of one folder uses which, with the first place that shows it.
type Uses = BTreeMap<(String, String), String>;

/// For each folder: the files in it, as modules, and what they use of each other. A folder's own file is called `mod`.
fn folders(sources: &[Source]) -> BTreeMap<String, Uses> {
    let modules: BTreeSet<Vec<String>> = sources.iter().map(Source::path).collect();
    let mut folders: BTreeMap<String, Uses> = BTreeMap::new();
    for source in sources {
        let here = source.path();
        for (used, place) in source.uses() {
            let common = here.iter().zip(&used).take_while(|(ours, theirs)| ours == theirs).count();
            for depth in 1..=common {
                let from = here.get(depth).map_or("mod", String::as_str);
                let to = used.get(depth).filter(|_| modules.contains(&used[..=depth]));
                let to = to.map_or("mod", String::as_str);
                if from != to {
                    let uses = folders.entry(here[..depth].join("/")).or_default();
                    uses.entry((from.to_owned(), to.to_owned())).or_insert_with(|| place.clone());
                }
            }
        }
    }
    folders
}

/// The files that need each other, in groups.
fn circles(uses: &Uses) -> BTreeSet<BTreeSet<String>> {
    let reach = |start: &str| {
        let (mut found, mut ahead) = (BTreeSet::new(), vec![start.to_owned()]);
        while let Some(file) = ahead.pop() {
            let next = uses.keys().filter(|(from, _)| *from == file).map(|(_, to)| to.clone());
            ahead.extend(next.filter(|to| found.insert(to.clone())));
        }
        found
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|(from, _)| (from, reach(from))).collect();
    let circle = |file: &String| {
        let together = |other: &&String| reached.get(other).is_some_and(|back| back.contains(file));
        reached[file].iter().filter(together).cloned().collect::<BTreeSet<_>>()
    };
    reached.keys().map(|file| circle(file)).filter(|circle| !circle.is_empty()).collect()
}

/// What shows a circle: each use within it, with its place.
fn told(uses: &Uses, circle: &BTreeSet<String>) -> String {
    let inside = uses.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
    let lines: Vec<_> = inside.map(|((from, to), place)| format!("\n  {from} uses {to} ({place})")).collect();
    lines.concat()
}

#[test]
fn files_of_one_folder_use_each_other_in_no_circle_but_the_known_ones() {
    let mut wrong = Vec::new();
    let mut stale: Vec<_> = KNOWN.iter().collect();
    for (folder, uses) in folders(&program()) {
        for circle in circles(&uses) {
            let holds = |(place, files, _): &&(&str, &[&str], &str)| {
                *place == folder && circle.iter().all(|file| files.contains(&file.as_str()))
            };
            match KNOWN.iter().find(holds) {
                Some(known) => stale.retain(|other| *other != known),
                None => wrong.push(format!("{folder}: {}", told(&uses, &circle))),
            }
        }
    }
    assert!(wrong.is_empty(), "new circles:\n{}", wrong.join("\n"));
    assert!(stale.is_empty(), "these are no circles any more; take them off the list: {stale:#?}");
}

#[test]
fn a_circle_is_found_whichever_way_it_is_written() {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let with = |text: &str| {
        let files = [
            source("src/room/mod.rs", "mod a;\nmod b;\npub use self::a::A;\n"),
            source("src/room/a.rs", text),
            source("src/room/b.rs", "use super::a::A;\n"),
        ];
        folders(&files).get("room").map(circles).unwrap_or_default().into_iter().flatten().collect::<Vec<_>>()
    };
    assert!(with("use crate::protocol::b;\n// use super::b::B;\n").is_empty());
    assert_eq!(with("use super::b;"), ["a", "b"]);
    assert_eq!(with("use crate::{protocol::X, room::{b::B}};"), ["a", "b"]);
    assert_eq!(with("use super::Room;"), ["a", "mod"]);
    assert_eq!(with("use super::{b::{B, C}, Room};"), ["a", "b", "mod"]);
}
