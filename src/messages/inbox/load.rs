//! How much waits for one receiver, and how much may.

use crate::config::Settings;

/// Bits of the packed form that hold bytes: 1 TiB, far more than all senders together may post at once.
const BYTE_BITS: u32 = 40;
const BYTES: u64 = (1 << BYTE_BITS) - 1;
/// Bits above them that hold frames; the rest is for flags.
const FRAME_BITS: u32 = 22;
const FRAMES: u64 = (1 << FRAME_BITS) - 1;

/// Frames and their bytes, in one word, so that both change in one step.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Load(u64);

impl Load {
    /// All bits that a load can use. The others are flags of whoever keeps it.
    pub(super) const MASK: u64 = FRAMES << BYTE_BITS | BYTES;

    /// So many frames with so many bytes in all.
    #[inline]
    #[must_use]
    pub fn new(frames: usize, bytes: usize) -> Self {
        Self((frames as u64) << BYTE_BITS | bytes as u64)
    }

    /// One frame.
    #[inline]
    #[must_use]
    pub fn frame(bytes: usize) -> Self {
        Self::new(1, bytes)
    }

    /// Without whatever flags stand beside it.
    #[inline]
    pub(super) fn unpack(word: u64) -> Self {
        Self(word & Self::MASK)
    }

    #[inline]
    pub(super) fn pack(self) -> u64 {
        self.0
    }

    /// Frames.
    #[inline]
    #[must_use]
    pub fn frames(self) -> u64 {
        self.0 >> BYTE_BITS
    }

    /// Bytes of all of them.
    #[inline]
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0 & BYTES
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is within `most`, in frames and in bytes.
    #[inline]
    #[must_use]
    pub fn fits(self, most: Self) -> bool {
        self.bytes() <= most.bytes() && self.frames() <= most.frames()
    }

    /// What is left without `less`, and nothing where that is more.
    #[must_use]
    pub fn saturating_sub(self, less: Self) -> Self {
        let frames = self.frames().saturating_sub(less.frames());
        Self(frames << BYTE_BITS | self.bytes().saturating_sub(less.bytes()))
    }
}

impl std::ops::Add for Load {
    type Output = Self;

    #[inline]
    fn add(self, more: Self) -> Self {
        Self(self.0 + more.0)
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} frames of {} bytes", self.frames(), self.bytes())
    }
}

/// How much may wait for one receiver, and each sender's part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// One equal share: as many as there are peers in a full room, which leaves one that is the server's own.
    pub share: Load,
    /// What signals may come to: all but the server's share.
    pub signals: Load,
}

impl Bound {
    /// Equal shares of so much, in a room for so many peers. A share is never less than a frame.
    #[must_use]
    pub fn new(frames: usize, bytes: usize, peers: usize) -> Self {
        let part = |all: usize| (all / (peers + 1)).max(1);
        let share = Load::new(part(frames), part(bytes));
        Self { share, signals: Load::new(frames, bytes).saturating_sub(share) }
    }
}

/// Both bounds of an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// `limits.queue_bytes` and `limits.queue_frames`: of a receiver with a socket.
    pub connected: Bound,
    /// `limits.resume_bytes` and `limits.resume_frames`: of one that is away.
    pub away: Bound,
}

impl Bounds {
    pub(super) fn of(&self, away: bool) -> &Bound {
        if away { &self.away } else { &self.connected }
    }
}

impl From<&Settings> for Bounds {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            connected: Bound::new(limits.queue_frames, limits.queue_bytes, limits.peers_per_room),
            away: Bound::new(limits.resume_frames, limits.resume_bytes, limits.peers_per_room),
        }
    }
}
