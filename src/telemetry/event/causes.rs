//! Words of errors that are not ours: the chain of their causes, what they have in common, and how long they may be.

use std::{borrow::Cow, error::Error, fmt, io};

use super::redaction;

/// Bytes of a text that are kept.
const MAX_BYTES: usize = 1024;

/// An error with all its causes, outermost first, as `a: b: c`.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let words: Vec<String> = causes(error).map(ToString::to_string).collect();
    presentable(&words.join(": ")).into_owned()
}

/// A text of others, as it may be told: clipped, and withheld if it leaks.
pub(in crate::telemetry) fn presentable(text: &str) -> Cow<'_, str> {
    clip(redaction::scrub(text))
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |e| (**e).source())
}

/// What kind of error stands at the end of the chain: an I/O error's kind, else the name that its `Debug` text begins
/// with (a struct's or variant's); the text itself varies.
pub(super) fn root_kind(error: &(dyn Error + 'static)) -> String {
    let root = causes(error).last().unwrap_or(error);
    if let Some(io) = root.downcast_ref::<io::Error>() {
        return format!("{:?}", io.kind());
    }
    let mut name = LeadingName(String::new());
    // It ends with an error as soon as the name does.
    let _ = fmt::write(&mut name, format_args!("{root:?}"));
    name.0
}

/// Takes the identifier that a text begins with and refuses the rest.
struct LeadingName(String);

impl fmt::Write for LeadingName {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let fits = letter == '_' || letter.is_ascii_alphabetic() || (letter.is_ascii_digit() && !self.0.is_empty());
            if !fits || self.0.len() > 64 {
                return Err(fmt::Error);
            }
            self.0.push(letter);
        }
        Ok(())
    }
}

/// At most [`MAX_BYTES`] bytes.
pub(super) fn clip(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let end = (0..=MAX_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(text[..end].to_owned() + "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_root_cause_is_its_name_and_never_its_text() {
        let parse = "x1".parse::<u32>().expect_err("no number");
        assert_eq!(root_kind(&parse), "ParseIntError");
        let text: Box<dyn Error> = "something 17 went wrong".into();
        assert_eq!(root_kind(text.as_ref()), "");
    }

    #[test]
    fn a_long_cause_is_clipped_between_characters() {
        let clipped = clip(Cow::Owned("é".repeat(2000)));
        assert!(clipped.len() <= MAX_BYTES + '…'.len_utf8());
        assert!(clipped.ends_with('…'));
    }
}
