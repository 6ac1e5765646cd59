//! The rules of one session: which frame is allowed when, whose news it believes, what waits for an answer. No actix, clock or socket.
//!
//! `M` is how a peer is reached, `R` how a room is, and `S` what one peer sends another. The rules keep them and hand them
//! back; of a room they ask only whether it is the same.

mod restored;

use std::{sync::Arc, time::Instant};

use crate::{
    auth::Grant,
    messages::session::Snapshot,
    protocol::{EndReason, ErrorCode, PeerId, Permissions, ResumeSecret, RoomName, error_texts},
};

/// Where a session stands. An idle one should cost little: what belongs to an answer that is awaited is boxed.
#[derive(Debug)]
enum Membership<M, R, S> {
    /// In no room.
    Outside,
    /// Asked the supervisor for a seat; neither refused nor welcomed yet.
    Joining(Box<Joining<S>>),
    /// In a room.
    Inside {
        /// As of the latest roster.
        snapshot: Arc<Snapshot<M, R>>,
        /// The client came back, has missed too much, and is sent nothing of the room before all of it.
        resync: Option<Box<Resync<S>>>,
    },
}

#[derive(Debug)]
struct Joining<S> {
    room: RoomName,
    leave: Option<Re>,
    join: PendingJoin,
    early: Vec<S>,
}

#[derive(Debug)]
struct Resync<S> {
    resume: PendingResume,
    early: Vec<S>,
}

/// A `join` that is not answered yet.
#[derive(Debug, PartialEq, Eq)]
pub struct PendingJoin {
    /// When it was read.
    pub asked: Instant,
    /// The session's deadline before it.
    pub deadline: Option<(Instant, EndReason)>,
    /// Its `id`, should the room end before it can answer.
    pub re: Re,
    /// Whether it came no sooner than it might, after a refusal.
    pub patient: bool,
    /// Whether it asked to be resumable.
    pub resumable: bool,
    /// What its token grants, if it brought one.
    pub grant: Option<Arc<Grant>>,
}

/// A resume that is granted, and answered when the whole room is known.
#[derive(Debug, PartialEq, Eq)]
pub struct PendingResume {
    /// The client's frames that were handled, by the count that is over.
    pub ack: u64,
    /// The client's count of attempts.
    pub attempt: u32,
    /// The `id` of the `join`.
    pub re: Re,
    /// The secret for the next resume.
    pub next: ResumeSecret,
}

/// What gets no answer from the room any more.
#[derive(Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The client's `join`.
    Join(PendingJoin),
    /// Its resume.
    Resume(PendingResume),
}

/// A request's `id`, for its reply's `re`; empty where the request carried none.
pub type Re = Option<Box<str>>;

/// Why a frame is refused: what the `error` frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// For a person who reads it.
    pub message: &'static str,
}

/// A `leave` from nowhere.
pub const NOT_IN_ROOM: RequestError =
    RequestError { code: ErrorCode::NotInRoom, message: "this session is in no room" };

/// What the session's token, or the lack of one, does not permit.
const NOT_PERMITTED: RequestError =
    RequestError { code: ErrorCode::PermissionDenied, message: error_texts::NOT_PERMITTED };

/// What becomes of a session whose seat the supervisor has taken, since its room is dead.
#[derive(Debug, PartialEq, Eq)]
pub enum SeatLoss {
    /// Nothing: it has left by itself.
    Stale,
    /// It is in no room.
    Outside {
        /// What was still to be answered.
        unanswered: Option<Unanswered>,
        /// The `leave` that was sent on the way in, and still waits for its answer.
        leave: Option<Re>,
    },
}

/// What a `leave` leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Departure {
    /// Notify the supervisor, send `left`.
    Now(RoomName),
    /// The session is on its way in: it leaves as soon as it is there, so that a join always ends in one definite way.
    OnArrival,
}

/// What a roster tells, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterKind {
    /// The receiver is in, by the join of that number.
    Joined(u32),
    /// The whole room, as it was asked for.
    Resynced,
    /// Something happened to another peer, or the receiver's own `update` was taken.
    Changed,
}

/// What a roster is to this session.
#[derive(Debug, PartialEq, Eq)]
pub enum RosterOutcome<S> {
    /// The first roster after a join: send `joined`, then handle what came too early. `leave`: and leave again at once.
    Entered {
        /// What it answers.
        join: PendingJoin,
        /// The `leave` that was sent on the way in.
        leave: Option<Re>,
        /// The signals that overtook it.
        early: Vec<S>,
    },
    /// The whole room: answer the resume with it, then handle what came too early.
    Resynced {
        /// What it answers.
        resume: PendingResume,
        /// The signals that came before it.
        early: Vec<S>,
    },
    /// A change in the room: pass its frame on.
    Changed,
    /// A change in the room, and part of the whole room that is on its way: the client is told then.
    Included,
    /// From a room that this session has left, or an answer that nobody waits for: nothing.
    Stale,
}

