//! A message that comes in fragments (RFC 6455 section 5.4), text checked to be UTF-8 at every one of them.

use actix_http::ws::Message;
use bytes::BytesMut;
use bytestring::ByteString;

use super::{error::FrameError, frame_header::SoFar};

/// A message whose last fragment has not come yet. Its bounds are [`frame_header`](super::frame_header)'s business.
#[derive(Debug)]
pub(super) struct Assembly {
    text: bool,
    bytes: BytesMut,
    /// Bytes known to be whole characters.
    checked: usize,
    fragments: usize,
}

impl Assembly {
    pub(super) fn begin(text: bool, first: &[u8]) -> Result<Self, FrameError> {
        // A slice of the arbiter's read buffer would keep all of that.
        let bytes = BytesMut::from(first);
        let mut begun = Self { text, bytes, checked: 0, fragments: 1 };
        begun.check()?;
        Ok(begun)
    }

    pub(super) fn add(&mut self, fragment: &[u8]) -> Result<(), FrameError> {
        self.bytes.extend_from_slice(fragment);
        self.fragments += 1;
        self.check()
    }

    pub(super) fn so_far(&self) -> SoFar {
        SoFar { bytes: self.bytes.len(), fragments: self.fragments }
    }

    /// The whole message. Text that ends within a character is not UTF-8 after all.
    pub(super) fn finish(self) -> Result<Message, FrameError> {
        let bytes = self.bytes.freeze();
        if self.text {
            ByteString::try_from(bytes).map(Message::Text).map_err(|_| FrameError::NotUtf8)
        } else {
            Ok(Message::Binary(bytes))
        }
    }

    /// A character may be split between fragments; a byte that begins or continues none ends it all (section 8.1).
    fn check(&mut self) -> Result<(), FrameError> {
        if !self.text {
            return Ok(());
        }
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(new) => self.checked += new.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(FrameError::NotUtf8),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of fragments that were taken, and the message or `None` if it is not UTF-8.
    fn feed(fragments: &[&[u8]]) -> (usize, Option<Message>) {
        let (first, rest) = fragments.split_first().unwrap();
        let Ok(mut assembly) = Assembly::begin(true, first) else { return (0, None) };
        for (taken, fragment) in (1..).zip(rest) {
            if assembly.add(fragment).is_err() {
                return (taken, None);
            }
        }
        (fragments.len(), assembly.finish().ok())
    }

    #[test]
    fn fragments_become_one_message() {
        assert_eq!(feed(&[b"ab", b"", b"c", b"d"]), (4, Some(Message::Text("abcd".into()))));
    }

    #[test]
    fn a_character_may_be_split_between_fragments() {
        let text = "é☕😀".as_bytes();
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(feed(&bytes), (text.len(), Some(Message::Text("é☕😀".into()))));
    }

    #[test]
    fn the_fragment_that_breaks_the_text_is_refused() {
        assert_eq!(feed(&[b"a\xff", b"b", b"c"]), (0, None));
        assert_eq!(feed(&[b"a\xc3", b"b", b"c"]), (1, None));
        assert_eq!(feed(&[b"\xf0", b"\x9f", b"\x98", b"x", b"c"]), (3, None));
        // No character begins like this: beyond U+10FFFF, half a surrogate pair, longer than need be.
        for start in [b"\xf4\x90", b"\xed\xa0", b"\xe0\x80"] {
            assert_eq!(feed(&[&start[..1], &start[1..], b"\x80"]), (1, None), "{start:?}");
        }
    }

    #[test]
    fn text_does_not_end_within_a_character() {
        assert_eq!(feed(&[b"caf", b"\xc3"]), (2, None));
    }

    #[test]
    fn binary_is_not_looked_at() {
        let mut assembly = Assembly::begin(false, b"\xff").unwrap();
        assembly.add(b"\xfe").unwrap();
        assert_eq!((assembly.so_far().bytes, assembly.so_far().fragments), (2, 2));
        assert_eq!(assembly.finish().unwrap(), Message::Binary(b"\xff\xfe"[..].into()));
    }
}
