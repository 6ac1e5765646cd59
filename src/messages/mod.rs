//! What travels between actors, one file per receiver.
//!
//! Two delivery classes and no third: [`send_unbounded`] (never towards a session), and `try_send` with the refusal
//! handled by the caller. `do_send` ignores a mailbox's bound and says nothing when the receiver is gone, so clippy
//! forbids it everywhere else.
mod kill_switch;
pub mod metrics;
mod resume;
pub mod room;
pub mod session;
pub mod supervisor;

pub use kill_switch::{KillSwitch, Killed, Note, Notes};
pub use resume::{Asked, ResumeRequests, ResumeSecrets};

/// Sends a message that is sent unbounded, past the mailbox's bound: such messages are bounded by what causes them (one `Join`
/// under way and one `Leave` per session, one `Admit` per seat). Says whether somebody was there to take it.
///
/// Never towards a session, whose client decides how fast it reads.
#[must_use]
pub fn send_unbounded<M>(to: &actix::Recipient<M>, message: M) -> bool
where
    M: actix::Message + Send,
    M::Result: Send,
{
    let there = to.connected();
    if there {
        #[expect(clippy::disallowed_methods, reason = "the one place: see above")]
        to.do_send(message);
    }
    there
}
