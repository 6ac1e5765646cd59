//! What a kick asks for: the same from a member of the room and from an operator.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use super::{ids::PeerId, plain_text::PlainText, who::Who};

/// How long a ban may hold. Less than a second is over before a client comes back; who is to stay out for longer than 30 days
/// gets no token.
pub const BAN_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 60 * 60);

/// Who is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// That peer.
    Peer(PeerId),
    /// All sessions of that person, and whoever is that person and not here.
    Who(Who),
    /// All sessions whose tokens name that user.
    User(Arc<str>),
}

/// What a kick is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kick {
    /// Who is to go.
    pub target: Target,
    /// What those who go are told, at most [`REASON_BYTES`](super::plain_text::REASON_BYTES).
    pub reason: Option<PlainText>,
    /// For how long nobody of that person, user or address is let in: within [`BAN_TIME`].
    pub ban: Option<Duration>,
}
