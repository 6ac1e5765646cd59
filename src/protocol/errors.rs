//! Every error code a client can meet, in an `error` frame, a `bye`, or the JSON body of a refused request.

use super::EndReason;

/// What kind of trouble a code is. The wire's `category`, and the `class` label of `switchboard_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCategory {
    /// The message itself is wrong.
    InvalidMessage,
    /// The connection broke a rule of time or pace.
    WsError,
    /// The client may not do this.
    Auth,
    /// A cap is reached.
    RoomFull,
    /// The message does not fit the state of the session or the room.
    RoomState,
    /// The addressed peer is not there.
    Peer,
    /// Too much at once.
    RateLimited,
    /// Resuming a session, or having one resumed elsewhere.
    Session,
    /// The server's own trouble.
    Server,
}

impl ErrorCategory {
    /// Every category, for metrics and documents.
    pub const ALL: [Self; 9] = [
        Self::InvalidMessage,
        Self::WsError,
        Self::Auth,
        Self::RoomFull,
        Self::RoomState,
        Self::Peer,
        Self::RateLimited,
        Self::Session,
        Self::Server,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidMessage => "INVALID_MESSAGE",
            Self::WsError => "WS_ERROR",
            Self::Auth => "AUTH",
            Self::RoomFull => "ROOM_FULL",
            Self::RoomState => "ROOM_STATE",
            Self::Peer => "PEER",
            Self::RateLimited => "RATE_LIMITED",
            Self::Session => "SESSION",
            Self::Server => "SERVER",
        }
    }
}

/// What a code does to the connection it is told on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aftermath {
    /// Nothing: it answers a request in an `error` frame, and the client goes on.
    StaysOpen,
    /// It goes with that ending, whose `bye` and close frame say so as far as the socket still carries them.
    Ends(EndReason),
    /// It is the answer to an HTTP request, and no WebSocket was opened.
    NeverOpened,
}

/// A code a client can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// Not JSON, not an object, a field missing, repeated, unknown, of the wrong type or too long.
    InvalidMessage,
    /// A message longer than `limits.frame_bytes`; the connection is closed with 1009.
    MessageTooLarge,
    /// `type` names no frame of this version.
    UnknownType,
    /// Only subprotocols we do not speak were offered, or the path is not ours (HTTP 400 / 404).
    UnsupportedVersion,
    /// The WebSocket handshake is not one (RFC 6455 section 4.2.1; HTTP 400, 405 or 426).
    BadHandshake,
    /// No `join` in time; the connection is closed with 4000.
    JoinTimeout,
    /// The peer did not read; its connection is reset.
    SlowConsumer,
    /// The peer was silent; the connection is closed with 4001.
    PingTimeout,
    /// The page's origin is not on `http.allowed_origins` (HTTP 403).
    OriginDenied,
    /// The room holds `limits.peers_per_room` peers.
    RoomFull,
    /// The server holds `limits.rooms` rooms.
    RoomLimit,
    /// The server holds `server.max_connections` connections (HTTP 503).
    OverCapacity,
    /// The room ended under its peers; joining again is fine.
    RoomClosed,
    /// This session is in a room or on its way into one.
    AlreadyJoined,
    /// This session is in no room.
    NotInRoom,
    /// The addressed peer (or, with `peers`, some of them) is not in the room.
    PeerNotFound,
    /// Too much at once: frames of this connection, joins or requests of this address (HTTP 429), or what waits in a room.
    RateLimited,
    /// No session answers to that resume token; a plain `join` is the way in.
    SessionNotFound,
    /// The session was taken over on another socket; this one is closed with 4500.
    SessionTaken,
    /// The server is going away.
    ServerDraining,
    /// The server failed.
    Internal,
}

