//! The decoder, told as a table of what RFC 6455 forbids, and held to give one answer however the bytes are cut.

use actix_http::ws::{CloseReason, Message};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{decoder::Decoder, error::FrameError, frame_header::Bound};
use crate::protocol::close_code;

const BOUND: Bound = Bound { bytes: 300, fragments: 4 };
const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// A masked frame whose payload is shorter than 64 KiB.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut bytes = match u8::try_from(length) {
        Ok(short @ 0..=125) => vec![first, 0x80 | short],
        _ => [&[first, 0xfe][..], &length.to_be_bytes()].concat(),
    };
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// What comes out, and what it ends with.
type Outcome = (Vec<Message>, Option<FrameError>);

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(BOUND);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_permitted(|| true) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(decoder.unread().len() < BOUND.bytes + 14, "a partial frame is kept, no more");
    }
    (messages, None)
}

fn ends(bytes: &[u8]) -> Option<FrameError> {
    decode([bytes]).1
}

fn close(payload: &[u8]) -> Result<Option<CloseReason>, FrameError> {
    match decode([frame(0x88, payload).as_slice()]) {
        (messages, None) => match messages.as_slice() {
            [Message::Close(reason)] => Ok(reason.clone()),
            other => panic!("{other:?}"),
        },
        (_, Some(error)) => Err(error),
    }
}

#[test]
fn close_codes_that_may_be_sent_are_taken() {
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let reason = close(&[&code.to_be_bytes()[..], "é".as_bytes()].concat()).unwrap().unwrap();
        assert_eq!((u16::from(reason.code), reason.description.as_deref()), (code, Some("é")));
    }
    assert_eq!(close(b""), Ok(None));
}

#[test]
fn close_codes_that_may_not_be_sent_are_a_protocol_error() {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert_eq!(close(&code.to_be_bytes()), Err(FrameError::CloseCode), "{code}");
    }
    assert_eq!(close(b"\x03"), Err(FrameError::CloseCode), "half a code");
}

#[test]
fn a_close_reason_is_utf_8() {
    assert_eq!(close(b"\x03\xe8\xce\xba\xe1\xbd"), Err(FrameError::NotUtf8));
}

#[test]
fn text_is_refused_at_the_fragment_that_breaks_it() {
    let begun = [frame(0x01, "κόσμε".as_bytes()), frame(0x00, b"\xf4")].concat();
    assert_eq!(ends(&begun), None);
    assert_eq!(ends(&[begun, frame(0x00, b"\x90\x80\x80")].concat()), Some(FrameError::NotUtf8));
}

#[test]
fn fragments_that_add_up_to_too_much_are_refused_at_the_head_that_says_so() {
    let begun = [frame(0x01, &[b'x'; 200]), frame(0x00, b"")].concat();
    let head = |length: u8| [begun.as_slice(), &[0x80, 0x80 | length]].concat();
    assert_eq!(ends(&head(100)), None);
    assert_eq!(ends(&head(101)), Some(FrameError::TooBig));
}

#[test]
fn control_frames_may_come_between_fragments_and_data_may_not() {
    let begun = frame(0x01, b"a");
    let (messages, end) = decode([begun.as_slice(), &frame(0x89, b"p"), &frame(0x8a, b"q"), &frame(0x80, b"b")]);
    let expected = [Message::Ping(b"p"[..].into()), Message::Pong(b"q"[..].into()), Message::Text("ab".into())];
    assert_eq!((messages.as_slice(), end), (expected.as_slice(), None));
    assert_eq!(decode([begun.as_slice(), &[0x81]]).1, Some(FrameError::MessageInMessage));
}

#[test]
fn the_end_of_a_message_closes_its_count() {
    let message = [frame(0x01, &[b'x'; 200]), frame(0x80, &[b'x'; 100])].concat();
    let (messages, end) = decode([message.repeat(5).as_slice()]);
    assert_eq!((messages.len(), end), (5, None));
}

#[test]
fn an_error_says_how_the_connection_is_closed() {
    assert_eq!(FrameError::NotUtf8.close_code(), close_code::INVALID_PAYLOAD);
    assert_eq!(FrameError::TooBig.close_code(), close_code::TOO_BIG);
    assert_eq!(FrameError::Unmasked.close_code(), close_code::PROTOCOL_ERROR);
}

/// Frames, mostly right, and a few bytes that are none.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![0x81, 0x01, 0x00, 0x80, 0x82, 0x89, 0x8a, 0x88, 0x02]);
    let payload = prop_oneof![
        "[a-zé☕😀]{0,40}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..8),
        (0_usize..310).prop_map(|length| vec![b'x'; length]),
    ];
    let piece = prop_oneof![
        9 => (first, payload).prop_map(|(first, payload)| frame(first, &payload)),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_bytes_are_cut(bytes in bytes(), size in 1_usize..40) {
        let whole = decode([bytes.as_slice()]);
        prop_assert_eq!(&decode(bytes.chunks(size)), &whole);
        prop_assert_eq!(&decode(bytes.chunks(1)), &whole);
        for message in whole.0 {
            match message {
                Message::Text(text) => prop_assert!(text.len() <= BOUND.bytes),
                Message::Binary(bytes) => prop_assert!(bytes.len() <= BOUND.bytes),
                Message::Ping(bytes) | Message::Pong(bytes) => prop_assert!(bytes.len() <= 125),
                Message::Close(_) => {}
                Message::Continuation(_) | Message::Nop => prop_assert!(false, "{message:?}"),
            }
        }
    }
}
