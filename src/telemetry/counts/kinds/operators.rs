//! What is counted of those who run the server, and of those who moderate rooms.

use crate::telemetry::counts::labels::label_set;

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
