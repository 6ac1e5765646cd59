//! The bookkeeping of a session that may be resumed: what was sent and not acknowledged, what was handled, and which
//! tokens are good. Counting as XMPP's stream management does (XEP-0198). No actix, no clock, no socket.
//!
//! Counted, from 1 after each `joined` that is not a complete resume: every frame but `joined`, `pong` and `bye` from the
//! server, every frame but `join` and `ping` from the client.

mod record;

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use crate::{
    config::Settings,
    messages::ResumeSecrets,
    protocol::{Meta, ResumeSecret, Who},
};

/// How much is kept for a client that does not acknowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// `limits.resume_frames`.
    pub frames: usize,
    /// `limits.resume_bytes`.
    pub bytes: usize,
}

impl From<&Settings> for Keep {
    fn from(settings: &Settings) -> Self {
        Self { frames: settings.limits.resume_frames, bytes: settings.limits.resume_bytes }
    }
}

/// Slots that are taken with the first frame: those of a negotiation in a room of two. Their 192 bytes are of a size that no
/// part of a connection that stays has: the allocator gets whole pages back when all is acknowledged.
const FIRST_SLOTS: usize = 6;

/// Frames up to this length are copied rather than shared, where sharing has a price.
const COPIED: usize = 512;

/// An `ack` that falls, or exceeds what was sent: the client's bookkeeping is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::MESSAGE)]
pub struct BadAck;

impl BadAck {
    /// What the client is told.
    pub(super) const MESSAGE: &str = "ack falls, or exceeds what was sent";
}

/// A frame to be kept while it goes out. To share one that has a single owner takes an allocation of 32 bytes, of the size
/// of much that stays: a small frame is copied instead, which takes no longer and leaves no holes between it. One that a whole
/// room gets is shared already.
fn kept(frame: &Bytes) -> Bytes {
    if frame.len() <= COPIED && frame.is_unique() { Bytes::copy_from_slice(frame) } else { frame.clone() }
}

/// What a resume leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Whether every frame after the client's `ack` is in `replay`. If not, there is no replay: the client gets the
    /// whole room instead, and both counts begin anew.
    pub complete: bool,
    /// Frames of the client's that were handled, by the count that its token belongs to.
    pub ack: u64,
    /// What it has missed, oldest first.
    pub replay: Vec<Bytes>,
}

/// Both counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Numbering {
    sent: u64,
    acked: u64,
    handled: u64,
}

impl Numbering {
    fn allow(&self, ack: u64) -> bool {
        (self.acked..=self.sent).contains(&ack)
    }
}

/// A token that is good until the client proves that the one after it has arrived.
#[derive(Debug, Clone)]
struct Former {
    /// The counts that it goes with, where the numbering has begun anew since; else they are the resume buffer's own.
    frozen: Option<Numbering>,
}

/// The resume buffer of one membership.
#[derive(Debug)]
pub struct ResumeBuffer {
    /// The latest token, and the one before it as long as there is a `former`. Shared with who compares on the session's
    /// behalf.
    secrets: Arc<ResumeSecrets>,
    /// The latest token that the client is known to have, where that is not the latest one.
    /// Boxed: there is none but between a resume and the client's next frame.
    former: Option<Box<Former>>,
    /// Whether any token of this membership was proven to have arrived.
    confirmed: bool,
    counts: Numbering,
    /// Frames `counts.sent - unacked.len() + 1 ..= counts.sent`.
    unacked: VecDeque<Bytes>,
    bytes: usize,
    /// A frame that the client was to get never became one: its message was refused.
    gap: bool,
    /// The peer's metadata as its room has it, for the `joined` of a resume.
    pub meta: Option<Meta>,
    /// Who the peer is, if it gave an identity; for the same. Boxed, so that who gave none pays for a pointer.
    pub who: Option<Box<Who>>,
}

/// It is in the allocator's class of 112 bytes, and every session that may be resumed has one.
const _: () = assert!(size_of::<ResumeBuffer>() <= 112);

impl ResumeBuffer {
    /// A membership that begins. `secret` goes out with its `joined`.
    #[must_use]
    pub fn new(secret: ResumeSecret) -> Self {
        Self {
            secrets: ResumeSecrets::new(secret),
            former: None,
            confirmed: false,
            counts: Numbering::default(),
            unacked: VecDeque::new(),
            bytes: 0,
            gap: false,
            meta: None,
            who: None,
        }
    }

    /// A counted frame goes out, or would if there were a socket. Beyond the bounds the oldest is dropped: not to
    /// acknowledge is no reason to be ended.
    pub fn record(&mut self, frame: &Bytes, keep: Keep) {
        if self.unacked.capacity() == 0 {
            self.unacked.reserve_exact(FIRST_SLOTS);
        }
        self.counts.sent += 1;
        self.bytes += frame.len();
        self.unacked.push_back(kept(frame));
        while self.unacked.len() > keep.frames || self.bytes > keep.bytes {
            self.drop_oldest();
        }
    }

    /// A frame from the client that is counted was handled, whatever the answer.
    pub fn handled(&mut self) {
        self.counts.handled += 1;
    }

    /// Any frame from the client: it has this token, so the former one is good no more.
    pub fn confirm(&mut self) {
        self.confirmed = true;
        if self.former.take().is_some() {
            self.secrets.confirm();
        }
    }

