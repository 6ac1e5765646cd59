//! How long things take, in milliseconds of the model, and how much there may be.

use switchboard::{cluster::lease::Timing, session::resume_buffer::Keep};

/// Between heartbeats, and what follows from it.
pub(crate) const TIMING: Timing = Timing { beat: 200, away_after: 800, dead_after: 1600 };
/// So long re-assertions are taken after a loss of data.
pub(crate) const ASSERT_FOR: u64 = 1400;
/// The resume window.
pub(crate) const WINDOW: u64 = 4000;
/// So long nobody hears `peer_away` of a planned move.
pub(crate) const QUIET_FOR: u64 = 600;
/// A signal waits so long for Redis.
pub(crate) const WAIT: u64 = 500;
/// A resume waits so long for the owner to release.
pub(crate) const ASK_FOR: u64 = 400;
/// Peers in a room.
pub(crate) const CAP: usize = 4;
/// Entries kept per room.
pub(crate) const STREAM: usize = 24;
/// Bytes of entries kept per room.
pub(crate) const STREAM_BYTES: usize = 4000;
/// Bytes of signals that wait in a node's line.
pub(crate) const LINE_BYTES: usize = 3000;
/// What is kept for a client that does not acknowledge.
pub(crate) const KEEP: Keep = Keep { frames: 40, bytes: 4000 };
