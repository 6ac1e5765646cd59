//! What clients report of themselves: a closed vocabulary. A word that is not in it counts as `other`, so that a newer client can say
//! more to an older server.

use strum::{EnumString, IntoStaticStr, VariantArray};

use super::{errors::ErrorCode, ids::PeerId};

/// Makes an enum of words that end with `Other`, which stands for every word that is not in it.
macro_rules! words {
    ($(#[$doc:meta])+ $name:ident { $($(#[$word_doc:meta])+ $word:ident,)+ }) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
        #[strum(serialize_all = "snake_case")]
        pub enum $name {
            $($(#[$word_doc])+ $word,)+
            /// A word that is not in this list.
            Other,
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = Self::VARIANTS;

            /// The word on the wire, and in labels.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// What a client means by that word.
            #[must_use]
            pub fn parse(word: &str) -> Self {
                word.parse().unwrap_or(Self::Other)
            }
        }
    };
}

words! {
    /// What an event of a `report` is about.
    ReportKind {
        /// A connection to the server stood: `ms` since it was begun.
        Opened,
        /// A `ping` was answered: after `ms`.
        RoundTrip,
        /// A lost connection was tried to be made anew.
        ReconnectAttempt,
        /// The client is in the room again: `ms` since the loss.
        Reconnected,
        /// The client gave up.
        ReconnectFailed,
        /// A session ended: `ms` since its first `joined`.
        SessionEnded,
        /// Something failed, and the application was told: `code`.
        Error,
        /// A connection to `peer` was begun.
        PairAttempt,
        /// It stands: `ms` since it was begun, by a path of type `candidate`.
        PairConnected,
        /// It could not be made, or was lost: `reason`. It may be tried again.
        PairFailed,
        /// It stands still, and takes `ms` to the peer and back.
        PairRoundTrip,
        /// ICE was restarted on it.
        PairRestarted,
        /// It was closed on purpose.
        PairClosed,
    }
}

words! {
    /// The type of the local candidate that a pair uses (`RTCIceCandidateType`).
    CandidateType {
        /// An address of the machine itself.
        Host,
        /// An address that a STUN server saw.
        Srflx,
        /// An address that the other peer saw.
        Prflx,
        /// An address of a TURN server.
        Relay,
    }
}

words! {
    /// Why two peers have no connection.
    PairFailure {
        /// ICE found no path (`failed`).
        IceFailed,
        /// ICE never began, or did not end in time.
        IceTimeout,
        /// DTLS failed on a path that ICE had found.
        DtlsFailed,
        /// The other peer answered no offer.
        NoAnswer,
        /// A description could not be made, or was refused by the browser.
        NegotiationFailed,
        /// The client has as many connections as the room has seats.
        OverCapacity,
    }
}

words! {
    /// What goes wrong on a client's side of the wire: the codes of the client library that are none of the server's.
    ClientErrorCode {
        /// It was closed, or told to stop.
        Aborted,
        /// There is no connection, and none will be made.
        Closed,
        /// As much waits to be sent as may.
        QueueFull,
        /// The session ended before a message was known to have arrived.
        SessionLost,
        /// An answer was lost with a connection.
        ReplyLost,
        /// The connection ended before the answer.
        ConnectionLost,
        /// No WebSocket could be made.
        SocketFailed,
        /// The function that gives tokens failed.
        TokenFailed,
        /// What never should fail did.
        ClientFailed,
        /// A connection to a peer cannot be made.
        Unreachable,
        /// The peer is no longer in the room, and no connection to it is left.
        PeerGone,
        /// More publications, channels or listeners than may be.
        TooMany,
        /// A message did not reach everybody.
        NotSent,
        /// A browser could not work with a description.
        NegotiationFailed,
    }
}

/// A code that a client reports: one of the server's, or one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReportedError {
    /// The server said so.
    Server(ErrorCode),
    /// The client found it.
    Client(ClientErrorCode),
}

impl ReportedError {
    /// All of them, the server's first.
    pub const ALL: &[Self] = &Self::every();

    const fn every() -> [Self; ErrorCode::ALL.len() + ClientErrorCode::ALL.len()] {
        let mut all = [Self::Client(ClientErrorCode::Other); ErrorCode::ALL.len() + ClientErrorCode::ALL.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = if at < ErrorCode::ALL.len() {
                Self::Server(ErrorCode::ALL[at])
            } else {
                Self::Client(ClientErrorCode::ALL[at - ErrorCode::ALL.len()])
            };
            at += 1;
        }
        all
    }

    /// The place in [`ReportedError::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Server(code) => code as usize,
            Self::Client(code) => ErrorCode::ALL.len() + code as usize,
        }
    }

    /// The word on the wire, and in labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server(code) => code.as_str(),
            Self::Client(code) => code.as_str(),
        }
    }

    /// What a client means by that code.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let servers = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == word);
        servers.map_or_else(|| Self::Client(ClientErrorCode::parse(word)), Self::Server)
    }
}

