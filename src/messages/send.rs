//! The one place that sends past a mailbox's bound.

/// Sends a message past the mailbox's bound: for those that are bounded by what causes them, as `Join` is, of which each
/// session has one under way. Their own comments say "unbounded". Says whether somebody was there to take it.
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
