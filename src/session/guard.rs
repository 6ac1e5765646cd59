//! A look at a frame's head before anything of its payload is waited for (RFC 6455 section 5.2).
//!
//! The codec compares a frame's length with its limit only when all of the frame has arrived: a head that announces a
//! gigabyte would have a gigabyte buffered. Here the head alone decides.

use actix_http::ws::ProtocolError;

/// Two octets, eight of length, four of mask.
const LONGEST_HEAD: usize = 14;
/// Longest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_PAYLOAD: u64 = 125;

/// What a head says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Not all of it is here.
    Incomplete,
    /// The whole frame, head included, is this long in octets.
    Frame(usize),
}

/// Reads the head at the start of `octets` and refuses a frame longer than `limit`. Masks, reserved bits and opcodes are
/// left to the codec, which refuses those at the head by itself.
pub(super) fn inspect(octets: &[u8], limit: usize) -> Result<Head, ProtocolError> {
    let [first, second, rest @ ..] = octets else { return Ok(Head::Incomplete) };
    let masked = if second & 0x80 == 0 { 0 } else { 4 };
    let (extended, length) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (2, u64::from(u16::from_be_bytes(*length))),
            None => return Ok(Head::Incomplete),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (8, u64::from_be_bytes(*length)),
            None => return Ok(Head::Incomplete),
        },
        short => (0, u64::from(short)),
    };
    let control = first & 0x08 != 0;
    match usize::try_from(length) {
        Ok(length) if control && length as u64 > CONTROL_PAYLOAD => Err(ProtocolError::InvalidLength(length)),
        Ok(length) if length <= limit => Ok(Head::Frame(2 + extended + masked + length)),
        _ => Err(ProtocolError::Overflow),
    }
}

/// The least a read buffer must hold beside a partial frame, so that a head is never split for ever.
pub(super) const LEAST_READ: usize = LONGEST_HEAD;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terabyte_is_refused_at_its_head() {
        let mut head = vec![0x82, 0xff];
        head.extend((1_u64 << 40).to_be_bytes());
        assert!(matches!(inspect(&head, 65_536), Err(ProtocolError::Overflow)));
        assert_eq!(inspect(&head[..9], 65_536).unwrap(), Head::Incomplete);
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let head = |n: u64| [&[0x81, 0xff][..], &n.to_be_bytes()].concat();
        assert_eq!(inspect(&head(65_536), 65_536).unwrap(), Head::Frame(14 + 65_536));
        assert!(inspect(&head(65_537), 65_536).is_err());
    }

    #[test]
    fn a_control_frame_is_short() {
        assert_eq!(inspect(&[0x89, 0xfd], 65_536).unwrap(), Head::Frame(6 + 125));
        assert!(matches!(inspect(&[0x89, 0xfe, 0, 126], 65_536), Err(ProtocolError::InvalidLength(126))));
    }

    #[test]
    fn nothing_yet_is_incomplete() {
        assert_eq!(inspect(&[], 9).unwrap(), Head::Incomplete);
        assert_eq!(inspect(&[0x81], 9).unwrap(), Head::Incomplete);
        assert_eq!(inspect(&[0x81, 0xfe, 1], 9).unwrap(), Head::Incomplete);
    }
}
