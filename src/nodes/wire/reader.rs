//! Reads bytes from the front.

use std::sync::Arc;

use crate::protocol::{Meta, PeerId, Who};

/// Something from Redis makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} is missing or malformed")]
pub struct WireError {
    /// What should be there.
    pub what: &'static str,
}

/// That is missing or malformed.
pub(super) fn bad(what: &'static str) -> WireError {
    WireError { what }
}

/// A number as the script compares it.
pub(crate) fn hex(number: u64) -> String {
    format!("{number:016x}")
}

/// Bytes that are read from the front.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(bad(what))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(self.take(1, what)?[0])
    }

    /// Nothing follows.
    pub(super) fn end(&self, what: &'static str) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(bad(what)) }
    }

    /// So many hex digits.
    pub(super) fn digits(&mut self, digits: usize, what: &'static str) -> Result<u64, WireError> {
        number(self.take(digits, what)?, what)
    }

    /// 16 hex digits.
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64, WireError> {
        self.digits(16, what)
    }

    /// `0` or `1`.
    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, WireError> {
        match self.byte(what)? {
            b'0' => Ok(false),
            b'1' => Ok(true),
            _ => Err(bad(what)),
        }
    }

    pub(super) fn text(&mut self, length: usize, what: &'static str) -> Result<&'a str, WireError> {
        str::from_utf8(self.take(length, what)?).map_err(|_| bad(what))
    }

    /// A text behind its length, which has so many digits; all `f` stand for none.
    pub(super) fn text_or_none(&mut self, digits: usize, what: &'static str) -> Result<Option<&'a str>, WireError> {
        let length = self.digits(digits, what)?;
        if length == (1 << (4 * digits)) - 1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| bad(what))?;
        self.text(length, what).map(Some)
    }

    pub(super) fn peer(&mut self) -> Result<PeerId, WireError> {
        peer(self.take(16, "a peer")?)
    }

    pub(super) fn who(&mut self) -> Result<Who, WireError> {
        who(self.take(Who::TEXT_BYTES, "who")?)
    }

    pub(super) fn meta(text: &str) -> Result<Meta, WireError> {
        Meta::parse(text).ok_or(bad("meta"))
    }
}

/// Hex digits, in lower case.
pub(super) fn number(digits: &[u8], what: &'static str) -> Result<u64, WireError> {
    let canonical = !digits.is_empty() && digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let text = str::from_utf8(digits).ok().filter(|_| canonical).ok_or(bad(what))?;
    u64::from_str_radix(text, 16).map_err(|_| bad(what))
}

pub(super) fn peer(bytes: &[u8]) -> Result<PeerId, WireError> {
    let half = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    match (half(0), half(8), bytes.len()) {
        (Some(first), Some(second), 16) => Ok(PeerId::from_halves(first, second)),
        _ => Err(bad("a peer")),
    }
}

pub(super) fn who(digits: &[u8]) -> Result<Who, WireError> {
    str::from_utf8(digits).ok().and_then(Who::parse).ok_or(bad("who"))
}

/// A user's name, as a roster has it.
pub(super) fn shared(text: Option<&str>) -> Option<Arc<str>> {
    text.map(Arc::from)
}
