//! The drain of one arbiter's sessions: each is told when it ends, and at the last all end at once.

use std::{cell::RefCell, rc::Rc, time::Instant};

use tokio::sync::Notify;

pub use super::drain_spread::DrainSpread;
use super::{registry::Registry, shared::SESSIONS};
use crate::{
    config::Milliseconds,
    messages::session::{Control, Drain},
    protocol::EndReason,
};

thread_local! {
    /// The drain that this arbiter's sessions were told of: one that comes after that, from a handshake under way, is told
    /// at once.
    static DRAIN: RefCell<Option<DrainSpread>> = const { RefCell::new(None) };
    /// Wakes the tick when the drain begins.
    static NOTICE: Rc<Notify> = Rc::new(Notify::new());
}

/// Tells every session of this arbiter that the server goes, each with its place in the server's spread.
pub fn begin(spread: &DrainSpread) {
    DRAIN.set(Some(spread.clone()));
    NOTICE.with(|notice| notice.notify_one());
    let now = Instant::now();
    for shared in SESSIONS.with(Registry::all) {
        // One that is away has nobody to tell, and needs no place among those who come back.
        let after = if shared.attached() { spread.take() } else { spread.end() };
        shared.end_at(Some((now + after, EndReason::ServerDraining)));
        let Some(member) = shared.member.get() else {
            // Its actor has not started, and would set a deadline of its own.
            if spread.may_close() {
                shared.kill_switch.kill(EndReason::ServerDraining);
            }
            continue;
        };
        let close_after_ms = Milliseconds::rounded_down(after).0;
        // Full: it is ended already. Gone: it has ended.
        let _ = member.post(Control::Drain(Drain { close_after_ms }));
    }
}

/// The drain was withdrawn: every session of this arbiter that was told to go stays.
pub fn withdraw() {
    DRAIN.set(None);
    let now = Instant::now();
    for shared in SESSIONS.with(Registry::all) {
        shared.stays(now);
        if let Some(member) = shared.member.get() {
            // As above.
            let _ = member.post(Control::DrainWithdrawn);
        }
    }
}

/// Whether [`begin`] was called on this arbiter, for a drain that goes on.
#[must_use]
pub fn has_begun() -> bool {
    DRAIN.with_borrow(|drain| drain.as_ref().is_some_and(DrainSpread::goes_on))
}

/// Whether the drain may close a connection of this arbiter now. `false`: there is none any more.
pub(super) fn may_close() -> bool {
    DRAIN.with_borrow(|drain| drain.as_ref().is_some_and(DrainSpread::may_close))
}

/// Ready when the drain begins. For one waiter, the arbiter's tick.
pub async fn begins() {
    NOTICE.with(Rc::clone).notified().await;
}

/// Sessions of this arbiter, those included that have no connection.
#[must_use]
pub fn sessions() -> usize {
    SESSIONS.with(Registry::len)
}

/// Ends every session of this arbiter now: the drain's deadline has come, or nobody has a connection any more.
pub fn end_all() {
    for shared in SESSIONS.with(Registry::all) {
        shared.kill_switch.kill(EndReason::ServerDraining);
    }
}
