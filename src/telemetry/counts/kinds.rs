//! What is counted by kind: what became of a relayed message, attempts to come back, why a socket was refused.

mod cluster;
mod outside;

use super::labels::label_set;

pub use self::{
    cluster::{RedisConnection, RedisOperation, RedisStatus, Resync},
    outside::{IceKind, IceOutcome, IceTransport, StunOutcome, WebhookDrop, WebhookOutcome},
};

label_set! {
    /// What became of one signal towards one receiver.
    RelayOutcome {
        /// It is in the receiver's queue.
        Delivered = "delivered",
        /// The sender's roster has no such peer.
        PeerNotFound = "peer_not_found",
        /// The receiver's mailbox was full; the receiver is being ended.
        ReceiverFull = "receiver_full",
        /// More of the sender's waited for the receiver than may; the sender is told.
        Busy = "busy",
        /// The receiver's session has ended, its `peer_left` is on its way.
        ReceiverGone = "receiver_gone",
        /// It came from a peer that the receiver's roster lacks, and was dropped there.
        Stray = "stray",
    }
}

label_set! {
    /// How an attempt to come back (a `join` with `resume`, or with `attempt` above 0) ended.
    Reconnection {
        /// Resumed, and nothing was missed.
        Resumed = "resumed",
        /// Resumed, with the whole room instead of what was missed.
        Incomplete = "incomplete",
        /// There was no such session to resume.
        NotFound = "not_found",
        /// In a room again, as a new session.
        Joined = "joined",
        /// Refused.
        Refused = "refused",
    }
}

label_set! {
    /// A limit that did its work: the one of that name in the configuration.
    LimitHit {
        /// A connection sent frames faster than it may; counted once per spell, however long.
        FrameRate = "frame_rate",
        /// A connection sent more bytes than it may; counted as above.
        ByteRate = "byte_rate",
        /// A connection was read more slowly, because all those of its address sent more bytes than they may; counted as above.
        ByteRatePerAddress = "byte_rate_per_address",
        /// An address made more handshakes than it may.
        HandshakeRate = "handshake_rate",
        /// An address made more other HTTP requests than it may.
        HttpRate = "http_rate",
        /// An address asked for a connection while it held all it may.
        ConnectionsPerAddress = "connections_per_address",
        /// An address asked for a room while it held all it may.
        RoomsPerAddress = "rooms_per_address",
        /// An address joined more often than it may.
        JoinsPerMinute = "joins_per_minute",
        /// An address joined rooms that it was not in more often than it may: it may be trying names.
        NewRooms = "new_rooms",
        /// An address's joins were refused by rooms more often than it may: no room is looked for until it has waited.
        RefusedJoins = "refused_joins_per_minute",
        /// A room was to get more bans than it may have.
        BansPerRoom = "bans_per_room",
        /// More rooms were gone with a lock or bans than may be remembered, and those of one were lost.
        ModeratedRooms = "moderated_rooms",
        /// There were more parked sessions than may be, and one of them was given up.
        ParkedSessions = "parked_sessions",
        /// One address had more parked sessions in one room than it may, and one of them was given up.
        ParkedPerRoom = "parked_per_room",
        /// An address tried more resume tokens that are not good than it may, or a session was asked with too many.
        ResumeSecrets = "resume_secrets",
        /// An address showed more bad join tokens than it may.
        AuthFailures = "auth_failures",
        /// As many tickets could be redeemed as may be, and another one was not issued.
        Tickets = "tickets",
        /// A connection was in no room for as long as it may, or had waited longest of more than may be.
        JoinWait = "join_wait",
        /// A session asked for ICE servers more often than it may.
        IcePerMinute = "ice_per_minute",
        /// A session reported sooner than it may.
        ReportInterval = "report_interval",
        /// All addresses together asked the STUN responder more often than `stun.total_rate`; counted once a second.
        StunTotal = "stun_total",
    }
}

label_set! {
    /// Why an event of a client's report was not used.
    ReportDrop {
        /// It names a peer that is not in the room, or the client itself.
        Stranger = "stranger",
        /// The room had too much to do.
        RoomBusy = "room_busy",
        /// The room has more peers than its mesh is watched for.
        RoomLarge = "room_large",
    }
}

label_set! {
    /// What is known of the connection between two peers of a room.
    PairState {
        /// None of the two reports.
        Silent = "silent",
        /// It is neither connected nor failed.
        Waiting = "waiting",
        /// It stands.
        Connected = "connected",
        /// It does not, and is not tried any more.
        Failed = "failed",
    }
}

