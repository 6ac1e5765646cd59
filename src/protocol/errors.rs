//! Every error code a client can meet, in an `error` frame, a `bye`, or the JSON body of a refused request.

use strum::{IntoStaticStr, VariantArray};

/// What kind of trouble a code is. The wire's `category`, and the `class` label of `switchboard_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
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
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How bad an error is: for the log, for `/errors`, and the `severity` label of `switchboard_errors_total`. Clients see none
/// of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// A client's mistake, or a cap that did its work. Nobody needs to act.
    Low,
    /// A client was cut off or turned away. Worth a look when there are many.
    Medium,
    /// The server failed at something it promised.
    High,
    /// A defect or a loss that needs a person now.
    Critical,
}

impl Severity {
    /// Every severity, for metrics and documents.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a code does to the connection it is told on: for the table in `docs/protocol.md`. What really ends a connection is
/// an [`EndReason`](super::EndReason).
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing: it answers a request in an `error` frame, and the client goes on.
    StaysOpen,
    /// It goes with that ending, whose `bye` and close frame say so as far as the socket still carries them.
    Ends(super::endings::EndReason),
    /// It is the answer to an HTTP request, and no WebSocket was opened.
    NeverOpened,
}

/// Makes the table below a type, so that a code is added in one place: what it means, its category, whether the same
/// request may succeed later without being changed (`Retry` or `Final`), how bad it is when nothing more is known, and what it
/// does to the connection.
macro_rules! error_codes {
    (@retryable Retry) => { true };
    (@retryable Final) => { false };
    (@outcome Ends $reason:ident) => { Outcome::Ends(super::endings::EndReason::$reason) };
    (@outcome $outcome:ident) => { Outcome::$outcome };
    ($($(#[$doc:meta])+ $code:ident: $category:ident, $retry:ident, $severity:ident, $outcome:ident $(($reason:ident))?;)+) => {
        /// A code a client can act on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
        #[strum(serialize_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[$doc])+ $code,)+
        }

        impl ErrorCode {
            /// Every code, for metrics and documents.
            pub const ALL: &[Self] = Self::VARIANTS;

            /// The word on the wire and in metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// The wire's `category`.
            #[must_use]
            pub fn category(self) -> ErrorCategory {
                match self { $(Self::$code => ErrorCategory::$category,)+ }
            }

            /// Whether the same request may succeed later without being changed.
            #[must_use]
            pub fn retryable(self) -> bool {
                match self { $(Self::$code => error_codes!(@retryable $retry),)+ }
            }

            /// How bad a refusal with this code is, when nothing more is known.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity,)+ }
            }

            #[cfg(test)]
            pub(super) fn outcome(self) -> Outcome {
                match self { $(Self::$code => error_codes!(@outcome $outcome $($reason)?),)+ }
            }
        }
    };
}

error_codes! {
    /// Not JSON, not an object, a field missing, repeated, unknown, of the wrong type or too long.
    InvalidMessage: InvalidMessage, Final, Low, StaysOpen;
    /// A message longer than `limits.frame_bytes`; the connection is closed with 1009.
    MessageTooLarge: InvalidMessage, Final, Low, Ends(MessageTooLarge);
    /// `type` names no frame of this version.
    UnknownType: InvalidMessage, Final, Low, StaysOpen;
    /// Only subprotocols we do not speak were offered, or the path is not ours (HTTP 400 / 404).
    UnsupportedVersion: WsError, Final, Low, NeverOpened;
    /// The WebSocket handshake is not one (RFC 6455 section 4.2.1; HTTP 400, 405 or 426).
    BadHandshake: WsError, Final, Low, NeverOpened;
    /// No `join` in time; the connection is closed with 4000.
    JoinTimeout: WsError, Retry, Low, Ends(JoinTimeout);
    /// The peer did not read; its connection is reset.
    SlowConsumer: WsError, Retry, Medium, Ends(SlowConsumer);
    /// The peer was silent; the connection is closed with 4001.
    PingTimeout: WsError, Retry, Medium, Ends(PingTimeout);
    /// The token is missing where one is asked for, or is none that this server takes.
    Unauthorized: Auth, Final, Low, StaysOpen;
    /// The token's time is over.
    TokenExpired: Auth, Final, Low, StaysOpen;
    /// The token, or its absence, does not allow this.
    PermissionDenied: Auth, Final, Low, StaysOpen;
    /// The room has a ban on this person, this user or this address.
    Banned: Auth, Retry, Low, StaysOpen;
    /// The page's origin is not on `http.allowed_origins` (HTTP 403).
    OriginDenied: Auth, Final, Low, NeverOpened;
    /// The room holds `limits.peers_per_room` peers.
    RoomFull: RoomFull, Retry, Low, StaysOpen;
    /// The server holds `limits.rooms` rooms.
    RoomLimit: RoomFull, Retry, Medium, StaysOpen;
    /// The server holds `server.max_connections` connections (HTTP 503).
    OverCapacity: RoomFull, Retry, Medium, NeverOpened;
    /// The room ended under its peers; joining again is fine.
    RoomClosed: RoomState, Retry, Low, StaysOpen;
    /// The room lets nobody in at present but those who are in it already.
    RoomLocked: RoomState, Retry, Low, StaysOpen;
    /// This session is in a room or on its way into one.
    AlreadyJoined: RoomState, Final, Low, StaysOpen;
    /// This session is in no room.
    NotInRoom: RoomState, Final, Low, StaysOpen;
    /// The addressed peer (or, with `peers`, some of them) is not in the room.
    PeerNotFound: Peer, Final, Low, StaysOpen;
    /// Too much at once: frames of this connection, joins or requests of this address (HTTP 429), what waits in a room, or its
    /// bans.
    RateLimited: RateLimited, Retry, Low, StaysOpen;
    /// More of this sender's waits for some peers than may: they did not get the message, all others did.
    PeerBusy: RateLimited, Retry, Low, StaysOpen;
    /// No session answers to that resume token; a plain `join` is the way in.
    SessionNotFound: Session, Final, Low, StaysOpen;
    /// The session was taken over on another socket; this one is closed with 4500.
    SessionTaken: Session, Final, Low, Ends(SessionTaken);
    /// The server is going away.
    ServerDraining: Server, Retry, Low, Ends(ServerDraining);
    /// The servers of this service cannot agree at present, and this needs them to; what peers of this server send each other is
    /// not concerned.
    Unavailable: Server, Retry, Medium, StaysOpen;
    /// The server failed.
    Internal: Server, Retry, High, StaysOpen;
}