    /// Frames of the client's that were handled, for `pong`.
    #[must_use]
    pub fn ack(&self) -> u64 {
        self.counts.handled
    }

    /// The client has handled this many frames.
    ///
    /// # Errors
    /// [`BadAck`]; nothing has changed then.
    pub fn acked(&mut self, ack: u64) -> Result<(), BadAck> {
        if !self.counts.allow(ack) {
            return Err(BadAck);
        }
        self.counts.acked = ack;
        while self.unacked.len() as u64 > self.counts.sent - ack {
            self.drop_oldest();
        }
        if self.unacked.is_empty() {
            // An idle peer holds nothing.
            self.unacked = VecDeque::new();
        }
        Ok(())
    }

    /// Something that the client was to get is lost before it was counted: no resume of this count can be complete.
    pub fn lost(&mut self) {
        self.gap = true;
    }

    /// Whether the session may outlive its socket: a client that never showed that its `joined` arrived has nothing to
    /// come back with.
    #[must_use]
    pub fn may_park(&self) -> bool {
        self.confirmed
    }

    /// Whether a session may be resumed with this secret. Takes the same time whatever the answer.
    #[must_use]
    pub fn knows(&self, secret: &ResumeSecret) -> bool {
        self.secrets.know(secret)
    }

    /// Whether a client that comes back with this secret can have handled `ack` frames.
    #[must_use]
    pub fn allows(&self, secret: &ResumeSecret, ack: u64) -> bool {
        self.counts_of(secret).allow(ack)
    }

    /// What it can be resumed with, for who compares on its behalf. They are worth nothing when the resume buffer is gone.
    #[must_use]
    pub fn secrets(&self) -> &Arc<ResumeSecrets> {
        &self.secrets
    }

    /// The counts that a token goes with, where the numbering has begun anew since.
    fn frozen_of(&self, secret: &ResumeSecret) -> Option<Numbering> {
        let former = self.former.as_ref().filter(|_| !self.secrets.is_current(secret));
        former.and_then(|former| former.frozen)
    }

    /// The counts that a token goes with.
    fn counts_of(&self, secret: &ResumeSecret) -> Numbering {
        self.frozen_of(secret).unwrap_or(self.counts)
    }

    /// The client is back with a secret that this resume buffer [`knows`](Self::knows), and has handled `ack` frames. `next` is
    /// the secret that goes out with the answer.
    ///
    /// # Errors
    /// [`BadAck`]; nothing has changed then.
    pub fn resume(&mut self, secret: &ResumeSecret, ack: u64, next: ResumeSecret) -> Result<Resumed, BadAck> {
        let frozen = self.frozen_of(secret);
        let counts = frozen.unwrap_or(self.counts);
        if !counts.allow(ack) {
            return Err(BadAck);
        }
        let dropped = self.counts.sent - self.unacked.len() as u64;
        let complete = frozen.is_none() && !self.gap && ack >= dropped;
        self.former = Some(Box::new(Former { frozen: (!complete).then_some(counts) }));
        self.secrets.follow(*secret, next);
        if complete {
            self.acked(ack)?;
        } else {
            self.begin_anew();
        }
        Ok(Resumed { complete, ack: counts.handled, replay: self.unacked.iter().cloned().collect() })
    }

    /// Lets go of all that is kept: only a client that has it all already can come back without a gap.
    pub fn let_go(&mut self) {
        self.unacked = VecDeque::new();
        self.bytes = 0;
    }

    /// All of it once more, for a record of the session: with secrets of its own, so that what becomes of one says nothing of
    /// the other.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            secrets: self.secrets.detached(),
            former: self.former.clone(),
            confirmed: self.confirmed,
            counts: self.counts,
            unacked: self.unacked.clone(),
            bytes: self.bytes,
            gap: self.gap,
            meta: self.meta.clone(),
            who: self.who.clone(),
        }
    }

    /// Frames and bytes that are kept.
    #[must_use]
    pub fn kept(&self) -> (usize, usize) {
        (self.unacked.len(), self.bytes)
    }

    fn begin_anew(&mut self) {
        self.counts = Numbering::default();
        self.unacked = VecDeque::new();
        self.bytes = 0;
        self.gap = false;
    }

    fn drop_oldest(&mut self) {
        if let Some(frame) = self.unacked.pop_front() {
            self.bytes -= frame.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three frames went out; `acked` of them are acknowledged in the resume.
    fn resumed(acked: u64, emptied: bool) -> bool {
        let (first, next) = (ResumeSecret::random(), ResumeSecret::random());
        let mut buffer = ResumeBuffer::new(first);
        for _ in 0..3 {
            buffer.record(&Bytes::from_static(b"frame"), Keep { frames: 10, bytes: 1000 });
        }
        if emptied {
            buffer.let_go();
            assert_eq!(buffer.kept(), (0, 0));
        }
        buffer.resume(&first, acked, next).expect("an ack of what was sent").complete
    }

    #[test]
    fn a_buffer_that_was_emptied_is_complete_for_whoever_has_it_all() {
        assert!(resumed(1, false) && resumed(3, true));
        assert!(!resumed(2, true));
    }
}
