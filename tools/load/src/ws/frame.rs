//! Frame heads (RFC 6455 section 5.2).

use super::mask;

/// FIN, the first bit of a frame.
const FIN: u8 = 0x80;
/// The bit that says "a masking key follows".
const MASKED: u8 = 0x80;
/// In place of a length: two bytes of it follow.
const SHORT: u8 = 0x7e;
/// In place of a length: eight bytes of it follow.
const LONG: u8 = 0x7f;
/// No message in any scenario comes near; a longer one is a server gone mad.
const LONGEST: u64 = 16 << 20;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation = 0,
    /// UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The end.
    Close = 8,
    /// Wants a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        [Self::Continuation, Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong]
            .into_iter()
            .find(|o| *o as u8 == bits)
    }
}

/// What RFC 6455 forbids, or no scenario expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Opcodes 3–7 and 11–15 are reserved.
    #[error("reserved opcode or bit")]
    Reserved,
    /// Longer than 16 MiB.
    #[error("frame too long")]
    TooLong,
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the frame is.
    pub opcode: Opcode,
    /// Whether the message ends here.
    pub last: bool,
    /// The masking key, in frames from a client.
    pub key: Option<[u8; 4]>,
    /// Bytes of the head, key included.
    pub head: usize,
    /// Bytes of the payload.
    pub payload: usize,
}

impl Head {
    /// Reads the head at the start of `bytes`; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`], after which the stream cannot be followed any further.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(FrameError::Reserved);
        }
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(FrameError::Reserved)?;
        let extended = match second & 0x7f {
            SHORT => 2,
            LONG => 8,
            _ => 0,
        };
        let Some(length) = bytes.get(2..2 + extended) else { return Ok(None) };
        let payload = match extended {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0u64, |n, o| (n << 8) | u64::from(*o)),
        };
        if payload > LONGEST {
            return Err(FrameError::TooLong);
        }
        let mut head = 2 + extended;
        let mut key = None;
        if second & MASKED != 0 {
            let Some(bytes) = bytes.get(head..head + 4) else { return Ok(None) };
            key = bytes.try_into().ok();
            head += 4;
        }
        Ok(Some(Self { opcode, last: first & FIN != 0, key, head, payload: payload as usize }))
    }

    /// Bytes of head and payload.
    #[must_use]
    pub fn total(&self) -> usize {
        self.head + self.payload
    }
}

/// Appends one whole frame as a client sends it, masked with [`mask::KEY`].
pub fn append_masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    append_head(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&mask::KEY);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[start..], mask::KEY);
}

/// Appends one whole frame as a server sends it.
pub fn append_plain(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    append_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

fn append_head(out: &mut Vec<u8>, opcode: Opcode, length: usize, masked: u8) {
    out.push(FIN | opcode as u8);
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=65_535 => {
            out.push(masked | SHORT);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | LONG);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_at_every_boundary_of_length() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut out = Vec::new();
            append_masked(&mut out, Opcode::Text, &payload);
            let head = Head::parse(&out).unwrap().unwrap();
            assert_eq!((head.opcode, head.last, head.payload), (Opcode::Text, true, length));
            assert_eq!(head.total(), out.len());
            mask::apply(&mut out[head.head..], head.key.unwrap());
            assert_eq!(&out[head.head..], payload);
        }
    }

    #[test]
    fn a_head_is_asked_for_until_it_is_complete() {
        let mut out = Vec::new();
        append_masked(&mut out, Opcode::Binary, &[7; 300]);
        for cut in 0..8 {
            assert_eq!(Head::parse(&out[..cut]), Ok(None));
        }
        assert!(Head::parse(&out[..8]).unwrap().is_some());
    }

    #[test]
    fn reserved_bits_opcodes_and_mad_lengths_are_errors() {
        assert_eq!(Head::parse(&[0xc1, 0]), Err(FrameError::Reserved));
        assert_eq!(Head::parse(&[0x83, 0]), Err(FrameError::Reserved));
        assert_eq!(Head::parse(&[0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]), Err(FrameError::TooLong));
    }

    #[test]
    fn a_server_frame_bears_no_key() {
        let mut out = Vec::new();
        append_plain(&mut out, Opcode::Ping, b"");
        assert_eq!(out, [0x89, 0]);
        assert_eq!(Head::parse(&out).unwrap().unwrap().key, None);
    }
}
