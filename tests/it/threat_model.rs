//! The threat model names its proofs: a test that is not there proves nothing.

use std::fs;

/// The names of tests in a line of a table: `` `file::what_is_shown` ``.
fn named(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"))
}

#[test]
fn every_attack_has_a_defence_and_a_test_that_is_there() {
    let root = env!("CARGO_MANIFEST_DIR");
    let page = fs::read_to_string(format!("{root}/docs/threat-model.md")).expect("the page");
    let attacks = page.split_once("## Attacks").expect("its part").1.split_once("\n## ").map_or("", |(part, _)| part);
    let rows: Vec<_> = attacks.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack")).collect();
    assert!(rows.len() >= 30, "{} attacks", rows.len());
    for row in rows {
        assert_eq!(row.matches(" | ").count(), 2, "attack, defence, test: {row}");
        let proof = row.rsplit(" | ").next().expect("a last column");
        let mut tests = named(proof).peekable();
        assert!(tests.peek().is_some(), "nothing proves it: {row}");
        for (file, test) in tests {
            let source = fs::read_to_string(format!("{root}/tests/it/{file}.rs")).unwrap_or_default();
            assert!(source.contains(&format!("#[test]\nfn {test}()")), "tests/it/{file}.rs has no test {test}: {row}");
        }
    }
}
