//! The rules of one session: which frame is allowed when, and whose news it believes. No actix, no clock, no socket.

use std::sync::Arc;

use crate::{
    messages::session::{Evict, News, Roster, Snapshot},
    protocol::{ErrorCode, PeerId, RoomName, error_texts},
};

/// Where a session stands.
#[derive(Debug)]
enum Phase {
    /// In no room.
    Outside,
    /// Asked the supervisor for a seat; neither refused nor welcomed yet.
    Joining { room: RoomName, leave: Option<Re> },
    /// In a room, as of the latest roster.
    Inside(Arc<Snapshot>),
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

/// What becomes of a session that the supervisor refused a seat, or has taken its seat from.
#[derive(Debug, PartialEq, Eq)]
pub enum SeatLoss {
    /// Nothing: it has left by itself.
    Stale,
    /// It is in no room.
    Outside {
        /// The `leave` that was said on the way in, and still waits for its answer.
        leave: Option<Re>,
    },
}

/// What a `leave` leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Departure {
    /// Tell the supervisor, say `left`.
    Now(RoomName),
    /// The session is on its way in: it leaves as soon as it is there, so that a join always ends in one definite way.
    OnArrival,
}

/// What a roster is to this session.
#[derive(Debug, PartialEq, Eq)]
pub enum RosterOutcome {
    /// The first roster of a stay: say `joined`, then handle what came too early. `leave`: and leave again at once.
    Entered {
        /// The `leave` that was said on the way in.
        leave: Option<Re>,
    },
    /// A change in the room: pass its frame on.
    Changed,
    /// From a room that this session has left: nothing.
    Stale,
}

/// What to do with a signal from another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalOutcome {
    /// Pass it on.
    Pass,
    /// It overtook this session's own first roster: keep it until then.
    TooEarly,
    /// The sender is not in this session's room, or not any more: drop it and count it.
    Stray,
}

/// The rules' memory.
#[derive(Debug)]
pub struct Rules {
    phase: Phase,
    /// Counts the stays, so that news of a former one is told apart.
    join_seq: u32,
    /// The `?room=` of the handshake: the only room this connection may join.
    hint: Option<RoomName>,
    draining: bool,
}

impl Rules {
    /// A session that has just been greeted.
    #[must_use]
    pub fn new(hint: Option<RoomName>) -> Self {
        Self { phase: Phase::Outside, join_seq: 0, hint, draining: false }
    }

    /// Whether a `join` of that room is in order.
    pub fn may_join(&self, room: &RoomName) -> Result<(), RequestError> {
        if !matches!(self.phase, Phase::Outside) {
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

    /// A `join`: the number of the stay to ask a seat for.
    pub fn join(&mut self, room: &RoomName) -> Result<u32, RequestError> {
        self.may_join(room)?;
        self.join_seq = self.join_seq.wrapping_add(1);
        self.phase = Phase::Joining { room: room.clone(), leave: None };
        Ok(self.join_seq)
    }

    /// The number of the present stay, or of the last one.
    #[must_use]
    pub fn join_seq(&self) -> u32 {
        self.join_seq
    }

    /// The supervisor refused the seat. Stale: it refused a join that has ended in another way.
    pub fn join_refused(&mut self, join_seq: u32) -> SeatLoss {
        if matches!(self.phase, Phase::Joining { .. }) { self.unseat(join_seq) } else { SeatLoss::Stale }
    }

    fn unseat(&mut self, join_seq: u32) -> SeatLoss {
        if join_seq != self.join_seq {
            return SeatLoss::Stale;
        }
        match std::mem::replace(&mut self.phase, Phase::Outside) {
            Phase::Joining { leave, .. } => SeatLoss::Outside { leave },
            Phase::Inside(_) => SeatLoss::Outside { leave: None },
            Phase::Outside => SeatLoss::Stale,
        }
    }

    /// A `leave`.
    pub fn leave(&mut self, re: Re) -> Result<Departure, RequestError> {
        match &mut self.phase {
            Phase::Inside(snapshot) => {
                let room = snapshot.room.clone();
                self.phase = Phase::Outside;
                Ok(Departure::Now(room))
            }
            Phase::Joining { leave: leave @ None, .. } => {
                *leave = Some(re);
                Ok(Departure::OnArrival)
            }
            Phase::Joining { .. } | Phase::Outside => Err(NOT_IN_ROOM),
        }
    }

    /// The room that a `signal` or an `update` is for.
    pub fn room(&self) -> Result<&Arc<Snapshot>, RequestError> {
        match &self.phase {
            Phase::Inside(snapshot) => Ok(snapshot),
            Phase::Joining { .. } => {
                refuse(ErrorCode::NotInRoom, "this session is not in the room yet: wait for joined")
            }
            Phase::Outside => refuse(ErrorCode::NotInRoom, "this session is in no room; join first"),
        }
    }

    /// The room's name, from the `join` on: for the log.
    #[must_use]
    pub fn room_name(&self) -> Option<&RoomName> {
        match &self.phase {
            Phase::Outside => None,
            Phase::Joining { room, .. } => Some(room),
            Phase::Inside(snapshot) => Some(&snapshot.room),
        }
    }

    /// A roster from a room.
    pub fn roster(&mut self, roster: &Roster) -> RosterOutcome {
        let snapshot = &roster.snapshot;
        match (&mut self.phase, &roster.news) {
            (Phase::Joining { room, leave }, News::Joined(welcomed))
                if *room == snapshot.room && welcomed.join_seq == self.join_seq =>
            {
                let leave = leave.take();
                if let Some(hint) = &mut self.hint {
                    // It says the same, and so its own text can go.
                    *hint = snapshot.room.clone();
                }
                self.phase = Phase::Inside(Arc::clone(snapshot));
                RosterOutcome::Entered { leave }
            }
            (Phase::Inside(current), News::Changed(..) | News::Updated(_) | News::Resynced(_))
                // One room, one port: a namesake that was opened later has its own.
                if current.port.is_same(&snapshot.port) =>
            {
                *current = Arc::clone(snapshot);
                RosterOutcome::Changed
            }
            _ => RosterOutcome::Stale,
        }
    }

    /// A signal from another session.
    #[must_use]
    pub fn deliver(&self, from: PeerId) -> SignalOutcome {
        match &self.phase {
            Phase::Inside(snapshot) if snapshot.find(from).is_some() => SignalOutcome::Pass,
            Phase::Joining { .. } => SignalOutcome::TooEarly,
            Phase::Inside(_) | Phase::Outside => SignalOutcome::Stray,
        }
    }

    /// The supervisor found the room dead. Stale: this session has left it already.
    pub fn evicted(&mut self, evict: &Evict) -> SeatLoss {
        self.unseat(evict.join_seq)
    }

    /// The server goes away: nobody joins any more, those inside go on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether the supervisor may hold a seat for this session.
    #[must_use]
    pub fn may_be_seated(&self) -> bool {
        !matches!(self.phase, Phase::Outside)
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
