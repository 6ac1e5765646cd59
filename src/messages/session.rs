//! Messages to a session: [`ToMember`] from its peers and its room, [`Control`] from whoever decides about the session
//! itself. Handled in `session/actor.rs`; sent with `try_send` only, and a refusal pulls the [`KillSwitch`].

use std::{sync::Arc, time::Duration};

use actix::{Message, Recipient};
use tokio::sync::oneshot;

use super::{
    cluster::Unsent,
    inbox::{Admission, Bounds, Busy, Inbox, Load, Mark},
    kill_switch::KillSwitch,
    moderation::{ModerationError, RoomOrder, wait_for_ban},
    presence::PresenceState,
    resume::{ResumeRequests, SeatTaken},
    room::RoomPort,
};
pub use super::{
    news::{News, Several, Welcomed},
    transfer::{Credential, FrameCounts, InTransit, ResumeGrant, SocketTransfer},
};
use crate::auth::Grant;
use crate::moment::Moment;
use crate::protocol::{ErrorCode, PeerId, ResumeSecret, RoomName, SessionId, SignalKind, TextFrame};
use crate::telemetry::{Context, LimitHit, RequestId, Source};

/// All messages to a session in one type: a `Recipient` costs some 120 bytes, and a session would need one per message.
/// One mailbox keeps them in order, too.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToSession {
    /// As a member of a room.
    Member(ToMember),
    /// About the session itself.
    Control(Control),
}

/// What a member of a room is told, by the others and by the room: all that a peer which lives elsewhere would have to be
/// told, too.
#[derive(Debug)]
pub enum ToMember {
    /// From another session of the room.
    Deliver(Deliver),
    /// From the room.
    Roster(Roster),
}

impl From<ToMember> for ToSession {
    fn from(message: ToMember) -> Self {
        Self::Member(message)
    }
}

/// What concerns one session of this process and its connection.
#[derive(Debug)]
pub enum Control {
    /// From the supervisor: the answer to a `Join` that it does not grant.
    JoinFailed(Box<JoinFailed>),
    /// From the supervisor.
    Evict(Evict),
    /// From the supervisor: the answer to a `Moderate`.
    Moderated(Box<Moderated>),
    /// From the supervisor.
    Unsent(Box<Unsent>),
    /// From `session/drain.rs`, which the shutdown runs on every arbiter.
    Drain(Drain),
    /// From the same: the server goes on, and so does the session.
    DrainWithdrawn,
    /// From the pump of a session whose client comes back to this one, and was told that it may.
    TakeSocket(Box<SocketTransfer>),
}

impl From<Control> for ToSession {
    fn from(message: Control) -> Self {
        Self::Control(message)
    }
}

/// One `signal`, already encoded, from a peer of the same room. The receiver drops and counts what comes from a peer
/// that its own roster lacks.
#[derive(Debug, Clone)]
pub struct Deliver {
    /// The sending peer, stamped by its session.
    pub from: PeerId,
    /// What it is, for the counts.
    pub kind: SignalKind,
    /// Built once by the sender, shared by all receivers.
    pub frame: TextFrame,
    /// When the sender read the message, on one message in 16: the sample that handling time is measured by.
    pub read_at: Option<Moment>,
    /// How the receiver's [`Inbox`] admitted it.
    pub mark: Mark,
}

/// Who is in the room now, in one message with what has changed. Sent by the room, to the members first
/// and to newcomers last, so that nobody receives an offer from a peer it was not told of.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The complete room.
    pub snapshot: Arc<Snapshot>,
    /// What changed.
    pub news: News,
}

/// The session gets no seat: it may ask again, for this room or another.
#[derive(Debug)]
pub struct JoinFailed {
    /// The number of the join, as the session gave it in its `Join`.
    pub join_seq: u32,
    /// Why not.
    pub refused: JoinError,
}

/// Why a [`Join`](super::supervisor::Join) was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinError {
    /// One that a `join` may be answered with.
    pub code: ErrorCode,
    /// With `rate_limited`, `banned` and `unavailable`: when the next join may come.
    pub retry_after: Option<Duration>,
    /// The limit of one address that it was, if it was not the server's or the room's.
    pub share: Option<LimitHit>,
}

impl JoinError {
    /// With that code, because of a cap of the room's or the server's, or of none.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self { code, retry_after: None, share: None }
    }

    /// Whether a room refuses somebody who asked no sooner than it may, or there is no place for another room.
    #[must_use]
    pub fn is_by_room(&self) -> bool {
        matches!(self.code, ErrorCode::RoomFull | ErrorCode::RoomLimit | ErrorCode::RoomLocked | ErrorCode::Banned)
    }

    /// That room has a ban that is over then.
    #[must_use]
    pub fn banned(left: Duration) -> Self {
        Self { code: ErrorCode::Banned, retry_after: Some(wait_for_ban(left)), share: None }
    }

    /// With that code, because of that limit of one address.
    #[must_use]
    pub fn of_address(code: ErrorCode, retry_after: Option<Duration>, share: LimitHit) -> Self {
        Self { code, retry_after, share: Some(share) }
    }
}

/// The supervisor found the session's room dead. The session is in no room any more and may join again.
#[derive(Debug, Clone)]
pub struct Evict {
    /// The room that ended.
    pub room: RoomName,
    /// The number of the join, as the session gave it in its `Join`: news of a former one changes nothing.
    pub join_seq: u32,
}

/// What became of what the session's client asked for, that moderates its room.
#[derive(Debug)]
pub struct Moderated {
    /// The request's `id`.
    pub re: Option<Box<str>>,
    /// It was done, or why not.
    pub outcome: Result<RoomOrder, ModerationError>,
}

