//! What happened in a room, for those in it.

use std::sync::{Arc, OnceLock};

use crate::protocol::{
    FrameKind, LeaveReason, Meta, PeerId, PlainText, TextFrame, Who,
    server::{ServerFrame, encode},
};

/// What news takes on the wire beside metadata and texts, roughly.
pub(super) const NEWS_BYTES: usize = 96;

/// Something that happened to one peer, or to the room, for all the others. It says nothing of how clients are told; the frame
/// is encoded by the first session that needs it, and shared.
#[derive(Debug)]
pub struct RoomEvent {
    what: Happened,
    /// See [`RoomEvent::kind`].
    kind: FrameKind,
    /// See [`RoomEvent::bytes`].
    bytes: usize,
    encoded: OnceLock<TextFrame>,
}

#[derive(Debug)]
enum Happened {
    /// To that peer.
    Peer(PeerId, PeerChange),
    /// To the room.
    Room(RoomChange),
}

/// What can happen to a room as such.
#[derive(Debug)]
pub enum RoomChange {
    /// It is locked, or not any more.
    Locked(bool),
    /// Somebody who is not in it is to be let go of.
    Kicked(Who),
    /// Something to read.
    Notice(PlainText),
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

impl Happened {
    fn frame(&self) -> ServerFrame<'_> {
        match self {
            Self::Peer(peer, change) => Self::peer_frame(*peer, change),
            Self::Room(RoomChange::Locked(locked)) => ServerFrame::RoomState { re: None, locked: *locked },
            Self::Room(RoomChange::Kicked(who)) => ServerFrame::Kicked { re: None, who: Some(*who) },
            Self::Room(RoomChange::Notice(text)) => ServerFrame::Notice { text },
        }
    }

    fn peer_frame(id: PeerId, change: &PeerChange) -> ServerFrame<'_> {
        match change {
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

    /// Bytes in it that are not the server's own: metadata, or a text.
    fn raw_bytes(&self) -> usize {
        match self {
            Self::Peer(_, PeerChange::Joined { meta, .. }) => meta.as_ref().map_or(0, |meta| meta.as_str().len()),
            Self::Peer(_, PeerChange::Updated(meta)) => meta.as_str().len(),
            Self::Room(RoomChange::Notice(text)) => text.as_str().len(),
            Self::Peer(_, PeerChange::Left(_) | PeerChange::Away(_) | PeerChange::Back) | Self::Room(..) => 0,
        }
    }
}

impl RoomEvent {
    /// That happened to that peer.
    #[must_use]
    pub fn new(peer: PeerId, change: PeerChange) -> Arc<Self> {
        Self::of(Happened::Peer(peer, change))
    }

    /// That happened to the room. All in it are told, whoever asked included: an answer goes another way, and of what several ask
    /// for at once the room alone has the order.
    #[must_use]
    pub fn of_room(change: RoomChange) -> Arc<Self> {
        Self::of(Happened::Room(change))
    }

    fn of(what: Happened) -> Arc<Self> {
        let (kind, bytes) = (what.frame().kind(), NEWS_BYTES + what.raw_bytes());
        Arc::new(Self { what, kind, bytes, encoded: OnceLock::new() })
    }

    /// Whether that member is to know of it. Of what happens to itself it hears otherwise, but for its own `update`.
    #[must_use]
    pub fn concerns(&self, member: PeerId) -> bool {
        match &self.what {
            Happened::Peer(peer, change) => *peer != member || matches!(change, PeerChange::Updated(_)),
            Happened::Room(_) => true,
        }
    }

    /// The metadata, if it is an `update` of that member's own.
    #[must_use]
    pub fn own_update(&self, member: PeerId) -> Option<&Meta> {
        match &self.what {
            Happened::Peer(peer, PeerChange::Updated(meta)) if *peer == member => Some(meta),
            _ => None,
        }
    }

    /// What the others' clients are told.
    #[must_use]
    pub fn frame(&self) -> ServerFrame<'_> {
        self.what.frame()
    }

    /// What kind of frame that is.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> FrameKind {
        self.kind
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