/// What to do with a signal from another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalOutcome {
    /// Pass it on.
    Pass,
    /// It overtook the roster that this session waits for: [keep](Rules::keep_early) it until then.
    TooEarly,
    /// The sender is not in this session's room, or not any more: drop it and count it.
    Stray,
}

/// The rules' memory.
#[derive(Debug)]
pub struct Rules<M, R, S> {
    membership: Membership<M, R, S>,
    /// Counts the joins, so that news of a former one is told apart.
    join_seq: u32,
    /// The `?room=` of the handshake: the only room this connection may join.
    hint: Option<RoomName>,
    draining: bool,
    /// What the session may in the room that it is in.
    permissions: Permissions,
}

impl<M, R: PartialEq, S> Rules<M, R, S> {
    /// A session that has just been greeted.
    #[must_use]
    pub fn new(hint: Option<RoomName>) -> Self {
        Self { membership: Membership::Outside, join_seq: 0, hint, draining: false, permissions: Permissions::USUAL }
    }

    /// Whether a `join` of that room is in order.
    pub fn may_join(&self, room: &RoomName) -> Result<(), RequestError> {
        if !matches!(self.membership, Membership::Outside) {
            return refuse(ErrorCode::AlreadyJoined, "this session is in a room, or on its way into one; leave first");
        }
        if self.draining {
            return refuse(ErrorCode::ServerDraining, error_texts::DRAINING);
        }
        if self.hint.as_ref().is_some_and(|hint| !is_meant(hint, room)) {
            return refuse(ErrorCode::InvalidMessage, "room is not the one that the connection's ?room= named");
        }
        Ok(())
    }

    /// A `join`: the number to ask a seat with.
    pub fn join(&mut self, room: &RoomName, join: PendingJoin) -> Result<u32, RequestError> {
        self.may_join(room)?;
        self.join_seq = self.join_seq.wrapping_add(1);
        self.membership =
            Membership::Joining(Box::new(Joining { room: room.clone(), leave: None, join, early: Vec::new() }));
        Ok(self.join_seq)
    }

    /// The supervisor refused the seat: the join that this answers, and the `leave` that was said on the way in and still
    /// waits for its answer. `None`: it refused a join that has ended in another way.
    pub fn join_refused(&mut self, join_seq: u32) -> Option<(PendingJoin, Option<Re>)> {
        if join_seq != self.join_seq {
            return None;
        }
        match std::mem::replace(&mut self.membership, Membership::Outside) {
            Membership::Joining(joining) => {
                let Joining { join, leave, .. } = *joining;
                Some((join, leave))
            }
            other => {
                self.membership = other;
                None
            }
        }
    }

    /// The supervisor found the room dead. Stale: this session has left it already.
    pub fn evicted(&mut self, join_seq: u32) -> SeatLoss {
        if join_seq != self.join_seq {
            return SeatLoss::Stale;
        }
        match std::mem::replace(&mut self.membership, Membership::Outside) {
            Membership::Joining(joining) => {
                let Joining { join, leave, .. } = *joining;
                SeatLoss::Outside { unanswered: Some(Unanswered::Join(join)), leave }
            }
            Membership::Inside { resync, .. } => {
                let unanswered = resync.map(|resync| Unanswered::Resume(resync.resume));
                SeatLoss::Outside { unanswered, leave: None }
            }
            Membership::Outside => SeatLoss::Stale,
        }
    }

    /// A `leave`.
    pub fn leave(&mut self, re: Re) -> Result<Departure, RequestError> {
        match &mut self.membership {
            Membership::Inside { snapshot, .. } => {
                let room = snapshot.room.clone();
                self.membership = Membership::Outside;
                Ok(Departure::Now(room))
            }
            Membership::Joining(joining) if joining.leave.is_none() => {
                joining.leave = Some(re);
                Ok(Departure::OnArrival)
            }
            Membership::Joining(_) | Membership::Outside => Err(NOT_IN_ROOM),
        }
    }

    /// The room that a `signal` or an `update` is for.
    pub fn room(&self) -> Result<&Arc<Snapshot<M, R>>, RequestError> {
        let why = match &self.membership {
            Membership::Inside { snapshot, .. } => return Ok(snapshot),
            Membership::Joining(_) => "this session is not in the room yet: wait for joined",
            Membership::Outside => "this session is in no room; join first",
        };
        refuse(ErrorCode::NotInRoom, why)
    }

    /// The same for a session that may do that.
    pub fn room_to(&self, act: Permissions) -> Result<&Arc<Snapshot<M, R>>, RequestError> {
        let room = self.room()?;
        if self.permissions.allow(act) { Ok(room) } else { Err(NOT_PERMITTED) }
    }

