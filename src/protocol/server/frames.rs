//! What the server says, as values: one variant for each frame, and what frames of either direction are called.
//!
//! How a frame is written is [`encode`](super::encode)'s business alone.

use std::sync::Arc;

use strum::{IntoStaticStr, VariantArray};

use crate::protocol::{
    endings::{ByeAction, EndReason, LeaveReason},
    errors::ErrorCode,
    ids::{PeerId, RoomName, SessionId},
    kinds::SignalKind,
    meta::Meta,
    permissions::Permissions,
    plain_text::PlainText,
    resume::ResumeToken,
    who::Who,
};

/// Makes the list below two types, so that a frame is named in one place: [`FrameKind`] has what clients send and what the
/// server sends, [`ServerFrame`] what the server sends, with its fields.
macro_rules! frames {
    (
        client { $($(#[$client_doc:meta])+ $client:ident,)+ }
        server { $($(#[$doc:meta])+ $frame:ident $fields:tt,)+ }
    ) => {
        /// A frame's label in metrics and logs: its `type`, or for a `signal` its `kind`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
        #[strum(serialize_all = "snake_case")]
        #[repr(u8)]
        pub enum FrameKind {
            $($(#[$client_doc])+ $client,)+
            $($(#[$doc])+ $frame,)+
        }

        /// A frame of the server's, before it is encoded.
        #[derive(Clone, Copy)]
        pub enum ServerFrame<'a> {
            /// What another peer of the room sent.
            Signal {
                /// Who.
                from: PeerId,
                /// What it is.
                kind: SignalKind,
                /// The payload: valid JSON, which goes out byte for byte.
                data: &'a str,
            },
            $($(#[$doc])+ $frame $fields,)+
        }

        impl ServerFrame<'_> {
            /// What it is called in metrics and logs.
            #[must_use]
            pub fn kind(&self) -> FrameKind {
                match self {
                    Self::Signal { kind, .. } => FrameKind::from(*kind),
                    $(Self::$frame { .. } => FrameKind::$frame,)+
                }
            }
        }
    };
}

frames! {
    client {
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
        /// Client: which ICE servers, and with what credentials?
        Ice,
        /// Client: send somebody out of my room.
        Kick,
        /// Client: lock my room, or unlock it.
        Lock,
        /// Client: this is how I am doing.
        Report,
        /// Client: are you there?
        Ping,
        /// From a client, and not one of the above.
        Invalid,
    }
    server {
        /// Server: the first frame of a connection.
        Welcome {
            /// The connection's name in the server's logs.
            session: SessionId,
            /// What is the same for all connections.
            server: &'a PreparedWelcome,
        },
        /// Server: you are in the room.
        Joined(Joined<'a>),
        /// Server: you are out of the room.
        Left {
            /// The request's `id`.
            re: Option<&'a str>,
            /// The room.
            room: &'a RoomName,
        },
        /// Server: somebody came.
        PeerJoined {
            /// Who.
            id: PeerId,
            /// What it wants the others to know of it.
            meta: Option<&'a Meta>,
            /// The user that its token names, where that is shown.
            user: Option<&'a str>,
            /// Whether the receiver is polite towards it.
            polite: bool,
            /// Who it is, if it gave an identity.
            who: Option<Who>,
            /// Whose place it took, of those that were the same: the latest.
            replaces: Option<PeerId>,
        },
        /// Server: somebody went.
        PeerLeft {
            /// Who.
            id: PeerId,
            /// Why.
            reason: LeaveReason,
        },
        /// Server: somebody's metadata changed.
        PeerUpdated {
            /// In the updater's own reply: its request's `id`.
            re: Option<&'a str>,
            /// Whose.
            id: PeerId,
            /// All of it.
            meta: &'a Meta,
        },
        /// Server: somebody lost its socket and may come back.
        PeerAway {
            /// Who.
            id: PeerId,
            /// Until when at the latest, in milliseconds since the Unix epoch by this server's clock.
            until_ms: u64,
        },
        /// Server: somebody came back.
        PeerBack {
            /// Who.
            id: PeerId,
        },
        /// Server: what you may now, and for how long.
        Permissions {
            /// The request's `id`; none where nobody asked.
            re: Option<&'a str>,
            /// What the session may.
            permissions: Permissions,
            /// For how long, if nothing renews it, in milliseconds.
            expires_in_ms: u64,
        },
        /// Server: these ICE servers, with fresh credentials.
        IceServers {
            /// The request's `id`.
            re: Option<&'a str>,
            /// A JSON array of `RTCIceServer` dictionaries.
            json: &'a str,
            /// How long the credentials in it are good, in milliseconds; `None` where none of them ends.
            ttl_ms: Option<u64>,
        },
        /// Server: yes, I am.
        Pong {
            /// The request's `id`.
            re: Option<&'a str>,
            /// The raw text of the JSON number in the `ping`.
            t: Option<&'a str>,
            /// In a resumable session: how many of the client's counted frames have been handled.
            ack: Option<u64>,
        },
        /// Server: that did not work.
        Error(ErrorFrame<'a>),
        /// Server: your kick was done; or who that is has to go, wherever it is.
        Kicked {
            /// The request's `id`.
            re: Option<&'a str>,
            /// Who, to everybody in the room, where nobody in it is, or was when the kick came.
            who: Option<Who>,
        },
        /// Server: whether the room lets anybody in.
        RoomState {
            /// The request's `id`; none in what everybody hears.
            re: Option<&'a str>,
            /// Whether it is locked.
            locked: bool,
        },
        /// Server: what those who run it want people to read.
        Notice {
            /// To be shown as it is.
            text: &'a PlainText,
        },
        /// Server: the room ended under you.
        RoomClosed {
            /// The room.
            room: &'a RoomName,
        },
        /// Server: this connection is about to end.
        Bye {
            /// Why.
            reason: EndReason,
            /// What the client should do.
            action: ByeAction,
            /// When to come back, if at all.
            retry_after_ms: u64,
            /// What somebody wants the client's user to know of it.
            message: Option<&'a PlainText>,
        },
    }
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

/// What a server tells each connection of itself, encoded once: all but the session's name.
#[derive(Debug, Clone)]
pub struct PreparedWelcome {
    /// The JSON before the name and after it.
    pub(super) around: (Vec<u8>, Vec<u8>),
}

/// What a newcomer is told: the complete room, or a session given back.
#[derive(Clone, Copy)]
pub struct Joined<'a> {
    /// The request's `id`.
    pub re: Option<&'a str>,
    /// The newcomer's own name.
    pub me: PeerId,
    /// Its metadata, as the others see it.
    pub meta: Option<&'a Meta>,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// The room.
    pub room: &'a RoomName,
    /// On a resume: what became of the frames on the way.
    pub resumed: Option<ResumeStatus>,
    /// Everybody else in it. `None` after a complete resume: the client knows, or is about to hear.
    pub peers: Option<&'a [PeerView]>,
    /// Most peers the room takes, the newcomer included.
    pub capacity: usize,
    /// Whether the room is locked.
    pub locked: bool,
    /// A JSON array of `RTCIceServer` dictionaries.
    pub ice_servers_json: &'a str,
    /// How long the credentials in it are good, in milliseconds; `None` where none of them ends.
    pub ice_ttl_ms: Option<u64>,
    /// What its token grants; `None` where it came without one.
    pub grant: Option<GrantView<'a>>,
    /// In a resumable session: what the next resume needs, and how long after the loss of the socket it is possible,
    /// in milliseconds.
    pub resume: Option<(&'a ResumeToken, u64)>,
}

/// What a token grants, as its owner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantView<'a> {
    /// What the session may.
    pub permissions: Permissions,
    /// For how long, if nothing renews it, in milliseconds.
    pub expires_in_ms: u64,
    /// The user that it names, where that is shown.
    pub user: Option<&'a str>,
}

/// One peer of a room, as another sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its name.
    pub id: PeerId,
    /// What it wants the others to know of it.
    pub meta: Option<Meta>,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// The user that its token names, where that is shown.
    pub user: Option<Arc<str>>,
    /// Whether the one who sees it is polite towards it.
    pub polite: bool,
    /// While it is away: until when at the latest, in milliseconds since the Unix epoch.
    pub away_until_ms: Option<u64>,
}

/// How a resume went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeStatus {
    /// Whether all that the client has not seen follows, each frame once and in order. Otherwise some of it is lost,
    /// `peers` is the room as it is, and both counts start anew.
    pub complete: bool,
    /// How many of the client's counted frames have been handled: what comes after them is to be sent again.
    pub ack: u64,
}

/// What a client is told when a request fails. See [`ErrorFrame::new`].
#[derive(Debug, Clone, Copy)]
pub struct ErrorFrame<'a> {
    /// What is the matter; it brings `category` and `retryable`.
    pub code: ErrorCode,
    /// For the developer: no payload, no metadata, nothing internal.
    pub message: &'a str,
    /// The request's `id`.
    pub re: Option<&'a str>,
    /// When to try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// With `peer_not_found`: who is not there. With `peer_busy` and `unavailable`: who did not get it.
    pub peers: &'a [PeerId],
    /// With `peer_not_found`: names that nobody can have. On the wire they follow in the same list.
    pub unknown_peers: &'a [Box<str>],
}

impl<'a> ErrorFrame<'a> {
    /// An error with nothing but a code and a message; the rest by `ErrorFrame { re, ..ErrorFrame::new(…) }`.
    #[must_use]
    pub fn new(code: ErrorCode, message: &'a str) -> Self {
        Self { code, message, re: None, retry_after_ms: None, peers: &[], unknown_peers: &[] }
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
