//! The crate's sources, read as text: comments and strings blanked out, down to the tests at a file's end.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) struct Source {
    /// As in `src/room/actor.rs`.
    pub(super) name: String,
    pub(super) text: String,
}

/// All Rust files below a folder of this crate.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The program's own files: those of `src` that are not compiled for tests alone.
pub(super) fn program() -> Vec<Source> {
    let all = sources("src");
    let for_tests: Vec<String> = all.iter().flat_map(Source::test_modules).collect();
    let own = |source: &Source| !for_tests.iter().any(|start| source.name.starts_with(start));
    all.into_iter().filter(own).collect()
}

impl Source {
    /// How the paths of those modules begin that this file declares for tests only.
    pub(super) fn test_modules(&self) -> Vec<String> {
        let (beside, _) = self.name.rsplit_once('/').unwrap_or_default();
        let below = match self.name.trim_end_matches(".rs") {
            stem if stem.ends_with("/mod") || stem.ends_with("/lib") => beside,
            stem => stem,
        };
        let behind = self.text.split("#[cfg(test)]\n").skip(1);
        let declared = behind.filter_map(|rest| {
            let rest = rest.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let (name, _) = rest.strip_prefix("mod ")?.split_once(';')?;
            let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_name.then(|| vec![format!("{below}/{name}.rs"), format!("{below}/{name}/")])
        });
        declared.flatten().collect()
    }

    /// The module of the crate that the file belongs to: `room` for `src/room/actor.rs`.
    pub(super) fn module(&self) -> &str {
        let inside = self.name.strip_prefix("src/").unwrap_or(&self.name);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    /// The text with comments and the contents of strings blanked out, lines kept, down to the tests at its end.
    pub(super) fn code(&self) -> String {
        let code = blank(&self.text);
        let mut gates = code.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
        let opens = |at: &usize| code[*at..].lines().nth(1).is_some_and(|line| line.ends_with("mod tests {"));
        let end = gates.find(opens).unwrap_or(code.len());
        code[..end].to_owned()
    }

    /// Where a pattern stands in the code, as `file:line`.
    pub(super) fn places(&self, pattern: &str) -> Vec<String> {
        let code = self.code();
        code.match_indices(pattern).map(|(at, _)| self.place(&code, at)).collect()
    }

    pub(super) fn place(&self, code: &str, at: usize) -> String {
        format!("{}:{}", self.name, code[..at].matches('\n').count() + 1)
    }

    /// The names of the module that the file is: `["room", "actor"]` for `src/room/actor.rs`.
    pub(super) fn path(&self) -> Vec<String> {
        let inside = self.name.strip_prefix("src/").unwrap_or(&self.name).trim_end_matches(".rs");
        let names = inside.split('/').filter(|name| !["mod", "lib", "main"].contains(name));
        names.map(str::to_owned).collect()
    }

    /// Every path of the crate that the code names, from the crate's root, each with its place.
    pub(super) fn uses(&self) -> Vec<(Vec<String>, String)> {
        let (code, here) = (self.code(), self.path());
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(step) = code[at..].find(|c: char| c.is_alphabetic() || c == '_') {
            let start = at + step;
            let first = name(&code[start..]);
            at = start + first.len();
            let begins = !code[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | ':'))
                // Says who may see it, and uses nothing.
                && !code[..start].ends_with("pub(in ");
            let Some(rest) = code[at..].strip_prefix("::").filter(|_| begins) else { continue };
            let root = match first {
                "crate" => Vec::new(),
                "super" => above(&here),
                "self" => here.clone(),
                child => here.iter().map(String::as_str).chain([child]).map(str::to_owned).collect(),
            };
            found.extend(paths(&root, rest).into_iter().map(|path| (path, self.place(&code, start))));
        }
        found
    }
}

/// The name that a text begins with.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn above(path: &[String]) -> Vec<String> {
    path.split_last().map_or_else(Vec::new, |(_, above)| above.to_vec())
}

/// The paths that follow `root::`: one, or those of a group in braces.
fn paths(root: &[String], rest: &str) -> Vec<Vec<String>> {
    if let Some(group) = rest.strip_prefix('{') {
        return members(group).into_iter().flat_map(|member| paths(root, member.trim_start())).collect();
    }
    let first = name(rest);
    let path = match first {
        "" | "self" => root.to_vec(),
        "super" => above(root),
        first => root.iter().map(String::as_str).chain([first]).map(str::to_owned).collect(),
    };
    match rest[first.len()..].strip_prefix("::") {
        Some(rest) => paths(&path, rest),
        None => vec![path],
    }
}

/// What stands between the commas of a group, whose opening brace is gone already.
fn members(group: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(&group[start..at]);
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|member| !member.trim().is_empty());
    found
}

/// Blanks comments, strings and character literals. Enough of a lexer for code that the formatter has gone over.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = opaque(rest);
        if length == 0 {
            out.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of the comment or literal that `text` begins with, or 0.
fn opaque(text: &str) -> usize {
    let until = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return until("*/", 2);
    }
    let hashes = text.strip_prefix('r').map_or(0, |rest| rest.len() - rest.trim_start_matches('#').len());
    if text.starts_with('r') && text[1 + hashes..].starts_with('"') {
        return until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
    }
    match text.as_bytes() {
        [b'"', ..] => quoted(text),
        [b'\'', b'\\', ..] => until("'", 3),
        [b'\'', _, b'\'', ..] => 3,
        _ => 0,
    }
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
