//! A frame's head, judged byte by byte, before anything of its payload is waited for (RFC 6455 section 5.2).
//!
//! The codec compares a frame's length with its limit only when all of the frame has arrived: a head that announces a
//! gigabyte would have a gigabyte buffered. Here the head alone decides, and each of its bytes as soon as it is there.

use actix_http::ws::OpCode;

use super::error::FrameError;

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
/// [`FrameError::TooBig`] where the message would exceed `bound`; any other error is a rule of RFC 6455 that is broken.
pub(super) fn inspect(bytes: &[u8], bound: Bound, open: Option<SoFar>) -> Result<Option<usize>, FrameError> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let control = first_byte(*first, bound, open)?;
    let Some((second, rest)) = rest.split_first() else { return Ok(None) };
    if second & MASKED == 0 {
        return Err(FrameError::Unmasked);
    }
    let short = u64::from(second & !MASKED);
    // Longer than it may be, whatever its length: what says so need not have arrived.
    if control && short > CONTROL_PAYLOAD {
        return Err(FrameError::LongControl);
    }
    let Some((extended, payload)) = length(short, rest)? else { return Ok(None) };
    let before = open.filter(|_| !control).map_or(0, |open| open.bytes);
    let most = if control { u64::MAX } else { bound.bytes.saturating_sub(before) as u64 };
    match usize::try_from(payload) {
        Ok(bytes) if payload <= most => Ok(Some(2 + extended + MASK_BYTES + bytes)),
        _ => Err(FrameError::TooBig),
    }
}

/// Whether this begins a control frame.
fn first_byte(first: u8, bound: Bound, open: Option<SoFar>) -> Result<bool, FrameError> {
    if first & RESERVED != 0 {
        return Err(FrameError::ReservedBits);
    }
    match (OpCode::from(first & 0x0f), open) {
        (OpCode::Bad, _) => Err(FrameError::UnknownOpcode),
        (OpCode::Close | OpCode::Ping | OpCode::Pong, _) if first & FIN == 0 => Err(FrameError::FragmentedControl),
        (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => Ok(true),
        (OpCode::Text | OpCode::Binary, Some(_)) => Err(FrameError::MessageInMessage),
        (OpCode::Continue, None) => Err(FrameError::NothingToContinue),
        // Empty fragments cost no byte and could go on for ever.
        (OpCode::Continue, Some(open)) if open.fragments >= bound.fragments => Err(FrameError::TooBig),
        (OpCode::Continue | OpCode::Text | OpCode::Binary, _) => Ok(false),
    }
}

/// The bytes that the extended length takes, and the payload's length; `None` while they are not all there.
fn length(short: u64, rest: &[u8]) -> Result<Option<(usize, u64)>, FrameError> {
    let (extended, least) = match short {
        126 => (2, 126),
        127 => (8, 1 << 16),
        _ => return Ok(Some((0, short))),
    };
    let Some(bytes) = rest.get(..extended) else { return Ok(None) };
    let length = bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    // The shortest form must be used, and the highest of 64 bits must not.
    if length < least || i64::try_from(length).is_err() {
        return Err(FrameError::LengthForm);
    }
    Ok(Some((extended, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound { bytes: 65_536, fragments: 3 };

    fn verdict(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        inspect(bytes, BOUND, None)
    }

    fn verdict_within(head: &[u8], bytes: usize, fragments: usize) -> Result<Option<usize>, FrameError> {
        inspect(head, BOUND, Some(SoFar { bytes, fragments }))
    }

    fn long(first: u8, length: u64) -> Vec<u8> {
        [&[first, 0xff][..], &length.to_be_bytes()].concat()
    }

    #[test]
    fn a_terabyte_is_refused_at_its_head() {
        let head = long(0x82, 1 << 40);
        assert_eq!(verdict(&head), Err(FrameError::TooBig));
        assert_eq!(verdict(&head[..9]), Ok(None));
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(verdict(&long(0x81, 65_536)), Ok(Some(14 + 65_536)));
        assert_eq!(verdict(&long(0x81, 65_537)), Err(FrameError::TooBig));
        assert_eq!(verdict_within(&[0x80, 0xfe, 0, 200], 65_336, 1), Ok(Some(8 + 200)));
        assert_eq!(verdict_within(&[0x80, 0xfe, 0, 200], 65_337, 1), Err(FrameError::TooBig));
    }

    #[test]
    fn the_fragment_beyond_the_last_one_is_refused_at_its_first_byte() {
        assert_eq!(verdict_within(&[0x00], 0, 2), Ok(None));
        assert_eq!(verdict_within(&[0x00], 0, 3), Err(FrameError::TooBig));
        assert_eq!(verdict_within(&[0x89, 0x80], 0, 3), Ok(Some(6)), "a ping is no fragment");
    }

    #[test]
    fn a_control_frame_is_short_and_whole() {
        assert_eq!(verdict(&[0x89, 0xfd]), Ok(Some(6 + 125)));
        assert_eq!(verdict_within(&[0x89, 0xfd], 65_536, 1), Ok(Some(6 + 125)));
        assert_eq!(verdict(&[0x89, 0xfe]), Err(FrameError::LongControl));
        assert_eq!(verdict(&[0x8a, 0xff]), Err(FrameError::LongControl));
        assert_eq!(verdict(&[0x09]), Err(FrameError::FragmentedControl));
    }

    #[test]
    fn the_first_byte_is_judged_alone() {
        for (error, bytes) in [
            (FrameError::ReservedBits, &[0xc1, 0xa1, 0x91][..]),
            (FrameError::UnknownOpcode, &[0x83, 0x87, 0x8b, 0x8f]),
            (FrameError::NothingToContinue, &[0x80, 0x00]),
        ] {
            for first in bytes {
                assert_eq!(verdict(&[*first]), Err(error), "{first:#04x}");
            }
        }
        for first in [0x81, 0x01, 0x82, 0x02, 0x88, 0x89, 0x8a] {
            assert_eq!(verdict(&[first]), Ok(None), "{first:#04x}");
        }
        assert_eq!(verdict_within(&[0x81], 0, 1), Err(FrameError::MessageInMessage));
        assert_eq!(verdict_within(&[0x02], 0, 1), Err(FrameError::MessageInMessage));
    }

    #[test]
    fn whoever_forgets_the_mask_is_told_at_the_second_byte() {
        assert_eq!(verdict(&[0x81, 0x7f]), Err(FrameError::Unmasked));
    }

    #[test]
    fn a_length_has_one_form() {
        assert_eq!(verdict(&[0x81, 0xfe, 0, 126]), Ok(Some(8 + 126)));
        assert_eq!(verdict(&[0x81, 0xfe, 0, 125]), Err(FrameError::LengthForm));
        assert_eq!(verdict(&long(0x81, 65_535)), Err(FrameError::LengthForm));
        assert_eq!(verdict(&long(0x81, 1 << 63)), Err(FrameError::LengthForm));
        assert_eq!(verdict(&[0x81, 0xfe, 1]), Ok(None));
        assert_eq!(verdict(&[]), Ok(None));
    }
}