/// The server is going away: send `bye`, and close after `close_after_ms` with [`EndReason::ServerDraining`].
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// This session's place in the spread, from now, in milliseconds.
    pub close_after_ms: u64,
}

/// May this client come back to you? Answered with the session's own handle, or dropped. It is no message: see
/// [`ResumeRequests`].
#[derive(Debug)]
pub struct ResumeRequest {
    /// Is good, or the request goes to nobody.
    pub secret: ResumeSecret,
    /// Must be within what was sent.
    pub ack: u64,
    /// Must be the room that the session is in.
    pub room: RoomName,
    /// What a token grants that came along; it must name the user that the session's own names.
    pub grant: Option<Arc<Grant>>,
    /// Where the answer goes. Dropped: no such session.
    pub answer: oneshot::Sender<ResumeAnswer>,
}

/// What is answered to a [`ResumeRequest`]. The first three are the session's, the others the supervisor's.
#[derive(Debug)]
pub enum ResumeAnswer {
    /// Send the socket here.
    Granted(Arc<Member>),
    /// The client's `ack` falls, or exceeds what was sent.
    BadAck,
    /// The client's token names somebody else.
    OtherUser,
    /// The client has asked again, on a newer connection.
    Busy,
    /// The secret is wrong, and too many were; so long until the next may come.
    TooManyWrong(Duration),
}

/// One session as others see it. There is exactly one per session, shared by every roster: each clone of a `Recipient`
/// would bring a free mailbox slot of its own, and the mailbox would have no bound.
pub struct Member {
    /// The public name.
    pub peer: PeerId,
    /// The private name, for logs and for the supervisor's seats.
    pub session: SessionId,
    /// The request that its connection began with, for logs.
    pub request: RequestId,
    /// Where its client was then, for logs.
    pub source: Source,
    /// The mailbox.
    pub port: Recipient<ToSession>,
    /// For when the mailbox refuses.
    pub kill_switch: KillSwitch,
    /// For who wants to resume it.
    pub resume: ResumeRequests<ResumeRequest>,
    /// For the supervisor, whether its client is away.
    pub presence: PresenceState,
    /// What waits for it, and for how much of that each sender answers.
    pub inbox: Inbox,
}

/// With its `Arc`'s two counts it is in the allocator's class of 160 bytes, and every idle connection has one.
const _: () = assert!(size_of::<Member>() <= 160 - 2 * size_of::<usize>());

/// What became of a message to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// In the mailbox.
    Taken,
    /// The mailbox was full; the session is being ended.
    Full,
    /// The session is gone.
    Gone,
    /// More of the sender's waits for it than may.
    Busy(Busy),
}

impl Member {
    /// Its session, for what is told of it.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context::of_session(&self.request, self.session, self.source)
    }

    /// The session has no seat any more, for good.
    pub fn take_seat(&self, taken: SeatTaken) {
        let join_seq = taken.join_seq;
        self.resume.seat_taken(taken);
        self.kill_switch.take_seat(join_seq);
    }

    /// Why it has none, if it is the seat of that join that was taken.
    #[must_use]
    pub fn how_taken(&self, join_seq: u32) -> Option<SeatTaken> {
        self.resume.how_taken(join_seq)
    }

    /// Sends a message that is not refused; a full mailbox ends the session (the message is lost, so it cannot go on as if
    /// nothing happened).
    pub fn post(&self, message: impl Into<ToSession>) -> Posted {
        let message = message.into();
        let news = match &message {
            ToSession::Member(ToMember::Roster(roster)) => roster.news.load(),
            _ => Load::default(),
        };
        self.inbox.news_posted(news);
        self.try_send(message, |inbox| inbox.news_lost(news))
    }

    /// Sends a signal, if what waits here leaves room for one more of its sender's. Its mark is made here.
    #[inline]
    pub fn post_signal(&self, signal: Deliver, sender: &KillSwitch, bounds: &Bounds) -> Posted {
        let (from, bytes) = (signal.from, signal.frame.as_bytes().len());
        match self.inbox.admit(from, bytes, bounds, sender) {
            Admission::Admitted(mark) => self.try_send(ToMember::Deliver(Deliver { mark, ..signal }).into(), |inbox| {
                inbox.dropped(from, bytes, mark);
            }),
            Admission::Busy(busy) => Posted::Busy(busy),
            Admission::Gone => Posted::Gone,
        }
    }

    /// `lost` takes back what was counted for the message.
    #[inline]
    fn try_send(&self, message: ToSession, lost: impl FnOnce(&Inbox)) -> Posted {
        match self.port.try_send(message) {
            Ok(()) if self.kill_switch.is_shut() => Posted::Gone,
            Ok(()) => Posted::Taken,
            Err(actix::prelude::SendError::Full(_)) => {
                lost(&self.inbox);
                self.kill_switch.kill_for_lost_message();
                Posted::Full
            }
            Err(actix::prelude::SendError::Closed(_)) => Posted::Gone,
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Member({})", self.peer)
    }
}

/// An immutable picture of a room, shared by all its sessions until the next change. `M` is how a peer is reached, and `R`
/// how the room is.
#[derive(Debug)]
pub struct Snapshot<M = Arc<Member>, R = RoomPort> {
    /// The room.
    pub room: RoomName,
    /// Most peers it takes.
    pub capacity: usize,
    /// Sorted by peer, so that a look-up is a binary search over contiguous names.
    pub members: Vec<(PeerId, M)>,
    /// Where its sessions write to.
    pub port: R,
}

impl<M, R> Snapshot<M, R> {
    /// The member of that name.
    #[must_use]
    pub fn find(&self, peer: PeerId) -> Option<&M> {
        let at = self.members.binary_search_by_key(&peer, |(name, _)| *name).ok()?;
        Some(&self.members[at].1)
    }
}
