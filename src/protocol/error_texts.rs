//! What errors say to people, as far as docs/protocol.md shows it: the server sends these, and the examples are made of them.
//!
//! Every other text stands where the error is found.

/// `room_full`.
pub const ROOM_FULL: &str = "the room holds as many peers as it may";
/// `room_locked`.
pub const ROOM_LOCKED: &str = "the room is locked: who is not in it has to wait";
/// `banned`.
pub const BANNED: &str = "this room does not let this client in before retryAfterMs";
/// `rate_limited`, to a `kick` with a ban.
pub const TOO_MANY_BANS: &str = "the room has as many bans as it may: kick without one, or when the first is over";
/// `room_closed`, to a request that the room cannot answer any more.
pub const ROOM_ENDED: &str = "the room ended before it could answer; join again";
/// `unauthorized`, to a `join` where the server asks for a token.
pub const TOKEN_MISSING: &str = "this server asks for a token: join with one";
/// `token_expired`.
pub const TOKEN_EXPIRED: &str = "the token's time is over: get another one";
/// `permission_denied`, to a request that what was granted does not cover.
pub const NOT_PERMITTED: &str = "this session may not do that";
/// `server_draining`, to a `join`.
pub const DRAINING: &str = "the server is going away; connect again after the bye's retryAfterMs";
/// `session_not_found`.
pub const NO_SUCH_SESSION: &str = "no such session: join without resume";
/// `peer_not_found`.
pub const NO_SUCH_PEER: &str = "no such peer in this room";
/// `unknown_type`, to a `report` where none is taken.
pub const NO_REPORTS: &str = "this server takes no reports: see welcome.features";
/// `peer_busy`.
pub const PEER_BUSY: &str = "more of yours waits for these peers than may; send it again later";
/// `unavailable`, to a `join`.
pub const UNAVAILABLE: &str = "the servers of this service cannot agree who is in the room at present";
/// `unavailable`, about a signal.
pub const UNREACHED: &str = "these peers are on another server that could not be reached for too long";
/// `rate_limited`, to an `update` of a room that has enough to do.
pub const ROOM_IS_BUSY: &str = "the room has too much waiting";
/// `rate_limited`, to a connection that sends faster than it is read.
pub const TOO_FAST: &str = "more frames than limits.frameRate: they are read no faster";
/// `rate_limited`, to a connection that sends more than it is read.
pub const TOO_MANY_BYTES: &str = "more bytes than limits.byteRate: they are read no faster";
/// `rate_limited`, to a connection whose address sends more than it is read.
pub const ADDRESS_TOO_FAST: &str =
    "the connections of this address send more bytes than limits.byteRatePerAddress: they are read no faster";
/// `rate_limited`, to a connection that holds most of the memory that is nearly used.
pub const HELD_BACK: &str = "memory is nearly used, and this connection holds more than its share: it is read later";
/// `over_capacity`.
pub const SERVER_FULL: &str = "the server holds as many connections as it may";
/// `rate_limited`, to a handshake.
pub const TOO_MANY_HANDSHAKES: &str = "more handshakes from this address than it may make";
/// `origin_denied`, to a client that names no origin.
pub const NO_ORIGIN: &str = "there is no Origin, and this server takes pages only (http.require_origin)";

/// `origin_denied`: for the author of the page, and the operator who reads it in the log.
#[must_use]
pub fn origin_denied(origin: &str, asked_for: &str) -> String {
    format!(
        "a page of {origin} asks for {asked_for}, and its origin is not on http.allowed_origins: to let it in, the operator \
         lists \"{origin}\" there"
    )
}
