//! The rules of a session that may outlive its socket: what parks it, what is answered to a client that comes back, and
//! what its new socket finds. No actix, no clock, no socket.

use super::resume_buffer::{ResumeBuffer, Resumed};
use crate::{
    messages::Killed,
    protocol::{EndReason, ResumeSecret, RoomName},
};

/// Whether the session outlives this.
///
/// A lost, silent or slow socket parks a session whose client can come back. One that is parked already is ended by its
/// deadline and by the server's end; that its mailbox was too full for somebody's message is only a gap.
///
/// `goodbye`: the client's close frame said that it does not come back.
#[must_use]
pub fn may_park(reason: EndReason, goodbye: bool, buffer: Option<&ResumeBuffer>) -> bool {
    ends_socket_only(reason, goodbye) && buffer.is_some_and(ResumeBuffer::may_park)
}

/// Whether this ends a socket only, where there is something to come back with.
fn ends_socket_only(reason: EndReason, goodbye: bool) -> bool {
    match reason {
        EndReason::Disconnected | EndReason::PingTimeout | EndReason::SlowConsumer => true,
        EndReason::ClientClosed => !goodbye,
        _ => false,
    }
}

/// What is answered to somebody who asks to resume this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the socket here.
    Granted,
    /// The client's `ack` falls, or exceeds what was sent.
    BadAck,
    /// No such session.
    NoSession,
}

/// Whether the session in that room, with that resume buffer, may be resumed by a client that names `room` and `secret` and
/// has handled `ack` frames.
#[must_use]
pub fn judge(
    buffer: Option<&ResumeBuffer>,
    inside: Option<&RoomName>,
    room: &RoomName,
    secret: &ResumeSecret,
    ack: u64,
) -> Verdict {
    match buffer {
        Some(buffer) if buffer.knows(secret) && inside == Some(room) => {
            if buffer.allows(secret, ack) {
                Verdict::Granted
            } else {
                Verdict::BadAck
            }
        }
        _ => Verdict::NoSession,
    }
}

/// What a socket finds that a client comes back with.
#[derive(Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It is the session's from now on.
    Resumed(Resumed),
    /// The session has ended or left its room, or was resumed by somebody else, while the socket was on its way.
    Refused,
    /// The session was about to end for this reason, and still is.
    Ending(EndReason),
}

/// The resume buffer's part of a resume, if it may be. `killed` says what was about to end the former socket; it is asked
/// only where the secret is good.
pub fn take_over(
    buffer: Option<&mut ResumeBuffer>,
    killed: impl FnOnce() -> Option<Killed>,
    goodbye: bool,
    (secret, ack): (&ResumeSecret, u64),
    next: ResumeSecret,
) -> Takeover {
    let Some(buffer) = buffer.filter(|buffer| buffer.knows(secret)) else { return Takeover::Refused };
    // What ends the former socket must not end the new one: it is being replaced.
    if let Some(Killed { reason, lost }) = killed() {
        if lost {
            buffer.lost();
        }
        if !ends_socket_only(reason, goodbye) {
            return Takeover::Ending(reason);
        }
    }
    buffer.resume(secret, ack, next).map_or(Takeover::Refused, Takeover::Resumed)
}
