//! What happened in a room, for those in it.

use std::sync::{Arc, OnceLock};

use crate::protocol::{
    LeaveReason, Meta, PeerId, TextFrame, Who,
    server::{ServerFrame, encode},
};

/// What news takes on the wire beside metadata, roughly.
pub(super) const NEWS_BYTES: usize = 96;

/// Something that happened to one peer, for all the others. It says nothing of how clients are told; the frame is encoded by
/// the first session that needs it, and shared.
#[derive(Debug)]
pub struct RoomEvent {
    /// The peer that it happened to.
    peer: PeerId,
    change: PeerChange,
    /// See [`RoomEvent::bytes`].
    bytes: usize,
    encoded: OnceLock<TextFrame>,
}

/// What can happen to a peer.
#[derive(Debug)]
pub enum PeerChange {
    /// It came.
    Joined {
        /// What it wants the others to know of it.
        meta: Option<Meta>,
        /// Who it is, if it gave an identity.
        who: Option<Who>,
        /// The user that its token names, where that is shown.
        user: Option<Arc<str>>,
        /// Whose place it took.
        replaces: Option<PeerId>,
    },
    /// It is gone.
    Left(LeaveReason),
    /// Its metadata is now this.
    Updated(Meta),
    /// Its socket is gone; its seat is kept, until then (milliseconds since the Unix epoch).
    Away(u64),
    /// It has a socket again.
    Back,
}

impl PeerChange {
    /// Bytes of metadata in it.
    fn meta_bytes(&self) -> usize {
        match self {
            Self::Joined { meta, .. } => meta.as_ref().map_or(0, |meta| meta.as_str().len()),
            Self::Updated(meta) => meta.as_str().len(),
            Self::Left(_) | Self::Away(_) | Self::Back => 0,
        }
    }
}

impl RoomEvent {
    /// That happened to that peer.
    #[must_use]
    pub fn new(peer: PeerId, change: PeerChange) -> Arc<Self> {
        let bytes = NEWS_BYTES + change.meta_bytes();
        Arc::new(Self { peer, change, bytes, encoded: OnceLock::new() })
    }

    /// The peer that it happened to.
    #[must_use]
    pub fn about(&self) -> PeerId {
        self.peer
    }

    /// What it was.
    #[must_use]
    pub fn change(&self) -> &PeerChange {
        &self.change
    }

    /// What the others' clients are told.
    #[must_use]
    pub fn frame(&self) -> ServerFrame<'_> {
        let id = self.peer;
        match &self.change {
            // Whoever is here already is not polite towards one that comes later.
            PeerChange::Joined { meta, who, user, replaces } => {
                let (meta, who, user, replaces) = (meta.as_ref(), *who, user.as_deref(), *replaces);
                ServerFrame::PeerJoined { id, meta, user, polite: false, who, replaces }
            }
            PeerChange::Left(reason) => ServerFrame::PeerLeft { id, reason: *reason },
            PeerChange::Updated(meta) => ServerFrame::PeerUpdated { re: None, id, meta },
            PeerChange::Away(until_ms) => ServerFrame::PeerAway { id, until_ms: *until_ms },
            PeerChange::Back => ServerFrame::PeerBack { id },
        }
    }

    /// What it takes on the wire, nearly: it is encoded when the first asks for that.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same, encoded once for all.
    #[must_use]
    pub fn encoded(&self) -> TextFrame {
        self.encoded.get_or_init(|| encode(&self.frame())).clone()
    }
}