    /// From now on the session may do this, until it leaves the room.
    pub fn permit(&mut self, permissions: Permissions) {
        self.permissions = permissions;
    }

    /// The room's name, from the `join` on: for the log.
    #[must_use]
    pub fn room_name(&self) -> Option<&RoomName> {
        match &self.membership {
            Membership::Outside => None,
            Membership::Joining(joining) => Some(&joining.room),
            Membership::Inside { snapshot, .. } => Some(&snapshot.room),
        }
    }

    /// A roster from a room.
    pub fn roster(&mut self, snapshot: &Arc<Snapshot<M, R>>, kind: RosterKind) -> RosterOutcome<S> {
        match &mut self.membership {
            Membership::Joining(joining) if kind == RosterKind::Joined(self.join_seq) && joining.room == snapshot.room => {
                self.entered(snapshot)
            }
            Membership::Inside { snapshot: current, resync }
                // One room, one port: a namesake that was opened later has its own.
                if !matches!(kind, RosterKind::Joined(_)) && current.port == snapshot.port =>
            {
                *current = Arc::clone(snapshot);
                match kind {
                    RosterKind::Resynced => resync.take().map_or(RosterOutcome::Stale, |resync| {
                        let Resync { resume, early } = *resync;
                        RosterOutcome::Resynced { resume, early }
                    }),
                    _ if resync.is_some() => RosterOutcome::Included,
                    _ => RosterOutcome::Changed,
                }
            }
            _ => RosterOutcome::Stale,
        }
    }

    fn entered(&mut self, snapshot: &Arc<Snapshot<M, R>>) -> RosterOutcome<S> {
        // It says the same, and so its own text can go.
        self.hint = self.hint.is_some().then(|| snapshot.room.clone());
        let inside = Membership::Inside { snapshot: Arc::clone(snapshot), resync: None };
        let former = std::mem::replace(&mut self.membership, inside);
        let Membership::Joining(joining) = former else { return RosterOutcome::Stale };
        let Joining { join, leave, early, .. } = *joining;
        self.permissions = join.grant.as_ref().map_or(Permissions::USUAL, |grant| grant.permissions);
        RosterOutcome::Entered { join, leave, early }
    }

    /// A client came back and has missed too much: it is answered when the room has sent all that it is. What was kept
    /// for the answer to an earlier resume goes, since this answer says as well that something was missed.
    ///
    /// Says which join this belongs to, for the room to repeat; `None`: the session is in no room.
    pub fn resync(&mut self, resume: PendingResume) -> Option<u32> {
        let Membership::Inside { resync, .. } = &mut self.membership else { return None };
        *resync = Some(Box::new(Resync { resume, early: Vec::new() }));
        Some(self.join_seq)
    }

    /// A signal from another session.
    #[must_use]
    pub fn deliver(&self, from: PeerId) -> SignalOutcome {
        match &self.membership {
            Membership::Inside { snapshot, resync } if snapshot.find(from).is_some() => {
                if resync.is_none() {
                    SignalOutcome::Pass
                } else {
                    SignalOutcome::TooEarly
                }
            }
            Membership::Joining(_) => SignalOutcome::TooEarly,
            Membership::Inside { .. } | Membership::Outside => SignalOutcome::Stray,
        }
    }

    /// Keeps a signal that came [too early](SignalOutcome::TooEarly). `false`: `most` are kept already, and it is lost.
    #[must_use]
    pub fn keep_early(&mut self, signal: S, most: usize) -> bool {
        let early = match &mut self.membership {
            Membership::Joining(joining) => &mut joining.early,
            Membership::Inside { resync: Some(resync), .. } => &mut resync.early,
            Membership::Inside { resync: None, .. } | Membership::Outside => return false,
        };
        let fits = early.len() < most;
        if fits {
            early.push(signal);
        }
        fits
    }

    /// The server goes away, and nobody joins any more, while those inside go on; or it stays after all.
    pub fn drain(&mut self, goes: bool) {
        self.draining = goes;
    }

    /// Whether the supervisor may hold a seat for this session.
    #[must_use]
    pub fn may_be_seated(&self) -> bool {
        !matches!(self.membership, Membership::Outside)
    }
}

/// Whether a `?room=` that was read as `hint` may have meant that room: `+` is a plus there, and forms write a space so.
fn is_meant(hint: &RoomName, room: &RoomName) -> bool {
    let folded = |byte: u8| if byte == b'+' { b' ' } else { byte };
    hint.as_str().bytes().map(folded).eq(room.as_str().bytes().map(folded))
}

fn refuse<T>(code: ErrorCode, message: &'static str) -> Result<T, RequestError> {
    Err(RequestError { code, message })
}