impl ErrorCode {
    /// Every code, for metrics and documents.
    pub const ALL: [Self; 21] = [
        Self::InvalidMessage,
        Self::MessageTooLarge,
        Self::UnknownType,
        Self::UnsupportedVersion,
        Self::BadHandshake,
        Self::JoinTimeout,
        Self::SlowConsumer,
        Self::PingTimeout,
        Self::OriginDenied,
        Self::RoomFull,
        Self::RoomLimit,
        Self::OverCapacity,
        Self::RoomClosed,
        Self::AlreadyJoined,
        Self::NotInRoom,
        Self::PeerNotFound,
        Self::RateLimited,
        Self::SessionNotFound,
        Self::SessionTaken,
        Self::ServerDraining,
        Self::Internal,
    ];

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidMessage => "invalid_message",
            Self::MessageTooLarge => "message_too_large",
            Self::UnknownType => "unknown_type",
            Self::UnsupportedVersion => "unsupported_version",
            Self::BadHandshake => "bad_handshake",
            Self::JoinTimeout => "join_timeout",
            Self::SlowConsumer => "slow_consumer",
            Self::PingTimeout => "ping_timeout",
            Self::OriginDenied => "origin_denied",
            Self::RoomFull => "room_full",
            Self::RoomLimit => "room_limit",
            Self::OverCapacity => "over_capacity",
            Self::RoomClosed => "room_closed",
            Self::AlreadyJoined => "already_joined",
            Self::NotInRoom => "not_in_room",
            Self::PeerNotFound => "peer_not_found",
            Self::RateLimited => "rate_limited",
            Self::SessionNotFound => "session_not_found",
            Self::SessionTaken => "session_taken",
            Self::ServerDraining => "server_draining",
            Self::Internal => "internal",
        }
    }

    /// The wire's `category`.
    #[must_use]
    pub fn category(self) -> ErrorCategory {
        match self {
            Self::InvalidMessage | Self::MessageTooLarge | Self::UnknownType => ErrorCategory::InvalidMessage,
            Self::UnsupportedVersion
            | Self::BadHandshake
            | Self::JoinTimeout
            | Self::SlowConsumer
            | Self::PingTimeout => ErrorCategory::WsError,
            Self::OriginDenied => ErrorCategory::Auth,
            Self::RoomFull | Self::RoomLimit | Self::OverCapacity => ErrorCategory::RoomFull,
            Self::RoomClosed | Self::AlreadyJoined | Self::NotInRoom => ErrorCategory::RoomState,
            Self::PeerNotFound => ErrorCategory::Peer,
            Self::RateLimited => ErrorCategory::RateLimited,
            Self::SessionNotFound | Self::SessionTaken => ErrorCategory::Session,
            Self::ServerDraining | Self::Internal => ErrorCategory::Server,
        }
    }

    /// What becomes of the connection.
    #[must_use]
    pub fn aftermath(self) -> Aftermath {
        match self {
            Self::MessageTooLarge => Aftermath::Ends(EndReason::MessageTooLarge),
            Self::JoinTimeout => Aftermath::Ends(EndReason::JoinTimeout),
            Self::SlowConsumer => Aftermath::Ends(EndReason::SlowConsumer),
            Self::PingTimeout => Aftermath::Ends(EndReason::PingTimeout),
            Self::SessionTaken => Aftermath::Ends(EndReason::SessionTaken),
            Self::ServerDraining => Aftermath::Ends(EndReason::ServerDraining),
            Self::UnsupportedVersion | Self::BadHandshake | Self::OriginDenied | Self::OverCapacity => {
                Aftermath::NeverOpened
            }
            Self::InvalidMessage
            | Self::UnknownType
            | Self::RoomFull
            | Self::RoomLimit
            | Self::RoomClosed
            | Self::AlreadyJoined
            | Self::NotInRoom
            | Self::PeerNotFound
            | Self::RateLimited
            | Self::SessionNotFound
            | Self::Internal => Aftermath::StaysOpen,
        }
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub fn retryable(self) -> bool {
        match self {
            Self::JoinTimeout
            | Self::SlowConsumer
            | Self::PingTimeout
            | Self::RoomFull
            | Self::RoomLimit
            | Self::OverCapacity
            | Self::RoomClosed
            | Self::RateLimited
            | Self::ServerDraining
            | Self::Internal => true,
            Self::InvalidMessage
            | Self::MessageTooLarge
            | Self::UnknownType
            | Self::UnsupportedVersion
            | Self::BadHandshake
            | Self::OriginDenied
            | Self::AlreadyJoined
            | Self::NotInRoom
            | Self::PeerNotFound
            | Self::SessionNotFound
            | Self::SessionTaken => false,
        }
    }
}
