//! Messages to the supervisor of those who moderate rooms. Handled in `supervisor/moderate.rs`.
//!
//! An operator's request is answered when it is handled, with what became of it; whoever serves the operators sends it as actix
//! does (`Recipient::send`), and waits. What members ask for is in `supervisor.rs`, as all that a session sends.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::Message;

pub use crate::protocol::{BAN_TIME, Kick, Target};
use crate::{
    limits::Subnet,
    protocol::{ErrorCode, PeerId, PlainText, RoomName, Who},
};

/// For how long a lock outlives its room: those who have left it together find it as it was, and a name is not lost for ever.
pub const LOCK_OUTLIVES: Duration = Duration::from_secs(600);

/// After this time at the latest somebody may ask again who is told to wait for the end of a ban.
const MOST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait for the end of a ban that has so much left. No longer than a day: timers of browsers end at 24 days, and fire at
/// once beyond that.
#[must_use]
pub fn wait_for_ban(left: Duration) -> Duration {
    left.min(MOST_WAIT)
}

/// What a member asks for that moderates its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomOrder {
    /// Send somebody away.
    Kick(Kick),
    /// Lock it, or unlock it.
    Lock(bool),
}

/// What a kick led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kicked {
    /// Who was sent away. Empty: nobody of that name was in the room, but a ban was made, or all were told to let go of that
    /// person.
    pub peers: Vec<PeerId>,
}

/// Why something could not be done to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModerationError {
    /// There is no room of that name, nor is one remembered.
    #[error("there is no room of that name")]
    UnknownRoom,
    /// Nobody of that name is in it.
    #[error("nobody of that name is in the room")]
    UnknownPeer,
    /// The room has no such ban, or it is over.
    #[error("the room has no such ban")]
    UnknownBan,
    /// The room has as many as it may (`limits.bans_per_room`). Nobody was sent away.
    #[error("the room has as many bans as it may (limits.bans_per_room)")]
    TooManyBans {
        /// When the first of them is over.
        retry_after: Duration,
    },
    /// Of who is to be banned neither an identity, nor a user, nor an address that has limits is known. Nobody was sent away.
    #[error("there is nothing to ban by: neither an identity, nor a user, nor an address that is limited")]
    NothingToBanBy,
    /// A ban is too short or too long.
    #[error("a ban takes from 1 second to 30 days")]
    BanTime,
    /// A reason or a notice.
    #[error("the text is longer than {limit} bytes")]
    TextTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The session that asks is in no room.
    #[error("this session is in no room")]
    NotInRoom,
    /// The process ends, and what the next one goes on with is written. Nothing was done.
    #[error("the server is being replaced, and does not change rooms any more; ask the next process")]
    HandedOver,
}

/// A process that is replaced ends within 2 s, and the next one is there soon after.
const NEXT_PROCESS: Duration = Duration::from_secs(3);

impl ModerationError {
    /// What a client is told.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::UnknownRoom | Self::NotInRoom => ErrorCode::NotInRoom,
            Self::UnknownPeer | Self::UnknownBan => ErrorCode::PeerNotFound,
            Self::TooManyBans { .. } => ErrorCode::RateLimited,
            Self::NothingToBanBy | Self::BanTime | Self::TextTooLong { .. } => ErrorCode::InvalidMessage,
            Self::HandedOver => ErrorCode::ServerDraining,
        }
    }

    /// When the same may succeed.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::TooManyBans { retry_after } => Some(wait_for_ban(retry_after)),
            Self::HandedOver => Some(NEXT_PROCESS),
            _ => None,
        }
    }
}

/// Names a ban, for whoever lifts it: unique in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BanId(pub u64);

impl fmt::Display for BanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who is not let into a room: whoever is that person, that user, or comes from that address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its name.
    pub id: BanId,
    /// The person, if it gave an identity.
    pub who: Option<Who>,
    /// The user, if its token named one.
    pub user: Option<Arc<str>>,
    /// An IPv4 address or an IPv6 /64; `None`: one that the limits per address do not concern, or nobody was there.
    pub subnet: Option<Subnet>,
    /// When it is over.
    pub until: Instant,
}

/// A room's lock and bans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomBans {
    /// Whether it is locked.
    pub locked: bool,
    /// Those in force, oldest first.
    pub bans: Vec<Ban>,
}

/// From an operator: send somebody out of a room.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Kicked, ModerationError>")]
pub struct KickFrom {
    /// Which room.
    pub room: RoomName,
    /// Who, and for how long.
    pub kick: Kick,
}

/// From an operator: the bans of a room. Of one that is gone, those that are remembered.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<RoomBans, ModerationError>")]
pub struct ListBans {
    /// Which room.
    pub room: RoomName,
}

/// From an operator: let somebody in again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), ModerationError>")]
pub struct LiftBan {
    /// Which room.
    pub room: RoomName,
    /// Which of its bans.
    pub ban: BanId,
}

/// From an operator: lock a room, or unlock it. One that is gone can be unlocked, if its lock is remembered.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), ModerationError>")]
pub struct LockRoom {
    /// Which room.
    pub room: RoomName,
    /// Whether nobody is to be let in.
    pub locked: bool,
}

/// From an operator: send everybody out of a room. Their connections are closed, and their clients do not come back by
/// themselves; who comes all the same opens a new room of that name, unless it was locked. Says how many were in it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, ModerationError>")]
pub struct CloseRoom {
    /// Which room.
    pub room: RoomName,
    /// What they are told, at most [`NOTICE_BYTES`](crate::protocol::plain_text::NOTICE_BYTES).
    pub text: Option<PlainText>,
}

/// From an operator: something for people to read. Says how many peers it goes to.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, ModerationError>")]
pub struct SendNotice {
    /// To those in this room; `None`: to all in any.
    pub room: Option<RoomName>,
    /// At most [`NOTICE_BYTES`](crate::protocol::plain_text::NOTICE_BYTES).
    pub text: PlainText,
}
