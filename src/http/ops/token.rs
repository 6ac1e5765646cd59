//! What an operator shows: a token in a header (RFC 6750), compared with the one in `ops.token_file`.

use std::{fs, io, path::Path};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::{
    config::Secret,
    http::{authority::the_one, live::Live},
};

/// A token's length. Shorter ones can be guessed; no header should be longer.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// What an operator proves to be one with.
#[derive(Clone)]
pub struct Token(Live<Secret>);

impl Token {
    /// Reads it from a file of one line; an empty path is none.
    ///
    /// # Errors
    /// The file cannot be read, or is no line of 16 to 512 visible ASCII characters. What was found is not told.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no line of 16 to 512 visible ASCII characters");
        let text = String::from_utf8(fs::read(path)?).map_err(|_| wrong())?;
        let token = text.trim_ascii();
        let fits = TOKEN_BYTES.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Some(Self::new(token))) } else { Err(wrong()) }
    }

    pub(super) fn new(token: &str) -> Self {
        Self(Live::new(Secret::new(token.to_owned()).into()))
    }

    /// From now on `other` is the one that must be shown. Says whether it is another.
    pub fn become_like(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.0.get(), other.0.get());
        let another = mine != theirs;
        self.0.set(theirs);
        another
    }

    /// RFC 6750 section 2.1. The scheme's case does not matter (RFC 9110 section 11.1).
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = the_one(headers, &AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case("Bearer ").then_some(token)
        });
        shown.is_some_and(|token| self.0.get().is(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_is_one_line_that_cannot_be_guessed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            Token::read(&path)
        };
        let token = read("correct-horse-battery-staple\n").unwrap().expect("a token");
        assert_eq!(token.0.get().reveal(), "correct-horse-battery-staple");
        for bad in ["", "\n", "too short", &"x".repeat(513), "sixteen letters and spaces", "sechzehn-öctets-lang"] {
            assert_eq!(read(bad).err().map(|error| error.kind()), Some(io::ErrorKind::InvalidData), "{bad:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(Token::read(&path).is_err(), "a file that is not there is no reason to go without");
        assert!(Token::read(Path::new("")).unwrap().is_none());
    }
}
