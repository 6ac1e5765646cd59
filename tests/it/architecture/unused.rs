//! Nothing is tested and never used: the compiler cannot say so of a library's public items, since its tests are another
//! crate.

use std::collections::HashMap;

use super::source::{program, sources};

/// What stands for the documents alone, which are generated from it.
const FOR_DOCUMENTS: [&str; 1] = ["EVENTS"];

/// The items that are declared for others to use, each with where it begins; those for tests alone are left out.
fn declared(code: &str) -> Vec<(usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let items = code.match_indices("pub").filter(|(at, _)| !code[..*at].ends_with(is_word));
    let named = items.filter_map(|(at, word)| {
        let rest = &code[at + word.len()..];
        let rest = rest.strip_prefix('(').map_or(rest, |rest| rest.split_once(')').map_or("", |(_, rest)| rest));
        let mut words = rest.split_whitespace().skip_while(|word| ["async", "unsafe"].contains(word));
        let kind =
            words.next().filter(|kind| ["fn", "struct", "enum", "trait", "const", "static", "type"].contains(kind))?;
        let name = words.find(|word| !(kind == "const" && *word == "fn"))?;
        Some((at, name.split(|c| !is_word(c)).next()?)).filter(|(_, name)| !name.is_empty())
    });
    // Attributes stand between an item and the end of what is before it.
    let attributes = |at: usize| code[..at].rsplit(['}', ';', '{']).next().unwrap_or_default();
    named.filter(|(at, _)| !attributes(*at).contains("cfg(test)")).collect()
}

/// The code without its imports: who passes a name on has no use for it.
fn without_imports(code: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in code.lines() {
        let text = line.trim_start();
        let text = text.strip_prefix("pub ").unwrap_or(text);
        inside |= text.starts_with("use ");
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
        inside &= !line.ends_with(';');
    }
    out
}

#[test]
fn whatever_is_public_is_used_by_the_program() {
    let sources: Vec<_> = program().into_iter().map(|source| (source.code(), source)).collect();
    // The rules by which rooms span nodes are played by a model of its own, and as yet by nothing else.
    let players = self::sources("tools/cluster-model/src").into_iter().map(|source| source.code());
    let used: Vec<_> = sources.iter().map(|(code, _)| code.clone()).chain(players).collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for code in &used {
        let code = without_imports(code);
        for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()) {
            *seen.entry(word.to_owned()).or_default() += 1;
        }
    }
    let all: Vec<_> = sources
        .iter()
        .flat_map(|(code, source)| declared(code).into_iter().map(move |(at, name)| (name, source.place(code, at))))
        .collect();
    let times = |name: &str| all.iter().filter(|(other, _)| *other == name).count();
    let unused = |(name, _): &&(&str, String)| seen.get(*name).is_none_or(|seen| *seen <= times(name));
    let found: Vec<_> = all.iter().filter(unused).filter(|(name, _)| !FOR_DOCUMENTS.contains(name)).collect();
    assert!(all.len() > 500 && found.is_empty(), "only tests use these, or nobody: {found:#?}");
}

#[test]
fn what_nobody_uses_is_found_and_what_is_for_tests_is_left_out() {
    let code =
        "pub struct A;\n#[cfg(test)]\npub fn b() {}\npub(super) const fn c() {}\npub const D: u8 = 0;\nstruct E;\n";
    let names: Vec<_> = declared(code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["A", "c", "D"]);
    assert_eq!(without_imports("use a::{\n    B,\n};\nB\npub use c::D;\n"), "B\n");
}
