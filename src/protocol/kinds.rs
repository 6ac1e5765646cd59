//! Closed vocabularies: what a signal is, and what a frame is for the metrics.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// What a `signal` carries. The server reads this word and never the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SignalKind {
    /// A session description of type `offer`.
    Offer,
    /// A session description of type `answer` (or `pranswer`, or a rollback).
    Answer,
    /// An ICE candidate, or `null` for the end of candidates.
    Candidate,
    /// Whatever the application likes.
    App,
}

impl SignalKind {
    /// Every kind, for metrics and documents.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kind that `word` names on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// A frame's label in metrics and logs: its `type`, or for a `signal` its `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum FrameKind {
    /// Client: let me into a room.
    Join,
    /// Client: I leave the room.
    Leave,
    /// Both ways: a `signal` with a session description that offers.
    Offer,
    /// Both ways: a `signal` with a session description that answers.
    Answer,
    /// Both ways: a `signal` with an ICE candidate.
    Candidate,
    /// Both ways: a `signal` of the application's own.
    App,
    /// Client: my metadata is now this.
    Update,
    /// Client: are you there?
    Ping,
    /// From a client, and not one of the above.
    Invalid,
    /// Server: the first frame of a connection.
    Welcome,
    /// Server: you are in the room.
    Joined,
    /// Server: you are out of the room.
    Left,
    /// Server: somebody came.
    PeerJoined,
    /// Server: somebody went.
    PeerLeft,
    /// Server: somebody's metadata changed.
    PeerUpdated,
    /// Server: somebody lost its socket and may come back.
    PeerAway,
    /// Server: somebody came back.
    PeerBack,
    /// Server: yes, I am.
    Pong,
    /// Server: that did not work.
    Error,
    /// Server: the room ended under you.
    RoomClosed,
    /// Server: this connection is about to end.
    Bye,
}

impl FrameKind {
    /// Every kind, in the order of [`FrameKind::index`].
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word in labels; but for signals and [`FrameKind::Invalid`] it is the frame's `type` on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The place in an array of `ALL.len()` counters.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Whether clients send it.
    #[must_use]
    pub fn is_incoming(self) -> bool {
        self.index() <= Self::Invalid.index()
    }

    /// Whether the server sends it.
    #[must_use]
    pub fn is_outgoing(self) -> bool {
        self.index() > Self::Invalid.index() || matches!(self, Self::Offer | Self::Answer | Self::Candidate | Self::App)
    }
}

impl From<SignalKind> for FrameKind {
    fn from(kind: SignalKind) -> Self {
        match kind {
            SignalKind::Offer => Self::Offer,
            SignalKind::Answer => Self::Answer,
            SignalKind::Candidate => Self::Candidate,
            SignalKind::App => Self::App,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_stands_at_its_index_under_a_label_of_its_own() {
        for (at, kind) in FrameKind::ALL.iter().enumerate() {
            assert_eq!(kind.index(), at);
        }
        let labels: HashSet<_> = FrameKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(labels.len(), FrameKind::ALL.len());
    }

    #[test]
    fn every_kind_has_a_direction_and_only_signals_have_both() {
        for &kind in FrameKind::ALL {
            assert!(kind.is_incoming() || kind.is_outgoing(), "{kind:?}");
            let signal = SignalKind::parse(kind.as_str()).is_some();
            assert_eq!(kind.is_incoming() && kind.is_outgoing(), signal, "{kind:?}");
        }
    }
}
