//! How a connection and a membership of a room end: reasons, close codes, and what the client should do next.

use strum::{FromRepr, IntoStaticStr, VariantArray};

/// Close codes this server sends (RFC 6455 section 7.4; 4000–4499: reconnecting makes sense, 4500–4999: it does not).
pub mod close_code {
    /// The client asked to close; its close frame is answered with the same.
    pub const NORMAL: u16 = 1000;
    /// A frame that RFC 6455 forbids.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// A binary message: version 1 of the protocol is JSON text.
    pub const UNSUPPORTED: u16 = 1003;
    /// Text that is not UTF-8.
    pub const INVALID_PAYLOAD: u16 = 1007;
    /// A message longer than `limits.frame_bytes`.
    pub const TOO_BIG: u16 = 1009;
    /// The server failed; the same request may work on a new connection.
    pub const INTERNAL: u16 = 1011;
    /// The server restarts; come back after the `bye`'s `retryAfterMs`.
    pub const SERVICE_RESTART: u16 = 1012;
    /// The server has no memory for what this client holds; another connection may do better.
    pub const TRY_AGAIN_LATER: u16 = 1013;
    /// No `join` within `limits.join_timeout_ms`.
    pub const JOIN_TIMEOUT: u16 = 4000;
    /// Nothing heard for two heartbeat intervals.
    pub const PING_TIMEOUT: u16 = 4001;
    /// The session was taken over on another socket, or another of the same identity took its place.
    pub const SESSION_TAKEN: u16 = 4500;
    /// Somebody who moderates the room sent the peer away.
    pub const KICKED: u16 = 4501;
    /// The time of the token that the session was let in with is over.
    pub const TOKEN_EXPIRED: u16 = 4502;
    /// An operator closed the room.
    pub const ROOM_CLOSED: u16 = 4503;
    /// Faster than `limits.frame_rate` or `limits.byte_rate` for `limits.flood_timeout_ms` on end.
    pub const RATE_LIMITED: u16 = 4002;
}

/// Why a connection ended. One per connection, in its log line and in `switchboard_connections_closed_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromRepr, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum EndReason {
    /// The client sent a close frame.
    ClientClosed = 1,
    /// The socket ended (FIN, reset, `TCP_USER_TIMEOUT`) without a close frame.
    Disconnected,
    /// Nothing was received for two heartbeat intervals.
    PingTimeout,
    /// No `join` in time.
    JoinTimeout,
    /// What may wait for this peer was in use for `limits.slow_ms`, and it read too little; or the server itself had more for it.
    SlowConsumer,
    /// The client broke RFC 6455.
    ProtocolError,
    /// A binary message.
    BinaryMessage,
    /// Text that was not UTF-8.
    #[strum(serialize = "invalid_utf8")]
    InvalidUtf8,
    /// A message longer than `limits.frame_bytes`.
    MessageTooLarge,
    /// The client sent faster than `limits.frame_rate` or `limits.byte_rate` for `limits.flood_timeout_ms` on end.
    RateLimited,
    /// Memory was nearly used (`limits.memory_bytes`), and this connection held most.
    MemoryPressure,
    /// The session was taken over on another socket, this is the old one's end; or a join of the same identity took its
    /// place.
    SessionTaken,
    /// Somebody who moderates the room sent the peer away: an operator, or a member that may.
    Kicked,
    /// An operator closed the room.
    RoomClosed,
    /// The time of the token that the session was let in with is over.
    TokenExpired,
    /// Nobody took the session over while it was parked. There is no socket to tell it to.
    ResumeExpired,
    /// The server is going away.
    ServerDraining,
    /// The server failed.
    Internal,
}