/// One event of a `report`. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportEvent {
    /// [`ReportKind::Opened`].
    Opened(u32),
    /// [`ReportKind::RoundTrip`].
    RoundTrip(u32),
    /// [`ReportKind::ReconnectAttempt`].
    ReconnectAttempt,
    /// [`ReportKind::Reconnected`].
    Reconnected(u32),
    /// [`ReportKind::ReconnectFailed`].
    ReconnectFailed,
    /// [`ReportKind::SessionEnded`].
    SessionEnded(u32),
    /// [`ReportKind::Error`].
    Error(ReportedError),
    /// What became of the connection to that peer; `None`: to a name that nobody can have.
    Pair(Option<PeerId>, PairEvent),
    /// None of these.
    Other,
}

/// What became of the connection between two peers, as one of them tells it. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairEvent {
    /// [`ReportKind::PairAttempt`].
    Attempt,
    /// [`ReportKind::PairConnected`].
    Connected(u32, CandidateType),
    /// [`ReportKind::PairFailed`].
    Failed(PairFailure),
    /// [`ReportKind::PairRoundTrip`].
    RoundTrip(u32),
    /// [`ReportKind::PairRestarted`].
    Restarted,
    /// [`ReportKind::PairClosed`].
    Closed,
}

impl ReportEvent {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> ReportKind {
        match self {
            Self::Opened(_) => ReportKind::Opened,
            Self::RoundTrip(_) => ReportKind::RoundTrip,
            Self::ReconnectAttempt => ReportKind::ReconnectAttempt,
            Self::Reconnected(_) => ReportKind::Reconnected,
            Self::ReconnectFailed => ReportKind::ReconnectFailed,
            Self::SessionEnded(_) => ReportKind::SessionEnded,
            Self::Error(_) => ReportKind::Error,
            Self::Pair(_, PairEvent::Attempt) => ReportKind::PairAttempt,
            Self::Pair(_, PairEvent::Connected(..)) => ReportKind::PairConnected,
            Self::Pair(_, PairEvent::Failed(_)) => ReportKind::PairFailed,
            Self::Pair(_, PairEvent::RoundTrip(_)) => ReportKind::PairRoundTrip,
            Self::Pair(_, PairEvent::Restarted) => ReportKind::PairRestarted,
            Self::Pair(_, PairEvent::Closed) => ReportKind::PairClosed,
            Self::Other => ReportKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_at_its_index_under_its_own_word() {
        for (place, code) in ReportedError::ALL.iter().enumerate() {
            assert_eq!(code.index(), place, "{code:?}");
            assert_eq!(ReportedError::parse(code.as_str()), *code);
        }
    }

    #[test]
    fn a_word_that_is_not_known_is_another() {
        assert_eq!(ReportKind::parse("pair_sang"), ReportKind::Other);
        assert_eq!(CandidateType::parse("Host"), CandidateType::Other);
        assert_eq!(ReportedError::parse("x"), ReportedError::Client(ClientErrorCode::Other));
    }
}
