//! What waits to be written to one socket: counted, bounded by its owner, written vectored.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use bytes::{Buf, Bytes};

/// Frames handed to the kernel in one call. Linux takes up to 1024; what waits longer than this is rare.
const SLICES: usize = 32;
/// An empty queue keeps no more than this many slots until the next sweep finds it idle.
const IDLE_SLOTS: usize = 4;

/// Most that may wait for a slow reader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueBound {
    /// `limits.queue_bytes`.
    pub(crate) bytes: usize,
    /// `limits.queue_frames`.
    pub(crate) frames: usize,
}

/// A queue of encoded frames, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Frames ever queued.
    pushed: u64,
    /// Of those that wait, how many do not count against the bound: what a resumed session has missed. Few have any.
    exempt: Option<Box<Exempt>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Exempt {
    bytes: usize,
    frames: usize,
}

/// How far writing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing waits.
    Empty,
    /// The kernel takes no more for now.
    Jammed,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.pushed += 1;
        self.frames.push_back(frame);
    }

    /// As [`push`](Self::push), of a frame that does not count against the bound: whatever is written next counts as one of those.
    pub(crate) fn push_exempt(&mut self, frame: Bytes) {
        let exempt = self.exempt.get_or_insert_default();
        exempt.bytes += frame.len();
        exempt.frames += 1;
        self.push(frame);
    }

    /// So many frames were written before.
    pub(crate) fn begin_at(&mut self, written: u64) {
        self.pushed += written;
    }

    /// Frames ever queued: the number of the latest.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Frames and bytes that wait and count against the bound.
    pub(crate) fn counted(&self) -> (usize, usize) {
        let exempt = self.exempt.as_deref().copied().unwrap_or_default();
        (self.frames.len() - exempt.frames, self.bytes - exempt.bytes)
    }

    /// Frames that are written and do not wait any more.
    pub(crate) fn written(&self) -> u64 {
        self.pushed - self.frames.len() as u64
    }

    /// Whether one more frame of that length would exceed `most`.
    pub(crate) fn over(&self, most: QueueBound, more: usize) -> bool {
        let (frames, bytes) = self.counted();
        bytes + more > most.bytes || frames >= most.frames
    }

    /// What waits, oldest first; the first may be the rest of a frame.
    pub(super) fn into_frames(self) -> Vec<Bytes> {
        self.frames.into()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that wait.
    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Writes until nothing waits or the kernel takes no more. `write` is the socket's vectored, non-blocking write.
    pub(super) fn flush(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<Flushed> {
        while let Some(first) = self.frames.front() {
            let result = if self.frames.len() == 1 {
                write(&[IoSlice::new(first)])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let mut used = 0;
                for (slot, frame) in slices.iter_mut().zip(&self.frames) {
                    *slot = IoSlice::new(frame);
                    used += 1;
                }
                write(&slices[..used])
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Jammed),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.exempt = None;
        if self.frames.capacity() > IDLE_SLOTS {
            self.frames = VecDeque::new();
        }
        Ok(Flushed::Empty)
    }

    /// Whether the queue has slots, used or not.
    pub(crate) fn is_restless(&self) -> bool {
        self.frames.capacity() > 0
    }

    /// Gives back the slots of an empty queue: an idle connection should cost nothing.
    pub(crate) fn rest(&mut self) {
        if self.frames.is_empty() && self.is_restless() {
            self.frames = VecDeque::new();
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        let mut whole = 0;
        let bytes = written;
        while let Some(first) = self.frames.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            self.frames.pop_front();
            whole += 1;
        }
        if let Some(exempt) = &mut self.exempt {
            exempt.bytes = exempt.bytes.saturating_sub(bytes);
            exempt.frames = exempt.frames.saturating_sub(whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    proptest! {
        /// Whatever the kernel takes at each call, the bytes come out whole, in order, and the count is right.
        #[test]
        fn partial_writes_lose_nothing(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..80),
            takes in prop::collection::vec(1_usize..400, 1..40),
        ) {
            let expected: Vec<u8> = frames.concat();
            let mut outbox = Outbox::default();
            for frame in &frames {
                outbox.push(Bytes::copy_from_slice(frame));
            }
            let mut sent = Vec::new();
            let mut takes = takes.into_iter();
            let mut done = false;
            while !done {
                let mut room = takes.next();
                let flushed = outbox.flush(|slices| {
                    let Some(n) = (if takes.len() == 0 { Some(usize::MAX) } else { room.take() }) else {
                        return Err(io::ErrorKind::WouldBlock.into());
                    };
                    let all: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
                    let n = n.min(all.len());
                    sent.extend_from_slice(&all[..n]);
                    Ok(n)
                }).unwrap();
                assert_eq!(outbox.bytes(), expected.len() - sent.len());
                done = flushed == Flushed::Empty;
            }
            assert_eq!(sent, expected);
            assert_eq!(outbox.frames(), 0);
        }
    }

    #[test]
    fn a_socket_that_takes_nothing_is_an_error_not_a_loop() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"x"));
        assert_eq!(outbox.flush(|_| Ok(0)).unwrap_err().kind(), io::ErrorKind::WriteZero);
    }
}
