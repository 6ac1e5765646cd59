//! In which order a session is given away, by a drain or because its client came to another node.
//!
//! 1. Its socket is read no more. Every session of the room on this node is told, routes it by the log from then on, and confirms
//!    through its mailbox.
//! 2. When all have confirmed, its mailbox is given the mark: the replica's place in the log. The replica posts it nothing more.
//! 3. At the mark, all that was near is in its resume buffer. The record is cut there and goes out with the release; what the log
//!    says behind the mark is added by whoever claims it.

use std::collections::BTreeSet;

use crate::protocol::PeerId;

/// How far a release has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Flushing,
    Marked,
    Cut,
}

/// The release of one session.
#[derive(Debug, Clone)]
pub struct Release {
    /// Sessions of this node that may still post to its mailbox.
    unconfirmed: BTreeSet<PeerId>,
    stage: Stage,
}

impl Release {
    /// Begins; `others` are the room's sessions on this node, which have to confirm.
    #[must_use]
    pub fn begin(others: impl IntoIterator<Item = PeerId>) -> Self {
        Self { unconfirmed: others.into_iter().collect(), stage: Stage::Flushing }
    }

    /// That session routes by the log now, or is over.
    pub fn confirmed(&mut self, peer: PeerId) {
        self.unconfirmed.remove(&peer);
    }

    /// Whether that session is still waited for.
    #[must_use]
    pub fn awaits(&self, peer: PeerId) -> bool {
        self.unconfirmed.contains(&peer)
    }

    /// Whether the mark may be set now.
    #[must_use]
    pub fn may_mark(&self) -> bool {
        self.unconfirmed.is_empty() && self.stage == Stage::Flushing
    }

    /// The mark is in its mailbox.
    pub fn mark(&mut self) {
        self.stage = self.stage.max(Stage::Marked);
    }

    /// The mark was reached.
    pub fn cut(&mut self) {
        self.stage = Stage::Cut;
    }

    /// Whether the replica posts it nothing more.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.stage >= Stage::Marked
    }

    /// Whether its record is cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.stage == Stage::Cut
    }
}
