//! References that follow the code: a test compares, and rewrites with `UPDATE_DOCS=1`.

use std::{env, fs, path::Path};

/// Asserts that the part of `docs/{file}` between `<!-- {section}:begin -->` and `<!-- {section}:end -->` is `text`,
/// or makes it so if `UPDATE_DOCS` is set.
pub(crate) fn check(file: &str, section: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let page = fs::read_to_string(&path).unwrap_or_else(|e| panic!("reading {}: {e}", path.display()));
    let (begin, end) = (format!("<!-- {section}:begin -->\n"), format!("<!-- {section}:end -->"));
    let from = page.find(&begin).unwrap_or_else(|| panic!("{file} has no {begin}")) + begin.len();
    let to = page.find(&end).unwrap_or_else(|| panic!("{file} has no {end}"));
    let text = format!("\n{}\n", text.trim());
    if page[from..to] == text {
        return;
    }
    assert!(
        env::var_os("UPDATE_DOCS").is_some(),
        "docs/{file} says something else than the code about {section}: run the tests with UPDATE_DOCS=1"
    );
    fs::write(&path, format!("{}{text}{}", &page[..from], &page[to..])).expect("writing the page");
}
