//! One encoded server frame: RFC 6455 head and JSON text in one shared buffer.

use bytes::{Buf, Bytes};

/// Room for the longest unmasked head (RFC 6455 section 5.2): opcode, 127, eight bytes of length.
const HEAD_MAX: usize = 10;
/// FIN and the text opcode.
const FIN_TEXT: u8 = 0x81;

/// A complete, unmasked WebSocket text frame. Built once by whoever causes it, shared by all who receive it:
/// cloning copies no byte.
#[derive(Clone, PartialEq, Eq)]
pub struct TextFrame(Bytes);

impl TextFrame {
    /// Encodes JSON that `write` appends. `capacity` is a guess of its length in bytes, so that it is allocated once.
    #[must_use]
    pub fn build(capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut buffer = Vec::with_capacity(HEAD_MAX + capacity);
        buffer.resize(HEAD_MAX, 0);
        write(&mut buffer);
        let length = buffer.len() - HEAD_MAX;
        let start = write_head(&mut buffer[..HEAD_MAX], length);
        let mut frame = Bytes::from(buffer);
        // Not `slice`, which would count references from the start: a frame for one receiver needs none.
        frame.advance(start);
        Self(frame)
    }

    /// The bytes for the socket.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes for the socket, given away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Whether these bytes are one whole frame, as [`TextFrame::build`] makes them: for what was kept outside of the process.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        let mut head = [0; HEAD_MAX];
        [2, 4, HEAD_MAX].into_iter().any(|length| {
            let Some(text) = bytes.get(length..) else { return false };
            let start = write_head(&mut head, text.len());
            head[start..] == bytes[..length] && str::from_utf8(text).is_ok()
        })
    }

    /// Takes bytes that came from outside of the process, if they are one whole frame.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        Self::is_one(&bytes).then(|| Self(bytes))
    }

    /// The JSON text alone, without the head.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        let head = match self.0.get(1) {
            Some(127) => 10,
            Some(126) => 4,
            _ => 2,
        };
        &self.0[head..]
    }
}

impl std::fmt::Debug for TextFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content: it may be SDP.
        write!(f, "TextFrame({} bytes)", self.0.len())
    }
}

/// Writes the head right-aligned into `room` and says where it starts.
#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
fn write_head(room: &mut [u8], length: usize) -> usize {
    match length {
        0..=125 => {
            room[HEAD_MAX - 2..].copy_from_slice(&[FIN_TEXT, length as u8]);
            HEAD_MAX - 2
        }
        126..=65_535 => {
            room[HEAD_MAX - 4..HEAD_MAX - 2].copy_from_slice(&[FIN_TEXT, 126]);
            room[HEAD_MAX - 2..].copy_from_slice(&(length as u16).to_be_bytes());
            HEAD_MAX - 4
        }
        _ => {
            room[..2].copy_from_slice(&[FIN_TEXT, 127]);
            room[2..].copy_from_slice(&(length as u64).to_be_bytes());
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_fits_the_length() {
        for (length, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = TextFrame::build(length, |out| out.resize(out.len() + length, b'x'));
            assert_eq!(frame.as_bytes().len(), head + length);
            assert_eq!(frame.json().len(), length);
            assert_eq!(frame.as_bytes()[0], FIN_TEXT);
            let bytes = frame.as_bytes();
            assert!(TextFrame::is_one(bytes) && !TextFrame::is_one(&bytes[..bytes.len() - 1]));
            assert!(!TextFrame::is_one(&[bytes, &b"x"[..]].concat()) && !TextFrame::is_one(&[]));
        }
    }
}