label_set! {
    /// How it stands with a room of whose pairs somebody reports.
    MeshRoom {
        /// Somebody reports, whatever it is.
        Reporting = "reporting",
        /// A pair has failed.
        Failing = "failing",
        /// Somebody has reached some of the others, and not all, for too long.
        Fractured = "fractured",
    }
}

label_set! {
    /// Why the operator's listener refused a request.
    OpsDenial {
        /// Its `Host` is none of ours: a page whose name was turned to this address, or a key that is not set.
        Host = "host",
        /// A page from elsewhere asked.
        Origin = "origin",
        /// The token is missing or wrong, or the address has shown too many wrong ones.
        Token = "token",
        /// There is no token, and the listener is not on loopback.
        Closed = "closed",
    }
}

label_set! {
    /// What an operator asked the ops listener for. Reading the version, the limits or the API's own description is none.
    OpsCall {
        /// A list of rooms.
        Rooms = "rooms",
        /// One room with its members.
        Room = "room",
        /// Who reaches which peer in a room.
        Mesh = "mesh",
        /// A list of peers.
        Peers = "peers",
        /// The drain.
        Drain = "drain",
        /// To take the drain back.
        Undrain = "undrain",
        /// A ticket.
        Tickets = "tickets",
        /// To send somebody out of a room.
        Kick = "kick",
        /// What is recorded of a room.
        Recorder = "recorder",
        /// The bans of a room.
        Bans = "bans",
        /// To let somebody in again.
        LiftBan = "lift_ban",
        /// To lock a room, or unlock it.
        Lock = "lock",
        /// To send everybody out of a room.
        Close = "close",
        /// To tell people something.
        Notice = "notice",
        /// Another level of the log.
        LogLevel = "log_level",
        /// To read the configuration again.
        Reload = "reload",
    }
}

label_set! {
    /// What became of a join token.
    TokenOutcome {
        /// It was good.
        Accepted = "accepted",
        /// There was none, and one is asked for.
        Missing = "missing",
        /// It is no JWT, or one that is too long.
        Malformed = "malformed",
        /// No key is for its algorithm.
        Algorithm = "algorithm",
        /// Its `kid` names no key.
        UnknownKey = "unknown_key",
        /// No key has made its signature.
        Signature = "signature",
        /// A claim is missing, repeated or beyond its bounds.
        Claims = "claims",
        /// It is by or for somebody else (`iss`, `aud`).
        Elsewhere = "elsewhere",
        /// Its time has not come.
        NotYet = "not_yet",
        /// Its time is over.
        Expired = "expired",
        /// It is a ticket that was used, has ended, or never was.
        Ticket = "ticket",
        /// It is for another room, another user, or not for joining.
        NotPermitted = "not_permitted",
        /// It was not looked at: its address has shown too many bad ones.
        TooMany = "too_many",
    }
}

label_set! {
    /// What was done to a room by who moderates it.
    ModerationAct {
        /// Somebody was sent away, or would have been.
        Kick = "kick",
        /// A ban was lifted before its time.
        LiftBan = "lift_ban",
        /// Nobody is let in any more.
        Lock = "lock",
        /// Everybody is again.
        Unlock = "unlock",
        /// All were sent away.
        Close = "close",
        /// All were told something.
        Notice = "notice",
    }
}

label_set! {
    /// Who moderates a room.
    Moderator {
        /// Whoever runs the server, by the ops listener.
        Operator = "operator",
        /// A member with the permission `admin`.
        Member = "member",
    }
}

label_set! {
    /// Which of the two listeners a socket came to.
    Listener {
        /// That of the clients.
        Public = "public",
        /// That of the operators.
        Ops = "ops",
    }
}

label_set! {
    /// Why a socket was refused before a request of it was read.
    SocketRefusal {
        /// The process may not open more files.
        Descriptors = "descriptors",
        /// The listener has all the sockets that it may.
        Total = "total",
        /// Its address has all the sockets that it may.
        Address = "address",
        /// Memory is nearly used.
        Memory = "memory",
        /// It had not said what it wants, and others needed its place.
        Silent = "silent",
        /// Its address makes more TLS handshakes than it may: as many as handshakes and requests together.
        TlsRate = "tls_rate",
    }
}

