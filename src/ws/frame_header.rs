//! A frame's head, judged byte by byte, before anything of its payload is waited for (RFC 6455 section 5.2).
//!
//! The codec compares a frame's length with its limit only when all of the frame has arrived: a head that announces a
//! gigabyte would have a gigabyte buffered. Here the head alone decides, and each of its bytes as soon as it is there.

use std::io;

use actix_http::ws::{OpCode, ProtocolError};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const MASK_BYTES: usize = 4;
/// Longest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_PAYLOAD: u64 = 125;

/// Bounds of one message.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// `limits.frame_bytes`: bytes of all fragments together.
    pub bytes: usize,
    /// `limits.fragments`: number of fragments.
    pub fragments: usize,
}

/// How much has come of a message that has begun and not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct SoFar {
    pub(super) bytes: usize,
    pub(super) fragments: usize,
}

/// Reads the head at the start of `bytes`. `Ok(None)`: nothing wrong with what there is of it, but it is not all there.
/// Else the length of the whole frame, head included. `open` is the message that has begun and not ended.
///
/// # Errors
/// `Overflow` where the message would exceed `bound`; any other error is a rule of RFC 6455 that is broken.
pub(super) fn inspect(bytes: &[u8], bound: Bound, open: Option<SoFar>) -> Result<Option<usize>, ProtocolError> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let control = first_byte(*first, bound, open)?;
    let Some((second, rest)) = rest.split_first() else { return Ok(None) };
    if second & MASKED == 0 {
        return Err(ProtocolError::UnmaskedFrame);
    }
    let short = u64::from(second & !MASKED);
    // Longer than it may be, whatever its length: what says so need not have arrived.
    if control && short > CONTROL_PAYLOAD {
        return Err(invalid_length(short));
    }
    let Some((extended, payload)) = length(short, rest)? else { return Ok(None) };
    let before = open.filter(|_| !control).map_or(0, |open| open.bytes);
    let most = if control { u64::MAX } else { bound.bytes.saturating_sub(before) as u64 };
    match usize::try_from(payload) {
        Ok(bytes) if payload <= most => Ok(Some(2 + extended + MASK_BYTES + bytes)),
        _ => Err(ProtocolError::Overflow),
    }
}

