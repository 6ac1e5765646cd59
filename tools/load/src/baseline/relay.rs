//! Relaying at fixed offsets: who a text is for, and the same text as the receiver gets it.

use std::ops::Range;

use super::texts::{ID, token_of};

/// How a client's directed signal begins; its receiver's id follows.
const TO: &[u8] = br#"{"type":"signal","to":""#;
/// How the receiver's begins; the sender's id follows.
const FROM: &[u8] = br#"{"type":"signal","from":""#;
/// Bytes of the beginning of a broadcast: a head, and what is in front of the sender's id, and the id.
const BROADCAST: usize = HEAD + FROM.len() + ID;
/// The character that tells the types apart: the first of their names.
const TYPE: usize = 9;
/// Bytes of the longest head of a server frame.
pub(super) const HEAD: usize = 10;
/// FIN and the text opcode.
const FIN_TEXT: u8 = 0x81;

/// The receiver of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addressed {
    /// One peer's token.
    Peer(u32),
    /// All others of the room.
    Room,
    /// The baseline itself: a join.
    Join,
    /// The baseline itself: a leave.
    Leave,
}

/// Looks at fixed places, in the trust that the generator wrote the text.
pub(super) fn address(text: &[u8]) -> Addressed {
    match (text.get(TYPE), text.get(TO.len())) {
        (Some(b's'), Some(b'*')) => Addressed::Room,
        (Some(b's'), _) => Addressed::Peer(text.get(TO.len()..TO.len() + ID).map_or(u32::MAX, token_of)),
        (Some(b'j'), _) => Addressed::Join,
        _ => Addressed::Leave,
    }
}

/// Turns a masked client frame, its text unmasked at `text`, into the server frame for its receiver, where it lies: the
/// new head ends where the old receiver's id ended. The result is never longer, for the key is gone.
pub(super) fn rewrite(bytes: &mut [u8], text: Range<usize>, from: &[u8; ID]) -> Range<usize> {
    let rest = text.start + TO.len() + ID;
    let id = rest - ID;
    bytes[id..rest].copy_from_slice(from);
    let start = id - FROM.len();
    bytes[start..id].copy_from_slice(FROM);
    let head = write_head(bytes, start, text.end - start);
    head..text.end
}

/// The beginning of the frame that the whole room gets: its head, and the text up to what is passed on as it came; and
/// where in the client's text that begins.
pub(super) fn broadcast_start(text: usize, from: &[u8; ID]) -> ([u8; BROADCAST], usize, usize) {
    let rest = TO.len() + 1;
    let mut start = [0; BROADCAST];
    start[HEAD..HEAD + FROM.len()].copy_from_slice(FROM);
    start[HEAD + FROM.len()..].copy_from_slice(from);
    let head = write_head(&mut start, HEAD, text - rest + FROM.len() + ID);
    (start, head, rest)
}

/// Writes a server frame's head so that it ends at `end`; where it begins.
pub(super) fn write_head(bytes: &mut [u8], end: usize, length: usize) -> usize {
    let (first, long): (u8, &[u8]) = match length {
        0..=125 => (length as u8, &[]),
        126..=65_535 => (126, &(length as u16).to_be_bytes()),
        _ => (127, &(length as u64).to_be_bytes()),
    };
    let start = end - 2 - long.len();
    bytes[start] = FIN_TEXT;
    bytes[start + 1] = first;
    bytes[start + 2..end].copy_from_slice(long);
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        baseline::texts::peer_id,
        ws::{
            frame::{Head, Opcode, append_masked},
            mask,
        },
    };

    /// What the baseline makes of one client frame with `data` of this length.
    fn relayed(length: usize) -> (Vec<u8>, String) {
        let data = "d".repeat(length);
        let to = String::from_utf8(peer_id(7).to_vec()).unwrap();
        let text = format!(r#"{{"type":"signal","to":"{to}","kind":"offer","data":"{data}"}}"#);
        let mut bytes = Vec::new();
        append_masked(&mut bytes, Opcode::Text, text.as_bytes());
        let head = Head::parse(&bytes).unwrap().unwrap();
        let range = head.head..bytes.len();
        mask::apply(&mut bytes[range.clone()], mask::KEY);
        assert_eq!(address(&bytes[range.clone()]), Addressed::Peer(7));
        let frame = rewrite(&mut bytes, range, &peer_id(9));
        let from = String::from_utf8(peer_id(9).to_vec()).unwrap();
        (bytes[frame].to_vec(), format!(r#"{{"type":"signal","from":"{from}","kind":"offer","data":"{data}"}}"#))
    }

    #[test]
    fn every_length_of_head_is_rewritten_in_place() {
        // Text lengths below, across and above 125 and 65 535.
        for length in [0, 1, 41, 42, 43, 44, 45, 46, 2000, 65_450, 65_454, 65_456, 65_458, 70_000] {
            let (frame, text) = relayed(length);
            let head = Head::parse(&frame).unwrap().unwrap();
            assert_eq!((head.opcode, head.key, head.total()), (Opcode::Text, None, frame.len()));
            assert_eq!(std::str::from_utf8(&frame[head.head..]).unwrap(), text);
        }
    }

    #[test]
    fn types_are_told_apart() {
        assert_eq!(address(br#"{"type":"signal","to":"*","kind":"app","data":1}"#), Addressed::Room);
        assert_eq!(address(br#"{"type":"join","room":"a"}"#), Addressed::Join);
        assert_eq!(address(br#"{"type":"leave"}"#), Addressed::Leave);
    }

    #[test]
    fn a_broadcast_goes_on_behind_the_senders_id_as_it_came() {
        for length in [1, 30, 60, 200, 70_000] {
            let text = format!(r#"{{"type":"signal","to":"*","kind":"app","data":"{}"}}"#, "d".repeat(length));
            let (start, head, rest) = broadcast_start(text.len(), &peer_id(1));
            let frame = [&start[head..], &text.as_bytes()[rest..]].concat();
            let head = Head::parse(&frame).unwrap().unwrap();
            assert_eq!((head.opcode, head.total()), (Opcode::Text, frame.len()));
            let signal: serde_json::Value = serde_json::from_slice(&frame[head.head..]).unwrap();
            assert_eq!(signal["from"].as_str().map(str::as_bytes), Some(&peer_id(1)[..]));
            assert_eq!(signal["data"].as_str().map(str::len), Some(length));
        }
    }
}