impl EndReason {
    /// Every reason, for metrics and documents.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The label in logs, metrics and `bye.reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The code in the server's close frame; `None` where the socket takes no frame any more and is reset (the client
    /// sees 1006), or is gone already.
    #[must_use]
    pub fn close_code(self) -> Option<u16> {
        match self {
            Self::ClientClosed => Some(close_code::NORMAL),
            Self::Disconnected | Self::SlowConsumer | Self::ResumeExpired => None,
            Self::PingTimeout => Some(close_code::PING_TIMEOUT),
            Self::JoinTimeout => Some(close_code::JOIN_TIMEOUT),
            Self::ProtocolError => Some(close_code::PROTOCOL_ERROR),
            Self::BinaryMessage => Some(close_code::UNSUPPORTED),
            Self::InvalidUtf8 => Some(close_code::INVALID_PAYLOAD),
            Self::MessageTooLarge => Some(close_code::TOO_BIG),
            Self::SessionTaken => Some(close_code::SESSION_TAKEN),
            Self::Kicked => Some(close_code::KICKED),
            Self::RoomClosed => Some(close_code::ROOM_CLOSED),
            Self::TokenExpired => Some(close_code::TOKEN_EXPIRED),
            Self::RateLimited => Some(close_code::RATE_LIMITED),
            Self::ServerDraining => Some(close_code::SERVICE_RESTART),
            Self::MemoryPressure => Some(close_code::TRY_AGAIN_LATER),
            Self::Internal => Some(close_code::INTERNAL),
        }
    }

    /// What the client should do, as `bye.action` says it.
    #[must_use]
    pub fn action(self) -> ByeAction {
        match self {
            Self::ClientClosed
            | Self::ProtocolError
            | Self::BinaryMessage
            | Self::InvalidUtf8
            | Self::MessageTooLarge
            | Self::SessionTaken
            | Self::Kicked
            | Self::RoomClosed
            | Self::TokenExpired => ByeAction::Disconnect,
            Self::Disconnected
            | Self::PingTimeout
            | Self::JoinTimeout
            | Self::SlowConsumer
            | Self::ResumeExpired
            | Self::RateLimited
            | Self::MemoryPressure
            | Self::ServerDraining
            | Self::Internal => ByeAction::Reconnect,
        }
    }

    /// What the other peers of the room are told when the peer is gone for good. A session that was resumed on another socket
    /// goes on, so that nobody is told of that ending.
    #[must_use]
    pub fn leave_reason(self) -> LeaveReason {
        match self {
            Self::ClientClosed => LeaveReason::Left,
            Self::Disconnected | Self::JoinTimeout | Self::MemoryPressure => LeaveReason::Disconnected,
            Self::SessionTaken => LeaveReason::Replaced,
            Self::Kicked => LeaveReason::Kicked,
            Self::RoomClosed => LeaveReason::RoomClosed,
            Self::PingTimeout | Self::ResumeExpired => LeaveReason::Timeout,
            Self::SlowConsumer => LeaveReason::SlowConsumer,
            Self::ProtocolError
            | Self::BinaryMessage
            | Self::InvalidUtf8
            | Self::MessageTooLarge
            | Self::RateLimited
            | Self::Internal => LeaveReason::Error,
            Self::ServerDraining => LeaveReason::ServerDraining,
            Self::TokenExpired => LeaveReason::TokenExpired,
        }
    }
}

/// What a client should do after `bye`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ByeAction {
    /// Open a new connection and join with the resume token, after `retryAfterMs`: the seat is kept.
    Resume,
    /// Open a new connection and join again, after `retryAfterMs`.
    Reconnect,
    /// Do not come back by yourself.
    Disconnect,
}

impl ByeAction {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a peer is no longer in a room: `peer_left.reason`, and `switchboard_leaves_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum LeaveReason {
    /// It said `leave` or closed its socket in the proper way.
    Left,
    /// Its socket is gone.
    Disconnected,
    /// It was silent for two heartbeat intervals, or away for longer than a session may be resumed.
    Timeout,
    /// It did not read what was sent to it.
    SlowConsumer,
    /// It broke the protocol, or the server failed on it.
    Error,
    /// The server told it to come back later.
    ServerDraining,
    /// Somebody of the same identity joined in its place.
    Replaced,
    /// Somebody who moderates the room sent it away.
    Kicked,
    /// The time of the token that it was let in with is over.
    TokenExpired,
    /// The whole room ended.
    RoomClosed,
}

impl LeaveReason {
    /// Every reason, for metrics and documents.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