/// Whether this begins a control frame.
fn first_byte(first: u8, bound: Bound, open: Option<SoFar>) -> Result<bool, ProtocolError> {
    if first & RESERVED != 0 {
        // Reserved bits belong to extensions, and none is ever negotiated.
        return Err(ProtocolError::Io(io::ErrorKind::InvalidData.into()));
    }
    let opcode = OpCode::from(first & 0x0f);
    match (opcode, open) {
        (OpCode::Bad, _) => Err(ProtocolError::InvalidOpcode(first & 0x0f)),
        (OpCode::Close | OpCode::Ping | OpCode::Pong, _) if first & FIN == 0 => {
            Err(ProtocolError::ContinuationFragment(opcode))
        }
        (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => Ok(true),
        (OpCode::Text | OpCode::Binary, Some(_)) => Err(ProtocolError::ContinuationStarted),
        (OpCode::Continue, None) => Err(ProtocolError::ContinuationNotStarted),
        // Empty fragments cost no byte and could go on for ever.
        (OpCode::Continue, Some(open)) if open.fragments >= bound.fragments => Err(ProtocolError::Overflow),
        (OpCode::Continue | OpCode::Text | OpCode::Binary, _) => Ok(false),
    }
}

/// The bytes that the extended length takes, and the payload's length; `None` while they are not all there.
fn length(short: u64, rest: &[u8]) -> Result<Option<(usize, u64)>, ProtocolError> {
    let (extended, least) = match short {
        126 => (2, 126),
        127 => (8, 1 << 16),
        _ => return Ok(Some((0, short))),
    };
    let Some(bytes) = rest.get(..extended) else { return Ok(None) };
    let length = bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    // The shortest form must be used, and the highest of 64 bits must not.
    if length < least || i64::try_from(length).is_err() {
        return Err(invalid_length(length));
    }
    Ok(Some((extended, length)))
}

fn invalid_length(length: u64) -> ProtocolError {
    ProtocolError::InvalidLength(usize::try_from(length).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound { bytes: 65_536, fragments: 3 };

    fn verdict(bytes: &[u8]) -> Result<Option<usize>, String> {
        inspect(bytes, BOUND, None).map_err(|error| format!("{error:?}"))
    }

    fn verdict_within(head: &[u8], bytes: usize, fragments: usize) -> Result<Option<usize>, String> {
        inspect(head, BOUND, Some(SoFar { bytes, fragments })).map_err(|error| format!("{error:?}"))
    }

    fn long(first: u8, length: u64) -> Vec<u8> {
        [&[first, 0xff][..], &length.to_be_bytes()].concat()
    }

    #[test]
    fn a_terabyte_is_refused_at_its_head() {
        let head = long(0x82, 1 << 40);
        assert_eq!(verdict(&head), Err("Overflow".into()));
        assert_eq!(verdict(&head[..9]), Ok(None));
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(verdict(&long(0x81, 65_536)), Ok(Some(14 + 65_536)));
        assert_eq!(verdict(&long(0x81, 65_537)), Err("Overflow".into()));
        assert_eq!(verdict_within(&[0x80, 0xfe, 0, 200], 65_336, 1), Ok(Some(8 + 200)));
        assert_eq!(verdict_within(&[0x80, 0xfe, 0, 200], 65_337, 1), Err("Overflow".into()));
    }

    #[test]
    fn the_fragment_beyond_the_last_one_is_refused_at_its_first_byte() {
        assert_eq!(verdict_within(&[0x00], 0, 2), Ok(None));
        assert_eq!(verdict_within(&[0x00], 0, 3), Err("Overflow".into()));
        assert_eq!(verdict_within(&[0x89, 0x80], 0, 3), Ok(Some(6)), "a ping is no fragment");
    }

    #[test]
    fn a_control_frame_is_short_and_whole() {
        assert_eq!(verdict(&[0x89, 0xfd]), Ok(Some(6 + 125)));
        assert_eq!(verdict_within(&[0x89, 0xfd], 65_536, 1), Ok(Some(6 + 125)));
        assert_eq!(verdict(&[0x89, 0xfe]), Err("InvalidLength(126)".into()));
        assert_eq!(verdict(&[0x8a, 0xff]), Err("InvalidLength(127)".into()));
        assert_eq!(verdict(&[0x09]), Err("ContinuationFragment(Ping)".into()));
    }

    #[test]
    fn the_first_byte_is_judged_alone() {
        for first in [0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b, 0x8f, 0x80, 0x00] {
            assert!(verdict(&[first]).is_err(), "{first:#04x}");
        }
        for first in [0x81, 0x01, 0x82, 0x02, 0x88, 0x89, 0x8a] {
            assert_eq!(verdict(&[first]), Ok(None), "{first:#04x}");
        }
        assert_eq!(verdict_within(&[0x81], 0, 1), Err("ContinuationStarted".into()));
        assert_eq!(verdict_within(&[0x02], 0, 1), Err("ContinuationStarted".into()));
    }

    #[test]
    fn whoever_forgets_the_mask_is_told_at_the_second_byte() {
        assert_eq!(verdict(&[0x81, 0x7f]), Err("UnmaskedFrame".into()));
    }

    #[test]
    fn a_length_has_one_form() {
        assert_eq!(verdict(&[0x81, 0xfe, 0, 126]), Ok(Some(8 + 126)));
        assert_eq!(verdict(&[0x81, 0xfe, 0, 125]), Err("InvalidLength(125)".into()));
        assert_eq!(verdict(&long(0x81, 65_535)), Err("InvalidLength(65535)".into()));
        assert!(verdict(&long(0x81, 1 << 63)).unwrap_err().starts_with("InvalidLength"));
        assert_eq!(verdict(&[0x81, 0xfe, 1]), Ok(None));
        assert_eq!(verdict(&[]), Ok(None));
    }
}
