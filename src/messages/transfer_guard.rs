//! A connection on its way between two sessions: it is told of whatever becomes of the message that it goes with.

use std::time::Instant;

/// Frames that went over one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameCounts {
    /// From the client.
    pub read: u64,
    /// To it.
    pub written: u64,
}

/// A connection between two sessions. One that never arrives has its end told by nobody else, whatever became of the
/// message.
pub struct TransferGuard {
    opened: Instant,
    frames: FrameCounts,
    /// Until it arrives.
    lost: Option<Box<dyn FnOnce() + Send>>,
}

impl TransferGuard {
    /// The connection, which was opened then, has no session any more. `lost` runs if it never has one again.
    #[must_use]
    pub fn begin(opened: Instant, frames: FrameCounts, lost: impl FnOnce() + Send + 'static) -> Self {
        Self { opened, frames, lost: Some(Box::new(lost)) }
    }

    /// When it was opened.
    #[must_use]
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// What went over it so far.
    #[must_use]
    pub fn frames(&self) -> FrameCounts {
        self.frames
    }

    /// It has a session again.
    pub fn arrive(mut self) {
        self.lost = None;
    }
}

impl Drop for TransferGuard {
    fn drop(&mut self) {
        if let Some(lost) = self.lost.take() {
            lost();
        }
    }
}
