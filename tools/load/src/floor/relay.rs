//! Relaying at fixed offsets: who a text is for, and the same text as the receiver gets it.

use std::ops::Range;

use super::texts::{ID, token_of};

/// How a client's directed signal begins; its receiver's id follows.
const TO: &[u8] = br#"{"type":"signal","to":""#;
/// How the receiver's begins; the sender's id follows.
const FROM: &[u8] = br#"{"type":"signal","from":""#;
/// The character that tells the types apart: the first of their names.
const TYPE: usize = 9;
/// FIN and the text opcode.
const FIN_TEXT: u8 = 0x81;

/// Whom a text is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addressed {
    /// One peer's token.
    Peer(u32),
    /// All others of the room.
    Room,
    /// The floor itself: a join.
    Join,
    /// The floor itself: a leave.
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
pub(super) fn rewrite(octets: &mut [u8], text: Range<usize>, from: &[u8; ID]) -> Range<usize> {
    let rest = text.start + TO.len() + ID;
    let id = rest - ID;
    octets[id..rest].copy_from_slice(from);
    let start = id - FROM.len();
    octets[start..id].copy_from_slice(FROM);
    let head = write_head(octets, start, text.end - start);
    head..text.end
}

/// The text that the whole room gets.
pub(super) fn broadcast_text(text: &[u8], from: &[u8; ID]) -> Vec<u8> {
    [FROM, from, &text[TO.len() + 1..]].concat()
}

/// Writes a server frame's head so that it ends at `end`; where it begins.
fn write_head(octets: &mut [u8], end: usize, length: usize) -> usize {
    let (first, long): (u8, &[u8]) = match length {
        0..=125 => (length as u8, &[]),
        126..=65_535 => (126, &(length as u16).to_be_bytes()),
        _ => (127, &(length as u64).to_be_bytes()),
    };
    let start = end - 2 - long.len();
    octets[start] = FIN_TEXT;
    octets[start + 1] = first;
    octets[start + 2..end].copy_from_slice(long);
    start
}

/// Frames of one read for one receiver, not written yet.
#[derive(Debug, Default)]
pub(super) struct Forward {
    to: Option<u32>,
    first: Range<usize>,
    more: Vec<Range<usize>>,
}

impl Forward {
    /// Whether another frame for `to` may be added.
    pub(super) fn is_for(&self, to: u32) -> bool {
        self.to.is_none_or(|t| t == to)
    }

    /// Adds a frame.
    pub(super) fn add(&mut self, to: u32, frame: Range<usize>) {
        // The usual case, one frame, allocates nothing.
        if self.to.replace(to).is_none() {
            self.first = frame;
        } else {
            self.more.push(frame);
        }
    }

    /// The receiver, if there is a frame.
    pub(super) fn to(&self) -> Option<u32> {
        self.to
    }

    /// The frames, in order.
    pub(super) fn frames(&self) -> impl Iterator<Item = Range<usize>> {
        std::iter::once(self.first.clone()).chain(self.more.iter().cloned())
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.to = None;
        self.more.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        floor::texts::peer_id,
        wire::{
            frame::{Head, Opcode, append_masked},
            mask,
        },
    };

    /// What the floor makes of one client frame with `data` of this length.
    fn relayed(length: usize) -> (Vec<u8>, String) {
        let data = "d".repeat(length);
        let to = String::from_utf8(peer_id(7).to_vec()).unwrap();
        let text = format!(r#"{{"type":"signal","to":"{to}","kind":"offer","data":"{data}"}}"#);
        let mut octets = Vec::new();
        append_masked(&mut octets, Opcode::Text, text.as_bytes());
        let head = Head::parse(&octets).unwrap().unwrap();
        let range = head.head..octets.len();
        mask::apply(&mut octets[range.clone()], mask::KEY);
        assert_eq!(address(&octets[range.clone()]), Addressed::Peer(7));
        let frame = rewrite(&mut octets, range, &peer_id(9));
        let from = String::from_utf8(peer_id(9).to_vec()).unwrap();
        (octets[frame].to_vec(), format!(r#"{{"type":"signal","from":"{from}","kind":"offer","data":"{data}"}}"#))
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
        let text = broadcast_text(br#"{"type":"signal","to":"*","kind":"app","data":1}"#, &peer_id(1));
        let end = br#"","kind":"app","data":1}"#;
        assert_eq!(text, [FROM, &peer_id(1), end].concat());
    }

    #[test]
    fn frames_are_collected_until_the_receiver_changes() {
        let mut forward = Forward::default();
        assert!(forward.is_for(1) && forward.to().is_none());
        forward.add(1, 0..3);
        forward.add(1, 5..8);
        assert!(forward.is_for(1) && !forward.is_for(2));
        assert_eq!(forward.frames().collect::<Vec<_>>(), [0..3, 5..8]);
        forward.clear();
        assert!(forward.is_for(2));
    }
}
