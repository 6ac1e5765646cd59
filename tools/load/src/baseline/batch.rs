//! What one round of events brought, and what is to be sent of it: nothing is copied, and each receiver gets one call.

use std::ops::Range;

/// One buffer for all connections. In a round it is filled from the front: what was read, and texts of the baseline's own.
const BUFFER: usize = 512 << 10;
/// The most that one read takes: more than the longest frame.
const READ: usize = 72 << 10;
/// Room for what can follow from one read: at most, each of its frames again, to everybody, with a sender's id.
const RESERVE: usize = 184 << 10;
/// Marks the absence of an index.
const NONE: u32 = u32::MAX;

/// Where a connection stands in the round's list of receivers. Kept by the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn(u32);

impl Turn {
    /// Nothing is to be sent to it.
    pub(super) const NONE: Self = Self(NONE);
}

/// Bytes of the buffer for one receiver, and the piece that follows.
#[derive(Debug)]
struct Piece {
    bytes: Range<u32>,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Receiver {
    who: u32,
    first: u32,
    last: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Batch {
    buffer: Box<[u8]>,
    used: usize,
    pieces: Vec<Piece>,
    receivers: Vec<Receiver>,
}

impl Batch {
    pub(super) fn new() -> Self {
        // Written to, so that its pages are there before there are connections: they belong to none.
        Self { buffer: vec![0xff; BUFFER].into(), used: 0, pieces: Vec::new(), receivers: Vec::new() }
    }

    /// Whether another read would not fit.
    pub(super) fn is_full(&self) -> bool {
        self.used + READ + RESERVE > BUFFER
    }

    /// Where the next read goes.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.used..self.used + READ]
    }

    /// So much of the space was used; where it lies.
    pub(super) fn took(&mut self, bytes: usize) -> Range<usize> {
        let start = self.used;
        self.used += bytes;
        start..self.used
    }

    /// The buffer.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Appends a text; where it lies. A text that does not fit is cut off, which no client of the baseline's brings about.
    pub(super) fn append(&mut self, text: &[u8]) -> Range<usize> {
        let text = &text[..text.len().min(BUFFER - self.used)];
        self.buffer[self.used..self.used + text.len()].copy_from_slice(text);
        self.took(text.len())
    }

    /// Appends what is in the buffer already.
    pub(super) fn append_again(&mut self, bytes: Range<usize>) -> Range<usize> {
        let bytes = bytes.start..bytes.end.min(bytes.start + (BUFFER - self.used));
        self.buffer.copy_within(bytes.clone(), self.used);
        self.took(bytes.len())
    }

    /// Gives `bytes` of the buffer to a receiver.
    pub(super) fn add(&mut self, turn: &mut Turn, who: u32, bytes: Range<usize>) {
        let piece = self.pieces.len() as u32;
        let bytes = bytes.start as u32..bytes.end as u32;
        if let Some(receiver) = self.receivers.get_mut(turn.0 as usize) {
            let last = &mut self.pieces[receiver.last as usize];
            if last.bytes.end == bytes.start {
                last.bytes.end = bytes.end;
                return;
            }
            last.next = piece;
            receiver.last = piece;
        } else {
            *turn = Turn(self.receivers.len() as u32);
            self.receivers.push(Receiver { who, first: piece, last: piece });
        }
        self.pieces.push(Piece { bytes, next: NONE });
    }

    /// As [`Batch::add`], of a frame with nothing between it and `behind` that is still needed: moved up to what the same
    /// receiver gets already, if that ends there. Where it ends now.
    pub(super) fn add_behind(&mut self, turn: &mut Turn, who: u32, behind: usize, mut bytes: Range<usize>) -> usize {
        let last = self.receivers.get(turn.0 as usize).map(|r| self.pieces[r.last as usize].bytes.end);
        if last == Some(behind as u32) {
            let length = bytes.len();
            self.buffer.copy_within(bytes, behind);
            bytes = behind..behind + length;
        }
        let end = bytes.end;
        self.add(turn, who, bytes);
        end
    }

    /// Who is the `n`th receiver of this round.
    pub(super) fn receiver(&self, n: usize) -> Option<u32> {
        self.receivers.get(n).map(|r| r.who)
    }

    /// What a receiver gets, in order.
    pub(super) fn pieces(&self, turn: Turn) -> impl Iterator<Item = &[u8]> {
        let mut next = self.receivers.get(turn.0 as usize).map_or(NONE, |r| r.first);
        std::iter::from_fn(move || {
            let piece = self.pieces.get(next as usize)?;
            next = piece.next;
            Some(&self.buffer[piece.bytes.start as usize..piece.bytes.end as usize])
        })
    }

    /// Whether nobody gets anything.
    pub(super) fn is_empty(&self) -> bool {
        self.receivers.is_empty()
    }

    /// All was sent: a new round.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.pieces.clear();
        self.receivers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(batch: &Batch, turn: Turn) -> Vec<String> {
        batch.pieces(turn).map(|p| String::from_utf8(p.to_vec()).unwrap()).collect()
    }

    #[test]
    fn each_receiver_gets_its_pieces_in_order_and_neighbours_in_one() {
        let mut batch = Batch::new();
        let (mut seven, mut eight) = (Turn::NONE, Turn::NONE);
        let texts = ["x", "y", "z"].map(|text| batch.append(text.as_bytes()));
        for (n, who) in [(0, 7), (0, 8), (1, 7), (2, 8)] {
            let turn = if who == 7 { &mut seven } else { &mut eight };
            batch.add(turn, who, texts[n].clone());
        }
        let again = batch.append_again(texts[2].clone());
        batch.add(&mut eight, 8, again);
        assert_eq!((sent(&batch, seven), sent(&batch, eight)), (vec!["xy".into()], vec!["x".into(), "zz".into()]));
        assert_eq!((batch.receiver(0), batch.receiver(1), batch.receiver(2)), (Some(7), Some(8), None));
        assert!(!batch.is_empty());
        batch.clear();
        assert!(batch.is_empty() && sent(&batch, seven).is_empty());
    }

    #[test]
    fn frames_for_one_receiver_close_up_and_nobody_elses_are_overwritten() {
        let mut batch = Batch::new();
        let (mut a, mut b) = (Turn::NONE, Turn::NONE);
        batch.append(b"..one..two..three..four..five");
        let mut behind = 0;
        for (who, bytes) in [(1, 2..5), (1, 7..10), (1, 12..17), (2, 19..23), (1, 25..29)] {
            let turn = if who == 1 { &mut a } else { &mut b };
            behind = batch.add_behind(turn, who, behind, bytes);
        }
        assert_eq!(
            (sent(&batch, a), sent(&batch, b)),
            (vec!["onetwothree".into(), "five".into()], vec!["four".into()])
        );
    }

    #[test]
    fn a_batch_is_full_before_a_read_or_its_answers_would_not_fit() {
        let mut batch = Batch::new();
        while !batch.is_full() {
            let space = batch.space().len();
            batch.took(space);
        }
        assert!(BUFFER - batch.used >= RESERVE);
        batch.append(&vec![b'x'; BUFFER]);
        assert_eq!(batch.used, BUFFER);
    }
}
