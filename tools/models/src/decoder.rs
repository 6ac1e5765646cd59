//! Bytes in, messages out, in any pieces: what comes out is what RFC 6455 says of those bytes as one piece, told by a
//! second decoder that is as simple as can be, and no more is kept than one partial frame.

use actix_http::ws::{CloseReason, Message};
use bytes::BytesMut;
use switchboard::{
    protocol::close_code,
    ws::{Bound, Decoder, FrameError},
};

/// What comes out, and the close code that it ends with.
type Outcome = (Vec<Message>, Option<u16>);

/// A small bound, so that inputs of some hundred bytes exceed it, and the default.
const BOUNDS: [Bound; 2] = [Bound { bytes: 300, fragments: 4 }, Bound { bytes: 65_536, fragments: 1024 }];
/// The longest head of a masked frame.
const HEAD: usize = 14;

/// Decodes what follows the first four bytes of `input`, which say how it comes in pieces, and how often a token is refused.
pub fn play(input: &[u8]) {
    let Some((plan, bytes)) = input.split_at_checked(4) else { return };
    let bound = BOUNDS[usize::from(plan[0] & 1)];
    let expected = reference(bytes, bound);
    assert_eq!(feed([bytes], bound, 0), expected, "in one piece");
    assert_eq!(feed(bytes.chunks(1), bound, 0), expected, "byte by byte");
    assert_eq!(feed(cut(bytes, plan), bound, plan[3]), expected, "in pieces");
    assert_eq!(as_from_a_socket(cut(bytes, plan), bound), expected, "through a shared buffer");
}

/// Pieces whose sizes go up and down with the plan; some are empty.
fn cut<'a>(bytes: &'a [u8], plan: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    let sizes = plan.iter().cycle().enumerate().map(|(at, size)| usize::from(*size) * (at % 40 + 1) / 8);
    sizes.map_while(move |size| {
        if rest.is_empty() {
            return None;
        }
        let (piece, more) = rest.split_at(size.clamp(usize::from(plan.iter().all(|size| *size < 8)), rest.len()));
        rest = more;
        Some(piece)
    })
}

/// Takes what there is; `Err` once the connection is over.
fn drain(decoder: &mut Decoder, messages: &mut Vec<Message>, mut permit: impl FnMut() -> bool) -> Result<(), u16> {
    while let Some(message) = decoder.next_permitted(&mut permit).map_err(FrameError::close_code)? {
        messages.push(message);
    }
    Ok(())
}

/// By `feed`. Of the frames, one in `refusals` has to wait for its token: for the next piece, or until nothing else comes.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bound: Bound, refusals: u8) -> Outcome {
    let mut decoder = Decoder::new(bound);
    let mut messages = Vec::new();
    let mut asked = 0_u32;
    for piece in pieces {
        decoder.feed(piece);
        let permit = || {
            asked += 1;
            refusals == 0 || !asked.is_multiple_of(u32::from(refusals))
        };
        if let Err(code) = drain(&mut decoder, &mut messages, permit) {
            return (messages, Some(code));
        }
        assert!(refusals > 0 || decoder.unread().len() < bound.bytes + HEAD, "more than a partial frame is kept");
        assert!(refusals > 0 || !decoder.has_frame(), "a whole frame was left");
    }
    match drain(&mut decoder, &mut messages, || true) {
        Ok(()) => (messages, None),
        Err(code) => (messages, Some(code)),
    }
}

/// As a session reads its socket: through a buffer that all connections share, or, for a long partial frame, behind it.
fn as_from_a_socket<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bound: Bound) -> Outcome {
    let mut decoder = Decoder::new(bound);
    let mut shared = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        let mut piece = piece;
        while !piece.is_empty() {
            if let Some((partial, missing)) = decoder.partial() {
                assert!(missing <= bound.bytes, "{missing} bytes are waited for");
                partial.reserve(missing.min(partial.len()));
                let (now, later) = piece.split_at(piece.len().min(partial.capacity() - partial.len()));
                partial.extend_from_slice(now);
                piece = later;
            } else {
                shared.clear();
                shared.extend_from_slice(decoder.unread());
                shared.extend_from_slice(piece);
                decoder.replace(shared.split());
                piece = &[];
            }
            if let Err(code) = drain(&mut decoder, &mut messages, || true) {
                return (messages, Some(code));
            }
            // Another connection's bytes come by.
            shared.extend_from_slice(&[0xaa; 64]);
        }
    }
    (messages, None)
}

