//! Whether a session's client is away: the latest that the session says of it, for the supervisor to read.
//!
//! Shared between the two on purpose. A client with many connections can have its session lose one and take the next as fast
//! as it likes; however often that is, one message waits at the supervisor, which then finds how it stands.

use std::sync::atomic::{AtomicU8, Ordering};

const AWAY: u8 = 1;
/// A message is on its way.
const ANNOUNCED: u8 = 2;

/// One session's.
#[derive(Debug, Default)]
pub struct PresenceState(AtomicU8);

impl PresenceState {
    /// The session says how it stands. Whether it has to send a message: not while one waits.
    #[must_use]
    pub fn set(&self, away: bool) -> bool {
        let before = self.0.swap(ANNOUNCED | if away { AWAY } else { 0 }, Ordering::AcqRel);
        before & ANNOUNCED == 0
    }

    /// The supervisor handles that message: whether the client is away now.
    #[must_use]
    pub fn take(&self) -> bool {
        self.0.fetch_and(!ANNOUNCED, Ordering::AcqRel) & AWAY != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_it_changes_one_message_waits_and_finds_the_latest() {
        let state = PresenceState::default();
        assert!(state.set(true), "it is to be announced");
        for away in [false, true, false] {
            assert!(!state.set(away), "a message is on its way");
        }
        assert!(!state.take(), "the client is back");
        assert!(state.set(true), "the former message was handled");
        assert!(state.take());
    }
}