label_set! {
    /// Why what came over a socket became no request that was served, or not the whole of one.
    Rejection {
        /// A header of the PROXY protocol, version 1 or 2, where none is taken.
        ProxyProtocol = "proxy_protocol",
        /// None, where there must be one.
        NoProxyHeader = "no_proxy_header",
        /// One that cannot be read, or is too long.
        BadProxyHeader = "bad_proxy_header",
        /// A TLS handshake.
        Tls = "tls",
        /// Plain HTTP, where TLS is asked for.
        PlainHttp = "plain_http",
        /// A TLS handshake that failed.
        TlsHandshake = "tls_handshake",
        /// HTTP/2 without asking first.
        Http2 = "http2",
        /// HTTP/1.1 without `Host`.
        NoHost = "no_host",
        /// A head beyond `limits.head_bytes`.
        HeadTooLarge = "head_too_large",
        /// A body that the route does not take. The request was answered, and its body was not read.
        BodyTooLarge = "body_too_large",
        /// A head, a body or the reading of an answer took too long. Silence from the start is not counted.
        Timeout = "timeout",
        /// Anything else that is no HTTP/1.
        Malformed = "malformed",
        /// A head that has not ended, when memory is nearly used and others hold less.
        Memory = "memory",
    }
}

impl Rejection {
    /// What is mostly behind it, for the log.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::ProxyProtocol => {
                "a proxy speaks the PROXY protocol to this port, which takes none of it: turn it off there (send-proxy, \
                 proxy_protocol) and let the proxy write X-Forwarded-For, or turn on http.proxy_protocol, for the clients' port, and \
                 list the proxy in http.trusted_proxies"
            }
            Self::NoProxyHeader => {
                "http.proxy_protocol is on, and this address is on http.trusted_proxies: a proxy that does not send the \
                 header (send-proxy), its health check (check-send-proxy), or a network that clients are in"
            }
            Self::BadProxyHeader => {
                "what a proxy sent as a header of the PROXY protocol is none, or is longer than limits.head_bytes"
            }
            Self::Tls => {
                "somebody speaks TLS to this port, which takes plain HTTP: a proxy that should not, or an https link"
            }
            Self::PlainHttp => {
                "somebody speaks plain HTTP to this port, which takes TLS: an http link, a health check, or a proxy that should not"
            }
            Self::TlsHandshake => {
                "what came is no TLS handshake, or one that was not ended: a scanner, or something in between"
            }
            Self::Http2 => "somebody speaks HTTP/2 to this port, which takes HTTP/1.1: a proxy's upstream protocol",
            Self::NoHost => "an HTTP/1.1 request without Host: a health check that needs one",
            Self::HeadTooLarge => "the head of a request is longer than limits.head_bytes: cookies, or an attack",
            Self::BodyTooLarge => "the request has a body, which this route does not take: it was not read",
            Self::Timeout => "too slow: http.request_timeout_ms for the head, http.socket_timeout_ms for the whole",
            Self::Malformed => {
                "this is no HTTP/1 request: another protocol, a scanner, or a client that hung up within it"
            }
            Self::Memory => "memory is nearly used (limits.memory_bytes): the heads that hold most are ended",
        }
    }
}

label_set! {
    /// How far the server goes when its memory is nearly used; each step takes those before it along.
    MemoryStep {
        /// New connections are refused.
        RefuseConnections = "refuse_connections",
        /// Those that hold most are read no further for a while.
        ReadLess = "read_less",
        /// The largest resume buffers are emptied: their owners come back to an incomplete resume.
        EmptyResumeBuffers = "empty_resume_buffers",
        /// The connections that hold most are ended.
        EndConnections = "end_connections",
    }
}

label_set! {
    /// What is held on behalf of clients.
    HeldKind {
        /// What was read of WebSocket connections and is no whole message yet.
        PartialFrames = "partial_frames",
        /// What waits to be written to them.
        Outboxes = "outboxes",
        /// What is kept for clients that have not acknowledged it.
        ResumeBuffers = "resume_buffers",
        /// What TLS needs for WebSocket connections.
        Tls = "tls",
        /// What is recorded of rooms.
        Recordings = "recordings",
        /// What goes along with sockets to the sessions that they resume.
        Transfers = "transfers",
        /// Request heads that have not ended.
        HttpHeads = "http_heads",
        /// Bans and locks, those of rooms that are gone included.
        Bans = "bans",
        /// The kernel's memory for TCP.
        KernelTcp = "kernel_tcp",
    }
}

/// The method as a label: one of RFC 9110's names, or `other`, because a client may send any word.
#[must_use]
pub fn method_label(method: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_is_no_label_of_its_own() {
        assert_eq!(method_label("GET"), "GET");
        assert_eq!(method_label("get"), "other");
        assert_eq!(method_label("BREW"), "other");
    }
}