/// The same to the word of RFC 6455, from all the bytes at once, with nothing shared and nothing kept.
fn reference(mut bytes: &[u8], bound: Bound) -> Outcome {
    let mut messages = Vec::new();
    let mut open: Option<Open> = None;
    loop {
        match reference_frame(&mut bytes, bound, &mut open, &mut messages) {
            Ok(true) => {}
            Ok(false) => return (messages, None),
            Err(code) => return (messages, Some(code)),
        }
    }
}

/// A message that has begun.
struct Open {
    text: bool,
    bytes: Vec<u8>,
    fragments: usize,
}

/// Takes the next frame, and the message that it ends; `false` where it is not all there.
fn reference_frame(
    bytes: &mut &[u8],
    bound: Bound,
    open: &mut Option<Open>,
    messages: &mut Vec<Message>,
) -> Result<bool, u16> {
    let Some(first) = bytes.first() else { return Ok(false) };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
    let control = opcode >= 8;
    let wrong = match opcode {
        _ if first & 0x70 != 0 => true,
        0 => open.is_none(),
        1 | 2 => open.is_some(),
        8..=10 => !fin,
        _ => true,
    };
    if wrong {
        return Err(close_code::PROTOCOL_ERROR);
    }
    if open.as_ref().is_some_and(|open| opcode == 0 && open.fragments >= bound.fragments) {
        return Err(close_code::TOO_BIG);
    }
    let Some(second) = bytes.get(1) else { return Ok(false) };
    let short = usize::from(second & 0x7f);
    if second & 0x80 == 0 || (control && short > 125) {
        return Err(close_code::PROTOCOL_ERROR);
    }
    let extended = [0, 2, 8][short.saturating_sub(125)];
    let Some(length) = bytes.get(2..2 + extended) else { return Ok(false) };
    let long = length.iter().fold(0_u128, |length, byte| length * 256 + u128::from(*byte));
    let least = [0, 126, 65_536][short.saturating_sub(125)];
    if extended > 0 && (long < least || long >= 1 << 63) {
        return Err(close_code::PROTOCOL_ERROR);
    }
    let length = if extended > 0 { long } else { short as u128 };
    let before = open.as_ref().map_or(0, |open| open.bytes.len());
    if !control && length + before as u128 > bound.bytes as u128 {
        return Err(close_code::TOO_BIG);
    }
    let (length, start) = (length as usize, 2 + extended);
    let Some(masked) = bytes.get(start + 4..start + 4 + length) else { return Ok(false) };
    let mask = &bytes[start..start + 4];
    let payload: Vec<u8> = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    *bytes = &bytes[start + 4 + length..];
    messages.extend(reference_payload(opcode, fin, payload, open)?);
    Ok(true)
}

fn reference_payload(
    opcode: u8,
    last: bool,
    payload: Vec<u8>,
    open: &mut Option<Open>,
) -> Result<Option<Message>, u16> {
    match opcode {
        8 => return reference_close(&payload).map(|reason| Some(Message::Close(reason))),
        9 => return Ok(Some(Message::Ping(payload.into()))),
        10 => return Ok(Some(Message::Pong(payload.into()))),
        _ => {}
    }
    let begun = open.get_or_insert(Open { text: opcode == 1, bytes: Vec::new(), fragments: 0 });
    begun.bytes.extend(payload);
    begun.fragments += 1;
    // A character that has begun may go on in the next fragment.
    let text = std::str::from_utf8(&begun.bytes);
    if begun.text && text.is_err_and(|error| last || error.error_len().is_some()) {
        return Err(close_code::INVALID_PAYLOAD);
    }
    Ok(open.take_if(|_| last).map(|whole| match String::from_utf8(whole.bytes) {
        Ok(text) if whole.text => Message::Text(text.into()),
        Ok(text) => Message::Binary(text.into_bytes().into()),
        Err(bytes) => Message::Binary(bytes.into_bytes().into()),
    }))
}

fn reference_close(payload: &[u8]) -> Result<Option<CloseReason>, u16> {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        return if payload.is_empty() { Ok(None) } else { Err(close_code::PROTOCOL_ERROR) };
    };
    let reason = std::str::from_utf8(reason).map_err(|_| close_code::INVALID_PAYLOAD)?;
    let code = u16::from_be_bytes([code[0], code[1]]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(close_code::PROTOCOL_ERROR);
    }
    let description = (!reason.is_empty()).then(|| reason.to_owned());
    Ok(Some(CloseReason { code: code.into(), description }))
}
