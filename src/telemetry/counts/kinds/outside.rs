//! What is counted of programs beside this one, and of what they send: receivers of webhooks, STUN and TURN servers.

use crate::telemetry::counts::labels::label_set;

label_set! {
    /// What became of one attempt to deliver an event to the receiver of webhooks.
    WebhookOutcome {
        /// It said that it has it (2xx).
        Delivered = "delivered",
        /// It does not want it (4xx but 408 and 429): not tried again.
        Refused = "refused",
        /// It named another place (3xx), which nobody goes to: not tried again.
        Redirected = "redirected",
        /// It is asked too often (429).
        Throttled = "throttled",
        /// It failed (5xx).
        ServerError = "server_error",
        /// It did not answer in time, or says that we did not (408).
        Timeout = "timeout",
        /// It has no address, nobody could be reached there, or the connection was lost.
        Unreachable = "unreachable",
        /// It could not prove who it is.
        Tls = "tls",
        /// What it answered is no HTTP.
        Malformed = "malformed",
    }
}

label_set! {
    /// Why an event for the receiver of webhooks was dropped.
    WebhookDrop {
        /// As much waited as may (`webhooks.queue_events`, `webhooks.queue_bytes`).
        QueueFull = "queue_full",
        /// An eighth of that waited for its room alone.
        RoomShare = "room_share",
        /// The receiver does not want it, or named another place for it.
        Refused = "refused",
        /// It could not be delivered within `webhooks.keep_ms`.
        Expired = "expired",
        /// It still waited when the process ended.
        Shutdown = "shutdown",
    }
}

label_set! {
    /// What became of a datagram that came to the STUN responder.
    StunOutcome {
        /// It was told where it came from.
        Answered = "answered",
        /// It was answered with error 420: something in it has to be understood and is not.
        Unsupported = "unsupported",
        /// It is no STUN message (RFC 8489).
        NotStun = "not_stun",
        /// It is a response, an indication, or a request for something else.
        NotBinding = "not_binding",
        /// It is a Binding request that cannot be read.
        Malformed = "malformed",
        /// It cannot have been sent from where it says, by somebody who wants an answer: a service's port, multicast.
        Source = "source",
        /// Its address has asked more often than `stun.rate` and `stun.burst` allow.
        AddressLimit = "address_limit",
        /// All addresses together have, by `stun.total_rate`.
        TotalLimit = "total_limit",
        /// The system did not take the answer.
        NotSent = "not_sent",
    }
}

label_set! {
    /// What an ICE server is asked for.
    IceKind {
        /// By which address it is asked.
        Stun = "stun",
        /// An address that relays.
        Turn = "turn",
    }
}

label_set! {
    /// How clients speak to an ICE server.
    IceTransport {
        /// Datagrams.
        Udp = "udp",
        /// A stream.
        Tcp = "tcp",
        /// TLS on a stream (`stuns:`, `turns:`).
        Tls = "tls",
        /// TLS on datagrams (`turns:` with `transport=udp`).
        Dtls = "dtls",
    }
}

label_set! {
    /// What a check of an ICE server found.
    IceOutcome {
        /// It gave what it was asked for.
        Answered = "answered",
        /// Nothing came back in time.
        Silent = "silent",
        /// Nobody is there, or no way leads there.
        Unreachable = "unreachable",
        /// Its name has no address.
        Unresolved = "unresolved",
        /// It does not take the credentials that clients get.
        Denied = "denied",
        /// It answered with another error, or with nothing that helps.
        Refused = "refused",
        /// It speaks TLS, and its certificate proves nothing: it has expired, is for another name, or nobody who is trusted has signed it.
        Untrusted = "untrusted",
        /// It was not asked: DTLS is not spoken by the checks, and no more than 32 servers are asked.
        Unchecked = "unchecked",
    }
}
